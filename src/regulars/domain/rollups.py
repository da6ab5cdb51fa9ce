"""How derived rows follow from facts: people, active days with their gaps, and their aggregates.

Each text is one statement over facts and, where a refresh is incremental, over the temporary tables that name what
changed: ``touched`` (people), ``dirty`` (people and days) and ``since`` (first dirty day per person).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.activity import qualifies
from regulars.domain.population import population_of
from regulars.domain.relations.rows import event_tables
from regulars.domain.schema import GAP_CAP, MISSING, STORED_USER_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.context import ActivityRule, Context
    from regulars.domain.sql import Values

RESOLVED_LINKS = """
SELECT identity_key, user_key FROM (
  SELECT l.anonymous_key AS identity_key, l.known_key AS user_key,
    row_number() OVER (PARTITION BY l.anonymous_key ORDER BY l.linked_at, k.external_id, l.event_id) AS place
  FROM fact_identity_links l JOIN dim_identities k ON k.identity_key = l.known_key
) links WHERE place = 1"""


def people(context: Context, values: Values, *, only_touched: bool) -> str:
    """Rows of dim_users: each attribute as last set, else as on the first event that carries it."""
    only = "WHERE i.user_key IN (SELECT user_key FROM touched)" if only_touched else ""
    columns = ",\n  ".join(f"max(CASE WHEN key = '{name}' THEN value END) AS {name}" for name in STORED_USER_ATTRIBUTES)
    stored = ", ".join(f"u.{name}" for name in STORED_USER_ATTRIBUTES)
    population = population_of(context.population, values)
    return f"""
WITH ranked AS (
  SELECT i.user_key, f.key, f.value, row_number() OVER (
    PARTITION BY i.user_key, f.key
    ORDER BY f.is_explicit DESC,
      CASE WHEN f.is_explicit THEN f.set_at END DESC, CASE WHEN f.is_explicit THEN f.event_id END DESC,
      f.set_at, f.sequence NULLS LAST, f.event_id, f.value DESC
  ) AS place
  FROM fact_user_attributes f JOIN dim_identities i ON i.identity_key = f.identity_key
  {only}
), attributes AS (
  SELECT user_key,
  {columns},
  max(CASE WHEN key = 'registration_date' THEN TRY_CAST(left(value, 10) AS DATE) END) AS registration_date,
  max(CASE WHEN key = 'birth_date' THEN TRY_CAST(left(value, 10) AS DATE) END) AS birth_date,
  json_group_object(key, value) AS user_attributes
  FROM ranked WHERE place = 1 AND value IS NOT NULL GROUP BY user_key
), u AS (
  SELECT i.user_key, i.external_id AS user_id, x.* EXCLUDE (user_key)
  FROM dim_identities i LEFT JOIN attributes x ON x.user_key = i.user_key
  WHERE i.identity_key = i.user_key {"AND i.user_key IN (SELECT user_key FROM touched)" if only_touched else ""}
), placed AS (
  SELECT u.*, {population} AS population FROM u
)
SELECT u.user_key, u.user_id, u.registration_date, u.acquisition_channel, CAST(NULL AS BIGINT) AS user_segment_key,
  {
        stored.replace("u.acquisition_channel, ", "").replace("u.gender", "u.birth_date, u.gender")
    }, u.population, u.population = 'test' AS is_test_account,
  u.user_attributes
FROM placed u"""


def active_days(rules: Sequence[ActivityRule], context: Context, values: Values, *, only_dirty: bool) -> str:
    """Qualifying events per person and day, one column per activity; ``only_dirty`` recounts changed days only."""
    tests = [qualifies(rule, context, values) for rule in rules]
    counted = ",\n  ".join(f"count(CASE WHEN {test} THEN 1 END) AS n{number}" for number, test in enumerate(tests))
    join = "JOIN dirty d ON d.user_key = i.user_key AND d.day = e.day" if only_dirty else ""
    bounds = "AND e.day >= (SELECT min(day) FROM dirty) AND e.day <= (SELECT max(day) FROM dirty)" if only_dirty else ""
    tables = event_tables(*tests).replace("JOIN dim_users u ON u.user_key = i.user_key", join)
    return f"""
SELECT i.user_key, e.day, {counted}
{tables}
WHERE NOT a.is_marker {bounds}
GROUP BY i.user_key, e.day"""


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
    """Arrivals of dirty people since their first dirty day: recounted days and the clean ones between."""
    name = values.add(rule.name)
    return f"""
WITH kept AS (
  SELECT r.user_key, r.day, r.actions FROM arrivals r JOIN since s ON s.user_key = r.user_key
  WHERE r.activity = {name} AND r.day >= s.day
    AND NOT EXISTS (SELECT 1 FROM dirty d WHERE d.user_key = r.user_key AND d.day = r.day)
), last_before AS (
  SELECT r.user_key, max(r.day) AS day FROM arrivals r JOIN since s ON s.user_key = r.user_key
  WHERE r.activity = {name} AND r.day < s.day GROUP BY r.user_key
), fresh AS (
  SELECT user_key, day, n{number} AS actions FROM active_days WHERE {_within(rule, number)}
), together AS (
  SELECT user_key, day, actions FROM kept UNION ALL SELECT user_key, day, actions FROM fresh
)
SELECT {name} AS activity, t.user_key, t.day,
  date_diff('day', coalesce(lag(t.day) OVER (PARTITION BY t.user_key ORDER BY t.day), b.day), t.day)
    AS days_since_prior, t.actions
FROM together t LEFT JOIN last_before b ON b.user_key = t.user_key"""


def histogram(dimensions: Sequence[str], rows: str) -> str:
    """Rows of agg_arrivals: how many people arrived after which gap, per day and slice.

    ``rows`` is a FROM clause that gives arrivals as ``r`` and their people as ``u``.
    """
    # least() would turn a missing gap (first ever) into the cap.
    gap = f"CASE WHEN r.days_since_prior > {GAP_CAP} THEN {GAP_CAP} ELSE r.days_since_prior END"
    slices = [("overall", "''"), *((name, f"coalesce(u.{name}, '{MISSING}')") for name in dimensions)]
    return "\nUNION ALL\n".join(
        f"""SELECT r.activity, u.population, '{name}' AS dimension, {value} AS value, r.day,
  {gap} AS gap, count(*) AS users
{rows} GROUP BY r.activity, u.population, {value}, r.day, {gap}"""
        for name, value in slices
    )


EVENT_DAYS_ALL = """
SELECT day, count(*) AS events, min(action_timestamp) AS first_timestamp, max(action_timestamp) AS last_timestamp
FROM fact_user_actions GROUP BY day"""
