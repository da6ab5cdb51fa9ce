"""Bodies that are nearly right: whatever comes of them, it is refused, rejected, or loaded without a word.

The number of cases grows with the profile: 2,500 in ``make test``, a million in ``make torture``.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import secrets

from hypothesis import settings

import regulars
from regulars.domain.wire import MAX_EVENT_BYTES, Limits
from regulars.interfaces.http.answers import RefusedError
from regulars.interfaces.http.collecting.events import Receipt
from regulars.interfaces.http.collecting.forms import ROUTES
from regulars.interfaces.http.collecting.judging import Submission, Verdict, judge, judge_plain
from tests.interfaces.hostile import LIKE, events

NOW = dt.datetime(2026, 1, 5, 12)
AT_ONCE = 20_000
NASTY = (
    b'"', b"\\", b"\\u0000", b"\\ud83d", b"\\udfff", b"NaN", b"-Infinity", b"1e999", b"-0", b"[", b"]", b"{", b"}",
    b",", b":", b"null", b"true", b"\xff", b"\xf0\x9f\x92\xa9", b"\xef\xb7\x90", b"\xc0\x80", b"\x00", b"\r\n", b" ",
    b"0" * 40, b'"events":', b'"batch":', b'"sent_at":"2030-01-01T00:00:00Z",', b'"properties":{', b'"user":{"a":',
    b'"$set_once":{', b'"event_id":"undefined",', b'"offset":1e308,', b'"timestamp":"24:00",', b'"type":"identify",',
    b"data=", b"%7B",
)  # fmt: skip


def mutated(chance: random.Random, bodies: list[bytes]) -> bytes:
    """A body with some bytes changed, cut out, doubled, put in, or with the end of another one."""
    body = chance.choice(bodies)
    for _ in range(chance.randint(1, 4)):
        at, to = sorted((chance.randint(0, len(body)), chance.randint(0, len(body))))
        kind = chance.randint(0, 5)
        if kind == 0:
            body = body[:at] + chance.choice(NASTY) + body[at:]
        elif kind == 1:
            body = body[:at] + body[to:]
        elif kind == 2:
            body = body[:to] + body[at:]
        elif kind == 3:
            body = body[:at] + chance.randbytes(chance.randint(1, 3)) + body[at + 1 :]
        elif kind == 4:
            body = body[:at] + chance.choice(NASTY) + body[to:]
        else:
            other = chance.choice(bodies)
            body = body[:at] + other[chance.randint(0, len(other)) :]
    return body


def verdict_on(chance: random.Random, body: bytes) -> Verdict | RefusedError:
    """What the collector says of a body: of each event, or of the whole."""
    headers = {b"content-type": b"application/x-ndjson"} if chance.randint(0, 9) == 0 else {}
    submission = Submission(
        ROUTES[chance.choice(sorted(ROUTES))], body, headers, Receipt(NOW), None, b"_=1767614400000"
    )
    admit = lambda *_: ""  # noqa: E731 -- everybody
    try:
        return judge_plain(submission, Limits(), admit) or judge(submission, Limits(), admit)
    except RefusedError as exc:
        return exc


def test_bodies_that_are_nearly_right_never_fail_and_what_is_accepted_can_be_loaded() -> None:
    """Every accepted event is in the database afterwards, or was there; the dead letter stays empty."""
    cases = settings.default.max_examples**2
    seed = 7 if settings.default.derandomize else secrets.randbits(32)
    chance = random.Random(seed)
    bodies = [body for body in events() if len(body) < 4096]
    bodies += [json.dumps({"events": [LIKE, LIKE | {"event_id": "e", "details": [{"type": "a"}]}]}).encode()] * 50
    waiting = 0
    counts = {"refused": 0, "rejected": 0, "accepted": 0}
    with regulars.open(clock=lambda: NOW.replace(tzinfo=dt.UTC)) as ws:
        journal = ws._tracker._journal(create=True)
        for _ in range(cases):
            body = mutated(chance, bodies)
            verdict = verdict_on(chance, body)
            if isinstance(verdict, RefusedError):
                assert verdict.status in {400, 413}, (seed, body)
                assert verdict.code
                counts["refused"] += 1
                continue
            assert verdict.envelopes or verdict.rejected, (seed, body)
            assert all(len(each.body) <= MAX_EVENT_BYTES and json.loads(each.body) for each in verdict.envelopes)
            counts["rejected"] += len(verdict.rejected)
            counts["accepted"] += len(verdict.envelopes)
            waiting += len(journal.append(verdict.envelopes))
            if waiting > AT_ONCE:
                ws.flush()
                waiting = 0
        ws.flush()
        told = ws.sql("SELECT reason, detail, raw FROM dead_letter WHERE reason <> 'id_conflict' LIMIT 5").rows
        assert told == [], seed
        audit = ws.journal_audit()
        assert (audit.accepted, audit.adds_up) == (counts["accepted"], True)
    assert min(counts.values()) > cases // 20, counts
