"""Events of PostHog's libraries, which send to ``/batch/`` (or ``/capture/``, ``/i/v0/e/``, ``/e/``).

Field names are those of PostHog's public API. ``$ip`` is dropped. A ``distinct_id`` is a known user, unless the library
says that nobody has been identified.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_EVENTS = {"$pageview": "page_view", "$screen": "screen_view", "$identify": "identify", "$create_alias": "alias",
           "$set": "identify"}  # fmt: skip
_DEVICE = {
    "$device_type": "type", "$os": "platform", "$os_version": "os_version", "$app_version": "app_version",
    "$browser": "browser", "$browser_version": "browser_version", "$device_id": "id",
}  # fmt: skip
_GEO = {"$geoip_country_code": "country", "$geoip_subdivision_1_name": "region", "$geoip_city_name": "city"}
_TAKEN = {*_DEVICE, *_GEO, "$set", "$session_id", "$anon_distinct_id", "$ip", "token", "distinct_id", "alias"}
_DAYS = 400


def event_of(value: Mapping[str, Any], received_at: datetime) -> dict[str, Any]:
    """An event in our form.

    >>> from datetime import datetime
    >>> event_of({"event": "like", "distinct_id": "ada", "uuid": "e1"}, datetime(2026, 1, 5))
    {'event_id': 'e1', 'user_id': 'ada', 'event_type': 'like'}
    """
    properties = _object(value.get("properties"))
    name = value.get("event")
    event = {
        "event_id": value.get("uuid") or properties.get("$insert_id"),
        **_who(name, value, properties),
        "event_type": _EVENTS.get(name, name) if isinstance(name, str) else name,
        "timestamp": _time(value, received_at),
        "session_id": properties.get("$session_id"),
        "context": properties.get("$screen_name") or properties.get("$pathname"),
        "device": {new: properties[old] for old, new in _DEVICE.items() if properties.get(old) is not None},
        "geo": {new: properties[old] for old, new in _GEO.items() if properties.get(old) is not None},
        "user": _object(properties.get("$set")) | _object(value.get("$set")),
        "properties": {key: item for key, item in properties.items() if key not in _TAKEN},
    }
    return {key: item for key, item in event.items() if item is not None and item != {}}


def _who(name: object, value: Mapping[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    who = value.get("distinct_id") or properties.get("distinct_id")
    if name == "$create_alias":
        # The event comes from the old id, and its alias is the one that stays.
        return {"user_id": properties.get("alias"), "previous_id": properties.get("distinct_id") or who}
    if name == "$identify":
        return {"user_id": who, "anonymous_id": properties.get("$anon_distinct_id")}
    nobody = properties.get("$is_identified") is False or properties.get("$process_person_profile") is False
    return {"anonymous_id": who} if nobody else {"user_id": who}


def _time(value: Mapping[str, Any], received_at: datetime) -> object:
    """The event's time; browsers may send how long ago it was instead."""
    given = value.get("timestamp") or value.get("sent_at")
    offset = value.get("offset")
    is_offset = isinstance(offset, (int, float)) and 0 <= offset <= _DAYS * 86_400_000
    if given is None and is_offset and isinstance(offset, (int, float)):
        return (received_at - timedelta(milliseconds=offset)).isoformat() + "Z"
    return given


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
