"""Rows of days whose raw events were dropped: they stay as they are, and change hands when people turn out to be one.

Frozen days of merged people are united, not computed anew. Which days they were active on, their actions, core actions
and scores are then exact for activities without ``min_events`` and ``max_events``. Sessions stay those that were cut
for each of them, the number of different action types is the greater one, and a day on which only both together would
reach ``min_events`` stays inactive. A rebuild that finds the archive makes all of it exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from regulars.domain.context import ActivityRule
    from regulars.domain.sql import Values

NOBODY = "SELECT user_key, user_key AS old_user, user_key AS new_user FROM dim_users WHERE FALSE"
EVERYBODY = "SELECT user_key, DATE '1970-01-01' AS day, CAST(DATE '1970-01-01' AS TIMESTAMP) AS instant FROM dim_users"
_OWNERS = "(SELECT old_user AS user_key, new_user AS owner FROM united UNION SELECT new_user, new_user FROM united)"


def united(floor: date) -> str:
    """Strangers who became somebody else with the open load, and have frozen days to take along."""
    return f"""
SELECT m.old_user, m.new_user FROM moved m
WHERE m.identity_key = m.old_user
  AND m.old_user IN (SELECT user_key FROM daily_activity WHERE day < DATE '{floor}')"""


def since(floor: date, begins: datetime) -> str:
    """``since``, but never from before the floor, which ``begins`` at an instant; the gone start over all the same.

    The days of united people start over too, from their frozen rows. A session that began on a frozen day stays as it
    was when the day was frozen, so that nothing is looked at before its end.
    """
    first = f"CAST('{begins.isoformat(sep=' ')}' AS TIMESTAMP)"
    return f"""
SELECT s.user_key,
  CASE WHEN g.user_key IS NULL AND o.user_key IS NULL THEN greatest(s.day, DATE '{floor}') ELSE s.day END AS day,
  CASE WHEN g.user_key IS NULL THEN greatest(s.instant, {first}, coalesce(f.instant, {first})) ELSE s.instant END
    AS instant
FROM since s
LEFT JOIN gone g ON g.user_key = s.user_key
LEFT JOIN {_OWNERS} o ON o.user_key = s.user_key
LEFT JOIN (
  SELECT x.user_key, make_timestamp(rg_epoch_us(max(x.session_end)) + 1) AS instant FROM user_sessions x
  WHERE x.day < DATE '{floor}' AND x.session_end >= {first} GROUP BY x.user_key
) f ON f.user_key = s.user_key"""


def active_days(rules: Sequence[ActivityRule], floor: date, values: Values) -> str:
    """The frozen days of united people, as rows of ``active_days``."""
    counts = _counts(rules, values)
    summed = "".join(f", coalesce(sum(c.n{number}), 0) AS n{number}" for number, _ in enumerate(rules))
    return f"""
SELECT o.owner AS user_key, d.day, sum(d.total_actions) AS total_actions, sum(d.core_actions) AS core_actions,
  max(d.unique_action_types) AS unique_action_types, sum(d.engagement_score) AS engagement_score{summed}
FROM daily_activity d JOIN {_OWNERS} o ON o.user_key = d.user_key
LEFT JOIN (
  SELECT r.user_key, r.day{counts} FROM arrivals r JOIN {_OWNERS} o ON o.user_key = r.user_key
  WHERE r.day < DATE '{floor}' GROUP BY r.user_key, r.day
) c ON c.user_key = d.user_key AND c.day = d.day
WHERE d.day < DATE '{floor}' GROUP BY o.owner, d.day"""


def sliced_days(rules: Sequence[ActivityRule], floor: date, values: Values) -> str:
    """The same inside the slices of event properties, as rows of ``sliced_days``."""
    return f"""
SELECT r.dimension, r.value, o.owner AS user_key, r.day{_counts(rules, values)}
FROM sliced_arrivals r JOIN {_OWNERS} o ON o.user_key = r.user_key
WHERE r.day < DATE '{floor}' GROUP BY r.dimension, r.value, o.owner, r.day"""


def _counts(rules: Sequence[ActivityRule], values: Values) -> str:
    return "".join(
        f", sum(CASE WHEN r.activity = {values.add(rule.name)} THEN r.actions ELSE 0 END) AS n{number}"
        for number, rule in enumerate(rules)
    )
