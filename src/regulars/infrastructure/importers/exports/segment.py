"""Segment and RudderStack: raw archives of calls, and the tables of a warehouse."""

from __future__ import annotations

from dataclasses import replace

from regulars.infrastructure.importers.exports.shape import Export, Shape, Value, chosen, constant, first, utc

_CALLS = Value(
    "CASE {type} WHEN 'track' THEN {event} WHEN 'page' THEN 'page_view' WHEN 'screen' THEN 'screen_view' "
    "WHEN 'group' THEN 'identify' ELSE {type} END",
    "event or type",
)
# What Segment calls things in its own e-commerce specification, and this catalogue calls otherwise.
_NAMES = {
    "Signed Up": "sign_up", "Signed In": "login", "Signed Out": "logout", "Order Completed": "purchase",
    "Order Refunded": "refund", "Product Added": "add_to_cart", "Checkout Started": "checkout_start",
    "Application Opened": "app_open", "order_completed": "purchase", "order_refunded": "refund",
    "product_added": "add_to_cart", "checkout_started": "checkout_start", "application_opened": "app_open",
    "signed_up": "sign_up", "signed_in": "login", "signed_out": "logout",
}  # fmt: skip

# Columns of every table that no table of anybody else has.
_OWN = "original_timestamp|sent_at|event_text|uuid_ts|context_library_name"

_RAW = Shape(
    "calls",
    keys=("type", "messageId", "userId|anonymousId", "receivedAt|originalTimestamp|sentAt|timestamp"),
    absent=("event_type",),
    values={
        "event_id": first("messageId"),
        "user_id": first("userId"),
        # An alias is about the id that was there before, whatever device it was given on.
        "anonymous_id": chosen("{type} = 'alias'", first("previousId", "anonymousId"), first("anonymousId")),
        "event_type": _CALLS,
        "name": first("name"),
        "timestamp": utc("timestamp", "originalTimestamp", "sentAt", "receivedAt"),
        "received_at": utc("receivedAt"),
        "context": first("context/page/path", "properties/path", "name"),
        "client_ip": first("context/ip"),
        "device_type": first("context/device/type"),
        "platform": first("context/os/name", "channel"),
        "os_version": first("context/os/version"),
        "app_version": first("context/app/version"),
        "device_id": first("context/device/id"),
        "country": first("context/location/country"),
        "region": first("context/location/region"),
        "city": first("context/location/city"),
    },
    actions=_NAMES,
    properties=("properties",),
    kept=("groupId",),
    user=("context/traits", "traits"),
    registered=("traits/createdAt", "traits/created_at", "context/traits/createdAt"),
    merges=True,
)

_TABLE = Shape(
    "tracks",
    keys=("id", "received_at", "event", "user_id|anonymous_id", _OWN),
    absent=("distinct_id", "event_type"),
    values={
        "event_id": first("id"),
        "user_id": first("user_id"),
        "anonymous_id": first("anonymous_id"),
        "event_type": first("event"),
        "name": first("event_text"),
        "timestamp": utc("timestamp", "original_timestamp", "sent_at", "received_at"),
        "received_at": utc("received_at"),
        "context": first("context_page_path", "path"),
        "client_ip": first("context_ip"),
        "device_type": first("context_device_type"),
        "platform": first("context_os_name"),
        "os_version": first("context_os_version"),
        "app_version": first("context_app_version"),
        "device_id": first("context_device_id"),
        "country": first("context_location_country"),
        "region": first("context_location_region"),
        "city": first("context_location_city"),
    },
    actions=_NAMES,
    kept=("*", "!context_*", "!uuid_ts", "!original_timestamp", "!sent_at", "!uuid", "!rudder_id"),
    merges=True,
)


def _call(name: str, action: str, named: tuple[str, ...], *, keys: tuple[str, ...] = ()) -> Shape:
    return replace(
        _TABLE, name=name, named=named, keys=("id", "received_at", _OWN, *keys),
        absent=(*_TABLE.absent, "event"),
        values={**_TABLE.values, "event_type": constant(action), "name": first("name")}, actions={},
    )  # fmt: skip


_PAGES = _call("pages", "page_view", ("pages", "page"), keys=("user_id|anonymous_id",))
_SCREENS = _call("screens", "screen_view", ("screens", "screen"), keys=("user_id|anonymous_id",))
_ALIASES = _call("aliases", "alias", (), keys=("user_id", "previous_id"))
_IDENTIFIES = replace(
    _call("identifies", "identify", ("identifies", "identify", "identities"), keys=("user_id|anonymous_id",)),
    kept=(), user=("*", "!context_*", "!id", "!uuid_ts", "!original_timestamp", "!sent_at", "!uuid", "!rudder_id"),
    registered=("created_at", "createdat"),
)  # fmt: skip
_USERS = Shape(
    "users",
    keys=("id", "received_at", "context_library_name|uuid_ts"),
    absent=("event", "anonymous_id", "user_id", "timestamp", "original_timestamp"),
    kind="users",
    values={"user_id": first("id"), "timestamp": utc("received_at")},
    kept=("*", "!context_*", "!uuid_ts", "!uuid", "!loaded_at", "!rudder_id"),
)

SEGMENT = Export(
    "segment",
    "Segment",
    (
        _RAW,
        _TABLE,
        replace(_ALIASES, values={**_ALIASES.values, "anonymous_id": first("previous_id", "anonymous_id")}),
        _PAGES,
        _SCREENS,
        _IDENTIFIES,
        replace(_PAGES, keys=(*_PAGES.keys, "url", "path"), named=()),
        _USERS,
        replace(_IDENTIFIES, keys=(*_IDENTIFIES.keys, "context_library_name"), named=()),
    ),
)
