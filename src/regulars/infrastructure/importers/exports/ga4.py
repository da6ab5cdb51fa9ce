"""Google Analytics 4: the tables ``events_YYYYMMDD`` of its BigQuery export."""

from __future__ import annotations

from regulars.infrastructure.importers.exports.shape import Export, Shape, Value, first, joined, utc

# Rows have no id. Those since July 2024 say where in which batch they were; older ones are told apart by their content.
_ID = Value(
    "'ga4-' || md5(concat_ws('|', coalesce({user_pseudo_id}, {user_id}), {event_timestamp}, {event_name}, "
    "coalesce({batch_page_id} || '/' || {batch_ordering_id} || '/' || {batch_event_index}, "
    "{event_bundle_sequence_id} || '/' || md5(coalesce({event_params}, '')), md5(coalesce({event_params}, '')))))",
    "user_pseudo_id + event_timestamp + event_name + batch or event_params",
)

_EVENTS = Shape(
    "events",
    keys=("event_name", "event_timestamp", "event_params", "user_pseudo_id|user_id"),
    absent=("event_type", "amplitude_id"),
    objects=("device", "geo", "traffic_source", "collected_traffic_source", "ecommerce", "app_info"),
    lists=("event_params", "user_properties"),
    values={
        "event_id": _ID,
        "user_id": first("user_id"),
        "anonymous_id": first("user_pseudo_id"),
        "event_type": first("event_name"),
        "timestamp": utc("event_timestamp"),
        "sequence": first("batch_event_index"),
        # A session's number is the second of its start, so it is one of its browser only.
        "session_id": joined("user_pseudo_id", "event_params/ga_session_id"),
        "context": first("event_params/page_location", "event_params/firebase_screen", "event_params/page_path"),
        "device_type": first("device/category"),
        "platform": first("device/operating_system", "platform"),
        "os_version": first("device/operating_system_version"),
        "app_version": first("app_info/version"),
        "browser_name": first("device/web_info/browser", "device/browser"),
        "browser_version": first("device/web_info/browser_version", "device/browser_version"),
        "continent": first("geo/continent"),
        "country": first("geo/country"),
        "region": first("geo/region"),
        "city": first("geo/city"),
    },
    actions={"first_open": "app_open", "begin_checkout": "checkout_start", "file_download": "download"},
    properties=("event_params",),
    kept=("ecommerce", "items", "traffic_source", "collected_traffic_source", "event_value_in_usd", "stream_id"),
    user=("user_properties",),
    merges=True,
    snapshots=True,
)

GA4 = Export("ga4", "Google Analytics 4", (_EVENTS,))
