"""One record as a product sends it: which ids count, and how a Python record becomes wire text.

The wire form is a JSON object; :mod:`regulars.infrastructure.loading` gives every source the same meaning.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from regulars.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Mapping

JUNK_IDS = ("null", "undefined", "none", "nan", "0", "guest", "anonymous", "-1")
BLANKS = " \t\r\n\v\f\u00a0\u2003\u200b\ufeff"
MAX_DEPTH = 32
# Events up to this much ahead of the clock count as having happened.
CLOCK_TOLERANCE = timedelta(minutes=5)


def usable_id(value: object) -> str | None:
    """The id as text without surrounding blanks, or None when it names nobody.

    >>> usable_id(" 42 "), usable_id(42), usable_id("NULL"), usable_id("")
    ('42', '42', None, None)
    """
    text = str(value).strip(BLANKS) if value is not None else ""
    return text if text and text.lower() not in JUNK_IDS else None


def wire_text(record: Mapping[str, object]) -> str:
    """A record as one JSON object; dates become ISO text, NaN becomes missing.

    Errors: :class:`EventError` with code ``bad_record``, ``bad_encoding``, ``bad_json`` or ``bad_number``.

    >>> wire_text({"user_id": 7, "event_type": "login", "timestamp": datetime(2026, 1, 1)})
    '{"user_id":7,"event_type":"login","timestamp":"2026-01-01T00:00:00"}'
    """
    if not hasattr(record, "items"):
        raise EventError(f"a record must be a dict, not {type(record).__name__}", code="bad_record")
    try:
        text = msgspec.json.encode(_plain(record, 0), enc_hook=_spell).decode()
    except EventError:
        raise
    except UnicodeError as exc:
        raise EventError(f"text that is no valid Unicode: {exc}", code="bad_encoding") from exc
    except (TypeError, ValueError, OverflowError) as exc:
        raise EventError(f"a value cannot be written as JSON: {exc}", code="bad_json") from exc
    return text


def check_json(text: str, string_bytes: int) -> None:
    """Refuse what is no JSON object by the letter of the standard, nests too deep or holds too long a text.

    Errors: :class:`EventError` with code ``bad_json`` or ``value_too_long``.
    """
    if nesting(text) > MAX_DEPTH:
        raise EventError(f"nested deeper than {MAX_DEPTH} levels", code="bad_json")
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as exc:
        raise EventError(f"not JSON: {exc}", code="bad_json") from exc
    if not isinstance(value, dict):
        raise EventError("not a JSON object", code="bad_json")
    if place := oversized(value, string_bytes):
        raise EventError(f"over {string_bytes} bytes: {place}", code="value_too_long")


def oversized(value: Any, limit: int) -> str | None:
    """Where a decoded JSON value holds a text of more than ``limit`` bytes, or None.

    >>> oversized({"a": ["x" * 9]}, 8), oversized({"a": ["x" * 8]}, 8)
    ('a', None)
    """
    if isinstance(value, str):
        return "a text" if len(value) * 4 > limit and len(value.encode()) > limit else None
    if isinstance(value, list):
        return next((found for item in value if (found := oversized(item, limit))), None)
    if isinstance(value, dict):
        return next((key[:100] for key, item in value.items() if oversized(key, limit) or oversized(item, limit)), None)
    return None


def nesting(text: str) -> int:
    """How deep the objects and arrays of a JSON text nest, found without recursion.

    >>> nesting('{"a": ["{{{"]}')
    2
    """
    depth = deepest = 0
    for mark in re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text):
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _plain(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise EventError(f"nested deeper than {MAX_DEPTH} levels", code="bad_json")
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, (str, int, bool)) or value is None:
        return value
    if hasattr(value, "items"):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item, depth + 1) for item in value]
    return _spell(value)


def _finite(value: float) -> float | None:
    if value != value:  # noqa: PLR0124 -- NaN is how frames spell a missing number
        return None
    if value in (float("inf"), float("-inf")):
        raise EventError(f"{value} is not a number that can be stored", code="bad_number")
    return value


def _spell(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat() if value == value else None  # noqa: PLR0124 -- NaT is unlike itself
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "item"):  # numpy scalars
        return _plain(value.item(), 0)
    return None if type(value).__name__ in ("NAType", "NaTType") else str(value)
