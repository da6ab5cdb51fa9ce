"""Messages of Segment's libraries, which send to ``/v1/batch`` (or ``/v1/track``, ``/v1/identify``, ...).

Field names are those of Segment's public specification. ``context.ip`` is dropped; of the rest of ``context``, what has
a place in our form is put there, campaign, page and user agent stay as the property ``$context``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPES = {"track": None, "page": "page_view", "screen": "screen_view", "identify": "identify", "group": "group",
         "alias": "alias"}  # fmt: skip
_TELLTALE = ("userId", "anonymousId", "messageId", "previousId", "originalTimestamp")
_KEPT = ("campaign", "page", "referrer", "locale", "timezone", "userAgent")


def is_message(value: Mapping[str, Any]) -> bool:
    """Whether an event is spelled as Segment does."""
    return any(key in value for key in _TELLTALE)


def event_of(value: Mapping[str, Any], kind: str | None = None) -> dict[str, Any]:
    """A message as an event in our form; ``kind`` is its type where the address says it.

    Errors: :class:`EventError` ``unknown_message`` for a type that does not exist.

    >>> event_of({"type": "track", "event": "like", "userId": "ada", "messageId": "m1"})
    {'event_id': 'm1', 'user_id': 'ada', 'event_type': 'like'}
    """
    type = value.get("type", kind or "track")
    if not isinstance(type, str) or type not in TYPES:
        raise EventError(f"unknown message type {type!r}; allowed: {', '.join(TYPES)}", code="unknown_message")
    context = _object(value.get("context"))
    properties = _object(value.get("properties"))
    event = {
        "event_id": value.get("messageId"),
        "user_id": value.get("userId"),
        "anonymous_id": value.get("anonymousId"),
        "previous_id": value.get("previousId"),
        "event_type": value.get("event") if type == "track" else TYPES[type],
        "name": value.get("name"),
        "timestamp": value.get("originalTimestamp") or value.get("timestamp"),
        "session_id": context.get("sessionId"),
        "context": _place(type, value, context, properties),
        "device": _device(context),
        "geo": _found(_object(context.get("location")), {"country": "country", "region": "region", "city": "city"}),
        "user": value.get("traits") if type == "identify" else _object(context.get("traits")),
        "properties": properties | _rest(type, value, context),
    }
    return {key: item for key, item in event.items() if item is not None and item != {}}


def _place(type: str, value: Mapping[str, Any], context: dict[str, Any], properties: dict[str, Any]) -> object:
    if type == "screen":
        return value.get("name")
    return properties.get("path") or _object(context.get("page")).get("path")


def _device(context: dict[str, Any]) -> dict[str, Any]:
    device = _found(_object(context.get("device")), {"type": "type", "id": "id"})
    device |= _found(_object(context.get("os")), {"name": "platform", "version": "os_version"})
    return device | _found(_object(context.get("app")), {"version": "app_version"})


def _rest(type: str, value: Mapping[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    rest: dict[str, Any] = {}
    if type == "group":
        rest = {"group_id": value.get("groupId"), "group_traits": _object(value.get("traits"))}
    if kept := _found(context, {key: key for key in _KEPT}):
        rest["$context"] = kept
    return rest


def _found(source: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {new: source[old] for old, new in names.items() if source.get(old) is not None}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
