"""What follows from the facts, and can be made anew from them at any time."""

from __future__ import annotations

from regulars.domain.schema.tables import Column, Table, key

USER_SESSIONS = Table(
    "user_sessions",
    "derived",
    "session",
    (
        Column("session_key", "hash", "Key of the session's first event", nullable=False, packed=False),
        Column("session_id", "text", "The client's id, else the id of the first event", nullable=False, packed=False),
        key("user_key", "The person"),
        Column("day", "date", "Local day of the start", nullable=False),
        Column("session_start", "timestamp", "First action, in UTC", nullable=False),
        Column("session_end", "timestamp", "Last action, in UTC", nullable=False),
        Column("run_start", "timestamp", "Start of the unbroken run, which is split every 24 hours", nullable=False),
        Column("duration_seconds", "double", "From the first action to the last", nullable=False),
        Column("actions_count", "bigint", "Actions", nullable=False),
        Column("screens_visited", "bigint", "Distinct screens or pages", nullable=False),
        Column("session_type", "text", "Platform, else device type, else unknown", nullable=False),
        Column("entry_action", "text", "First action", nullable=False),
        Column("exit_action", "text", "Last action", nullable=False),
    ),
    ("day", "user_key"),
)

DAILY_ACTIVITY = Table(
    "daily_activity",
    "derived",
    "person x day with any action",
    (
        key("user_key", "The person"),
        Column("day", "date", "Local day", nullable=False),
        Column("sessions_count", "bigint", "Sessions that start on it", nullable=False),
        Column("total_session_duration", "double", "Their length in seconds", nullable=False),
        Column("total_actions", "bigint", "Actions", nullable=False),
        Column("core_actions", "bigint", "Core actions", nullable=False),
        Column("unique_action_types", "bigint", "Distinct action types", nullable=False),
        Column("engagement_score", "double", "Sum of the actions' weights", nullable=False),
        Column("is_active_day", "boolean", "Has a core action", nullable=False),
    ),
    ("day", "user_key"),
)

ARRIVALS = Table(
    "arrivals",
    "derived",
    "activity x person x active day",
    (
        Column("activity", "text", "Name of the activity", nullable=False),
        key("user_key", "The person"),
        Column("day", "date", "A day on which the person was active", nullable=False),
        Column("days_since_prior", "integer", "Days since the active day before; missing: first ever"),
        Column("actions", "bigint", "Qualifying events on that day", nullable=False),
    ),
    ("activity", "day", "user_key"),
)

SLICED_ARRIVALS = Table(
    "sliced_arrivals",
    "derived",
    "activity x event property x value x person x active day; empty unless `rollups.event_dimensions` names one",
    (
        Column("activity", "text", "Name of the activity", nullable=False),
        Column(
            "dimension", "text", "The event property: event.feature, event.country, geo.continent, ...", nullable=False
        ),
        Column("value", "text", "Its value, (none) when missing", nullable=False),
        key("user_key", "The person"),
        Column("day", "date", "A day on which the person was active in this slice", nullable=False),
        Column("days_since_prior", "integer", "Days since the active day before in this slice; missing: first ever"),
        Column("actions", "bigint", "Qualifying events of the slice on that day", nullable=False),
    ),
    ("activity", "dimension", "day", "user_key"),
)

AGG_ARRIVALS = Table(
    "agg_arrivals",
    "derived",
    "activity x population x slice x day x gap",
    (
        Column("activity", "text", "Name of the activity", nullable=False),
        Column("population", "text", "production, test or bot", nullable=False),
        Column(
            "dimension",
            "text",
            "overall, a user attribute, two of them (country,plan), or an event property (event.feature)",
            nullable=False,
        ),
        Column("value", "text", "Value of the first attribute, (none) when missing, '' for overall", nullable=False),
        Column("second_value", "text", "Value of the second attribute of a pair, else ''", nullable=False),
        Column("day", "date", "Day of the arrivals", nullable=False),
        Column("gap", "integer", "days_since_prior, capped at 366; missing: first ever"),
        Column("users", "bigint", "People", nullable=False),
    ),
    ("activity", "population", "dimension", "day"),
)

AGG_RETENTION = Table(
    "agg_retention",
    "derived",
    "activity x population x first day x days later",
    (
        Column("activity", "text", "Name of the activity", nullable=False),
        Column("population", "text", "production, test or bot", nullable=False),
        Column("cohort_day", "date", "First active day of the people ever", nullable=False),
        Column("days_later", "integer", "Days from it to another active day; 0 is the first day", nullable=False),
        Column("users", "bigint", "People of the cohort who were active then", nullable=False),
    ),
    ("activity", "population", "cohort_day"),
)

AGG_TIER_CHANGES = Table(
    "agg_tier_changes",
    "derived",
    "activity x population x day x tier",
    (
        Column("activity", "text", "Name of the activity", nullable=False),
        Column("population", "text", "production, test or bot", nullable=False),
        Column("day", "date", "Day on which people change their tier; may lie ahead", nullable=False),
        Column("tier", "text", "Tier by active days of the last 30, or dormant", nullable=False),
        Column("users", "bigint", "People who enter it less people who leave it", nullable=False),
    ),
    ("activity", "population", "day"),
)

EVENT_DAYS = Table(
    "event_days",
    "derived",
    "local day with any event",
    (
        Column("day", "date", "Local day", nullable=False),
        Column("events", "bigint", "Events on it, markers included", nullable=False),
        Column("first_timestamp", "timestamp", "Earliest event of the day, in UTC", nullable=False),
        Column("last_timestamp", "timestamp", "Latest event of the day, in UTC", nullable=False),
    ),
    ("day",),
)

MISSING = "(none)"
GAP_CAP = 366
