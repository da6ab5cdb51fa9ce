"""The hour grain: distinct people per local hour, 25 of them on the day a clock goes back and 23 when it goes on.

An hour begins at each full local hour and at each change of the UTC offset; its ``date`` in the SQL is the second
since 1970 at which it begins, so the repeated hour stays two hours.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from regulars.domain.events import CLOCK_TOLERANCE
from regulars.domain.relations import hits, slices
from regulars.domain.relations.cells import ids, segment_join, slice_tests
from regulars.domain.relations.scope import day_number, where
from regulars.domain.sql import with_relations
from regulars.domain.timezones import HOUR, epoch_second, hour_segments

if TYPE_CHECKING:
    from regulars.domain.context import Context
    from regulars.domain.frame import Frame
    from regulars.domain.metrics.record import Shape
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Scope
    from regulars.domain.sql import Values

Segment = tuple[int, int, int, int]


def people(scope: Scope, frame: Frame, values: Values, context: Context, cell: Cell) -> str:
    """The SELECT for the ids of the people behind one hour."""
    named = _hits_and_slices(scope, frame, values, hour_segments(context.timezone, frame.first, frame.last))
    tests = where([f"h.hour = {cell.at}", *slice_tests(scope, cell, values)])
    body = ids(scope, f"SELECT h.user_key FROM hits h {segment_join(scope, 'h')} {tests}")
    return with_relations(named, body)


def statement(scope: Scope, shape: Shape, frame: Frame, values: Values, context: Context) -> str:
    """The SELECT for the rows of a result at an hour grain."""
    segments = hour_segments(context.timezone, frame.first, frame.last)
    named = {"hours": _hours(segments, min(segments[-1][1], epoch_second(context.now + CLOCK_TOLERANCE) + 1))}
    named |= _hits_and_slices(scope, frame, values, segments)
    named["counts"] = _counts(scope)
    return with_relations(named, _rows(scope, shape))


def _hits_and_slices(scope: Scope, frame: Frame, values: Values, segments: list[Segment]) -> dict[str, str]:
    hour = _hour_of("rg_epoch_seconds(e.action_timestamp)", segments)
    columns = f"{hour} AS hour, {scope.weight} AS weight"
    named = hits.hits(scope, frame, values, columns, judged=day_number(scope.day))
    if scope.breakdown:
        named["slices"] = slices.ranked(scope, "count(DISTINCT user_key)", "1", "hits")
    return named


def _hours(segments: list[Segment], until: int) -> str:
    """Every hour that has begun; dim_dates serves as a list of numbers."""
    listed = "\n  UNION ALL ".join(
        f"SELECT {start} AS starts, {min(end, until)} AS ends, {hour} AS first_hour" for start, end, hour, _ in segments
    )
    return f"""
SELECT greatest(s.starts, s.first_hour + {HOUR} * n.epoch_day) AS hour
FROM (
  {listed}
) s
CROSS JOIN dim_dates n
WHERE s.first_hour + {HOUR} * n.epoch_day < s.ends"""


def _hour_of(seconds: str, segments: list[Segment]) -> str:
    def start_of(segment: Segment) -> str:
        start, _, hour, _ = segment
        return f"greatest({start}, {hour} + {HOUR} * CAST(floor(({seconds} - {hour}) / {HOUR}.0) AS BIGINT))"

    cases = " ".join(f"WHEN {seconds} < {segment[1]} THEN {start_of(segment)}" for segment in segments[:-1])
    return f"CASE {cases} ELSE {start_of(segments[-1])} END" if cases else start_of(segments[-1])


def _counts(scope: Scope) -> str:
    slice_ = "k.slice" if scope.breakdown else "1"
    join = segment_join(scope, "h")
    return f"""
SELECT {slice_} AS slice, h.hour, count(DISTINCT h.user_key) AS users, count(*) AS actions, sum(h.weight) AS weight
FROM hits h {join}
GROUP BY {"k.slice, " if scope.breakdown else ""}h.hour"""


def _rows(scope: Scope, shape: Shape) -> str:
    read = {"period": "users", "rolling": "users", "actions": "actions", "weight": "weight"}
    columns = dict(shape.columns)
    for measure in shape.measures:
        count = f"coalesce(c.{read[measure.rule]}, 0)"
        columns = {name: re.sub(rf"\b{measure.name}\b", count, text) for name, text in columns.items()}
    listed = ", ".join(f"{text} AS {name}" for name, text in columns.items())
    return f"""
SELECT h.hour AS date, {slices.shown_columns(scope)}{listed}, {slices.is_other(scope)} AS is_other
FROM hours h CROSS JOIN ({slices.axis(scope)}) k
LEFT JOIN counts c ON c.hour = h.hour AND c.slice = k.slice
ORDER BY h.hour, k.slice"""
