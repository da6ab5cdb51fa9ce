"""The values of a breakdown: which are shown, in which order, and which belong to ``other``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.calendar import epoch_day

if TYPE_CHECKING:
    from regulars.domain.frame import Frame
    from regulars.domain.metrics.record import Shape
    from regulars.domain.relations.scope import Scope


def slices(scope: Scope, shape: Shape, frame: Frame, table: str) -> str:
    """Breakdown values ranked by distinct people in the range, then by name.

    ``table`` tells where people are met: ``chain`` (stored gaps), ``user_days`` (events), or ``held`` (values that
    change with time: who counts in a bucket). Values that were only met before the days that matter belong to
    ``other`` and are not shown on their own.
    """
    names = ", ".join(scope.segments)
    first, last = epoch_day(frame.first), epoch_day(frame.last)
    source = table
    if table == "chain":
        in_range = f"day BETWEEN {first} AND {last} AND (gap IS NULL OR day - gap < {first})"
        reach, seen = f"sum(CASE WHEN {in_range} THEN people ELSE 0 END)", "1"
    elif table == "user_days":
        reach = f"count(DISTINCT CASE WHEN day BETWEEN {first} AND {last} THEN user_key END)"
        seen = f"max(CASE WHEN day >= {epoch_day(frame.scan_from)} THEN 1 ELSE 0 END)"
    else:
        source = f"""held h JOIN days d ON d.day = greatest(h.first_day, {first})
    AND {"d.day" if shape.summarised else "d.last_day"} <= h.last_day AND h.measure = '{shape.counted}'"""
        reach, seen = "count(DISTINCT h.user_key)", "1"
    top = f"seen = 1 AND place <= {scope.limit}"
    shown = "".join(f"CASE WHEN {top} THEN {name} END AS shown_{name}, " for name in scope.segments)
    return f"""
SELECT {names}, {shown}seen, CASE WHEN {top} THEN place ELSE {scope.limit + 1} END AS slice
FROM (
  SELECT {names}, seen, row_number() OVER (ORDER BY seen DESC, reach DESC, {names}) AS place
  FROM (SELECT {names}, {reach} AS reach, {seen} AS seen FROM {source} GROUP BY {names}) reached
) ranked"""
