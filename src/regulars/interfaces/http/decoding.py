"""From bytes to single events: each one on its own, so that a bad one takes no neighbour with it."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec

from regulars.domain.events import MAX_DEPTH
from regulars.domain.wire import MAX_EVENT_BYTES
from regulars.interfaces.http.answers import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_EVENTS = 2_000
# Beyond it nothing is decoded at all; between the two, only the event that nests so deep is rejected.
_HOPELESS_DEPTH = 200
# A text that never ends reaches to the end, so that a hostile body is looked at once and not from every quote anew.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # one level down, one level up
_MARK = "\ufdd0"  # a noncharacter: no text contains it
_MARK_BYTES = _MARK.encode()


@dataclass(frozen=True)
class Rejection:
    """Why one event of a batch was not accepted."""

    index: int
    code: str
    message: str


@dataclass(frozen=True)
class Item:
    """One event of a batch, decoded and otherwise unchecked."""

    index: int
    value: Any


@dataclass(frozen=True)
class Batch:
    """What a body holds: events, what could not be decoded, and the keys around them."""

    items: Sequence[Item]
    rejected: Sequence[Rejection]
    envelope: dict[str, Any]


def _mark_bad_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _MARK, error.end


codecs.register_error("regulars-mark", _mark_bad_bytes)


def read_batch(body: bytes, lists: Sequence[str], *, lines: bool = False) -> Batch:
    """Events of a body: one object, an array of them, an object with them under one of ``lists``, or JSON lines.

    Errors: :class:`RefusedError` when nothing can be told apart any more.
    """
    text = body.removeprefix(codecs.BOM_UTF8).strip()
    if not text:
        raise RefusedError(400, "empty_body", "the body is empty; send events as JSON")
    try:
        text.decode()
    except UnicodeDecodeError as exc:
        if _MARK_BYTES in text:
            raise RefusedError(400, "bad_encoding", f"byte {exc.start} of the body is not UTF-8") from None
        text = text.decode("utf-8", "regulars-mark").encode()
    if depth_is_over(text, _HOPELESS_DEPTH):
        raise RefusedError(400, "too_deep", f"JSON nests at most {MAX_DEPTH} levels deep")
    raws, envelope = _split(text, lists, lines=lines)
    if not raws:
        raise RefusedError(400, "no_events", "the body holds no events")
    if len(raws) > MOST_EVENTS:
        raise RefusedError(
            413, "too_many_events", f"a batch has at most {MOST_EVENTS} events, not {len(raws)}; send several"
        )
    items: list[Item] = []
    rejected: list[Rejection] = []
    for index, raw in enumerate(raws):
        found = _decode(index, raw)
        if isinstance(found, Item):
            items.append(found)
        else:
            rejected.append(found)
    return Batch(items, rejected, envelope)


def _split(text: bytes, lists: Sequence[str], *, lines: bool) -> tuple[list[bytes], dict[str, Any]]:
    if lines:
        return [line for line in text.splitlines() if line.strip()], {}
    try:
        if text.startswith(b"["):
            return [bytes(raw) for raw in msgspec.json.decode(text, type=list[msgspec.Raw])], {}
        around = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        key = next((name for name in lists if name in around), None)
        if key is None:
            return [text], {}
        raws = msgspec.json.decode(around.pop(key), type=list[msgspec.Raw])
        envelope = {name: _value(around[name]) for name in _ENVELOPE if name in around}
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise RefusedError(400, "bad_json", f"the body cannot be read: {exc}") from None
    return [bytes(raw) for raw in raws], envelope


_ENVELOPE = ("sent_at", "sentAt", "api_key", "writeKey")


def _value(raw: msgspec.Raw) -> Any:
    return msgspec.json.decode(raw) if len(memoryview(raw)) <= MAX_EVENT_BYTES else None


def _decode(index: int, raw: bytes) -> Item | Rejection:
    if len(raw) > MAX_EVENT_BYTES:
        return Rejection(index, "event_too_large", f"the event has {len(raw)} bytes, the most is {MAX_EVENT_BYTES}")
    if _MARK_BYTES in raw:
        return Rejection(index, "bad_encoding", "the event holds bytes that are not UTF-8")
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        return Rejection(index, "bad_json", f"not JSON: {exc}")
    if not isinstance(value, dict):
        return Rejection(index, "bad_json", f"an event is a JSON object, not {type(value).__name__}")
    return Item(index, value)


def depth_is_over(text: bytes, most: int) -> bool:
    """Whether brackets nest deeper than ``most`` levels, told without recursion.

    >>> depth_is_over(b'[[["[[[["]]]', 3), depth_is_over(b"[[[[]]]]", 3)
    (False, True)
    """
    if text.count(b"{") + text.count(b"[") <= most:
        return False
    steps = _STRINGS.sub(b"", text).translate(_STEPS, _NOT_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0) > most
