"""What nobody sends on purpose, or only on purpose: bodies for every address, made from what the addresses take."""

from __future__ import annotations

import gzip
import json
import zlib

import msgspec

from regulars.domain.query import Query
from regulars.interfaces.http.api import BackupRequest, ImportRequest, PersonRequest, SqlRequest, UsersRequest

LIKE = {"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}
MIB = 1 << 20
_VALUES: tuple[object, ...] = (
    None, True, 0, -1, 2**53 + 1, 2**63, 2**64, 10**300, 1.5, -0.0, "", " ", "null", "undefined", "\x00", "\u202e",
    "\u200b", "<script>alert(1)</script>", "' OR 1=1; DROP TABLE fact_user_actions; --", "$.a", "*", "../../etc/passwd",
    "=1+1", "x" * 1000, "x" * 70_000, [], {}, [[]], {"a": None}, {"": 1}, {"__proto__": {}}, {"x" * 5000: 1}, [1] * 600,
)  # fmt: skip
_KEYS = (
    "user_id", "anonymous_id", "event_type", "event_id", "timestamp", "sequence", "session_id", "name", "feature",
    "device", "geo", "duration_seconds", "context", "details", "properties", "user", "sent_at", "type", "event",
    "userId", "messageId", "originalTimestamp", "traits", "previousId", "distinct_id", "uuid", "offset", "batch",
    "events", "api_key", "country", "previous_id", "$set", "$set_once",
)  # fmt: skip
_BYTES = (
    b"", b"\x00", b"\xff\xfe\x00", b"{", b"[", b'"', b"{]", b"[}", b"nan", b"NaN", b"Infinity", b"-", b"1e400", b"{}{}",
    b"[1,]", b"{'a':1}", b'{"user_id":"\\ud800","event_type":"x"}', b'{"user_id":"\xff","event_type":"x"}',
    b'{"user_id":"\\udfff\\ud800","event":"\\ud83d","distinct_id":"\\udc00"}', b"[" * 200_000, b'{"a":' * 200_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"\x1f\x8b", b"\x1f\x8b" + b"\x00" * 100, gzip.compress(b"[" * MIB),
    gzip.compress(gzip.compress(b"{}")), b"\xef\xbb\xbf{}", b"data=eyJhIjoxfQ==", b"data=%",
    b"data=" + b"%5B" * 200_000,
    b"--x\r\nContent-Disposition: form-data", b'{"user_id":"a","user_id":"b","event_type":"x","event_type":"y"}',
    b"9" * 5000, b'{"timestamp":' + b"9" * 5000 + b"}", b'{"user_id":"a","event_type":"x","n":-' + b"9" * 5000 + b"}",
    b'{"properties":{"n":1e' + b"9" * 400 + b'},"user_id":"a","event_type":"x"}', b"[" + b"{}," * 3000 + b"{}]",
)  # fmt: skip


def events() -> list[bytes]:
    """Bodies for addresses that take events: every key with every value, lists of them, and what is no JSON."""
    base = LIKE | {"userId": "ada", "event": "like", "distinct_id": "ada"}
    found = [json.dumps(base | {key: value}).encode() for key in _KEYS for value in _VALUES]
    found += [json.dumps({"events": [value], "batch": [value]}).encode() for value in _VALUES]
    return found + [json.dumps(value).encode() for value in _VALUES] + list(_BYTES)


def questions() -> list[bytes]:
    """Bodies for addresses that answer: every field of every request with every value, and what is no JSON."""
    kinds = (Query, UsersRequest, SqlRequest, ImportRequest, BackupRequest, PersonRequest)
    base = {"metric": "active_users"}
    found = []
    for kind in kinds:
        for field in msgspec.structs.fields(kind):
            around = base if kind is Query else {"query": base} if kind is UsersRequest else {}
            found += [json.dumps(around | {field.name: value}).encode() for value in _VALUES]
    found += [
        b'{"sql": "SELECT"}', b'{"sql": "DROP TABLE loads"}', b'{"sql": "SELECT * FROM read_csv(1)"}',
        b'{"metric": "nothing"}', b'{"query": {"metric": "active_users"}, "row": 99}', b'{"sql": "SELECT 1; SELECT 2"}',
        b'{"sql": "SELECT * FROM \'/etc/passwd\'"}', b'{"sql": "SELECT ' + b"(" * 30_000 + b'"}',
        b'{"metric": "active_users", "filters": ' + b'[{"any": ' * 5000 + b"[]" + b"}]" * 5000 + b"}",
    ]  # fmt: skip
    return found + list(_BYTES)


def bomb(mib: int) -> bytes:
    """So many MiB of nothing in a thousandth of that."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(mib)) + packer.flush()
