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

from regulars.errors import QueryError

Day = date | str
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


@dataclass(frozen=True)
class Buckets:
    """The buckets of a time axis: so many days, weeks or months each, counted from a first one.

    ``base`` is a day on which a bucket begins; of months, any day of the first one. Without it weeks begin on
    ``week_start``, and everything else counts from 1970.

    >>> pairs = Buckets("day", every=2, base=date(2026, 1, 5))
    >>> pairs.start(date(2026, 1, 4)).isoformat(), pairs.end(date(2026, 1, 4)).isoformat()
    ('2026-01-03', '2026-01-04')
    """

    unit: Unit
    week_start: int = 1
    every: int = 1
    base: date | None = None

    @property
    def days(self) -> int | None:
        """Length in days; None for months, quarters and years."""
        lengths = {"day": 1, "week": 7}
        return lengths[self.unit] * self.every if self.unit in lengths else None

    @property
    def months(self) -> int:
        """Length in months, of those that have one."""
        return {"quarter": 3, "year": 12}.get(self.unit, 1) * self.every

    @property
    def first(self) -> int:
        """Where counting begins: days since 1970, or months since January 1970."""
        if self.days is None:
            return _month_number(self.base) if self.base else 0
        if self.base or self.unit == "day":
            return epoch_day(self.base or EPOCH)
        return -((EPOCH.isoweekday() - self.week_start) % 7)

    def number(self, day: date) -> int:
        """The number of the bucket that holds a day."""
        if self.days is None:
            return (_month_number(day) - self.first) // self.months
        return (epoch_day(day) - self.first) // self.days

    def opens(self, number: int) -> date:
        """The first day of a bucket."""
        if self.days is None:
            year, month = divmod(self.first + number * self.months, 12)
            return date(EPOCH.year + year, month + 1, 1)
        return EPOCH + timedelta(days=self.first + number * self.days)

    def start(self, day: date) -> date:
        """The first day of the bucket that holds a day."""
        return self.opens(self.number(day))

    def end(self, day: date) -> date:
        """The last day of the bucket that holds a day."""
        return self.opens(self.number(day) + 1) - timedelta(days=1)


def _month_number(day: date) -> int:
    return (day.year - EPOCH.year) * 12 + day.month - 1


def epoch_day(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def day_of(value: Day | None, name: str) -> date | None:
    """A day from what people write for one; the error names the keyword it was given for.

    >>> day_of("2026-01-31", "start"), day_of(None, "start")
    (datetime.date(2026, 1, 31), None)

    Raises:
        QueryError: ``bad_date``.
    """
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    text = value.date().isoformat() if isinstance(value, datetime) else value
    try:
        return date.fromisoformat(text)
    except (ValueError, TypeError):
        raise QueryError(f"{name} must be a day like 2026-01-31, not {value!r}", code="bad_date") from None
