"""The options of metrics, and how their values are read: from a choice, a number, a text or a JSON form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import msgspec

from regulars.domain.query import EventCondition, Filter, Step
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = TypeVar("Kind")
Events = str | EventCondition
"""Which events count: the name of an activity or of an event type, or a condition."""

_STEP = re.compile(r"\s*->\s*")
_WHERE = re.compile(r"^(.*?)(?:\s+where\s+(.*))?$", re.IGNORECASE | re.DOTALL)
_BRACKET = re.compile(r"^([0-9]{1,3})(?:-([0-9]{1,3}))?$")
_DURATION = re.compile(r"^([0-9]{1,6})\s*(second|minute|hour|day|week)s?$")
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 7 * 86_400}


@dataclass(frozen=True)
class Option:
    """One option of a metric: its name, meaning, default, and allowed values.

    Those are ``choices``, or any whole number from ``smallest`` to ``largest``, or what ``read`` understands, which
    ``form`` describes. ``names_property`` says that the value is the name of a property, ``holds_events`` that events
    are named within it.
    """

    name: str
    description: str
    default: object
    choices: tuple[object, ...] = ()
    largest: int = 0
    smallest: int = 1
    read: Callable[[object], object] | None = None
    form: str = ""
    names_property: bool = False
    holds_events: bool = False

    @property
    def names_events(self) -> bool:
        """Whether its value says which events count."""
        return self.holds_events or self.read in (read_events, read_steps)

    def value(self, given: object) -> object:
        """A given value in the one form in which the metric uses it."""
        return given if self.read is None or given is None else self.read(given)

    def check(self, given: object) -> None:
        """Refuse a value that is not allowed, with those that are; None is one where nothing else is the default."""
        if given is None and self.default is None:
            return
        if self.read is not None:
            if given is None:
                raise self._refusal(self.form, given)
            self.value(given)
        elif self.largest:
            if isinstance(given, bool) or not isinstance(given, int) or not self.smallest <= given <= self.largest:
                raise self._refusal(f"a whole number from {self.smallest} to {self.largest}", given)
        elif not any(given is choice or (given == choice and type(given) is type(choice)) for choice in self.choices):
            allowed = ", ".join(str(choice).lower() for choice in self.choices if choice is not None)
            raise self._refusal(f"one of {allowed}", given)

    def _refusal(self, allowed: str, given: object) -> QueryError:
        mark = "," if self.largest else ";"
        way_out = f"; leave it out for {str(self.default).lower()}" if given is None else ""
        return QueryError(f"option {self.name} must be {allowed}{mark} not {given!r}{way_out}", code="bad_option")


EVENTS_FORM = "an activity, an event type, or e.g. purchase where amount > 10"
WHERE_FORM = "a condition such as plan = 'paid'"
BRACKETS_FORM = "periods and ranges of them that grow, e.g. 0,1-3,4-7"
LARGEST_PERIOD = 366
STEPS_FORM = "events joined by ->, e.g. sign_up -> purchase where amount > 10"


def read_events(given: object) -> Events:
    """One condition on events, from text or its JSON form.

    >>> read_events("like, share where platform = 'web'").events
    ('like', 'share')
    >>> read_events("core")
    'core'
    """
    return _read_condition(given, EventCondition)


def read_steps(given: object) -> tuple[Events, ...]:
    """Several conditions in their order.

    >>> read_steps("sign_up -> purchase")
    ('sign_up', 'purchase')
    """
    if isinstance(given, str):
        return tuple(_read_condition(text, Step) for text in _STEP.split(given.strip()))
    if isinstance(given, list | tuple):
        return tuple(_read_condition(one, Step) for one in given)
    raise _unreadable(given, STEPS_FORM)


def read_numbers(given: object) -> tuple[int, ...]:
    """Whole numbers that grow, from ``0,1,7`` or a list.

    >>> read_numbers("1, 3, 7")
    (1, 3, 7)
    """
    form = "whole numbers that grow, e.g. 1,3,7"
    texts = given.split(",") if isinstance(given, str) else given
    found = converted(
        [one.strip() if isinstance(one, str) else one for one in _list(texts, form)], tuple[int, ...], form
    )
    if not found or any(later <= sooner for sooner, later in pairwise(found)) or found[0] < 0:
        raise _unreadable(given, form)
    return found


def read_brackets(given: object) -> tuple[tuple[int, int], ...]:
    """Ranges of periods, from ``0,1-3,4-7`` or ``[[0, 0], [1, 3], [4, 7]]``.

    >>> read_brackets("0, 1-3")
    ((0, 0), (1, 3))
    """
    pairs = given
    if isinstance(given, str):
        matches = [_BRACKET.match(text.strip()) for text in given.split(",")]
        pairs = [(one[1], one[2] or one[1]) for one in matches if one] if all(matches) else given
    found = converted(pairs, tuple[tuple[int, int], ...], BRACKETS_FORM)
    bounds = [bound for pair in found for bound in pair]
    is_fit = all(first <= last for first, last in found)
    is_fit = is_fit and all(sooner[1] < later[0] for sooner, later in pairwise(found))
    if not found or not is_fit or bounds[0] < 0 or bounds[-1] > LARGEST_PERIOD:
        raise QueryError(f"brackets {given!r} cannot be read; allowed: {BRACKETS_FORM}", code="bad_option")
    return found


def read_where(given: object) -> EventCondition:
    """Conditions that must all hold, from text or their JSON form."""
    if isinstance(given, str):
        return EventCondition(None, _parsed(given))
    if isinstance(given, EventCondition):
        return given
    listed = given if isinstance(given, list | tuple) else [given]
    return EventCondition(
        None, tuple(one if isinstance(one, Filter) else converted(one, Filter, WHERE_FORM) for one in listed)
    )


def read_name(given: object) -> str:
    """A name."""
    if not isinstance(given, str) or not given.strip():
        raise _unreadable(given, "a name")
    return given.strip()


def read_seconds(given: object) -> int:
    """A length of time in seconds, from ``14 days``, ``{"value": 14, "unit": "day"}``, or a number of days.

    >>> read_seconds("30 minutes"), read_seconds(14)
    (1800, 1209600)
    """
    if isinstance(given, Mapping) and set(given) == {"value", "unit"}:
        given = f"{given['value']} {given['unit']}"
    if isinstance(given, int) and not isinstance(given, bool):
        given = f"{given} days"
    match = _DURATION.match(given.strip()) if isinstance(given, str) else None
    found = int(match[1]) * SECONDS[match[2]] if match else 0
    if not 0 < found <= 366 * SECONDS["day"]:
        raise _unreadable(given, "from 1 second to 366 days, e.g. 14 days or 30 minutes")
    return found


def converted(given: object, kind: type[Kind], form: str) -> Kind:
    """A JSON form as a record; the error says what is wrong with it."""
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as exc:
        if isinstance(exc.__cause__, QueryError):
            raise exc.__cause__ from exc
        raise QueryError(f"{given!r} cannot be read ({exc}); allowed: {form}", code="bad_option") from exc


def _read_condition(given: object, kind: type[EventCondition]) -> Events:
    if isinstance(given, EventCondition):
        return given
    if isinstance(given, str):
        return _events_of_text(given, kind)
    if isinstance(given, Mapping):
        return converted(given, kind, EVENTS_FORM)
    raise _unreadable(given, EVENTS_FORM)


def _events_of_text(text: str, kind: type[EventCondition]) -> Events:
    match = _WHERE.match(text.strip())
    names = [name.strip() for name in match[1].split(",")] if match else []
    if not match or not all(names):
        raise _unreadable(text, EVENTS_FORM)
    if match[2] is None and len(names) == 1:
        return names[0]
    return kind(None if names == ["any"] else tuple(names), _parsed(match[2]) if match[2] else ())


def _parsed(text: str) -> tuple[Filter, ...]:
    from regulars.domain.where import parse_where  # noqa: PLC0415 -- it brings a SQL parser along

    return parse_where(text)


def _list(given: object, form: str) -> list[object]:
    if not isinstance(given, list | tuple):
        raise _unreadable(given, form)
    return list(given)


def _unreadable(given: object, form: str) -> QueryError:
    return QueryError(f"{given!r} cannot be read; allowed: {form}", code="bad_option")
