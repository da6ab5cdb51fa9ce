"""From bytes to single events: each one on its own, so that a bad one takes no neighbour with it."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from itertools import accumulate, compress, islice
from operator import not_
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
_MOST_QUOTES = 400_000
_MOST_LINES = 2 * MOST_EVENTS  # some of them blank
# A text that never ends reaches to the end, so that a hostile body is looked at once and not from every quote anew.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_STRINGS = re.compile(_STRING, re.DOTALL)
_MANY_STRINGS = re.compile(rb'(?:[^"]*+' + _STRING + rb"){1,20000}+", re.DOTALL)
_NOT_BRACKETS, _NOT_STRUCTURE = (bytes(set(range(256)) - set(kept)) for kept in (b"[]{}", b"[]{},"))
_STEPS = bytes.maketrans(b"[{]},", b"\x01\x01\xff\xff\x00")  # one level down, one level up, stay
_ENVELOPE = ("sent_at", "sentAt", "api_key", "writeKey")
# Noncharacters, which no text contains, stand for what is no JSON until the event is found that it belongs to.
_BAD_BYTE, _BAD_NUMBER, _BAD_ESCAPE = "\ufdd0".encode(), "\ufdd1".encode(), "\ufdd2".encode()
_MARKS = (
    (_BAD_BYTE, "bad_encoding", "the event holds bytes that are not UTF-8"),
    (_BAD_NUMBER, "bad_number", "NaN and Infinity are no numbers in JSON; leave them out, or send null"),
    (_BAD_ESCAPE, "bad_json", "a text holds a backslash that begins none of JSON's escapes"),
)
_NO_NUMBERS = re.compile(_STRING + rb"|-?\b(?:NaN|Infinity)\b", re.DOTALL)
_HIGH, _LOW = rb"[89abAB][0-9a-fA-F]{2}", rb"[c-fC-F][0-9a-fA-F]{2}"  # what follows \ud in the halves of a pair
_LONE_SURROGATES = re.compile(
    rb"\\u[dD](?:%b(?!\\u[dD]%b)|%b(?<!\\u[dD]%b\\u[dD]%b))" % (_HIGH, _LOW, _LOW, _HIGH, _LOW)
)
_NO_ESCAPES = re.compile(rb'\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})')
_ESCAPED_BACKSLASH, _STAND_IN = rb"\\", b"\xff\xff"  # as long as each other; UTF-8 has no such byte
_MOST_MENDED = 400_000


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
    return _BAD_BYTE.decode(), error.end


codecs.register_error("regulars-mark", _mark_bad_bytes)


def read_batch(body: bytes, lists: Sequence[str], *, lines: bool = False) -> Batch:
    """Events of a body: one object, an array of them, an object with them under one of ``lists``, or JSON lines.

    Errors: :class:`RefusedError` when nothing can be told apart any more.
    """
    text = _as_text(body)
    if depth_is_over(text, _HOPELESS_DEPTH):
        raise RefusedError(400, "too_deep", f"JSON nests at most {MAX_DEPTH} levels deep")
    _refuse_too_many(text, lists, lines=lines)
    raws, envelope = _split_whatever(text, lists, lines=lines)
    if not raws:
        raise RefusedError(400, "no_events", "the body holds no events")
    if len(raws) > MOST_EVENTS:
        raise _too_many()
    items: list[Item] = []
    rejected: list[Rejection] = []
    for index, raw in enumerate(raws):
        found = _decode(index, raw)
        if isinstance(found, Item):
            items.append(found)
        else:
            rejected.append(found)
    return Batch(items, rejected, envelope)


def _as_text(body: bytes) -> bytes:
    text = body.removeprefix(codecs.BOM_UTF8).strip()
    if not text:
        raise RefusedError(400, "empty_body", "the body is empty; send events as JSON")
    try:
        text.decode()
    except UnicodeDecodeError as exc:
        if _BAD_BYTE in text:
            raise RefusedError(400, "bad_encoding", f"byte {exc.start} of the body is not UTF-8") from None
        text = text.decode("utf-8", "regulars-mark").encode()
    return text


def _refuse_too_many(text: bytes, lists: Sequence[str], *, lines: bool) -> None:
    """Count before anything is made of them: ten million zeros are a small body and a large list."""
    if lines and text.count(b"\n") + text.count(b"\r") > _MOST_LINES:
        raise _too_many()
    if text.count(b",") <= MOST_EVENTS:
        return
    steps = _structure(text, _NOT_STRUCTURE)
    split = {1, 2} if lists and not text.startswith(b"[") else {1}
    commas = (depth for depth in compress(accumulate(steps), map(not_, steps)) if depth in split)
    if next(islice(commas, MOST_EVENTS + len(_ENVELOPE), None), None) is not None:
        raise _too_many()


def _too_many() -> RefusedError:
    return RefusedError(413, "too_many_events", f"a batch has at most {MOST_EVENTS} events; send several")


def _split_whatever(text: bytes, lists: Sequence[str], *, lines: bool) -> tuple[list[bytes], dict[str, Any]]:
    try:
        return _split(text, lists, lines=lines)
    except RefusedError:
        mended = _with_marked_numbers(_with_mended_escapes(text))
        if mended == text:
            raise
        return _split(mended, lists, lines=lines)


def _with_mended_escapes(text: bytes) -> bytes:
    """Half of a surrogate pair becomes U+FFFD, as in every encoder of UTF-8; what is no escape at all is marked."""
    if b"\\" not in text:
        return text
    # Backslashes that are escaped themselves are put away, so that each one left begins an escape.
    bare = text.replace(_ESCAPED_BACKSLASH, _STAND_IN)
    bare = _LONE_SURROGATES.sub(rb"\\ufffd", bare, _MOST_MENDED)
    return _NO_ESCAPES.sub(_BAD_ESCAPE, bare, _MOST_MENDED).replace(_STAND_IN, _ESCAPED_BACKSLASH)


def _with_marked_numbers(text: bytes) -> bytes:
    """Libraries write NaN and Infinity, which are no JSON; only the events that hold them are to suffer."""
    if not (b"NaN" in text or b"Infinity" in text) or _BAD_NUMBER in text or text.count(b'"') > _MOST_QUOTES:
        return text
    return _NO_NUMBERS.sub(_mark_number, text)


def _mark_number(found: re.Match[bytes]) -> bytes:
    token = found[0]
    return token if token.startswith(b'"') else b'"' + _BAD_NUMBER + b'"'


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


def _value(raw: msgspec.Raw) -> Any:
    return msgspec.json.decode(raw) if len(memoryview(raw)) <= MAX_EVENT_BYTES else None


def _decode(index: int, raw: bytes) -> Item | Rejection:
    if len(raw) > MAX_EVENT_BYTES:
        return Rejection(index, "event_too_large", f"the event has {len(raw)} bytes, the most is {MAX_EVENT_BYTES}")
    for mark, code, message in _MARKS:
        if mark in raw:
            return Rejection(index, code, message)
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        mended = _with_mended_escapes(raw)  # a line, which nothing has split before
        if mended != raw:
            return _decode(index, mended)
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
    return max(accumulate(_structure(text, _NOT_BRACKETS)), default=0) > most


def _structure(text: bytes, left_out: bytes) -> memoryview[int]:
    """The text without its strings, as steps between levels; some strings at a time, for the sake of memory."""
    steps = bytearray()
    at = 0
    while found := _MANY_STRINGS.match(text, at):
        steps += _STRINGS.sub(b"", found[0]).translate(_STEPS, left_out)
        at = found.end()
    steps += text[at:].translate(_STEPS, left_out)
    return memoryview(steps).cast("b")
