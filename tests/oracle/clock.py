"""Local days, hours and periods, found by walking along the clock in small steps.

Every offset in use since 1972 that the tests visit is a multiple of a quarter of an hour and changes on one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
QUARTER_HOUR = timedelta(minutes=15)
QUARTER_STARTS = (1, 4, 7, 10)


@dataclass(frozen=True)
class Bucket:
    """One step of the time axis: the days ``first``..``last``, or an hour ``[start, end)`` of one day."""

    label: date | str
    first: date
    last: date
    start: datetime | None = None
    end: datetime | None = None


def local(instant: datetime, timezone: str) -> datetime:
    """The zoned local time of a naive UTC instant."""
    return instant.replace(tzinfo=UTC).astimezone(ZoneInfo(timezone))


def local_day(instant: datetime, timezone: str) -> date:
    """The calendar day of a naive UTC instant."""
    return local(instant, timezone).date()


def end_of_day(day: date, timezone: str) -> datetime:
    """The first quarter of an hour whose local day is later, in naive UTC."""
    instant = datetime.combine(day, time()) - DAY
    while local_day(instant, timezone) <= day:
        instant += QUARTER_HOUR
    return instant


def days_between(first: date, last: date) -> list[date]:
    """Every day from ``first`` to ``last``, both included."""
    return [first + n * DAY for n in range((last - first).days + 1)]


def begins(day: date, unit: str, week_start: str) -> bool:
    """Whether a period of this unit begins on this day."""
    if unit == "week":
        return day.strftime("%A").lower() == week_start
    if unit == "month":
        return day.day == 1
    if unit == "quarter":
        return day.day == 1 and day.month in QUARTER_STARTS
    if unit == "year":
        return day.day == 1 and day.month == 1
    return True


def period(day: date, unit: str, week_start: str) -> Bucket:
    """The whole period that holds a day."""
    first = last = day
    while not begins(first, unit, week_start):
        first -= DAY
    while not begins(last + DAY, unit, week_start):
        last += DAY
    return Bucket(first, first, last)


def bucket_of(day: date, unit: str, week_start: str, every: int = 1, base: date | None = None) -> Bucket:
    """The bucket of so many periods that holds a day, found by walking from one that begins at ``base``."""
    if base is None:
        return period(day, unit, week_start)
    start = base if unit in ("day", "week") else period(base, unit, week_start).first
    while start > day:
        start = _steps(start, unit, -every)
    while _steps(start, unit, every) <= day:
        start = _steps(start, unit, every)
    return Bucket(start, start, _steps(start, unit, every) - DAY)


def _steps(start: date, unit: str, number: int) -> date:
    """So many units later, or earlier; months begin on their first day."""
    if unit != "month":
        return start + number * (7 if unit == "week" else 1) * DAY
    for _ in range(abs(number)):
        start = (start + 31 * DAY if number > 0 else start - DAY).replace(day=1)
    return start


def periods(
    first: date, last: date, unit: str, week_start: str, steps: tuple[int, date | None] = (1, None)
) -> list[Bucket]:
    """Every bucket that holds one of the days, in order."""
    found: dict[date, Bucket] = {}
    for day in days_between(first, last):
        if not found or day > found[max(found)].last:
            one = bucket_of(day, unit, week_start, *steps)
            found[one.first] = one
    return list(found.values())


def hours(first: date, last: date, timezone: str) -> list[Bucket]:
    """The local hours of some days, cut at every full hour and at every change of the offset."""
    starts: list[datetime] = []
    instant = datetime.combine(first, time()) - 2 * DAY
    before = local(instant - QUARTER_HOUR, timezone).utcoffset()
    while local_day(instant, timezone) <= last:
        here = local(instant, timezone)
        if here.minute == 0 or here.utcoffset() != before:
            starts.append(instant)
        before = here.utcoffset()
        instant += QUARTER_HOUR
    ends = [*starts[1:], instant]
    found = []
    for start, end in zip(starts, ends, strict=True):
        day = local_day(start, timezone)
        if day >= first:
            found.append(Bucket(local(start, timezone).isoformat(), day, day, start, end))
    return found
