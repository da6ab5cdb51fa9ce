"""The people behind one cell of a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from regulars.domain.relations.scope import where
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.relations.scope import Scope
    from regulars.domain.sql import Values


@dataclass(frozen=True)
class Cell:
    """One cell: its measure and those to leave out, the instant it counts at, and its slice (None: other).

    ``at`` is a day (days since 1970), or at an hour grain the second at which the hour begins.
    """

    measure: str
    without: tuple[str, ...]
    at: int
    slice: tuple[str, ...] | None


def key(row: Mapping[str, Any], name: str) -> Any:
    """The value that tells a row from its neighbours."""
    if row.get(name) is None:
        raise QueryError(f"the row lacks {name}, so it is none of this result", code="no_such_row")
    return row[name]


def slice_tests(scope: Scope, cell: Cell, values: Values) -> list[str]:
    """Conditions on a ranked slice (alias ``k``)."""
    if not scope.breakdown:
        return []
    if cell.slice is None:
        return [f"k.slice > {scope.limit}"]
    pairs = zip(scope.segments, cell.slice, strict=True)
    return [f"k.shown_{name} = {values.add(value)}" for name, value in pairs]


def slice_join(scope: Scope, alias: str) -> str:
    """The join of rows that know their segments, or their slice, with the ranked slices."""
    if not scope.breakdown:
        return ""
    if scope.by_event:
        shown = ", ".join(f"shown_{name}" for name in scope.segments)
        return f"JOIN (SELECT DISTINCT slice, {shown} FROM slices) k ON k.slice = {alias}.slice"
    return segment_join(scope, alias)


def segment_join(scope: Scope, alias: str) -> str:
    """The join of rows that know their segments with the ranked slices; nothing without a breakdown."""
    if not scope.breakdown:
        return ""
    return f"JOIN slices k ON {' AND '.join(f'k.{name} = {alias}.{name}' for name in scope.segments)}"


def people(scope: Scope, cell: Cell, values: Values) -> str:
    """Ids of the people counted by a measure on a day in a slice, less those of other measures."""
    table = "held" if scope.moments else "spans"

    def keys(measure: str) -> str:
        on_day = [f"s.measure = '{measure}'", f"s.first_day <= {cell.at}", f"s.last_day >= {cell.at}"]
        tests = where([*on_day, *slice_tests(scope, cell, values)])
        return f"SELECT s.user_key FROM {table} s {slice_join(scope, 's')} {tests}"

    return ids(scope, keys(cell.measure), *(keys(measure) for measure in cell.without))


def ids(scope: Scope, keys: str, *left_out: str) -> str:
    """The sorted ids of those whose keys a SELECT gives, less those of other SELECTs."""
    if not scope.is_about_users:
        tests = where([f"a.user_key NOT IN ({one})" for one in left_out])
        return f"SELECT DISTINCT a.user_key AS user_id FROM ({keys}) a {tests} ORDER BY user_id"
    tests = where([f"u.user_key IN ({keys})", *(f"u.user_key NOT IN ({one})" for one in left_out)])
    return f"""
SELECT u.user_id FROM dim_users u
{tests}
ORDER BY u.user_id"""
