"""Local time in SQL, from offsets rendered as data."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from regulars.domain.calendar import EPOCH, day_ends_at, offsets

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.calendar import Offset
    from regulars.domain.context import Context

HOUR = 3600
_EPOCH_START = datetime.combine(EPOCH, datetime.min.time())


def offset_sql(seconds: str, table: tuple[Offset, ...]) -> str:
    """The offset in force at an instant (an expression in seconds since 1970 UTC), as a CASE over the table."""
    cases = [f"WHEN {seconds} < {epoch_second(after.starts_at)} THEN {now.seconds}"
             for now, after in pairwise(table)]  # fmt: skip
    return f"CASE {' '.join(cases)} ELSE {table[-1].seconds} END" if cases else str(table[-1].seconds)


def local_day_sql(column: str, context: Context) -> str:
    """The local day of a UTC timestamp column, recomputed with the workspace's present time zone."""
    if context.first_instant is None or context.last_instant is None:
        return "e.day"
    table = offsets(context.timezone, context.first_instant, context.last_instant)
    seconds = f"rg_epoch_seconds({column})"
    number = f"CAST(floor(({seconds} + {offset_sql(seconds, table)}) / 86400.0) AS INTEGER)"
    return f"rg_date_of_number({number})"


def epoch_second(instant: datetime) -> int:
    """Whole seconds since 1970 of a naive UTC instant."""
    return int((instant - _EPOCH_START).total_seconds())


def hour_segments(timezone: str, first: date, last: date) -> list[tuple[int, int, int, int]]:
    """Stretches of constant offset between two local days: start, end, start of the first local hour, offset.

    All but the offset are seconds since 1970 UTC; the end is not included.
    """
    begin = day_ends_at(first - timedelta(days=1), timezone)
    end = day_ends_at(last, timezone)
    table = offsets(timezone, begin, end)
    ends = [*(offset.starts_at for offset in table[1:]), end]
    found = []
    for offset, until in zip(table, ends, strict=True):
        start = epoch_second(offset.starts_at)
        hour = (start + offset.seconds) // HOUR * HOUR - offset.seconds
        if start < epoch_second(until):
            found.append((start, epoch_second(until), hour, offset.seconds))
    return found


def local_time_key_sql(column: str, context: Context) -> str:
    """The local time of a UTC timestamp column as hhmmss, with the workspace's present time zone."""
    if context.first_instant is None or context.last_instant is None:
        return "e.time_key"
    of_day = _second_of_day(column, context.timezone, context.first_instant, context.last_instant)
    hours, minutes = f"floor({of_day} / 3600.0)", f"floor({of_day} / 60.0)"
    return f"CAST({hours} * 10000 + ({minutes} - {hours} * 60) * 100 + ({of_day} - {minutes} * 60) AS INTEGER)"


def local_hour_sql(column: str, context: Context) -> str:
    """The local hour, 0 to 23, of a UTC timestamp column; both hours that a clock shows twice are the same one."""
    if context.first_instant is None or context.last_instant is None:
        return "0"
    of_day = _second_of_day(column, context.timezone, context.first_instant, context.last_instant)
    return f"CAST(floor({of_day} / {HOUR}.0) AS INTEGER)"


def _second_of_day(column: str, timezone: str, first: datetime, last: datetime) -> str:
    """Seconds that a local clock shows since its midnight, for instants between two of them."""
    seconds = f"rg_epoch_seconds({column})"
    local = f"({seconds} + {offset_sql(seconds, offsets(timezone, first, last))})"
    return f"({local} - CAST(floor({local} / 86400.0) AS BIGINT) * 86400)"
