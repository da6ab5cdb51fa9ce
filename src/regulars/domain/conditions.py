"""Filters as SQL conditions, in two-valued logic: a missing value makes a comparison false, never unknown."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from regulars.domain.properties import YES_NO, Property, PropertyNames, resolve
from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regulars.domain.query import Filter, Scalar
    from regulars.domain.sql import Values

_COMPARISONS = ("=", "<", "<=", ">", ">=")
_NEGATED = {"!=": "=", "not_in": "in", "not_contains": "contains", "is_not_set": "is_set"}


def condition(filter_: Filter, names: PropertyNames, values: Values) -> str:
    """One filter, or a group of them, as a boolean expression that is never NULL."""
    if filter_.property is None:
        word = " AND " if filter_.all else " OR "
        return "(" + word.join(condition(member, names, values) for member in filter_.members()) + ")"
    found = resolve(filter_.property, names, values)
    filter_ = _on_choices(filter_, found) if found.choices else filter_
    op = _NEGATED.get(filter_.op, filter_.op)
    test = f"coalesce({_test(op, found, filter_.value, values)}, FALSE)"
    return f"NOT {test}" if filter_.op in _NEGATED else test


def scopes(filter_: Filter, names: PropertyNames, values: Values) -> set[str]:
    """Whose properties a filter reads: user, moment (time-dependent) or event."""
    return {resolve(leaf.property or "", names, values).scope for leaf in filter_.leaves()}


@dataclass(frozen=True)
class SortedFilters:
    """Filters by what they select: events, people, people on a day, or sessions."""

    event: list[Filter] = field(default_factory=list)
    user: list[Filter] = field(default_factory=list)
    moment: list[Filter] = field(default_factory=list)
    session: list[Filter] = field(default_factory=list)


def sort_filters(filters: Iterable[Filter], names: PropertyNames, values: Values) -> SortedFilters:
    """Sort filters by what they select.

    A group that mixes events and stored attributes selects events, one with a session property selects sessions.
    Events mixed with a time-dependent attribute, or with sessions, have no single meaning and are refused.
    """
    found = SortedFilters()
    for filter_ in filters:
        read = scopes(filter_, names, values)
        if "event" in read and read & {"moment", "session"}:
            raise QueryError(
                "a filter group cannot mix event properties with tenure_band, age_band, cohorts, segments or session "
                "properties; "
                "put them side by side instead of in one any/all group",
                code="mixed_filter",
            )
        kind = next((kind for kind in ("event", "session", "moment") if kind in read), "user")
        getattr(found, kind).append(filter_)
    return found


def _on_choices(filter_: Filter, found: Property) -> Filter:
    """A condition on a property with few values: in a cohort means yes, and a value that cannot be is refused."""
    if found.choices == YES_NO and filter_.op in ("is_set", "is_not_set"):
        return msgspec.structs.replace(filter_, op="=" if filter_.op == "is_set" else "!=", value="yes")
    given = filter_.value if isinstance(filter_.value, tuple) else (filter_.value,)
    texts = tuple(_yes_no(value, found) for value in given)
    for text in texts if filter_.op in ("=", "!=", "in", "not_in") else ():
        if text not in found.choices:
            raise UnknownNameError(f"value of {filter_.property}", str(text), found.choices, code="unknown_value")
    return msgspec.structs.replace(filter_, value=texts if isinstance(filter_.value, tuple) else texts[0])


def _yes_no(value: Scalar | None, found: Property) -> Scalar | None:
    return ("yes" if value else "no") if isinstance(value, bool) and found.choices == YES_NO else value


def _test(op: str, found: Property, value: object, values: Values) -> str:
    if op == "is_set":
        return f"{found.expression} IS NOT NULL"
    if isinstance(value, tuple):
        return _between(found, value, values) if op == "between" else _one_of(found, value, values)
    if op in _COMPARISONS:
        return _compare(op, found, value, values)  # type: ignore[arg-type]  # Filter holds scalars only
    return _match(op, found, str(value), values)


def _compare(op: str, found: Property, value: Scalar, values: Values) -> str:
    number = _as_number(found, value)
    if number is None:
        text = f"rg_text({found.expression})" if found.numeric else found.expression
        return f"{text} {op} {values.add(_as_text(value))}"
    read = found.expression if found.numeric else f"rg_number({found.expression})"
    return f"{read} {op} {values.add(number)}"


def _as_number(found: Property, value: Scalar) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        number = float(value) if found.numeric else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _as_text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _between(found: Property, value: tuple[Scalar, ...], values: Values) -> str:
    low, high = value
    return f"({_compare('>=', found, low, values)} AND {_compare('<=', found, high, values)})"


def _one_of(found: Property, value: tuple[Scalar, ...], values: Values) -> str:
    numbers = [n for one in value if (n := _as_number(found, one)) is not None]
    texts = [_as_text(one) for one in value if _as_number(found, one) is None]
    text = f"rg_text({found.expression})" if found.numeric else found.expression
    read = found.expression if found.numeric else f"rg_number({found.expression})"
    tests = [f"coalesce({text} IN ({values.add_all(tuple(texts))}), FALSE)"] if texts else []
    tests += [f"coalesce({read} IN ({values.add_all(tuple(numbers))}), FALSE)"] if numbers else []
    return f"({' OR '.join(tests)})" if tests else "FALSE"


def _match(op: str, found: Property, value: str, values: Values) -> str:
    text = f"rg_text({found.expression})" if found.numeric else found.expression
    if op.startswith("i"):
        text, value, op = f"rg_lower({text})", value.lower(), op[1:]
    return f"rg_{op}({text}, {values.add(value)})"
