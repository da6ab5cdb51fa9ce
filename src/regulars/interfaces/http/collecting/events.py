"""From the JSON of a client to events for the journal: our own form, with the client's clock put right.

The corrected time is the event's ``timestamp``. Where it differs, the original and when it was sent stay in the
properties (``$original_timestamp``, ``$sent_at``); when it was received is in the envelope of the journal.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from regulars.domain.events import CLOCK_TOLERANCE
from regulars.domain.wire import KEYS, Limits, instant_of, wire_event
from regulars.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Mapping

NETWORK = timedelta(seconds=5)  # a difference that a slow line explains, without a clock that is wrong
_KEYS = frozenset(KEYS)
_AROUND = ("sent_at", "api_key", "writeKey")  # of the request, not of what was done
_NO_IDS = ("null", "undefined", "none", "nan")
_SCALARS = (
    "event_id", "user_id", "anonymous_id", "event_type", "name", "feature", "session_id", "context", "previous_id",
    "country", "region", "city", "device_type", "platform",
)  # fmt: skip


class Receipt(NamedTuple):
    """What the server knows about a request: when it came, when the client says it sent it, and its retry key."""

    received_at: datetime
    sent_at: datetime | None = None
    request_key: str | None = None


def sent_at(value: object) -> datetime | None:
    """When a client says it sent something, naive UTC; what is no time is ignored, for events can do without."""
    if value is None:
        return None
    try:
        return instant_of(value, "UTC")
    except EventError:
        return None


def request_key(header: bytes | None, key_id: str) -> str | None:
    """What ids of events are made of when a request names itself (``Idempotency-Key``) and they have none."""
    return f"request-{hashlib.sha256(key_id.encode() + b':' + header).hexdigest()[:32]}" if header else None


def own_form(value: Mapping[str, Any]) -> dict[str, Any]:
    """An event in our own form as :func:`regulars.domain.wire.wire_event` takes it: unknown keys become properties.

    Errors: :class:`EventError` for an id or name that is neither text nor a number.

    >>> own_form({"user_id": 7, "event_type": "like", "shade": "red"})
    {'user_id': 7, 'event_type': 'like', 'properties': {'shade': 'red'}}
    """
    for key in _SCALARS:
        if isinstance(value.get(key), (dict, list, bool)):
            raise EventError(f"{key} must be text or a number, not {type(value[key]).__name__}", code="bad_record")
    if value.keys() <= _KEYS:
        return dict(value)
    event = {key: item for key, item in value.items() if key in _KEYS}
    others = {key: item for key, item in value.items() if key not in _KEYS and key not in _AROUND}
    given = event.get("properties")
    if others and (given is None or isinstance(given, dict)):
        event["properties"] = others | (given or {})
    return event


def journal_body(event: dict[str, Any], receipt: Receipt, limits: Limits, index: int) -> bytes:
    """The event as the journal keeps it.

    Errors: :class:`EventError` with the reason why it is rejected.
    """
    if names_nothing(event.get("event_id")):
        del event["event_id"]
    if receipt.request_key is not None and event.get("event_id") is None:
        event["event_id"] = f"{receipt.request_key}-{index}"
    if event.get("timestamp") is None:
        event["timestamp"] = receipt.received_at
    else:
        _correct(event, receipt)
    return wire_event(event, limits, now=receipt.received_at, timezone="UTC")


def names_nothing(event_id: object) -> bool:
    """Whether an event's id is what programs write when they have none; all such events would be one.

    >>> names_nothing("undefined"), names_nothing(0), names_nothing(None)
    (True, False, False)
    """
    return isinstance(event_id, str) and event_id.lower() in _NO_IDS


def _correct(event: dict[str, Any], receipt: Receipt) -> None:
    original = instant_of(event["timestamp"])
    skew = receipt.received_at - receipt.sent_at if receipt.sent_at else timedelta(0)
    notes = {}
    corrected = original
    try:
        if abs(skew) > NETWORK:
            corrected = original + skew
            notes["$sent_at"] = _text(receipt.sent_at)
        if corrected > receipt.received_at + CLOCK_TOLERANCE:
            corrected = receipt.received_at
            notes["$clock"] = "future"
    except OverflowError:
        raise EventError(f"the time {original} is out of range", code="time_out_of_range") from None
    event["timestamp"] = corrected
    if notes:
        given = event.get("properties")
        if given is None or isinstance(given, dict):
            event["properties"] = (given or {}) | {"$original_timestamp": _text(original)} | notes


def _text(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    # Not cut off: by this text the same event is known again when it is sent again.
    return moment.isoformat(timespec="microseconds" if moment.microsecond % 1000 else "milliseconds") + "Z"
