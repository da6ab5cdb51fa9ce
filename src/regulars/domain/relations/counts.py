"""From spans to people per day: changes, the time axis, running sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.calendar import epoch_day
from regulars.domain.relations.scope import listed

if TYPE_CHECKING:
    from regulars.domain.calendar import Buckets
    from regulars.domain.frame import Frame
    from regulars.domain.metrics.record import Shape
    from regulars.domain.relations.scope import Scope
    from regulars.domain.sql import Values


def changes(scope: Scope, shape: Shape, frame: Frame) -> str:
    """+amount where a span begins, -amount on the day after it ends, one column per measure.

    Segments are added up first: that leaves few rows to be given their slice.
    """
    own = ["slice"] if scope.by_event else list(scope.segments)
    first, last = epoch_day(frame.grid_from), epoch_day(frame.last)
    measures = ",\n  ".join(
        f"CAST(sum(CASE WHEN measure = '{m.name}' THEN amount ELSE 0 END) AS {m.sql_type}) AS {m.name}"
        for m in shape.measures
    )
    edges = f"""
SELECT {listed(own)}day,
  {measures}
FROM (
  SELECT s.measure, {listed(own, "s")}CASE WHEN e.sign = 1 THEN greatest(s.first_day, {first}) ELSE s.last_day + 1 END
    AS day, e.sign * s.amount AS amount
  FROM {"held" if scope.moments else "spans"} s CROSS JOIN (SELECT 1 AS sign UNION ALL SELECT -1 AS sign) e
  WHERE s.last_day >= {first} AND s.first_day <= {last}
) edges
GROUP BY {listed(own)}day"""
    if scope.by_event or not scope.breakdown:
        return edges
    summed = ", ".join(f"CAST(sum(c.{m.name}) AS {m.sql_type}) AS {m.name}" for m in shape.measures)
    return f"""
SELECT k.slice, c.day, {summed}
FROM ({edges}) c JOIN slices k ON {" AND ".join(f"k.{name} = c.{name}" for name in scope.segments)}
GROUP BY k.slice, c.day"""


def days(frame: Frame, values: Values) -> str:
    """The days of the time axis, each with its bucket's date, first and last day."""
    body = f"""FROM dim_dates
WHERE full_date >= {values.add(frame.grid_from)} AND full_date <= {values.add(frame.last)}"""
    if frame.whole_range:
        first, last = epoch_day(frame.first), epoch_day(frame.last)
        date = values.add(frame.first)
        return f"SELECT epoch_day AS day, {date} AS date, {first} AS first_day, {last} AS last_day\n{body}"
    buckets = frame.buckets
    if buckets.days == 1:
        return f"SELECT epoch_day AS day, full_date AS date, epoch_day AS first_day, epoch_day AS last_day\n{body}"
    key = tick("epoch_day", buckets, month="(year - 1970) * 12 + month - 1")
    return f"""
SELECT epoch_day AS day, min(full_date) OVER (PARTITION BY {key}) AS date,
  min(epoch_day) OVER (PARTITION BY {key}) AS first_day, max(epoch_day) OVER (PARTITION BY {key}) AS last_day
{body}"""


def tick(day: str, buckets: Buckets, month: str = "") -> str:
    """The number of the bucket that holds a day; ``month`` is an expression for the months since 1970, where one is."""
    if buckets.days == 1:
        return day
    if buckets.days is not None:
        return f"floor(({day} - {buckets.first}) / {buckets.days}.0)"
    number = month or f"rg_month_number({day})"
    return f"floor(({number} - {buckets.first}) / {buckets.months}.0)"


def counts(scope: Scope, shape: Shape) -> str:
    """Running sums of the changes on a dense grid of days and slices; without a breakdown all is slice 1."""
    slice_, partition, grid, same = "1", "", "days d", ""
    if scope.breakdown:
        slice_, partition, same = "k.slice", "PARTITION BY k.slice ", "c.slice = k.slice AND "
        grid = "days d CROSS JOIN (SELECT DISTINCT slice FROM slices WHERE seen = 1) k"
    running = ",\n  ".join(
        f"CAST(sum(coalesce(c.{m.name}, 0)) OVER ({partition}ORDER BY d.day ROWS UNBOUNDED PRECEDING)"
        f" AS {m.sql_type}) AS {m.name}"
        for m in shape.measures
    )
    return f"""
SELECT {slice_} AS slice, d.day, d.date, d.last_day,
  {running}
FROM {grid}
LEFT JOIN changes c ON {same}c.day = d.day"""
