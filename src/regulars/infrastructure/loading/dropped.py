"""Events that come late for a day whose events were dropped: a piece of that day would be wrong."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from regulars.domain.calendar import day_ends_at
from regulars.infrastructure.loading.times import microseconds
from regulars.infrastructure.loading.validate import Rule

if TYPE_CHECKING:
    from regulars.infrastructure.engines.duckdb import DuckDBEngine


def dropped_rules(engine: DuckDBEngine, timezone: str) -> tuple[Rule, ...]:
    """The rule that turns them away; none while nothing was dropped."""
    found = dict(engine.fetch("SELECT name, value FROM workspace_state WHERE name IN ('dropped_through', 'raw_floor')"))
    if "raw_floor" in found:
        first, how = date.fromisoformat(found["raw_floor"]), "archived and dropped"
    elif "dropped_through" in found:
        first, how = date.fromisoformat(found["dropped_through"]) + timedelta(days=1), "dropped"
    else:
        return ()
    last = first - timedelta(days=1)
    begins = microseconds(day_ends_at(last, timezone))
    return (Rule("beyond_retention", f"us < {begins}", f"'the days up to {last} were {how}'"),)
