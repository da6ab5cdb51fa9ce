"""Which rows reach days that were dropped: they may miss something, and carry ``truncated``."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from regulars.domain.properties import TIME_DEPENDENT, split_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.plan import Plan

TRUNCATED = "truncated"


def marked(plan: Plan, row: Mapping[str, Any], flags: list[str]) -> list[str]:
    """The flags of a row, with ``truncated`` in the place of ``warming_up`` where it looks at dropped days.

    Whatever asks for the first time ever looks at all of history, so that every row of it is truncated.
    """
    frame = plan.frame
    if frame is None or frame.dropped_through is None:
        return flags
    own = plan.metric.composition
    # A session that began on a dropped day seems to begin on the next one.
    session_days = 1 if own is not None and own.shows_sessions else 0
    look_back = timedelta(days=max(plan.shape.lookback, plan.shape.lead_days, session_days))
    reaches = _first_day_of(plan, row) - look_back <= frame.dropped_through
    if not (reaches or "warming_up" in flags or _asks_for_all_history(plan)):
        return flags
    return [*(flag for flag in flags if flag != "warming_up"), TRUNCATED]


def words(dropped_through: date, *, is_bounded: bool = True) -> str:
    """The warning that goes with truncated rows; an unbounded workspace drops raw events only."""
    what, why = ("days", "max_events") if is_bounded else ("raw events of the days", "[retention] events_days")
    return (
        f"truncated: the {what} up to {dropped_through} were dropped to stay within {why}; "
        "rows that look at them count what is left"
    )


def _first_day_of(plan: Plan, row: Mapping[str, Any]) -> date:
    assert plan.frame is not None  # noqa: S101 -- the caller looked
    first = plan.frame.first
    found = row.get("date") or first
    day = date.fromisoformat(found[:10]) if isinstance(found, str) else found
    return min(day, first) if not plan.shape.dated else day


def _asks_for_all_history(plan: Plan) -> bool:
    """Whether first days count, or something that changes with time and began before the range."""
    query = plan.query
    names = [*query.breakdown, *(leaf.property or "" for filter_ in query.filters for leaf in filter_.leaves())]
    changing = any(prefix == "cohort" or key in TIME_DEPENDENT for prefix, key in map(split_name, names))
    return changing or plan.shape.needs_history or any(measure.rule == "new" for measure in plan.shape.measures)
