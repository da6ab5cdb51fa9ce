"""Daily activity: what each person did on each local day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.activity import core_condition, qualifies, weight
from regulars.domain.relations.rows import event_tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from regulars.domain.context import ActivityRule, Context
    from regulars.domain.sql import Values

_MANY = 1000  # types, beyond which the bits cost more
_BITS = 62  # of a whole number that stays positive


def active_days(rules: Sequence[ActivityRule], context: Context, values: Values, *, since: date | None) -> str:
    """One pass over the events: per person and day the counts of daily_activity, and n0, n1, ... per activity.

    ``since`` is the first dirty day: only the days of dirty people since theirs are counted.
    """
    tests = [qualifies(rule, context, values) for rule in rules]
    counted = "".join(f",\n  count(CASE WHEN {test} THEN 1 END) AS n{number}" for number, test in enumerate(tests))
    core, weighed = core_condition(context, values), weight(context, values)
    types = _distinct_actions(context.greatest_action_key)
    return f"""
SELECT i.user_key, e.day, count(*) AS total_actions, count(CASE WHEN {core} THEN 1 END) AS core_actions,
  {types} AS unique_action_types, sum({weighed}) AS engagement_score{counted}
{events_of_people(*tests, values=values, since=since)}
GROUP BY i.user_key, e.day"""


def events_of_people(*texts: str, values: Values, since: date | None) -> str:
    """FROM clause over actions with the dimensions that expressions read: all, or of dirty people since their day."""
    if since is None:
        return f"{event_tables(*texts, who='identities')}\nWHERE NOT a.is_marker"
    tables = event_tables(*texts, who="dirty")
    return f"{tables}\nWHERE NOT a.is_marker AND e.day >= i.day AND e.day >= {values.add(since)}"


def _distinct_actions(greatest: int) -> str:
    """Number of different action types: a bit for each, which costs a quarter of counting distinct keys."""
    if greatest > _MANY:
        return "count(DISTINCT e.action_key)"
    sets = (
        f"rg_bit_count(coalesce(bit_or(CASE WHEN e.action_key > {low} AND e.action_key <= {low + _BITS} "
        f"THEN rg_bit(e.action_key - {low + 1}) END), 0))"
        for low in range(0, max(greatest, 1), _BITS)
    )
    return " + ".join(sets)


def daily_activity(*, since: date | None) -> str:
    """Rows of daily_activity from ``active_days`` and the sessions that start on each day."""
    dirty = "JOIN since s ON s.user_key = x.user_key AND x.day >= s.day"
    recent = f"{dirty} WHERE x.day >= DATE '{since}'" if since else ""
    return f"""
SELECT d.user_key, d.day, coalesce(x.sessions, 0) AS sessions_count,
  coalesce(x.seconds, 0.0) AS total_session_duration, d.total_actions, d.core_actions, d.unique_action_types,
  d.engagement_score, d.core_actions > 0 AS is_active_day
FROM active_days d LEFT JOIN (
  SELECT x.user_key, x.day, count(*) AS sessions, sum(x.duration_seconds) AS seconds
  FROM user_sessions x {recent} GROUP BY x.user_key, x.day
) x ON x.user_key = d.user_key AND x.day = d.day"""
