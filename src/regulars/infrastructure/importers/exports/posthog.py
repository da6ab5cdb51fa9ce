"""PostHog: the events of a batch export or of a HogQL query."""

from __future__ import annotations

from regulars.infrastructure.importers.exports.shape import Export, Shape, Value, first, utc

# PostHog has one kind of id. It is a stranger's when the library says so, or when it is the one that the library gave
# to the device.
_SAYS_KNOWN = "({properties/$is_identified} = 'true' OR coalesce({properties/$user_id}, '') <> '')"
_STRANGER = (
    "CASE WHEN {properties/$is_identified} IN ('true', 'false') THEN {properties/$is_identified} = 'false' "
    "WHEN nullif({properties/$user_id}, '') IS NOT NULL THEN false "
    "ELSE coalesce({distinct_id} = {properties/$device_id}, {properties/$process_person_profile} = 'false', false) END"
)
# Some events join two ids. Most of them are told by the known one; an alias is given to an id that was there before.
_JOINS = "{event} IN ('$identify', '$merge_dangerously', '$create_alias')"
_GIVES_ALIAS = f"({{event}} = '$create_alias' AND NOT coalesce({_SAYS_KNOWN}, false))"
_OTHER = first("properties/$anon_distinct_id", "properties/alias")

_ACTIONS = {
    "$pageview": "page_view", "$screen": "screen_view", "$identify": "identify", "$create_alias": "alias",
    "$merge_dangerously": "alias", "$set": "identify", "$set_once": "identify", "$groupidentify": "identify",
    "Application Opened": "app_open",
}  # fmt: skip

_EVENTS = Shape(
    "events",
    keys=("uuid", "event", "distinct_id", "timestamp", "properties"),
    objects=("properties", "person_properties", "set", "set_once"),
    values={
        "event_id": first("uuid"),
        "user_id": Value(
            f"CASE WHEN {_GIVES_ALIAS} THEN {{properties/alias}} WHEN {_JOINS} OR NOT {_STRANGER} "
            "THEN {distinct_id} END",
            "distinct_id, or properties.alias",
        ),
        "anonymous_id": Value(
            f"CASE WHEN {_GIVES_ALIAS} THEN {{distinct_id}} WHEN {_JOINS} THEN {_OTHER.sql} "
            f"WHEN {_STRANGER} THEN {{distinct_id}} END",
            f"distinct_id of strangers, or {_OTHER.shown}",
        ),
        "event_type": first("event"),
        "timestamp": utc("timestamp", "created_at"),
        "received_at": utc("created_at"),
        "session_id": first("properties/$session_id"),
        "context": first("properties/$pathname", "properties/$screen_name"),
        "client_ip": first("ip", "properties/$ip"),
        "device_type": first("properties/$device_type"),
        "platform": first("properties/$os"),
        "os_version": first("properties/$os_version"),
        "app_version": first("properties/$app_version"),
        "browser_name": first("properties/$browser"),
        "browser_version": first("properties/$browser_version"),
        "device_id": first("properties/$device_id"),
        "country": first("properties/$geoip_country_code"),
        "country_name": first("properties/$geoip_country_name"),
        "region": first("properties/$geoip_subdivision_1_code"),
        "region_name": first("properties/$geoip_subdivision_1_name"),
        "city": first("properties/$geoip_city_name"),
        "postal_code": first("properties/$geoip_postal_code"),
    },
    actions=_ACTIONS,
    properties=("properties",),
    user=("person_properties", "properties/$set"),
    snapshots=True,
)

POSTHOG = Export("posthog", "PostHog", (_EVENTS,))
