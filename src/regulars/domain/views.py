"""Presentation views: the documented star-schema names over the stored tables, for people who write SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from regulars.domain.actions import EXPERIMENT_KEYS, EXPOSURES, NPS_RESPONSE, VARIANT_KEYS
from regulars.domain.dialect import DUCKDB
from regulars.domain.events import CLOCK_TOLERANCE
from regulars.domain.relations.scope import day_number
from regulars.domain.rules import TIER_WINDOW, TIERS_BY_DAYS


@dataclass(frozen=True)
class View:
    """A named SELECT on stored tables."""

    name: str
    description: str
    sql: str


_DEVICE = "v.device_type, v.platform, v.os_version, v.app_version, v.browser_name, v.browser_version, v.device_id"

# From the first day with an event to the last one that has begun; what lies ahead of the clock waits for its day.
_HAS_BEGUN = f"epoch_us(first_timestamp) <= epoch_us(now()) + {CLOCK_TOLERANCE // timedelta(microseconds=1)}"
_DAYS = f"""days AS (
  SELECT d.epoch_day, d.full_date, d.date_key FROM dim_dates d, (
    SELECT min(day) AS first_day, max(CASE WHEN {_HAS_BEGUN} THEN day END) AS last_day FROM event_days
  ) x WHERE d.full_date BETWEEN x.first_day AND x.last_day
)"""
_TODAY = "(SELECT max(full_date) FROM days)"

# An arrival counts its person from the end of what the one before covers to the end of its own window.
_AGG_DAILY_ACTIVE = f"""WITH {_DAYS}, chain AS (
  SELECT population, CASE dimension WHEN 'event.feature' THEN value END AS feature,
    CASE dimension WHEN 'device_type' THEN value WHEN 'country,device_type' THEN second_value END AS device_type,
    CASE WHEN dimension IN ('country', 'country,device_type') THEN value END AS country,
    {day_number("day")} AS epoch_day, gap, users
  FROM agg_arrivals
  WHERE activity = 'core' AND day <= {_TODAY}
    AND dimension IN ('overall', 'event.feature', 'device_type', 'country', 'country,device_type')
), edges AS (
  SELECT * EXCLUDE (gap, users), users AS daily, CASE WHEN gap IS NULL THEN users ELSE 0 END AS new,
    CASE WHEN gap < 7 THEN 0 ELSE users END AS weekly, CASE WHEN gap < 30 THEN 0 ELSE users END AS monthly FROM chain
  UNION ALL SELECT * EXCLUDE (gap, users) REPLACE (epoch_day + 7 - gap AS epoch_day), 0, 0, users, 0
  FROM chain WHERE gap < 7
  UNION ALL SELECT * EXCLUDE (gap, users) REPLACE (epoch_day + 7 AS epoch_day), 0, 0, -users, 0 FROM chain
  UNION ALL SELECT * EXCLUDE (gap, users) REPLACE (epoch_day + 30 - gap AS epoch_day), 0, 0, 0, users
  FROM chain WHERE gap < 30
  UNION ALL SELECT * EXCLUDE (gap, users) REPLACE (epoch_day + 30 AS epoch_day), 0, 0, 0, -users FROM chain
  UNION ALL SELECT s.*, d.epoch_day, 0, 0, 0, 0
  FROM (SELECT DISTINCT population, feature, device_type, country FROM chain) s CROSS JOIN days d
), changes AS (
  SELECT population, feature, device_type, country, epoch_day, sum(daily) AS daily, sum(new) AS new,
    sum(weekly) AS weekly, sum(monthly) AS monthly
  FROM edges GROUP BY population, feature, device_type, country, epoch_day
), counts AS (
  SELECT population, feature, device_type, country, epoch_day, CAST(daily AS BIGINT) AS dau, CAST(new AS BIGINT) AS new,
    CAST(sum(weekly) OVER slice AS BIGINT) AS wau, CAST(sum(monthly) OVER slice AS BIGINT) AS mau
  FROM changes
  WINDOW slice AS (PARTITION BY population, feature, device_type, country ORDER BY epoch_day ROWS UNBOUNDED PRECEDING)
)
SELECT d.date_key, c.feature, c.device_type, c.country, CAST(NULL AS VARCHAR) AS user_segment, c.population,
       c.dau AS dau_count, c.wau AS wau_count, c.mau AS mau_count, c.dau / nullif(c.mau, 0) AS dau_mau_ratio,
       c.wau / nullif(c.mau, 0) AS wau_mau_ratio, c.new AS new_user_count, c.dau - c.new AS returning_user_count
FROM counts c JOIN days d ON d.epoch_day = c.epoch_day"""

_AGG_TIERS = f"""WITH {_DAYS}, changes AS (
  SELECT activity, population, tier, day, users FROM agg_tier_changes WHERE day <= {_TODAY}
), dense AS (
  SELECT activity, population, tier, day, sum(users) AS users FROM (
    SELECT * FROM changes
    UNION ALL SELECT s.*, d.full_date, 0
    FROM (SELECT DISTINCT activity, population, tier FROM changes) s CROSS JOIN days d
  ) each_day GROUP BY activity, population, tier, day
)
SELECT activity, population, day, tier, CAST(sum(users) OVER (
         PARTITION BY activity, population, tier ORDER BY day ROWS UNBOUNDED PRECEDING) AS BIGINT) AS users
FROM dense"""


def _property(key: str) -> str:
    """A property of an event as text."""
    return f"json_extract_string(e.action_metadata, '/{key}')"


_SCORE = DUCKDB.fragments["rg_number"].replace("{0}", _property("score"))
_EVENT = """e.identity_key, i.user_key, u.user_id, u.population"""
_WHO = """JOIN dim_actions a ON a.action_key = e.action_key
JOIN dim_identities i ON i.identity_key = e.identity_key
JOIN dim_users u ON u.user_key = i.user_key"""

_TIER = " ".join(f"WHEN r.active_days >= {least} THEN '{tier}'" for tier, least in reversed(TIERS_BY_DAYS))

VIEWS: tuple[View, ...] = (
    View(
        "fact_user_activity",
        "Every event with its person, action, feature, device and place written out",
        f"""SELECT e.event_id, i.user_key, u.user_id, u.population, e.action_key, a.action_type, a.category,
       a.is_core_action, a.is_conversion_event, f.feature_name AS feature, {_DEVICE},
       g.country, g.region, g.city, e.event_name, e.action_timestamp, e.sequence, e.day, d.date_key, e.time_key,
       e.duration_seconds, e.client_session_id, e.action_context, e.action_metadata, e.received_at, e.load_id,
       NOT a.is_marker AND row_number() OVER (PARTITION BY i.user_key, e.day, a.is_marker
         ORDER BY e.action_timestamp, e.sequence NULLS LAST, e.event_id) = 1 AS is_first_daily_activity
FROM fact_user_actions e
JOIN dim_identities i ON i.identity_key = e.identity_key
JOIN dim_users u ON u.user_key = i.user_key
JOIN dim_actions a ON a.action_key = e.action_key
JOIN dim_dates d ON d.full_date = e.day
LEFT JOIN dim_features f ON f.feature_key = e.feature_key
LEFT JOIN dim_devices v ON v.device_key = e.device_key
LEFT JOIN dim_geographies g ON g.geography_key = e.geography_key""",
    ),
    View(
        "fact_nps_responses",
        f"Answers to the question how likely somebody is to recommend the product: events `{NPS_RESPONSE}` whose "
        "property `score` is a whole number from 0 to 10",
        f"""SELECT r.event_id AS response_id, r.identity_key, r.user_key, r.user_id, r.population, r.survey,
       CAST(r.score AS INTEGER) AS score, r.comment, r.action_timestamp AS responded_at, r.day, r.load_id
FROM (
  SELECT e.event_id, {_EVENT}, {_property("survey")} AS survey, {_SCORE} AS score, {_property("comment")} AS comment,
    e.action_timestamp, e.day, e.load_id
  FROM fact_user_actions e
  {_WHO}
  WHERE a.action_type = '{NPS_RESPONSE}'
) r WHERE r.score BETWEEN 0 AND 10 AND r.score = floor(r.score)""",
    ),
    View(
        "fact_exposures",
        "When somebody saw a variant of an experiment: events "
        + " or ".join(f"`{name}`" for name in EXPOSURES)
        + " that name both",
        f"""SELECT r.* FROM (
  SELECT e.event_id, {_EVENT}, coalesce({", ".join(map(_property, EXPERIMENT_KEYS))}) AS experiment,
    coalesce({", ".join(map(_property, VARIANT_KEYS))}) AS variant, e.action_timestamp AS exposed_at, e.day, e.load_id
  FROM fact_user_actions e
  {_WHO}
  WHERE a.action_type IN ({", ".join(f"'{name}'" for name in EXPOSURES)})
) r WHERE r.experiment IS NOT NULL AND r.variant IS NOT NULL""",
    ),
    View(
        "fact_user_sessions",
        "Sessions with their people; a session belongs to the local day of its start",
        """SELECT x.session_key, x.session_id, x.user_key, u.user_id, u.population, d.date_key, x.day, x.session_start,
       x.session_end, x.duration_seconds, x.actions_count, x.screens_visited, x.session_type, x.entry_action,
       x.exit_action
FROM user_sessions x
JOIN dim_users u ON u.user_key = x.user_key
JOIN dim_dates d ON d.full_date = x.day""",
    ),
    View(
        "fact_daily_user_activity",
        f"What each person did on each local day, and their engagement tier by core active days of the {TIER_WINDOW} "
        "days that end on it; not_yet_seen before the first one",
        f"""SELECT r.user_key, u.user_id, u.population, d.date_key, r.day, r.sessions_count, r.total_session_duration,
       r.total_actions, r.core_actions, r.unique_action_types, r.engagement_score, r.is_active_day,
       CASE {_TIER} WHEN r.active_days_before > 0 THEN 'dormant' ELSE 'not_yet_seen' END AS engagement_tier
FROM (
  SELECT *, count(CASE WHEN is_active_day THEN 1 END) OVER (PARTITION BY user_key ORDER BY {day_number("day")}
      RANGE BETWEEN {TIER_WINDOW - 1} PRECEDING AND CURRENT ROW) AS active_days,
    count(CASE WHEN is_active_day THEN 1 END) OVER (PARTITION BY user_key ORDER BY day ROWS UNBOUNDED PRECEDING)
      AS active_days_before
  FROM daily_activity
) r
JOIN dim_users u ON u.user_key = r.user_key
JOIN dim_dates d ON d.full_date = r.day""",
    ),
    View(
        "fact_arrivals",
        "Active days per activity and person, with the first one marked",
        """SELECT r.activity, r.user_key, u.user_id, u.population, r.day, r.days_since_prior, r.actions,
       r.days_since_prior IS NULL AS is_first_activity
FROM arrivals r JOIN dim_users u ON u.user_key = r.user_key""",
    ),
    View(
        "agg_daily_active",
        "Active people by day and slice, for the activity core. Every day of the workspace up to today has a row, "
        "zeros included. In feature, device_type, country and user_segment, missing means all and (none) means "
        "unknown; each is filled where `rollups` asks for it: feature by `event_dimensions`, device_type and country "
        "together by `pairs`. Windows are 1, 7 and 30 days; new is first ever in the slice. Slices of a feature "
        "overlap; a ratio is missing when nobody was active",
        _AGG_DAILY_ACTIVE,
    ),
    View("dim_agg_daily_active", "Synonym of agg_daily_active", "SELECT * FROM agg_daily_active"),
    View(
        "agg_tiers",
        "People by engagement tier on every day of the workspace up to today: by active days of the last "
        f"{TIER_WINDOW}, or dormant",
        _AGG_TIERS,
    ),
    View("dim_activity_types", "Synonym of dim_actions", "SELECT * FROM dim_actions"),
    View("dim_date", "Synonym of dim_dates", "SELECT * FROM dim_dates"),
)
