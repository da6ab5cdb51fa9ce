"""The values of a breakdown: which are shown, in which order, and which belong to ``other``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.calendar import epoch_day
from regulars.domain.sql import identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.frame import Frame
    from regulars.domain.metrics.record import Shape
    from regulars.domain.relations.scope import Scope


def slices(scope: Scope, shape: Shape, frame: Frame, table: str) -> str:
    """Breakdown values ranked by distinct people in the range, then by name.

    ``table`` tells where people are met: ``chain`` (stored gaps), ``user_days`` (events), or ``held`` (values that
    change with time: who counts in a bucket). Values that were only met before the days that matter belong to
    ``other`` and are not shown on their own.
    """
    first, last = epoch_day(frame.first), epoch_day(frame.last)
    source = table
    if table == "chain":
        in_range = f"day BETWEEN {first} AND {last} AND (gap IS NULL OR day - gap < {first})"
        reach, seen = f"sum(CASE WHEN {in_range} THEN people ELSE 0 END)", "1"
    elif table == "user_days":
        reach = f"count(DISTINCT CASE WHEN day BETWEEN {first} AND {last} THEN user_key END)"
        seen = f"max(CASE WHEN day >= {epoch_day(frame.scan_from)} THEN 1 ELSE 0 END)"
    else:
        counted = ", ".join(f"'{name}'" for name in shape.counted)
        source = f"""held h JOIN days d ON d.day = greatest(h.first_day, {first})
    AND {"d.day" if shape.summarised else "d.last_day"} <= h.last_day AND h.measure IN ({counted})"""
        reach, seen = "count(DISTINCT h.user_key)", "1"
    return ranked(scope, reach, seen, source)


def ranked(scope: Scope, reach: str, seen: str, source: str) -> str:
    """Segments with the slice they are shown in, by an expression that counts their people."""
    names = ", ".join(scope.segments)
    return placed(scope, f"SELECT {names}, {reach} AS reach, {seen} AS seen FROM {source} GROUP BY {names}")


def placed(scope: Scope, reached: str, own: Sequence[str] = ()) -> str:
    """The same from a SELECT of segments with their ``reach``, whether they were ``seen``, and columns of its own."""
    names = ", ".join((*scope.segments, *own))
    top = f"seen = 1 AND place <= {scope.limit}"
    shown = "".join(f"CASE WHEN {top} THEN {name} END AS shown_{name}, " for name in scope.segments)
    return f"""
SELECT {names}, {shown}seen, CASE WHEN {top} THEN place ELSE {scope.limit + 1} END AS slice
FROM (
  SELECT {names}, seen, row_number() OVER (ORDER BY seen DESC, reach DESC, {", ".join(scope.segments)}) AS place
  FROM ({reached}) reached
) placed"""


def axis(scope: Scope) -> str:
    """The slices that have rows, one row each, with the values they show."""
    if not scope.breakdown:
        return "SELECT 1 AS slice"
    return f"SELECT DISTINCT slice, {', '.join(f'shown_{name}' for name in scope.segments)} FROM slices WHERE seen = 1"


def shown_columns(scope: Scope) -> str:
    """The breakdown columns of a result, from slices as ``k``, each followed by a comma."""
    pairs = zip(scope.segments, scope.breakdown, strict=True)
    return "".join(f"k.shown_{name} AS {identifier(p.name)}, " for name, p in pairs)


def is_other(scope: Scope) -> str:
    """Whether a slice (``k``) holds everything beyond the limit."""
    return f"k.slice > {scope.limit}" if scope.breakdown else "FALSE"
