"""One question counted by two conventions: where the numbers part, by which rule, and over whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from regulars.domain.conventions import CONVENTIONS, find_convention, in_convention, unfollowed
from regulars.domain.metrics import ALIASES, find_metric
from regulars.domain.places import pairs
from regulars.domain.query import CONVENTION_NAMES
from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from regulars.domain.query import Query
    from regulars.domain.result import Result

_PAIR = 2


class Gap(NamedTuple):
    """The people whom one convention counts in a cell and the other does not, as sorted ids."""

    only_baseline: list[str]
    only_compared: list[str]


class Rule(NamedTuple):
    """One choice on which conventions may differ, and what each of the two takes."""

    name: str
    baseline: object
    compared: object


@dataclass(frozen=True)
class Comparison:
    """The same question under two conventions, number by number.

    Each row is one number: where it stands (date, breakdown, period or step), ``column``, its value under the
    ``baseline`` and as ``compared``, ``gap`` (compared less baseline, None where either is missing), and the flags of
    either. ``rules`` are the choices on which the two differ, ``unfollowed`` what has no option, in words.
    """

    conventions: tuple[str, str]
    baseline: Result
    compared: Result
    rows: list[dict[str, Any]]
    rules: tuple[Rule, ...]
    unfollowed: tuple[str, ...]

    def users(self, row: int | Mapping[str, Any] = -1) -> Gap:
        """The people behind one gap.

        Args:
            row: A row of the comparison, or its position; the last row by default.

        Raises:
            QueryError: ``no_people``: the number counts no people; ``no_such_row``: there is no such row.
        """
        wanted = self._row(row)
        place, column = _place_of(wanted), wanted["column"]
        ours, theirs = (
            set(result.users(found, column)) if (found := _find(result, place)) is not None else set()
            for result in (self.baseline, self.compared)
        )
        return Gap(sorted(ours - theirs), sorted(theirs - ours))

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as a list of dictionaries of plain Python values."""
        return [dict(row) for row in self.rows]

    def to_mapping(self) -> dict[str, Any]:
        """Everything as plain values, ready for any encoder."""
        return {
            "query": msgspec.to_builtins(self.baseline.query),
            "conventions": list(self.conventions),
            "rules": [rule._asdict() for rule in self.rules],
            "unfollowed": list(self.unfollowed),
            "rows": self.rows,
        }

    def to_json(self) -> bytes:
        """Everything as JSON: the form that the command line prints."""
        return msgspec.json.encode(self.to_mapping())

    def _row(self, row: int | Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return self.rows[row] if isinstance(row, int) else row
        except IndexError:
            raise QueryError(
                f"there is no row {row}; the comparison has {len(self.rows)}", code="no_such_row"
            ) from None


def two_conventions(query: Query, names: Sequence[str]) -> tuple[str, str]:
    """The two names to compare; one alone is compared with ours.

    Errors: :class:`QueryError` ``two_conventions``, ``no_convention``; :class:`UnknownNameError`.
    """
    pair = ("regulars", *names) if len(names) == 1 else tuple(names)
    for name in pair:
        if name not in CONVENTION_NAMES:
            raise UnknownNameError("convention", name, CONVENTION_NAMES, code="unknown_convention")
    if len(set(pair)) != _PAIR or len(pair) != _PAIR:
        raise QueryError(
            f"a comparison has two different conventions, not {', '.join(names) or 'none'}; "
            f"choose from {', '.join(CONVENTION_NAMES)}",
            code="two_conventions",
        )
    saying = [name for name, metrics in CONVENTIONS.items() if query.metric in metrics]
    silent = [name for name in pair if name not in ("regulars", *saying)]
    if silent:
        others = f"those that do: {', '.join(saying)}" if saying else "nor does any other"
        raise QueryError(
            f"{silent[0]} says nothing about {query.metric} that differs from what is counted here; {others}",
            code="no_convention",
        )
    return pair[0], pair[1]


def compare_results(asked: Query, conventions: tuple[str, str], baseline: Result, compared: Result) -> Comparison:
    """Put two answers to one question side by side."""
    rows = list(_numbers(baseline, compared))
    queries = [msgspec.structs.replace(asked, convention=name) for name in conventions]
    words = tuple(f"{query.convention}: {text}" for query in queries if (text := unfollowed(query)))
    return Comparison(conventions, baseline, compared, rows, tuple(_rules(*queries)), words)


def _rules(baseline: Query, compared: Query) -> Iterator[Rule]:
    ours, theirs = _choices(baseline), _choices(compared)
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            yield Rule(name, ours.get(name), theirs.get(name))


def _choices(query: Query) -> dict[str, Any]:
    """The window and every option that one of the conventions decides for this metric."""
    decided = {name for metrics in CONVENTIONS.values() if (one := metrics.get(query.metric)) for name in one.options}
    alias, window = ALIASES.get(query.metric, (query.metric, None))
    chosen = in_convention(query)
    defaults = {option.name: option.default for option in find_metric(alias).options}
    found = {name: chosen.options.get(name, defaults[name]) for name in decided}
    if find_convention(query) is not None or window is not None:
        found["window"] = chosen.window or window
    return found


def _numbers(baseline: Result, compared: Result) -> Iterator[dict[str, Any]]:
    for pair in pairs(baseline, compared):
        values = {"column": pair.column, "baseline": pair.first, "compared": pair.second, "gap": pair.gap}
        yield dict(pair.place.names) | values | {"flags": pair.flags}


def _place_of(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in row.items() if name not in ("column", "baseline", "compared", "gap", "flags")
    }


def _find(result: Result, place: Mapping[str, Any]) -> dict[str, Any] | None:
    return next((row for row in result.rows if all(row.get(name) == value for name, value in place.items())), None)
