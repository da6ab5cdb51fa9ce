"""Single events in their order, for questions in which the moment matters: entries, returns, steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.relations import rows
from regulars.domain.relations.scope import day_number, listed, where

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.relations.line import Line
    from regulars.domain.relations.scope import Scope
    from regulars.domain.statement import Statement


def occurrences(statement: Statement, marks: Mapping[str, str], *, first: str = "", line: Line | None = None) -> str:
    """Every event of the scope that meets one of some conditions, whatever its day up to the watermark.

    Columns: ``user_key``, the segments that do not change with time, ``day`` (days since 1970), ``at`` (µs since 1970),
    ``sequence`` (missing where the client counted none), ``event_id``, and one column of 0 or 1 per mark. ``marks`` are
    conditions on an event by the name of their column; ``first`` is a bound on the day, as SQL. On a ``line`` of all
    people, ``at`` is the place on it, and ``line`` the same for all.
    """
    scope, last = statement.scope, statement.values.add(statement.frame.scan_to)
    labels = {name: found.label for name, found in scope.stored_segments()}
    either = " OR ".join(f"({test})" for test in marks.values())
    tests = [f"({either})", *scope.event_conditions, *scope.users_condition(), f"{scope.day} <= {last}"]
    tests += [f"{scope.day} >= {first}"] if first else []
    own = "".join(f"{label} AS {name}, " for name, label in labels.items())
    at = "rg_epoch_us(e.action_timestamp)"
    when = f"{line.place(scope.key, at)} AS at, 0 AS line" if line else f"{at} AS at"
    marked = ",\n  ".join(f"CASE WHEN {test} THEN 1 ELSE 0 END AS {name}" for name, test in marks.items())
    return f"""
SELECT {scope.key} AS user_key, {own}{day_number(scope.day)} AS day, {when},
  e.sequence, e.event_id, {marked}
{rows.event_tables(*labels.values(), *tests, scope.key)}
{where(tests)}"""


def at_entry(scope: Scope, table: str, columns: str) -> str:
    """Rows of a table of entries (``user_key``, ``day``, stored segments) with what changes with time, as of that day.

    It drops the entries that conditions on such values exclude. ``columns`` ends the SELECT list (alias ``h``).
    """
    joins = "".join(
        f"\nJOIN {name} ON {name}.user_key = h.user_key AND h.day BETWEEN {name}.valid_from AND {name}.valid_to"
        for name in scope.moments
    )
    if any("u." in test for test in scope.moment_conditions):
        joins += "\nJOIN dim_users u ON u.user_key = h.user_key"
    pairs = zip(scope.segments, scope.breakdown, strict=True)
    changing = "".join(f"{p.key}.value AS {name}, " for name, p in pairs if p.scope == "moment")
    stored = listed(list(dict(scope.stored_segments())), "h")
    return f"""
SELECT h.user_key, h.day, {stored}{changing}{columns}
FROM {table} h{joins}
{where(list(scope.moment_conditions))}"""
