"""Presentation views: the documented star-schema names over the stored tables, for people who write SQL."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """A named SELECT on stored tables."""

    name: str
    description: str
    sql: str


_DEVICE = "v.device_type, v.platform, v.os_version, v.app_version, v.browser_name, v.browser_version, v.device_id"

VIEWS: tuple[View, ...] = (
    View(
        "fact_user_activity",
        "Every event with its person, action, feature, device and place written out",
        f"""SELECT e.event_id, i.user_key, u.user_id, u.population, e.action_key, a.action_type, a.category,
       a.is_core_action, a.is_conversion_event, f.feature_name AS feature, {_DEVICE},
       g.country, g.region, g.city, e.event_name, e.action_timestamp, e.sequence, e.day, d.date_key, e.time_key,
       e.duration_seconds, e.client_session_id, e.action_context, e.action_metadata, e.received_at, e.load_id
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
        "fact_arrivals",
        "Active days per activity and person, with the first one marked",
        """SELECT r.activity, r.user_key, u.user_id, u.population, r.day, r.days_since_prior, r.actions,
       r.days_since_prior IS NULL AS is_first_activity
FROM arrivals r JOIN dim_users u ON u.user_key = r.user_key""",
    ),
    View("dim_activity_types", "Synonym of dim_actions", "SELECT * FROM dim_actions"),
    View("dim_date", "Synonym of dim_dates", "SELECT * FROM dim_dates"),
)
