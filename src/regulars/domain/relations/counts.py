"""From spans to people per day: changes, the time axis, running sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.calendar import epoch_day

if TYPE_CHECKING:
    from regulars.domain.frame import Frame
    from regulars.domain.metrics.record import Shape
    from regulars.domain.relations.scope import Scope
    from regulars.domain.sql import Values


def changes(scope: Scope, shape: Shape, frame: Frame) -> str:
    """+amount where a span begins, -amount on the day after it ends, one column per measure."""
    table = "held" if scope.moments else "spans"
    first, last = epoch_day(frame.grid_from), epoch_day(frame.last)
    if scope.by_event:
        slice_, join = "s.slice", ""
    elif scope.breakdown:
        slice_ = "k.slice"
        join = f"\n  JOIN slices k ON {' AND '.join(f'k.{name} = s.{name}' for name in scope.segments)}"
    else:
        slice_, join = "1", ""
    measures = ",\n  ".join(
        f"CAST(sum(CASE WHEN measure = '{m.name}' THEN amount ELSE 0 END) AS {m.sql_type}) AS {m.name}"
        for m in shape.measures
    )
    return f"""
SELECT slice, day,
  {measures}
FROM (
  SELECT s.measure, {slice_} AS slice, greatest(s.first_day, {first}) AS day, s.amount
  FROM {table} s{join}
  WHERE s.last_day >= {first} AND s.first_day <= {last}
  UNION ALL
  SELECT s.measure, {slice_} AS slice, s.last_day + 1 AS day, -s.amount AS amount
  FROM {table} s{join}
  WHERE s.last_day >= {first} AND s.last_day < {last} AND s.first_day <= {last}
) edges
GROUP BY slice, day"""


def days(frame: Frame, values: Values) -> str:
    """The days of the time axis, each with its bucket's date, first and last day."""
    body = f"""FROM dim_dates
WHERE full_date >= {values.add(frame.grid_from)} AND full_date <= {values.add(frame.last)}"""
    if frame.whole_range:
        first, last = epoch_day(frame.first), epoch_day(frame.last)
        date = values.add(frame.first)
        return f"SELECT epoch_day AS day, {date} AS date, {first} AS first_day, {last} AS last_day\n{body}"
    if frame.unit == "day":
        return f"SELECT epoch_day AS day, full_date AS date, epoch_day AS first_day, epoch_day AS last_day\n{body}"
    key = {
        # 1970-01-01 was a Thursday, ISO weekday 4.
        "week": f"floor((epoch_day + {70_004 - frame.week_start}) / 7.0)",
        "month": "year, month",
        "quarter": "year, quarter",
        "year": "year",
    }[frame.unit]
    return f"""
SELECT epoch_day AS day, min(full_date) OVER (PARTITION BY {key}) AS date,
  min(epoch_day) OVER (PARTITION BY {key}) AS first_day, max(epoch_day) OVER (PARTITION BY {key}) AS last_day
{body}"""


def counts(scope: Scope, shape: Shape) -> str:
    """Running sums of the changes on a dense grid of days and slices."""
    axis = "SELECT DISTINCT slice FROM slices WHERE seen = 1" if scope.breakdown else "SELECT 1 AS slice"
    running = ",\n  ".join(
        f"CAST(sum(coalesce(c.{m.name}, 0)) OVER (PARTITION BY k.slice ORDER BY d.day ROWS UNBOUNDED PRECEDING)"
        f" AS {m.sql_type}) AS {m.name}"
        for m in shape.measures
    )
    return f"""
SELECT k.slice, d.day, d.date, d.last_day,
  {running}
FROM days d CROSS JOIN ({axis}) k
LEFT JOIN changes c ON c.slice = k.slice AND c.day = d.day"""
