"""Active days with their gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regulars.domain.context import ActivityRule
    from regulars.domain.sql import Values

EVENT_DAYS_ALL = """
SELECT day, count(*) AS events, min(action_timestamp) AS first_timestamp, max(action_timestamp) AS last_timestamp
FROM fact_user_actions GROUP BY day"""


def _within(rule: ActivityRule, number: int) -> str:
    test = f"n{number} >= {rule.min_events}"
    return test if rule.max_events is None else f"{test} AND n{number} <= {rule.max_events}"


def all_arrivals(rule: ActivityRule, number: int, values: Values) -> str:
    """Every arrival of an activity from ``active_days``."""
    return f"""
SELECT {values.add(rule.name)} AS activity, user_key, day,
  date_diff('day', lag(day) OVER (PARTITION BY user_key ORDER BY day), day) AS days_since_prior, n{number} AS actions
FROM active_days WHERE {_within(rule, number)}"""


def changed_arrivals(rule: ActivityRule, number: int, values: Values) -> str:
    """Arrivals of dirty people since their first dirty day; the first one follows their last day before."""
    name = values.add(rule.name)
    return f"""
WITH last_before AS (
  SELECT r.user_key, max(r.day) AS day FROM arrivals r JOIN since s ON s.user_key = r.user_key
  WHERE r.activity = {name} AND r.day < s.day GROUP BY r.user_key
)
SELECT {name} AS activity, t.user_key, t.day,
  date_diff('day', coalesce(lag(t.day) OVER (PARTITION BY t.user_key ORDER BY t.day), b.day), t.day)
    AS days_since_prior, t.n{number} AS actions
FROM active_days t LEFT JOIN last_before b ON b.user_key = t.user_key
WHERE {_within(rule, number)}"""
