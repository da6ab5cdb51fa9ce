"""Events of PostHog's libraries, which send to ``/batch/`` (or ``/capture/``, ``/track/``, ``/i/v0/e/``, ``/e/``).

Field names are those of PostHog's public API. ``$ip`` is dropped. A ``distinct_id`` is a known user, unless the library
says that nobody has been identified, by the rule that imports of PostHog's exports follow.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_EVENTS = {
    "$pageview": "page_view", "$screen": "screen_view", "$identify": "identify", "$create_alias": "alias",
    "$merge_dangerously": "alias", "$set": "identify", "$set_once": "identify", "$groupidentify": "identify",
    "Application Opened": "app_open",
}  # fmt: skip
_DEVICE = {
    "$device_type": "type", "$os": "platform", "$os_version": "os_version", "$app_version": "app_version",
    "$browser": "browser", "$browser_version": "browser_version", "$device_id": "id",
}  # fmt: skip
_GEO = {"$geoip_country_code": "country", "$geoip_subdivision_1_name": "region", "$geoip_city_name": "city"}
_TAKEN = {*_DEVICE, *_GEO, "$set", "$set_once", "$session_id", "$anon_distinct_id", "$ip", "token", "distinct_id",
          "alias"}  # fmt: skip
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
        "properties": {key: item for key, item in properties.items() if key not in _TAKEN} | _notes(value, properties),
    }
    return {key: item for key, item in event.items() if item is not None and item != {}}


def sent_at_of(value: Mapping[str, Any], received_at: datetime) -> object:
    """When the event was sent, by the clock that its time is from; an offset is told by the server's own clock."""
    if _ago(value) is not None:
        return received_at
    return value.get("sent_at") if value.get("timestamp") else None


def _notes(value: Mapping[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """Properties that tell the loader something: what is set only once, and that the time is no clock's."""
    once = _object(properties.get("$set_once")) | _object(value.get("$set_once"))
    notes: dict[str, Any] = {"$set_once": once} if once else {}
    return notes if _ago(value) is None else notes | {"$clock": "offset"}


def _who(name: object, value: Mapping[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    who = value.get("distinct_id") or properties.get("distinct_id")
    is_known = properties.get("$is_identified") is True or bool(properties.get("$user_id"))
    if name == "$create_alias" and not is_known:
        # The event comes from the old id, and its alias is the one that stays.
        return {"user_id": properties.get("alias"), "previous_id": properties.get("distinct_id") or who}
    if name in ("$create_alias", "$merge_dangerously"):
        return {"user_id": who, "previous_id": properties.get("alias")}
    if name == "$identify":
        return {"user_id": who, "anonymous_id": properties.get("$anon_distinct_id")}
    return {"anonymous_id": who} if _is_stranger(who, properties) else {"user_id": who}


def _is_stranger(who: object, properties: dict[str, Any]) -> bool:
    said = properties.get("$is_identified")
    if isinstance(said, bool):
        return not said
    if properties.get("$user_id"):
        return False
    is_device = who is not None and who == properties.get("$device_id")
    return is_device or properties.get("$process_person_profile") is False


def _time(value: Mapping[str, Any], received_at: datetime) -> object:
    """The event's time; browsers may send how long ago it was instead."""
    ago = _ago(value)
    if ago is not None:
        return (received_at - ago).isoformat() + "Z"
    return value.get("timestamp") or value.get("sent_at")


def _ago(value: Mapping[str, Any]) -> timedelta | None:
    offset = value.get("offset")
    if value.get("timestamp") or value.get("sent_at") or not isinstance(offset, (int, float)):
        return None
    is_span = not isinstance(offset, bool) and 0 <= offset <= _DAYS * 86_400_000
    return timedelta(milliseconds=offset) if is_span else None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
