"""What happened, append-only: the facts."""

from __future__ import annotations

from regulars.domain.schema.tables import LOAD, Column, Table, key, text

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
        Column("event_hash", "hash", "128-bit MD5 of event_id: the deduplication key", nullable=False, packed=False),
        key("identity_key", "Who, see dim_identities"),
        key("action_key", "What, see dim_actions"),
        Column("feature_key", "bigint", "On which feature"),
        Column("device_key", "bigint", "From which device"),
        Column("geography_key", "bigint", "From which place"),
        text("event_name", "Free name of the event, when one was sent beside its type"),
        Column("action_timestamp", "timestamp", "When, in UTC", nullable=False),
        Column("sequence", "bigint", "Order among equal times, as the client counted"),
        Column("day", "date", "Local day in the workspace's time zone, fixed at load", nullable=False),
        Column("time_key", "integer", "Local time as hhmmss", nullable=False),
        Column("received_at", "timestamp", "When it arrived, in UTC", nullable=False),
        Column("duration_seconds", "double", "How long the action took"),
        text("client_session_id", "Session as the client names it"),
        text("action_context", "Screen, page or other place in the product"),
        text("client_ip", "Address of the client; off by default"),
        Column("action_metadata", "json", "Every other property"),
        LOAD,
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
        LOAD,
    ),
)

FACT_USER_ATTRIBUTES = Table(
    "fact_user_attributes",
    "fact",
    "attribute set on a person",
    (
        key("identity_key", "Whose, see dim_identities"),
        Column("key", "text", "Name of the attribute", nullable=False),
        text("value", "The value as text; missing clears it"),
        Column("set_at", "timestamp", "Time of the event that set it, in UTC", nullable=False),
        Column("sequence", "bigint", "Order of that event among equal times"),
        Column("event_id", "text", "That event; decides between equal times", nullable=False),
        Column("is_explicit", "boolean", "False: inferred from the first event that carries it", nullable=False),
        LOAD,
    ),
)

FACT_IDENTITY_LINKS = Table(
    "fact_identity_links",
    "fact",
    "link of an anonymous id to a known one",
    (
        key("anonymous_key", "The anonymous identity"),
        key("known_key", "The known identity"),
        Column("linked_at", "timestamp", "Time of the identify event, in UTC", nullable=False),
        Column("event_id", "text", "That event", nullable=False),
        LOAD,
    ),
)
