"""What each person did in the window that ends on each tick of the time axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.relations import counts, moments, slices
from regulars.domain.relations.scope import listed, where

if TYPE_CHECKING:
    from regulars.domain.relations.scope import Scope, Source
    from regulars.domain.statement import Statement


def own_columns(scope: Scope) -> list[str]:
    """The columns that say where an active day stands: its slice, or its segments that do not change with time."""
    return ["slice"] if scope.by_event else list(dict(scope.stored_segments()))


def ticks(statement: Statement, source: Source, *, every_bucket: bool) -> dict[str, str]:
    """The chain, the days, and the ticks: each bucket's last day, or only the last one."""
    judged_on = statement.frame.first if statement.shape.compares_ends else None
    named = moments.validities(statement.scope, statement.frame, judged_on)
    named |= statement.chain(source)
    named["days"] = counts.days(statement.frame, statement.values)
    last = "" if every_bucket else "WHERE last_day = (SELECT max(last_day) FROM days)"
    named["ticks"] = f"SELECT DISTINCT date, last_day FROM days {last}"
    return named


def habits(scope: Scope, window: int, unit: str = "day", week_offset: int = 0) -> str:
    """Per tick and person: active days (or weeks) in the window, their actions, and the last active day."""
    own = own_columns(scope)
    active = "count(*)" if unit == "day" else f"count(DISTINCT floor((c.day + {week_offset}) / 7.0))"
    return f"""
SELECT t.date, t.last_day, c.user_key, {listed(own, "c")}{active} AS active, sum(c.actions) AS actions,
  max(c.day) AS latest
FROM chain c CROSS JOIN ticks t
WHERE c.day > t.last_day - {window} AND c.day <= t.last_day
GROUP BY {", ".join(["t.date", "t.last_day", "c.user_key", *(f"c.{name}" for name in own)])}"""


def ever(scope: Scope) -> str:
    """Per tick everybody who was active by then, once per slice."""
    own = own_columns(scope)
    return f"""
SELECT t.date, t.last_day, c.user_key{"".join(f", c.{name}" for name in own)}
FROM chain c CROSS JOIN ticks t
WHERE c.gap IS NULL AND c.day <= t.last_day"""


def judged(scope: Scope, table: str, columns: str) -> str:
    """Rows of a table that has ``user_key`` and ``last_day``, with time-dependent values as of that day.

    A question that compares its ends has the values of the first day on every day.
    """
    own = own_columns(scope)
    joins = "".join(
        f"\nJOIN {name} ON {name}.user_key = h.user_key AND h.last_day BETWEEN {name}.valid_from AND {name}.valid_to"
        for name in scope.moments
    )
    if any("u." in test for test in scope.moment_conditions):
        joins += "\nJOIN dim_users u ON u.user_key = h.user_key"
    pairs = zip(scope.segments, scope.breakdown, strict=True)
    values = "".join(f"{p.key}.value AS {name}, " for name, p in pairs if p.scope == "moment")
    return f"""
SELECT h.date, h.last_day, h.user_key, {listed(own, "h")}{values}{columns}
FROM {table} h{joins}
{where(list(scope.moment_conditions))}"""


def rank(scope: Scope, table: str) -> dict[str, str]:
    """The slices of a table of people, unless events ranked them already or there is no breakdown."""
    if not scope.breakdown or scope.by_event:
        return {}
    return {"slices": slices.ranked(scope, "count(DISTINCT user_key)", "1", table)}


def slice_of(scope: Scope, alias: str) -> tuple[str, str]:
    """The slice of a row, and the join that finds it."""
    if not scope.breakdown:
        return "1", ""
    if scope.by_event:
        return f"{alias}.slice", ""
    matches = " AND ".join(f"k.{name} = {alias}.{name}" for name in scope.segments)
    return "k.slice", f"JOIN slices k ON {matches}"
