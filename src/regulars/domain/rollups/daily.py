"""Daily activity: what each person did on each local day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.activity import core_condition, qualifies, weight
from regulars.domain.relations.rows import event_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.context import ActivityRule, Context
    from regulars.domain.sql import Values

_PEOPLE = "JOIN dim_users u ON u.user_key = i.user_key"


def active_days(rules: Sequence[ActivityRule], context: Context, values: Values, *, only_since: bool) -> str:
    """One pass over the events: per person and day the counts of daily_activity, and n0, n1, ... per activity.

    ``only_since`` counts the days of dirty people since their first dirty day.
    """
    tests = [qualifies(rule, context, values) for rule in rules]
    counted = "".join(f",\n  count(CASE WHEN {test} THEN 1 END) AS n{number}" for number, test in enumerate(tests))
    core, weighed = core_condition(context, values), weight(context, values)
    return f"""
SELECT i.user_key, e.day, count(*) AS total_actions, count(CASE WHEN {core} THEN 1 END) AS core_actions,
  count(DISTINCT e.action_key) AS unique_action_types, sum({weighed}) AS engagement_score{counted}
{events_of_people(*tests, only_since=only_since)}
GROUP BY i.user_key, e.day"""


def events_of_people(*texts: str, only_since: bool) -> str:
    """FROM clause over actions with the dimensions that expressions read: all, or of dirty people since their day."""
    join = "JOIN since s ON s.user_key = i.user_key AND e.day >= s.day" if only_since else ""
    bound = " AND e.day >= (SELECT min(day) FROM since)" if only_since else ""
    return f"{event_tables(*texts).replace(_PEOPLE, join)}\nWHERE NOT a.is_marker{bound}"


def daily_activity(*, only_since: bool) -> str:
    """Rows of daily_activity from ``active_days`` and the sessions that start on each day."""
    recent = "JOIN since s ON s.user_key = x.user_key AND x.day >= s.day" if only_since else ""
    return f"""
SELECT d.user_key, d.day, coalesce(x.sessions, 0) AS sessions_count,
  coalesce(x.seconds, 0.0) AS total_session_duration, d.total_actions, d.core_actions, d.unique_action_types,
  d.engagement_score, d.core_actions > 0 AS is_active_day
FROM active_days d LEFT JOIN (
  SELECT x.user_key, x.day, count(*) AS sessions, sum(x.duration_seconds) AS seconds
  FROM user_sessions x {recent} GROUP BY x.user_key, x.day
) x ON x.user_key = d.user_key AND x.day = d.day"""
