"""Mixpanel: the JSON Lines of the raw export, and of the profiles."""

from __future__ import annotations

from regulars.infrastructure.importers.exports.shape import Export, Shape, Value, chosen, first, utc

# With the simplified merge, an id that begins with $device: is a device's; with the original one, that of the device.
_STRANGER = (
    "(starts_with({properties/distinct_id}, '$device:') "
    "OR coalesce({properties/distinct_id} = {properties/$device_id}, false))"
)
# Some events join two ids: the known one and the other one, or an alias and the id that was there before.
_KNOWN = (
    "CASE {event} WHEN '$identify' THEN {properties/$identified_id} WHEN '$create_alias' THEN {properties/alias} "
    "WHEN '$merge' THEN {properties/$distinct_ids/0} END"
)
_OTHER = (
    "CASE {event} WHEN '$identify' THEN coalesce({properties/$anon_id}, {properties/$anon_distinct_id}) "
    "WHEN '$create_alias' THEN replace({properties/distinct_id}, '$device:', '') "
    "WHEN '$merge' THEN {properties/$distinct_ids/1} END"
)

_ACTIONS = {
    "$identify": "identify", "$create_alias": "alias", "$merge": "alias", "$mp_web_page_view": "page_view",
    "$mp_page_view": "page_view", "Page View": "page_view", "$ae_session": "app_open", "$ae_first_open": "app_open",
    "$mp_click": "click", "$mp_scroll": "scroll",
}  # fmt: skip

_EVENTS = Shape(
    "events",
    keys=("event", "properties", "properties/time", "properties/distinct_id|properties/$device_id|properties/$user_id"),
    absent=("uuid", "messageId", "event_type"),
    objects=("properties",),
    values={
        "event_id": first("properties/$insert_id"),
        "user_id": Value(
            f"coalesce({_KNOWN}, nullif(trim({{properties/$user_id}}), ''), "
            f"CASE WHEN NOT {_STRANGER} THEN {{properties/distinct_id}} END)",
            "properties.$user_id or properties.distinct_id",
        ),
        "anonymous_id": Value(
            f"coalesce({_OTHER}, nullif(trim({{properties/$device_id}}), ''), "
            f"CASE WHEN {_STRANGER} THEN replace({{properties/distinct_id}}, '$device:', '') END)",
            "properties.$device_id or properties.distinct_id",
        ),
        "event_type": first("event"),
        "timestamp": utc("properties/time"),
        "received_at": utc("properties/mp_processing_time_ms"),
        "session_id": first("properties/$session_id", "properties/session_id"),
        "context": first("properties/current_url_path", "properties/$current_url", "properties/$screen_name"),
        "device_type": first("properties/$device_type", "properties/$device", "properties/$model"),
        "platform": first("properties/$os"),
        "os_version": first("properties/$os_version"),
        "app_version": first("properties/$app_version_string", "properties/$app_version"),
        "browser_name": first("properties/$browser"),
        "browser_version": first("properties/$browser_version"),
        "device_id": first("properties/$device_id"),
        "country": first("properties/mp_country_code", "properties/$country_code"),
        "region": first("properties/$region"),
        "city": first("properties/$city"),
    },
    actions=_ACTIONS,
    properties=("properties",),
    merges=True,
    wall_clock=True,
)
_PROFILES = Shape(
    "profiles",
    keys=("$distinct_id", "$properties"),
    absent=("event",),
    kind="users",
    objects=("$properties",),
    values={
        "user_id": chosen("NOT starts_with({$distinct_id}, '$device:')", first("$distinct_id")),
        "timestamp": utc("$properties/$last_seen"),
    },
    properties=("$properties",),
)

MIXPANEL = Export("mixpanel", "Mixpanel", (_EVENTS, _PROFILES))
