"""What callers may give: ids, days, whole numbers. Each check returns the value or says what is wrong with it."""

from __future__ import annotations

import datetime as dt
import operator
from typing import TYPE_CHECKING, SupportsIndex

from regulars.errors import EventError, QueryError

if TYPE_CHECKING:
    from collections.abc import Iterable

UserId = str | int
_DAY_LENGTH = 10


def id_of(value: object, name: str) -> UserId:
    """An id as it was given: text that is not empty, or a whole number.

    >>> id_of("ada", "user_id"), id_of(7, "user_id")
    ('ada', 7)
    """
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise EventError(f"{name} must be text that is not empty, or a whole number, not {value!r}", code="bad_id")


def ids_of(values: Iterable[object], name: str) -> set[UserId]:
    """Several ids, each once; a text by itself would be its letters.

    >>> sorted(ids_of(["ada", "ben", "ada"], "users"))
    ['ada', 'ben']
    """
    if isinstance(values, str):
        raise QueryError(f"{name} must be a list or set of ids, not the text {values!r}", code="bad_option")
    return {id_of(value, f"each of the {name}") for value in values}


def day_of(value: object) -> dt.date:
    """A day from a date or from text like 2026-01-31.

    >>> day_of("2026-01-31")
    datetime.date(2026, 1, 31)
    """
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str) and len(value) == _DAY_LENGTH and value[4] == value[7] == "-":
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    hint = "; a time has no day of its own, give .date() of it" if isinstance(value, dt.datetime) else ""
    raise EventError(f"the date must be a day like 2026-01-31, not {value!r}{hint}", code="bad_date")


def instant_of(value: object, name: str) -> dt.datetime:
    """A moment in UTC from a datetime or ISO text; without an offset it is read as UTC.

    >>> instant_of("2026-01-05T09:00:00+01:00", "timestamp").isoformat()
    '2026-01-05T08:00:00+00:00'
    """
    try:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(moment, dt.datetime):
            aware = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment
            return aware.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        pass
    raise EventError(f"{name} must be a time like 2026-01-31T09:00:00Z, not {value!r}", code="bad_time")


def count_of(value: object) -> int:
    """A number of actions: whole, and not negative.

    >>> count_of(0)
    0
    """
    count = _whole(value)
    if count is None or count < 0:
        raise EventError(f"action_count must be a whole number from 0 on, not {value!r}", code="bad_count")
    return count


def option_of(value: object, name: str, most: int | None = None) -> int:
    """An option that is a whole number from 1 on.

    >>> option_of(30, "window", 366)
    30
    """
    number = _whole(value)
    if number is None or number < 1 or (most is not None and number > most):
        allowed = "from 1 on" if most is None else f"from 1 to {most}"
        raise QueryError(f"{name} must be a whole number {allowed}, not {value!r}", code="bad_option")
    return number


def _whole(value: object) -> int | None:
    return operator.index(value) if isinstance(value, SupportsIndex) and not isinstance(value, bool) else None
