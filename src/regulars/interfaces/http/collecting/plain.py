"""The usual case, decoded and checked in one go: flat events in our own form, with a right clock and tidy texts.

This is a shortcut and never a second rule: what does not pass here takes the long way (:mod:`decoding`, :mod:`events`),
which alone rejects. What passes is what the long way accepts, and means the same; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

import msgspec

from regulars.application.ports import Envelope
from regulars.domain.events import CLOCK_TOLERANCE, JUNK_IDS
from regulars.domain.wire import Limits, time_bounds
from regulars.interfaces.http.collecting.decoding import MOST_EVENTS
from regulars.interfaces.http.collecting.events import NETWORK, names_nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_KEYS = 512
_Flat = dict[str, str | int | float | bool | None]
_Object = Annotated[_Flat, msgspec.Meta(max_length=_MOST_KEYS)]
_Zoned = Annotated[datetime, msgspec.Meta(tz=True)]
_LONGEST_JUNK = max(map(len, JUNK_IDS))


class _Event(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    event_type: str
    event_id: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    timestamp: _Zoned | None = None
    session_id: str | None = None
    name: str | None = None
    feature: str | None = None
    context: str | None = None
    country: str | None = None
    device_type: str | None = None
    platform: str | None = None
    properties: _Object | None = None


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    events: list[_Event]
    sent_at: _Zoned | None = None
    api_key: str | None = None


_read_event = msgspec.json.Decoder(_Event).decode
_read_batch = msgspec.json.Decoder(_Batch).decode
_write = msgspec.json.Encoder().encode


def plain_envelopes(
    body: bytes, received_at: datetime, limits: Limits, *, is_batch: bool
) -> tuple[list[Envelope], str | None] | None:
    """Envelopes of all events of a body, and the key in it; None where one of them needs the long way."""
    if body.count(b"{") > 2 * MOST_EVENTS + 1:
        return None  # more than an event and its properties for each: counted there before anything is made of it
    try:
        if is_batch:
            batch = _read_batch(body)
            events, key = batch.events, batch.api_key
            if not _is_right(batch.sent_at, received_at):
                return None
        else:
            events, key = [_read_event(body)], None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    envelopes = _envelopes(events, received_at, limits) if 0 < len(events) <= MOST_EVENTS else None
    return None if envelopes is None else (envelopes, key)


def _envelopes(events: Sequence[_Event], received_at: datetime, limits: Limits) -> list[Envelope] | None:
    first, end = _bounds(limits.timezone)
    received = received_at.replace(tzinfo=UTC)
    end = min(end, received + CLOCK_TOLERANCE)
    most_name, most_bytes = limits.name_characters, limits.string_bytes
    envelopes = []
    for event in events:
        when = event.timestamp
        if when is None:
            event.timestamp = when = received
        if not (first <= when < end and _is_tidy(event, most_name)):
            return None
        body = _write(event)
        # No text in it can be longer than the whole.
        if len(body) > most_bytes:
            return None
        envelopes.append(Envelope(body, received_at))
    return envelopes


@lru_cache(maxsize=8)
def _bounds(timezone: str) -> tuple[datetime, datetime]:
    first, end = time_bounds(timezone)
    return first.replace(tzinfo=UTC), end.replace(tzinfo=UTC)


def _is_right(sent_at: datetime | None, received_at: datetime) -> bool:
    if sent_at is None:
        return True
    difference: timedelta = received_at.replace(tzinfo=UTC) - sent_at
    return -NETWORK <= difference <= NETWORK


def _is_tidy(event: _Event, most: int) -> bool:
    """Whether trimming would change nothing, and the ids name somebody."""
    user, anonymous, name, feature = event.user_id, event.anonymous_id, event.name, event.feature
    if (user is None and anonymous is None) or _is_junk(user) or _is_junk(anonymous) or names_nothing(event.event_id):
        return False
    if len(event.event_type) > most or (name and len(name) > most) or (feature and len(feature) > most):
        return False
    texts = (
        event.event_type, user, anonymous, event.event_id, event.session_id, name, feature, event.context,
        event.country, event.device_type, event.platform,
    )  # fmt: skip
    for text in texts:
        if text is not None and not (text and "!" <= text[0] <= "~" and "!" <= text[-1] <= "~"):
            return False
    return True


def _is_junk(identifier: str | None) -> bool:
    return identifier is not None and len(identifier) <= _LONGEST_JUNK and identifier.lower() in JUNK_IDS
