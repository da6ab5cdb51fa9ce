"""Filters, one condition on one value at a time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.oracle.attributes import as_text, event_value, resolve, user_value, value_at

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.query import Filter
    from tests.oracle.world import Event, Scalar, World

COMPLEMENTS = {"!=": "=", "not_in": "in", "not_contains": "contains", "is_not_set": "is_set"}


class RefusedError(ValueError):
    """The contract has no answer to this question."""


def is_event_level(world: World, condition: Filter) -> bool:
    """Whether a condition selects events; one event property makes its whole group do so."""
    levels = {resolve(world, leaf.property or "").level for leaf in condition.leaves()}
    if {"event", "time"} <= levels:
        raise RefusedError("a time-dependent attribute stands in a group with an event property")
    return "event" in levels


def is_time_dependent(world: World, condition: Filter) -> bool:
    """Whether a condition may hold on one day and not on another."""
    return any(resolve(world, leaf.property or "").level == "time" for leaf in condition.leaves())


def holds_for_event(world: World, condition: Filter, event: Event) -> bool:
    """Whether an event, sent by its user, satisfies a condition."""
    if condition.all:
        return all(holds_for_event(world, member, event) for member in condition.all)
    if condition.any:
        return any(holds_for_event(world, member, event) for member in condition.any)
    prop = resolve(world, condition.property or "")
    if prop.level == "time":
        raise RefusedError("an event has no time-dependent attribute")
    if prop.level == "user":
        return matches(condition, user_value(world, event.user, prop.name))
    return matches(condition, event_value(world, event, prop))


def holds_for_user(world: World, condition: Filter, user_id: str, day: date) -> bool:
    """Whether a person satisfies a condition on a day."""
    if condition.all:
        return all(holds_for_user(world, member, user_id, day) for member in condition.all)
    if condition.any:
        return any(holds_for_user(world, member, user_id, day) for member in condition.any)
    prop = resolve(world, condition.property or "")
    if prop.level == "time":
        value = value_at(world, user_id, prop.name, day)
        is_cohort = prop.name.startswith("cohort.") and prop.name != "cohort.segment"
        return belongs_as_wanted(condition, value) if is_cohort else matches(condition, value)
    return matches(condition, user_value(world, user_id, prop.name))


def belongs_as_wanted(condition: Filter, value: str | None) -> bool:
    """Whether a condition on a cohort holds: to be in it is to have it set, and to have it true."""
    given = condition.value
    if condition.op in ("is_set", "is_not_set"):
        return (value == "yes") == (condition.op == "is_set")
    wanted = {"yes" if one in (True, "yes") else "no" for one in (given if isinstance(given, tuple) else (given,))}
    return (value in wanted) == (condition.op in ("=", "in"))


def matches(condition: Filter, value: str | None) -> bool:
    """Whether a value satisfies one condition; a missing one satisfies only the complements."""
    if condition.op in COMPLEMENTS:
        return not _positive(COMPLEMENTS[condition.op], value, condition.value)
    return _positive(condition.op, value, condition.value)


def _positive(  # noqa: PLR0911 -- one line per operator
    op: str, value: str | None, wanted: Scalar | tuple[Scalar, ...] | None
) -> bool:
    if value is None:
        return False
    if op == "is_set":
        return True
    if isinstance(wanted, tuple):
        if op == "in":
            return any(_compare("=", value, each) for each in wanted)
        low, high = wanted
        return _compare(">=", value, low) and _compare("<=", value, high)
    assert wanted is not None
    text = as_text(wanted)
    if op == "contains":
        return text in value
    if op == "icontains":
        return text.lower() in value.lower()
    if op == "starts_with":
        return value.startswith(text)
    if op == "istarts_with":
        return value.lower().startswith(text.lower())
    return _compare(op, value, wanted)


def _compare(op: str, value: str, wanted: Scalar) -> bool:
    if isinstance(wanted, str | bool):
        return _ordered(op, (value > as_text(wanted)) - (value < as_text(wanted)))
    if not is_plain_number(value):
        return False
    number = float(value)
    return _ordered(op, (number > wanted) - (number < wanted))


def _ordered(op: str, sign: int) -> bool:
    return {"=": sign == 0, "<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0}[op]


def is_plain_number(text: str) -> bool:
    """Whether a text is a decimal number: ASCII digits, perhaps a sign, a fraction, an exponent."""
    return re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?", text) is not None
