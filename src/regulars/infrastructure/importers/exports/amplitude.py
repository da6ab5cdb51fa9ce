"""Amplitude: the JSON Lines of the Export API, and the same columns from a warehouse."""

from __future__ import annotations

from regulars.infrastructure.importers.exports.shape import Export, Shape, chosen, first, joined, utc

_ACTIONS = {
    "$identify": "identify", "$groupidentify": "identify", "[Amplitude] Page Viewed": "page_view",
    "[Amplitude] Screen Viewed": "screen_view", "[Amplitude] Start Session": "session_start",
    "[Amplitude] End Session": "session_end", "[Amplitude] Application Opened": "app_open",
    "[Amplitude] Revenue": "purchase", "revenue_amount": "purchase",
}  # fmt: skip

_EVENTS = Shape(
    "events",
    keys=("event_type", "event_time", "amplitude_id|$insert_id|insert_id|uuid", "device_id", "event_properties"),
    objects=("event_properties", "user_properties", "groups", "group_properties"),
    values={
        "event_id": first("$insert_id", "insert_id", "uuid"),
        "user_id": first("user_id"),
        "anonymous_id": first("device_id", "amplitude_id"),
        "event_type": first("event_type"),
        "timestamp": utc("event_time", "client_event_time"),
        "received_at": utc("server_upload_time", "server_received_time"),
        # A session's number is a time, so it is one of its device only; -1 means outside of any session.
        "session_id": chosen("{session_id} <> '-1'", joined("device_id", "session_id")),
        "context": first("event_properties/[Amplitude] Page Path", "event_properties/[Amplitude] Screen Name"),
        "client_ip": first("ip_address"),
        "device_type": first("device_type", "device_family"),
        "platform": first("platform"),
        "os_version": first("os_version"),
        "app_version": first("version_name"),
        "browser_name": chosen("lower({platform}) = 'web'", first("os_name")),
        "device_id": first("device_id"),
        "country": first("country"),
        "region": first("region"),
        "city": first("city"),
        "latitude": first("location_lat"),
        "longitude": first("location_lng"),
    },
    actions=_ACTIONS,
    properties=("event_properties",),
    kept=("groups",),
    user=("user_properties",),
    merges=True,
    snapshots=True,
)

AMPLITUDE = Export("amplitude", "Amplitude", (_EVENTS,))
