"""The rows of a result, slice by slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regulars.domain.metrics.record import Row, Rows
    from regulars.domain.plan import Plan


def by_slice(plan: Plan, rows: Rows) -> list[Rows]:
    """The rows of each slice, in their order; without a breakdown all rows are one."""
    found: dict[tuple[object, ...], Rows] = {}
    for row in rows:
        key = ("other" in row["flags"], *(row[one.name] for one in plan.breakdown))
        found.setdefault(key, []).append(row)
    return list(found.values())


def slice_values(plan: Plan, row: Row) -> Row:
    """The breakdown values of a row."""
    return {one.name: row[one.name] for one in plan.breakdown}


def slice_flags(row: Row) -> list[str]:
    """The flags of a row that hold for its whole slice."""
    return list(row["flags"])
