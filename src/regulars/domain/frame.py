"""The time axis of one question: which days are shown, scanned and complete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from regulars.domain.calendar import EPOCH, Buckets, Unit
from regulars.errors import QueryError

if TYPE_CHECKING:
    from regulars.domain.context import Context
    from regulars.domain.metrics.record import Shape
    from regulars.domain.query import Query

DEFAULT_DAYS = 90
_EARLIEST, _LATEST = date(1971, 1, 1), date(2100, 1, 1)


@dataclass(frozen=True)
class Frame:
    """Days of a question. ``first`` and ``last`` are shown; events from ``scan_from`` to ``scan_to`` matter.

    A bucket that holds the watermark ends at it. ``complete_through`` is the last day that is over. No value that
    changes with time is looked at on a day before ``judged_from``. ``dropped_through`` is the last day whose
    events were dropped, where the question needs them.
    """

    first: date
    last: date
    buckets: Buckets
    grid_from: date
    scan_from: date
    scan_to: date
    first_day: date
    complete_through: date
    asked_end: date
    judged_from: date = EPOCH
    whole_range: bool = False
    dropped_through: date | None = None

    def bucket_end(self, start: date) -> date:
        """The last day of the bucket that starts on ``start``, past the watermark if need be."""
        if self.whole_range:
            return self.asked_end
        return self.buckets.end(start)

    def bucket_start(self, day: date) -> date:
        """The first day of the bucket that holds a day."""
        return self.first if self.whole_range else self.buckets.start(day)

    @property
    def days(self) -> int:
        """Number of days shown."""
        return (self.last - self.first).days + 1


def frame_of(query: Query, shape: Shape, context: Context) -> Frame | None:
    """The frame of a query, widened to whole buckets and cut at the watermark; None when nothing can be shown."""
    watermark, first_day, dropped = context.watermark, context.first_day, context.dropped_through
    if watermark is None or first_day is None:
        return None
    # Silence after the last event is known up to the clock, so a day without events can be asked for.
    watermark = min(query.as_of, max(watermark, context.today)) if query.as_of else watermark
    first, last = _asked(query, watermark)
    buckets = buckets_of(query, context.week_start, first)
    first = buckets.start(first)
    asked_end, last = last, min(buckets.end(last), watermark)
    if first > last:
        return None
    return Frame(
        first=first,
        last=last,
        buckets=buckets,
        grid_from=first - timedelta(days=shape.lead_days),
        scan_from=first - timedelta(days=shape.lookback),
        scan_to=min(last + timedelta(days=shape.ahead_days), watermark),
        first_day=dropped + timedelta(days=1) if dropped else first_day,
        complete_through=context.complete_through(watermark),
        asked_end=asked_end,
        judged_from=EPOCH if shape.needs_history else first - timedelta(days=max(shape.lookback, shape.lead_days)),
        whole_range=shape.summarised and buckets.days == 1,
        dropped_through=dropped,
    )


def buckets_of(query: Query, week_start: int, first: date) -> Buckets:
    """The buckets of a question whose range begins on ``first``."""
    asked, unit = query.range, bucket_unit(query)
    if asked.anchor is None and asked.every == 1:
        return Buckets(unit, week_start)
    return Buckets(unit, week_start, asked.every, asked.anchor or Buckets(unit, week_start).start(first))


def bucket_unit(query: Query) -> Unit:
    """The bucket of the time axis: the calendar period, else the grain."""
    if query.calendar is not None:
        return query.calendar
    grain: Literal["day", "week", "month"] = "day" if query.grain == "hour" else query.grain
    return grain


def _asked(query: Query, watermark: date) -> tuple[date, date]:
    last = query.range.end or watermark
    first = query.range.start or min(last, watermark) - timedelta(days=DEFAULT_DAYS - 1)
    for day in (first, last):
        if not _EARLIEST <= day <= _LATEST:
            raise QueryError(f"{day} is outside {_EARLIEST} to {_LATEST}", code="bad_range")
    if first > last:  # which a range with both ends cannot be
        raise QueryError(
            f"the range starts on {first}, but the last day with data is {watermark}; start earlier, or give an end",
            code="bad_range",
        )
    return first, last
