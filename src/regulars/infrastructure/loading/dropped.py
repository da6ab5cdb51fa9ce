"""Events that come late for a day which a bounded workspace has dropped: a piece of that day would be wrong."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from regulars.domain.calendar import day_ends_at
from regulars.infrastructure.loading.times import microseconds
from regulars.infrastructure.loading.validate import Rule

if TYPE_CHECKING:
    from regulars.infrastructure.engines.duckdb import DuckDBEngine


def dropped_rules(engine: DuckDBEngine, timezone: str) -> tuple[Rule, ...]:
    """The rule that turns them away; none while nothing was dropped."""
    rows = engine.fetch("SELECT value FROM workspace_state WHERE name = 'dropped_through'")
    if not rows:
        return ()
    day = date.fromisoformat(rows[0][0])
    begins = microseconds(day_ends_at(day, timezone))
    return (Rule("beyond_retention", f"us < {begins}", f"'the days up to {day} were dropped'"),)
