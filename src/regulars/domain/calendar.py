"""Local days, periods and time zone offsets.

Offsets come from :mod:`zoneinfo` and are rendered into SQL as data, because the time zone tables and the
rounding rules of database engines disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

Unit = Literal["day", "week", "month", "quarter", "year"]
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Offset:
    """From ``starts_at`` (naive UTC) on, local time is UTC plus ``seconds``."""

    starts_at: datetime
    seconds: int


@lru_cache(maxsize=256)
def offsets(timezone: str, start: datetime, end: datetime) -> tuple[Offset, ...]:
    """Every offset in force between two naive UTC instants, the first one starting at ``start``.

    >>> [
    ...     (o.starts_at.isoformat(), o.seconds)
    ...     for o in offsets("Europe/Berlin", datetime(2026, 1, 1), datetime(2026, 6, 1))
    ... ]
    [('2026-01-01T00:00:00', 3600), ('2026-03-29T01:00:00', 7200)]
    """
    zone = ZoneInfo(timezone)
    found = [Offset(start, _offset(zone, start))]
    low = start
    while low < end:
        high = min(low + timedelta(days=1), end)
        # Two changes within one day have never been decreed; a change and its undoing would be missed.
        if _offset(zone, high) != found[-1].seconds:
            found.append(_transition(zone, low, high, found[-1].seconds))
        low = high
    return tuple(found)


def _offset(zone: ZoneInfo, instant: datetime) -> int:
    offset = instant.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _transition(zone: ZoneInfo, low: datetime, high: datetime, before: int) -> Offset:
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low).total_seconds() // 2)
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return Offset(high, _offset(zone, high))


def local_time(instant: datetime, timezone: str) -> datetime:
    """Naive local time of a naive UTC instant."""
    return instant + timedelta(seconds=_offset(ZoneInfo(timezone), instant))


def local_day(instant: datetime, timezone: str) -> date:
    """Local calendar day of a naive UTC instant.

    >>> local_day(datetime(2026, 1, 1, 18, 30), "Asia/Kathmandu")
    datetime.date(2026, 1, 2)
    """
    return local_time(instant, timezone).date()


def day_ends_at(day: date, timezone: str) -> datetime:
    """The naive UTC instant at which a local day is over: the first one whose local day is later."""
    low = datetime.combine(day, datetime.min.time()) - timedelta(days=2)
    high = low + timedelta(days=5)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low).total_seconds() // 2)
        low, high = (low, middle) if local_day(middle, timezone) > day else (middle, high)
    return high


def period_start(day: date, unit: Unit, week_start: int = 1) -> date:
    """First day of the period that holds ``day``; ``week_start`` is an ISO weekday number.

    >>> period_start(date(2026, 3, 4), "week"), period_start(date(2026, 3, 4), "week", 7)
    (datetime.date(2026, 3, 2), datetime.date(2026, 3, 1))
    """
    if unit == "day":
        return day
    if unit == "week":
        return day - timedelta(days=(day.isoweekday() - week_start) % 7)
    if unit == "month":
        return day.replace(day=1)
    if unit == "quarter":
        return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
    return date(day.year, 1, 1)


def period_end(day: date, unit: Unit, week_start: int = 1) -> date:
    """Last day of the period that holds ``day``."""
    if unit == "day":
        return day
    start = period_start(day, unit, week_start)
    longest = {"week": 7, "month": 31, "quarter": 92, "year": 366}[unit]
    return period_start(start + timedelta(days=longest), unit, week_start) - timedelta(days=1)


def epoch_day(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days
