"""One event as a program hands it over: checked at once, by the rules that an import follows, and written as JSON.

What passes here is loaded later without a word, so everything that an import would turn away is turned away here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from regulars.domain.calendar import day_ends_at
from regulars.domain.events import BLANKS, check_json, usable_id, wire_text
from regulars.domain.schema import FIRST_DATE, LAST_DATE
from regulars.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_EVENT_BYTES = 262_144
MAX_KEYS = 512
_NAMES = ("event_type", "name", "feature")
_TEXTS = ("session_id", "context", "previous_id", "country", "region", "city", "device_type", "platform")
_OBJECTS = ("properties", "device", "geo", "user")
KEYS = (
    "event_id", "user_id", "anonymous_id", "timestamp", "sequence", "duration_seconds", "details",
    *_NAMES, *_TEXTS, *_OBJECTS,
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- naive UTC
_DAY = timedelta(days=1)
_MAGNITUDES = ((10**11, 1), (10**14, 1000), (10**17, 1_000_000), (10**19, 1_000_000_000))
_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?"
    r"(?: ?(Z|z|UTC|GMT|[+-](?:0\d|1[0-8])(?::?[0-5]\d)?))?",
    re.ASCII,
)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)


@dataclass(frozen=True)
class Limits:
    """What one event may be; ``timezone`` is that of the workspace, whose calendar its day must be in."""

    timezone: str = "UTC"
    name_characters: int = 200
    string_bytes: int = 65_536


@lru_cache(maxsize=64)
def time_bounds(timezone: str) -> tuple[datetime, datetime]:
    """First and one past the last naive UTC instant whose UTC day and local day both lie in ``dim_dates``."""
    first, last = date.fromisoformat(FIRST_DATE), date.fromisoformat(LAST_DATE)
    low = max(_EPOCH, day_ends_at(first - _DAY, timezone))
    high = min(datetime(last.year + 1, 1, 1), day_ends_at(last, timezone))  # noqa: DTZ001 -- naive UTC
    return low, high


def made_id(journal_id: str, offset: int) -> str:
    """The id of an event that came without one: its place in a journal, so that loading it again gives the same."""
    return f"journal-{journal_id}-{offset}"


def kept_id(fields: Mapping[str, Any], journal_id: str, offset: int) -> str:
    """The id under which an event is kept: its own, or that of its place."""
    given = fields.get("event_id")
    return made_id(journal_id, offset) if given is None else str(given).strip(BLANKS)


def wire_event(fields: Mapping[str, Any], limits: Limits, *, now: datetime, timezone: str | None = None) -> bytes:
    """The wire form of one event as JSON; keys without a value are left out.

    Args:
        fields: Values by wire key, see :data:`KEYS`.
        limits: What an event may be.
        now: Time of an event that has none, naive UTC.
        timezone: IANA name for a time without one.

    Errors: :class:`EventError` with the reason that an import would give, besides ``unknown_key``, ``bad_id`` and
    ``event_too_large``.

    >>> wire_event({"user_id": 7, "event_type": "like"}, Limits(), now=datetime(2026, 1, 5, 9))
    b'{"user_id":"7","event_type":"like","timestamp":"2026-01-05T09:00:00.000000Z"}'
    """
    given = {key: value for key, value in fields.items() if value is not None}
    _check_keys(given)
    event = _identified(given)
    for key in (*_NAMES, *_TEXTS):
        _take_text(key, given, event)
    _check_names(event, limits)
    moment = now if "timestamp" not in given else instant_of(given["timestamp"], timezone)
    event["timestamp"] = _in_calendar(moment, limits.timezone).isoformat(timespec="microseconds") + "Z"
    _take_numbers(given, event)
    _take_nested(given, event)
    text = wire_text(event)
    body = text.encode()
    if len(body) > MAX_EVENT_BYTES:
        raise EventError(
            f"the event has {len(body)} bytes, the most is {MAX_EVENT_BYTES}", code="event_too_large", bytes=len(body)
        )
    check_json(text, limits.string_bytes)
    return body


def instant_of(value: object, timezone: str | None = None) -> datetime:
    """The naive UTC instant of a time in any spelling that an import reads.

    Numbers are UTC: below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds.

    Errors: :class:`EventError` ``bad_time``, or ``naive_time`` for a time without a zone when none is given.

    >>> instant_of("2026-01-05T10:00+01:00"), instant_of(1767603600000)
    (datetime.datetime(2026, 1, 5, 9, 0), datetime.datetime(2026, 1, 5, 9, 0))
    """
    shown = str(value)[:100]
    try:
        moment = _moment_of(value)
        if moment.tzinfo is None and timezone is not None:
            moment = moment.replace(tzinfo=ZoneInfo(timezone))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as exc:
        raise EventError(
            f"no time: {shown!r}; give a datetime, ISO 8601 text, or seconds or milliseconds since 1970",
            code="bad_time", value=shown,
        ) from exc  # fmt: skip
    raise EventError(
        f"the time {shown!r} names no time zone; give one that does, such as datetime.now(UTC), "
        'or say which zone it is in: timezone="UTC"',
        code="naive_time", value=shown,
    )  # fmt: skip


def _moment_of(value: object) -> datetime:
    """A datetime with its zone, or naive when none is named; ValueError for what is no time."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 -- naive on purpose
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _of_number(value)
    text = str(value).strip(BLANKS)
    if found := _ISO.fullmatch(text):
        return _of_iso(*found.groups())
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return _of_number(float(text) if "." in text else int(text))


def _of_number(value: float) -> datetime:
    per_second = next((found for limit, found in _MAGNITUDES if abs(value) < limit), None)
    if per_second is None:  # too great, or no number at all
        raise ValueError(value)
    whole = isinstance(value, int)
    microseconds = value * 1_000_000 // per_second if whole else round(value * 1_000_000 / per_second)
    return _EPOCH.replace(tzinfo=UTC) + timedelta(microseconds=microseconds)


def _of_iso(  # noqa: PLR0917 -- the groups of one pattern
    day: str, hour: str | None, minute: str | None, second: str | None, fraction: str | None, zone: str | None
) -> datetime:
    clock = timedelta(
        hours=int(hour or 0), minutes=int(minute or 0), seconds=int(second or 0),
        microseconds=int(f"{fraction or 0:0<6.6}") if fraction else 0,
    )  # fmt: skip
    most = _DAY if int(second or 0) < 60 else _DAY + timedelta(seconds=1)  # noqa: PLR2004 -- a leap second
    if int(hour or 0) > 24 or int(minute or 0) > 59 or int(second or 0) > 60 or clock > most:  # noqa: PLR2004
        raise ValueError(day)
    moment = datetime.fromisoformat(day) + clock
    if zone is None:
        return moment
    return (moment - _offset(zone)).replace(tzinfo=UTC)


def _offset(zone: str) -> timedelta:
    if zone in {"Z", "z", "UTC", "GMT"}:
        return timedelta(0)
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return -offset if zone.startswith("-") else offset


def _in_calendar(moment: datetime, timezone: str) -> datetime:
    first, end = time_bounds(timezone)
    if not first <= moment < end:
        raise EventError(f"the time {moment} UTC is outside {first} to {end}", code="time_out_of_range")
    return moment


def _check_keys(given: Mapping[str, Any]) -> None:
    unknown = [key for key in given if key not in KEYS]
    if unknown:
        raise EventError(
            f"an event has no {unknown[0]!r}; what is not one of {', '.join(sorted(KEYS))} belongs into properties",
            code="unknown_key", key=unknown[0],
        )  # fmt: skip


def _identified(given: Mapping[str, Any]) -> dict[str, Any]:
    """The ids that name somebody, and the event's own."""
    event: dict[str, Any] = {}
    if "event_id" in given:
        event["event_id"] = str(given["event_id"]).strip(BLANKS)
        if not event["event_id"]:
            raise EventError("event_id is blank; leave it out to have one made", code="bad_id")
    for key in ("user_id", "anonymous_id"):
        identifier = usable_id(given.get(key))
        if identifier is not None:
            event[key] = identifier
    if "user_id" not in event and "anonymous_id" not in event:
        shown = ", ".join(f"{key}={given[key]!r}" for key in ("user_id", "anonymous_id") if key in given)
        raise EventError(
            f"nobody did this: {shown or 'there is neither user_id nor anonymous_id'}; "
            "give one that names somebody",
            code="no_identity",
        )  # fmt: skip
    return event


def _take_text(key: str, given: Mapping[str, Any], event: dict[str, Any]) -> None:
    text = str(given.get(key, "")).strip(BLANKS)
    if text:
        event[key] = text


def _check_names(event: Mapping[str, Any], limits: Limits) -> None:
    if "event_type" not in event:
        raise EventError("the event has no type; give event_type, such as 'page_view'", code="no_event_type")
    for key in _NAMES:
        if len(event.get(key, "")) > limits.name_characters:
            raise EventError(
                f"{key} has {len(event[key])} characters, the most is {limits.name_characters}", code="name_too_long"
            )


def _take_numbers(given: Mapping[str, Any], event: dict[str, Any]) -> None:
    for key in ("sequence", "duration_seconds"):
        value = given.get(key)
        if value is None:
            continue
        whole = isinstance(value, int) and -(2**63) <= value < 2**63
        if isinstance(value, bool) or not (whole or (key != "sequence" and isinstance(value, float))):
            wanted = "a whole number" if key == "sequence" else "a number"
            raise EventError(f"{key} must be {wanted}, not {value!r}", code="bad_number")
        if not isfinite(value):
            raise EventError(f"{key} must be a number, not {value}", code="bad_number")
        event[key] = value


def _take_nested(given: Mapping[str, Any], event: dict[str, Any]) -> None:
    for key in (*_OBJECTS, "details"):
        value = given.get(key)
        if value is None:
            continue
        fits = isinstance(value, (list, tuple)) if key == "details" else hasattr(value, "items")
        if not fits:
            wanted = "a list" if key == "details" else "a dict"
            raise EventError(f"{key} must be {wanted}, not {type(value).__name__}", code="bad_json")
        if len(value) > MAX_KEYS:
            raise EventError(f"{key} has {len(value)} entries, the most is {MAX_KEYS}", code="too_many_keys")
        if value:
            event[key] = value
