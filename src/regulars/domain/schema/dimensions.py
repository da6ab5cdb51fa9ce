"""Who, what, where, when: the dimensions."""

from __future__ import annotations

from regulars.domain.schema.tables import Column, Table, key, text

DIM_USERS = Table(
    "dim_users",
    "dimension",
    "person",
    (
        key("user_key", "Dense key of the person"),
        Column("user_id", "text", "Known id, else the anonymous id", nullable=False),
        Column("registration_date", "date", "Local day of registration"),
        text("acquisition_channel", "Where the person came from"),
        Column("user_segment_key", "bigint", "Current segment, see dim_user_segments"),
        text("device_type", "web, ios, android, ..."),
        text("region", "Region code or name"),
        text("country", "Country code or name"),
        text("plan", "Plan or tariff"),
        text("account_status", "Status of the account"),
        Column("birth_date", "date", "Date of birth"),
        text("gender", "Gender as given"),
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
        key("identity_key", "Dense key; facts keep it for ever"),
        Column("kind", "text", "known or anonymous", nullable=False),
        Column("external_id", "text", "The id as the product sends it; unique with kind", nullable=False),
        key("user_key", "The person it resolves to"),
    ),
    ("identity_key",),
)

DIM_USER_SEGMENTS = Table(
    "dim_user_segments",
    "dimension",
    "segment",
    (
        key("user_segment_key", "Dense key"),
        Column("segment_name", "text", "Name", nullable=False),
        text("description", "Rule in words"),
        text("category", "Group of segments"),
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
        text("holiday_name", "Name of the holiday"),
    ),
    ("full_date",),
)

DIM_ACTIONS = Table(
    "dim_actions",
    "dimension",
    "action type",
    (
        key("action_key", "Dense key"),
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
        key("feature_key", "Dense key"),
        Column("feature_name", "text", "Name as sent", nullable=False),
        text("category", "Group of features"),
        Column("is_core_feature", "boolean", "Listed as core in the settings", nullable=False),
        Column("release_date", "date", "First day available"),
        text("owner", "Who looks after it"),
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
    (key("device_key", "Dense key"), *(text(name, name.replace("_", " ").capitalize()) for name in DEVICE_COLUMNS)),
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
        key("geography_key", "Dense key"),
        *(text(name, name.replace("_", " ").capitalize()) for name in GEOGRAPHY_COLUMNS),
        text("postal_code", "Postal code"),
        Column("latitude", "double", "Degrees north"),
        Column("longitude", "double", "Degrees east"),
        text("timezone", "IANA name"),
    ),
    ("geography_key",),
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
