"""The star schema as data: DDL, the docs page and the data dictionary are generated from it.

Facts are append-only. Everything under ``DERIVED`` can be rebuilt from the facts at any time; presentation
views live in :mod:`regulars.domain.views`. Column types are abstract names that a
:class:`~regulars.domain.dialect.Dialect` spells for its engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["boolean", "bigint", "integer", "double", "text", "date", "timestamp", "json", "hash"]
Role = Literal["dimension", "fact", "derived", "record"]


@dataclass(frozen=True)
class Column:
    """One column: its name, abstract type, meaning, and whether it can be missing.

    ``packed=False`` is for texts that are all different and mostly random: packing them costs more than it saves.
    """

    name: str
    type: ColumnType
    description: str
    nullable: bool = True
    packed: bool = True


@dataclass(frozen=True)
class Table:
    """One stored table. ``order_by`` is the physical sort order where an engine wants one."""

    name: str
    role: Role
    grain: str
    columns: tuple[Column, ...]
    order_by: tuple[str, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """The column names in storage order."""
        return tuple(column.name for column in self.columns)


def _key(name: str, description: str) -> Column:
    return Column(name, "bigint", description, nullable=False)


def _text(name: str, description: str) -> Column:
    return Column(name, "text", description)


_LOAD = Column("load_id", "bigint", "The load that brought the row, see loads", nullable=False)

DIM_USERS = Table(
    "dim_users",
    "dimension",
    "person",
    (
        _key("user_key", "Dense key of the person"),
        Column("user_id", "text", "Known id, else the anonymous id", nullable=False),
        Column("registration_date", "date", "Local day of registration"),
        _text("acquisition_channel", "Where the person came from"),
        Column("user_segment_key", "bigint", "Current segment, see dim_user_segments"),
        _text("device_type", "web, ios, android, ..."),
        _text("region", "Region code or name"),
        _text("country", "Country code or name"),
        _text("plan", "Plan or tariff"),
        _text("account_status", "Status of the account"),
        Column("birth_date", "date", "Date of birth"),
        _text("gender", "Gender as given"),
        Column("population", "text", "production, test or bot", nullable=False),
        Column("is_test_account", "boolean", "True when the population is test", nullable=False),
        Column("user_attributes", "json", "Every attribute with its current value"),
    ),
    ("user_key",),
)

DIM_IDENTITIES = Table(
    "dim_identities",
    "dimension",
    "known or anonymous id",
    (
        _key("identity_key", "Dense key; facts keep it for ever"),
        Column("kind", "text", "known or anonymous", nullable=False),
        Column("external_id", "text", "The id as the product sends it; unique with kind", nullable=False),
        _key("user_key", "The person it resolves to"),
    ),
    ("identity_key",),
)

DIM_USER_SEGMENTS = Table(
    "dim_user_segments",
    "dimension",
    "segment",
    (
        _key("user_segment_key", "Dense key"),
        Column("segment_name", "text", "Name", nullable=False),
        _text("description", "Rule in words"),
        _text("category", "Group of segments"),
    ),
)

DIM_DATES = Table(
    "dim_dates",
    "dimension",
    "calendar day, 1970-01-01 to 2100-12-31",
    (
        Column("date_key", "integer", "yyyymmdd", nullable=False),
        Column("full_date", "date", "The day", nullable=False),
        Column("epoch_day", "integer", "Days since 1970-01-01, for arithmetic that engines agree on", nullable=False),
        Column("year", "integer", "Calendar year", nullable=False),
        Column("quarter", "integer", "1-4", nullable=False),
        Column("month", "integer", "1-12", nullable=False),
        Column("day_of_month", "integer", "1-31", nullable=False),
        Column("day_of_week", "integer", "ISO: 1 Monday to 7 Sunday", nullable=False),
        Column("day_of_year", "integer", "1-366", nullable=False),
        Column("iso_week", "integer", "1-53", nullable=False),
        Column("iso_year", "integer", "Year the ISO week belongs to", nullable=False),
        Column("is_weekend", "boolean", "Saturday or Sunday", nullable=False),
        Column("is_holiday", "boolean", "Public holiday; missing unless a holiday country is set"),
        _text("holiday_name", "Name of the holiday"),
    ),
    ("full_date",),
)

DIM_ACTIONS = Table(
    "dim_actions",
    "dimension",
    "action type",
    (
        _key("action_key", "Dense key"),
        Column("action_type", "text", "The event type as sent", nullable=False),
        Column("category", "text", "access, consumption, social, creation, ... or other", nullable=False),
        Column("engagement_weight", "double", "Weight in the engagement score", nullable=False),
        Column("is_core_action", "boolean", "Counts as activity by default", nullable=False),
        Column("is_conversion_event", "boolean", "Counts as a conversion", nullable=False),
        Column("is_marker", "boolean", "session_start, identify, ...: never an action", nullable=False),
    ),
    ("action_key",),
)

DIM_FEATURES = Table(
    "dim_features",
    "dimension",
    "feature",
    (
        _key("feature_key", "Dense key"),
        Column("feature_name", "text", "Name as sent", nullable=False),
        _text("category", "Group of features"),
        Column("is_core_feature", "boolean", "Listed as core in the settings", nullable=False),
        Column("release_date", "date", "First day available"),
        _text("owner", "Who looks after it"),
    ),
    ("feature_key",),
)

DEVICE_COLUMNS = (
    "device_type",
    "platform",
    "os_version",
    "app_version",
    "browser_name",
    "browser_version",
    "device_id",
)

DIM_DEVICES = Table(
    "dim_devices",
    "dimension",
    "distinct device description",
    (_key("device_key", "Dense key"), *(_text(name, name.replace("_", " ").capitalize()) for name in DEVICE_COLUMNS)),
    ("device_key",),
)

GEOGRAPHY_COLUMNS = (
    "continent",
    "country",
    "country_name",
    "region",
    "region_name",
    "city",
    "city_name",
)
GEOGRAPHY_DETAILS = ("postal_code", "latitude", "longitude", "timezone")

DIM_GEOGRAPHIES = Table(
    "dim_geographies",
    "dimension",
    "distinct place; the natural key leaves out the last four columns",
    (
        _key("geography_key", "Dense key"),
        *(_text(name, name.replace("_", " ").capitalize()) for name in GEOGRAPHY_COLUMNS),
        _text("postal_code", "Postal code"),
        Column("latitude", "double", "Degrees north"),
        Column("longitude", "double", "Degrees east"),
        _text("timezone", "IANA name"),
    ),
    ("geography_key",),
)

FACT_USER_ACTIONS = Table(
    "fact_user_actions",
    "fact",
    "event",
    (
        Column(
            "event_id",
            "text",
            "Id of the event; the content decides it where none was sent",
            nullable=False,
            packed=False,
        ),
        Column("event_hash", "hash", "128-bit MD5 of event_id: the deduplication key", nullable=False),
        _key("identity_key", "Who, see dim_identities"),
        _key("action_key", "What, see dim_actions"),
        Column("feature_key", "bigint", "On which feature"),
        Column("device_key", "bigint", "From which device"),
        Column("geography_key", "bigint", "From which place"),
        _text("event_name", "Free name of the event, when one was sent beside its type"),
        Column("action_timestamp", "timestamp", "When, in UTC", nullable=False),
        Column("sequence", "bigint", "Order among equal times, as the client counted"),
        Column("day", "date", "Local day in the workspace's time zone, fixed at load", nullable=False),
        Column("time_key", "integer", "Local time as hhmmss", nullable=False),
        Column("received_at", "timestamp", "When it arrived, in UTC", nullable=False),
        Column("duration_seconds", "double", "How long the action took"),
        _text("client_session_id", "Session as the client names it"),
        _text("action_context", "Screen, page or other place in the product"),
        _text("client_ip", "Address of the client; off by default"),
        Column("action_metadata", "json", "Every other property"),
        _LOAD,
    ),
    ("day", "identity_key"),
)

FACT_ACTIVITY_DETAILS = Table(
    "fact_activity_details",
    "fact",
    "detail of an event",
    (
        Column("event_id", "text", "The event, see fact_user_actions", nullable=False),
        Column("detail_type", "text", "Kind of detail", nullable=False),
        Column("payload", "json", "The detail itself"),
        _LOAD,
    ),
)

FACT_USER_ATTRIBUTES = Table(
    "fact_user_attributes",
    "fact",
    "attribute set on a person",
    (
        _key("identity_key", "Whose, see dim_identities"),
        Column("key", "text", "Name of the attribute", nullable=False),
        _text("value", "The value as text; missing clears it"),
        Column("set_at", "timestamp", "Time of the event that set it, in UTC", nullable=False),
        Column("sequence", "bigint", "Order of that event among equal times"),
        Column("event_id", "text", "That event; decides between equal times", nullable=False),
        Column("is_explicit", "boolean", "False: inferred from the first event that carries it", nullable=False),
        _LOAD,
    ),
)

FACT_IDENTITY_LINKS = Table(
    "fact_identity_links",
    "fact",
    "link of an anonymous id to a known one",
    (
        _key("anonymous_key", "The anonymous identity"),
        _key("known_key", "The known identity"),
        Column("linked_at", "timestamp", "Time of the identify event, in UTC", nullable=False),
        Column("event_id", "text", "That event", nullable=False),
        _LOAD,
    ),
)

FACT_NPS_RESPONSES = Table(
    "fact_nps_responses",
    "fact",
    "answer to a survey",
    (
        Column("response_id", "text", "Id of the answer", nullable=False),
        _key("identity_key", "Who answered"),
        _text("survey", "Which survey"),
        Column("score", "integer", "0-10", nullable=False),
        _text("comment", "Free text"),
        Column("responded_at", "timestamp", "When, in UTC", nullable=False),
        Column("day", "date", "Local day", nullable=False),
        _LOAD,
    ),
)

FACT_EXPOSURES = Table(
    "fact_exposures",
    "fact",
    "exposure to an experiment's variant",
    (
        Column("event_id", "text", "Id of the exposure", nullable=False),
        _key("identity_key", "Who saw it"),
        Column("experiment", "text", "Which experiment", nullable=False),
        Column("variant", "text", "Which variant", nullable=False),
        Column("exposed_at", "timestamp", "When, in UTC", nullable=False),
        Column("day", "date", "Local day", nullable=False),
        _LOAD,
    ),
)

USER_SESSIONS = Table(
    "user_sessions",
    "derived",
    "session",
    (
        Column("session_key", "hash", "Key of the session's first event", nullable=False),
        Column("session_id", "text", "The client's id, else the id of the first event", nullable=False, packed=False),
        _key("user_key", "The person"),
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
        _key("user_key", "The person"),
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
        _key("user_key", "The person"),
        Column("day", "date", "A day on which the person was active", nullable=False),
        Column("days_since_prior", "integer", "Days since the active day before; missing: first ever"),
        Column("actions", "bigint", "Qualifying events on that day", nullable=False),
    ),
    ("activity", "day", "user_key"),
)

AGG_ARRIVALS = Table(
    "agg_arrivals",
    "derived",
    "activity x population x slice x day x gap",
    (
        Column("activity", "text", "Name of the activity", nullable=False),
        Column("population", "text", "production, test or bot", nullable=False),
        Column("dimension", "text", "overall, or a user attribute", nullable=False),
        Column("value", "text", "Value of the attribute, (none) when missing, '' for overall", nullable=False),
        Column("day", "date", "Day of the arrivals", nullable=False),
        Column("gap", "integer", "days_since_prior, capped at 366; missing: first ever"),
        Column("users", "bigint", "People", nullable=False),
    ),
    ("activity", "population", "dimension", "day"),
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

LOADS = Table(
    "loads",
    "record",
    "import of one file, frame or list",
    (
        _key("load_id", "Dense key"),
        Column("source", "text", "File name or kind of object", nullable=False),
        _text("fingerprint", "SHA-256 of the file"),
        Column("loaded_at", "timestamp", "When, in UTC", nullable=False),
        Column("rows_read", "bigint", "Rows in the source", nullable=False),
        Column("rows_loaded", "bigint", "Rows that became events or users", nullable=False),
        Column("duplicates", "bigint", "Rows whose event id was there already", nullable=False),
        Column("rejected", "bigint", "Rows in dead_letter", nullable=False),
    ),
)

DEAD_LETTER = Table(
    "dead_letter",
    "record",
    "row that could not be loaded",
    (
        _LOAD,
        Column("line", "bigint", "Line or row in the source, from 1"),
        Column("reason", "text", "Code of the reason", nullable=False),
        _text("detail", "The value at fault and what is allowed"),
        _text("raw", "The row as it came"),
        Column("received_at", "timestamp", "When, in UTC", nullable=False),
    ),
)

WORKSPACE_STATE = Table(
    "workspace_state",
    "record",
    "fact about the workspace",
    (Column("name", "text", "Which fact", nullable=False), _text("value", "Its value")),
)

TABLES: tuple[Table, ...] = (
    DIM_USERS,
    DIM_IDENTITIES,
    DIM_USER_SEGMENTS,
    DIM_DATES,
    DIM_ACTIONS,
    DIM_FEATURES,
    DIM_DEVICES,
    DIM_GEOGRAPHIES,
    FACT_USER_ACTIONS,
    FACT_ACTIVITY_DETAILS,
    FACT_USER_ATTRIBUTES,
    FACT_IDENTITY_LINKS,
    FACT_NPS_RESPONSES,
    FACT_EXPOSURES,
    USER_SESSIONS,
    DAILY_ACTIVITY,
    ARRIVALS,
    AGG_ARRIVALS,
    EVENT_DAYS,
    LOADS,
    DEAD_LETTER,
    WORKSPACE_STATE,
)

FIRST_DATE, LAST_DATE = "1970-01-01", "2100-12-31"
POPULATIONS = ("production", "test", "bot")
STORED_USER_ATTRIBUTES = (
    "acquisition_channel",
    "device_type",
    "region",
    "country",
    "plan",
    "account_status",
    "gender",
)
MISSING = "(none)"
GAP_CAP = 366
