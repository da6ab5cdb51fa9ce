"""What the collector takes, what it answers, and what it keeps."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import gzip
import json
import time
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.application.keys import create, revoke, rotate
from regulars.domain.events import CLOCK_TOLERANCE
from regulars.domain.wire import Limits
from regulars.errors import RegularsError
from regulars.infrastructure.operational.sqlite import SqliteStore
from regulars.interfaces.http.answers import RefusedError
from regulars.interfaces.http.collecting.bodies import Bodies
from regulars.interfaces.http.collecting.collector import PAGES
from regulars.interfaces.http.collecting.decoding import depth_is_over
from regulars.interfaces.http.collecting.events import NETWORK, Receipt, journal_body, own_form
from regulars.interfaces.http.collecting.forms import ROUTES
from regulars.interfaces.http.collecting.judging import Submission, judge, judge_plain
from regulars.interfaces.http.collecting.plain import plain_envelopes
from tests.interfaces.asgi import NOW, Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIKE = {"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}


TEXTS = st.sampled_from(
    ["ada", "x", " x", "x ", "", "null", "NULL", "0", "\u00e9", "a\u00e9b", "a\x00b", "x" * 200, "x" * 201]
)
FLAT = st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(), st.floats(), st.booleans(), st.none()), max_size=3)
KEYS = st.sampled_from([
    "user_id", "anonymous_id", "event_type", "event_id", "timestamp", "sequence", "duration_seconds", "properties",
    "user", "details", "device", "geo", "previous_id", "sent_at", "type", "event", "userId", "messageId",
    "originalTimestamp", "context", "traits", "distinct_id", "uuid", "offset", "$set", "$session_id",
    "events", "batch", "api_key",
])  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


def test_an_event_is_in_the_journal_when_the_answer_comes(bench: Bench) -> None:
    reply = bench.send("/v1/track", LIKE)
    assert (reply.status, reply.json["accepted"], reply.json["rejected"]) == (200, 1, [])
    assert bench.kept() == [LIKE]


def test_unknown_keys_become_properties_and_given_properties_win(bench: Bench) -> None:
    bench.send("/v1/track", LIKE | {"shade": "red", "size": 1, "properties": {"size": 2}})
    assert bench.kept()[0]["properties"] == {"shade": "red", "size": 2}


def test_numbers_stay_exact(bench: Bench) -> None:
    numbers = [2**53 + 1, 2**63, 2**64, 2**70, -0.0, 1.5e300]
    bench.send("/v1/track", LIKE | {"properties": {"n": numbers}})
    assert bench.kept()[0]["properties"]["n"] == numbers
    assert bench.send("/v1/track", json.dumps(LIKE)[:-1].encode() + b',"properties":{"n":1e400}}').status == 400


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "[1, NaN]"])
def test_a_number_that_is_none_takes_no_neighbour_with_it(bench: Bench, number: str) -> None:
    """Python writes NaN into JSON without a word; in a text it is a word like any other."""
    good = json.dumps(LIKE | {"properties": {"said": 'NaN, "Infinity"'}})
    bad = good[:-2] + ', "n": ' + number + "}}"
    reply = bench.send("/v1/batch", f'{{"events": [{good}, {bad}, {good}]}}'.encode())
    assert reply.json["accepted"] == 2
    assert [each["index"] for each in reply.json["rejected"]] == [1]
    assert reply.json["rejected"][0]["code"] in {"bad_number", "bad_json"}
    assert bench.kept()[1]["properties"] == {"said": 'NaN, "Infinity"'}
    assert bench.send("/v1/track", bad.encode()).status == 400


FORMS = {
    "/v1/batch": ("events", {}), "/v1/batch array": (None, {}),
    "/v1/batch lines": ("lines", {"content-type": "application/x-ndjson"}),
    "/v1/batch segment": ("batch", {}), "/batch": ("batch", {}),
}  # fmt: skip


def sent_as(bench: Bench, form: str, *escaped: str):
    """Events in one of the forms, each with a property whose text is written in JSON as it is given; the answer."""
    around, headers = FORMS[form]
    own = {"event": "like", "distinct_id": "ada"} if form == "/batch" else {"event": "like", "userId": "ada"}
    like = own if form in {"/batch", "/v1/batch segment"} else LIKE
    events = [json.dumps(like | {"properties": {"said": "?"}}).replace("?", text) for text in escaped]
    body = "\n".join(events) if around == "lines" else f"[{','.join(events)}]"
    body = f'{{"{around}": {body}}}' if around in {"events", "batch"} else body
    return bench.send(form.partition(" ")[0], body.encode(), headers)


@pytest.mark.parametrize("form", FORMS)
def test_half_of_a_surrogate_pair_becomes_a_sign_and_takes_no_event_with_it(bench: Bench, form: str) -> None:
    """Browsers write it where an emoji was cut in two; escaped backslashes before it make it a text like any other."""
    sent = (
        "fine",
        r"\ud83d",
        r"\ud83d\ude00",
        r"\\ud83d",
        r"\\\uD83Dx",
        r"\\ud83d\ude00",
        r"\ude00\ud83d",
        r"\ud83d\\",
    )
    reply = sent_as(bench, form, *sent)
    assert (reply.json["accepted"], reply.json["rejected"]) == (8, [])
    assert [event["properties"]["said"] for event in bench.kept()] == [
        "fine", "\ufffd", "\U0001f600", "\\ud83d", "\\\ufffdx", "\\ud83d\ufffd", "\ufffd\ufffd", "\ufffd\\",
    ]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wrong", [r"\x", r"\u12", r"\uZZZZ", r"\\\'", r"\ud83d\x", r"\ud83d\u"])
def test_an_escape_that_is_none_takes_no_neighbour_with_it(bench: Bench, form: str, wrong: str) -> None:
    reply = sent_as(bench, form, r"C:\\x \"", wrong, r"\ud83d")
    assert [(each["index"], each["code"]) for each in reply.json["rejected"]] == [(1, "bad_json")]
    assert [event["properties"]["said"] for event in bench.kept()] == ['C:\\x "', "\ufffd"]


def test_an_escape_and_a_number_that_are_none_cost_two_events(bench: Bench) -> None:
    good, bad = json.dumps(LIKE), json.dumps(LIKE)[:-1]
    reply = bench.send("/v1/batch", f'[{good}, {bad}, "n": NaN}}, {bad}, "n": "\\x"}}, {good}]'.encode())
    assert reply.json["accepted"] == 2
    assert [(each["index"], each["code"]) for each in reply.json["rejected"]] == [(1, "bad_number"), (2, "bad_json")]


CUT_TEXTS = st.text(st.sampled_from('\\"/ud8x\n\u00e9\ud83d\ude00\udbff\udc00\ufffd\U0001f600'), max_size=12)


@settings(max_examples=200, deadline=None)
@given(st.lists(CUT_TEXTS, min_size=1, max_size=3), st.booleans())
def test_every_text_that_can_be_written_in_json_is_kept_as_utf_8_has_it(texts, is_lines: bool) -> None:
    """Whatever is cut in two, what is whole stays as it is."""
    written = [json.dumps(LIKE | {"properties": {"said": text, text: 1}}) for text in texts]
    body = "\n".join(written) if is_lines else f"[{','.join(written)}]"
    headers = {b"content-type": b"application/jsonl"} if is_lines else {}
    verdict = judge(
        Submission(ROUTES["/v1/batch"], body.encode(), headers, Receipt(NOW), None), Limits(), lambda *_: ""
    )
    whole = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
    assert [json.loads(each.body)["properties"] for each in verdict.envelopes] == [
        {"said": text, text: 1} for text in whole
    ]


@pytest.mark.parametrize("part", [r"\ud83d", r"\ud83d\ude00", r"\x", "\\", r"\u", r"\n", r"\\u"])
def test_a_body_of_nothing_but_escapes_is_looked_at_a_few_times_only(bench: Bench, part: str) -> None:
    body = '[{"a":"' + part * (4_000_000 // len(part)) + r'\ud83d"}]'
    begun = time.perf_counter()
    assert bench.send("/v1/batch", body.encode()).status == 400
    assert time.perf_counter() - begun < 5  # and not from every backslash anew


def test_keys_of_the_request_are_not_kept(bench: Bench) -> None:
    bench.send("/v1/track", LIKE | {"api_key": "secret", "writeKey": "secret", "sent_at": "2026-01-05T12:00:00Z"})
    assert "secret" not in json.dumps(bench.kept())


@pytest.mark.parametrize("form", ["events", "batch", "array", "lines"])
def test_a_batch_is_taken_event_by_event(bench: Bench, form: str) -> None:
    """A bad event takes no neighbour with it, and its place and reason are told."""
    events = [LIKE, {"event_type": "x"}, LIKE | {"user_id": "bob"}, [1]]
    headers = {}
    content: object = {form: events}
    if form == "array":
        content = events
    elif form == "lines":
        content, headers = b"\n".join(json.dumps(e).encode() for e in events), {"content-type": "application/x-ndjson"}
    reply = bench.send("/v1/batch", content, headers)
    assert reply.status == 200
    assert reply.json["accepted"] == 2
    assert [(each["index"], each["code"]) for each in reply.json["rejected"]] == [(1, "no_identity"), (3, "bad_json")]
    assert [event["user_id"] for event in bench.kept()] == ["ada", "bob"]


def test_nothing_accepted_is_a_400(bench: Bench) -> None:
    reply = bench.send("/v1/batch", {"events": [{"event_type": "x"}]})
    assert (reply.status, reply.json["accepted"]) == (400, 0)


def test_identify_and_alias_need_no_type(bench: Bench) -> None:
    bench.send("/v1/identify", {"user_id": "ada", "anonymous_id": "a1", "user": {"plan": "paid"}})
    bench.send("/v1/alias", {"user_id": "ada", "previous_id": "a2"})
    kept = bench.kept()
    assert [event["event_type"] for event in kept] == ["identify", "alias"]
    assert kept[0]["timestamp"].startswith("2026-01-05T12:00:00")


@pytest.mark.parametrize(
    ("ahead", "sent_ahead", "expected"),
    [
        (dt.timedelta(hours=-1), None, dt.timedelta(hours=-1)),  # no time of sending: as it is
        (dt.timedelta(hours=-1), dt.timedelta(seconds=3), dt.timedelta(hours=-1)),  # a slow line
        (dt.timedelta(hours=2), dt.timedelta(hours=3), dt.timedelta(hours=-1)),  # a clock three hours ahead
        (dt.timedelta(days=-1096), dt.timedelta(days=-1095), dt.timedelta(days=-1)),  # three years behind
        (dt.timedelta(days=1096), dt.timedelta(days=1096), dt.timedelta(0)),
        (dt.timedelta(minutes=4), None, dt.timedelta(minutes=4)),  # a little ahead is believed
        (dt.timedelta(hours=1), None, dt.timedelta(0)),  # far ahead is when it was received
        (dt.timedelta(hours=5), dt.timedelta(hours=1), dt.timedelta(0)),
    ],
)
def test_a_wrong_clock_is_put_right_and_the_original_kept(bench, ahead, sent_ahead, expected) -> None:
    event = LIKE | {"timestamp": (NOW + ahead).isoformat() + "Z"}
    around = {"events": [event]} | ({"sent_at": (NOW + sent_ahead).isoformat() + "Z"} if sent_ahead else {})
    assert bench.send("/v1/batch", around).status == 200
    (kept,) = bench.kept()
    assert dt.datetime.fromisoformat(kept["timestamp"][:-1]) == NOW + expected
    changed = expected != ahead
    assert ("$original_timestamp" in kept.get("properties", {})) == changed
    if changed and ahead > CLOCK_TOLERANCE and (sent_ahead is None or ahead - sent_ahead > CLOCK_TOLERANCE):
        assert kept["properties"]["$clock"] == "future"
    assert NETWORK < CLOCK_TOLERANCE


@pytest.mark.parametrize(
    ("time_", "code"),
    [
        ("0000-01-01T00:00:00Z", "bad_time"), ("9999-12-31T23:59:59Z", None), ("294247-01-10T04:00:54Z", "bad_time"),
        ("infinity", "bad_time"), ("2026-01-04T24:00:00Z", None), ("2026-01-04T23:59:60Z", None),
        ("2026-01-04T10:00:00", "naive_time"), (1767603600, None), (1767603600000, None), (1767603600000000, None),
        (10**30, "bad_time"), (-1, "time_out_of_range"), ([], "bad_time"), ({}, "bad_time"), (True, "bad_time"),
        ("2026-02-30T00:00:00Z", "bad_time"), ("", "bad_time"), ("9" * 5000, "bad_time"),
    ],
)  # fmt: skip
def test_every_spelling_of_a_time_has_one_result(bench: Bench, time_: object, code: str | None) -> None:
    reply = bench.send("/v1/track", LIKE | {"timestamp": time_})
    assert [each["code"] for each in reply.json["rejected"]] == ([code] if code else [])


def test_a_request_that_names_itself_counts_once(bench: Bench) -> None:
    """Events without ids get them from Idempotency-Key and their place; two such requests are the same events."""
    for _ in range(2):
        bench.send("/v1/batch", [LIKE, LIKE], {"idempotency-key": "order-7"})
    ids = [event["event_id"] for event in bench.kept()]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2


def test_an_id_that_programs_write_when_they_have_none_is_none(bench: Bench) -> None:
    """Otherwise all events of a broken client would be one."""
    for nothing in ("null", "undefined", "NaN", "None"):
        for event in (LIKE | {"event_id": nothing}, LIKE | {"event_id": nothing, "details": []}):
            bench.send("/v1/track", event)
    bench.send("/v1/track", LIKE | {"event_id": 0})
    ids = [event.get("event_id") for event in bench.kept()]
    assert ids == [None] * 8 + ["0"]


JSON_VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(), st.floats(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(TEXTS, KEYS), inner, max_size=4)),
    max_leaves=12,
)
ANY_EVENTS = st.dictionaries(KEYS, JSON_VALUES, max_size=8)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(ROUTES)), st.lists(st.one_of(ANY_EVENTS, JSON_VALUES), min_size=1, max_size=4), st.data())
def test_every_event_of_any_batch_is_accepted_or_rejected_once(path: str, events, data) -> None:
    """Whatever it holds; and a body that is cut or has a byte changed is judged too, or refused as a whole."""
    route = ROUTES[path]
    body = json.dumps({route.lists[-1]: events} if route.lists else events).encode()

    def judged(text: bytes):
        submission = Submission(route, text, {}, Receipt(NOW), None)
        return judge_plain(submission, Limits(), lambda *_: "") or judge(submission, Limits(), lambda *_: "")

    verdict = judged(body)
    places = [each.index for each in verdict.rejected]
    assert len(verdict.envelopes) + len(places) == len(events)
    assert places == sorted(set(places))
    for envelope in verdict.envelopes:
        assert json.loads(envelope.body)["event_type"]
    at = data.draw(st.integers(0, len(body) - 1))
    for broken in (body[:at], body[:at] + bytes([data.draw(st.integers(0, 255))]) + body[at + 1 :]):
        with contextlib.suppress(RefusedError):
            judged(broken)


def test_a_request_has_an_id_that_the_client_may_choose(bench: Bench) -> None:
    assert bench.send("/v1/track", LIKE, {"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    for bad in ("a b", "x" * 101, "<script>"):
        assert bench.send("/v1/track", LIKE, {"x-request-id": bad}).headers["x-request-id"] != bad


def test_browsers_of_other_sites_may_send(bench: Bench) -> None:
    preflight = bench.send("/v1/batch", method="OPTIONS", headers={"origin": "https://shop.example"})
    assert preflight.status == 204
    # Named, for browsers send cookies with some requests and accept no other answer then.
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    assert preflight.headers["access-control-allow-credentials"] == "true"
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    beacon = bench.send("/v1/batch", json.dumps({"events": [LIKE]}).encode(), {"content-type": "text/plain"})
    assert beacon.status == 200
    assert beacon.headers["access-control-allow-origin"] == "*"
    assert bench.send("/v1/regulars.js", method="GET").headers["content-type"].startswith("text/javascript")


PLAIN_EVENTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("event_type", "event_id", "user_id", "anonymous_id", "session_id", "name", "feature"), TEXTS),
        **dict.fromkeys(("context", "country", "device_type", "platform"), TEXTS),
        "timestamp": st.sampled_from([
            "2026-01-05T09:00:00Z", "2026-01-05T09:00:00.25+01:00", "2026-01-05T12:04:00Z", "2026-01-05T12:06:00Z",
            "2026-01-05", "1900-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 1767603600, "",
        ]),
        "properties": FLAT,
        "shade": TEXTS,
    },
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PLAIN_EVENTS, min_size=1, max_size=2), st.booleans())
def test_the_short_way_takes_only_what_the_long_way_takes_and_means_the_same(events, is_batch: bool) -> None:
    if not is_batch:
        events = events[:1]
    body = json.dumps({"events": events} if is_batch else events[0]).encode()
    found = plain_envelopes(body, NOW, Limits(), is_batch=is_batch)
    if found is None:
        return
    envelopes, _ = found
    for event, envelope in zip(events, envelopes, strict=True):
        short = json.loads(envelope.body)
        long = json.loads(journal_body(own_form(event), Receipt(NOW), Limits(), 0))
        for each in (short, long):
            each["timestamp"] = dt.datetime.fromisoformat(each["timestamp"])
        assert short == long


def test_the_short_way_is_taken_by_what_is_usual() -> None:
    event = LIKE | {"event_id": "e1", "session_id": "s", "properties": {"url": "/a", "n": 5, "x": 1.5, "no": None}}
    assert plain_envelopes(json.dumps(event).encode(), NOW, Limits(), is_batch=False)
    around = {"events": [event] * 3, "sent_at": NOW.isoformat() + "Z", "api_key": "k"}
    envelopes, key = plain_envelopes(json.dumps(around).encode(), NOW, Limits(), is_batch=True)
    assert (len(envelopes), key) == (3, "k")
    for other in ({"events": []}, around | {"sent_at": "2026-01-05T10:00:00Z"}, around | {"events": [event] * 2001}):
        assert plain_envelopes(json.dumps(other).encode(), NOW, Limits(), is_batch=True) is None


# --- limits ---------------------------------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_refused_before_it_is_read(bench: Bench) -> None:
    assert bench.send("/v1/track", LIKE, {"content-length": str(6 << 20)}).status == 413
    reply = bench.send("/v1/batch", b"[" + b" " * (5 << 20) + b"]", parts=50)
    assert (reply.status, reply.json["error"]["code"]) == (413, "body_too_large")
    for bad in ("-1", "1e3", "", "x"):
        assert bench.send("/v1/track", LIKE, {"content-length": bad}).status == 413


def test_too_many_events_are_refused_as_a_whole(bench: Bench) -> None:
    assert bench.send("/v1/batch", [LIKE] * 2000).json["accepted"] == 2000
    reply = bench.send("/v1/batch", [LIKE] * 2001)
    assert (reply.status, reply.json["error"]["code"]) == (413, "too_many_events")
    assert len(bench.kept()) == 2000


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"0," * 2_000_000 + b"0]", b'{"events":[' + b"{}," * 1_000_000 + b"{}]}",
        b'{"events":[' + b'{"event_type":"x"},' * 200_000 + b"{}]}",
        b"{" + b",".join(b'"%d":0' % n for n in range(400_000)) + b"}", b"\n" * 3_000_000 + b"{}" + b"\n{}" * 5000,
    ],
    ids=range(5),
)  # fmt: skip
def test_a_small_body_that_would_be_a_large_list_is_counted_first(bench: Bench, body: bytes) -> None:
    kind = {"content-type": "application/x-ndjson"} if body.startswith(b"\n") else {}
    tracemalloc.start()
    reply = bench.send("/v1/batch", body, kind)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (reply.status, reply.json["error"]["code"]) == (413, "too_many_events")
    assert peak < 6 * len(body)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"properties": {"a": "x" * 65_537}}, "value_too_long"),
        ({"properties": {"a": ["x" * 60_000] * 5}}, "event_too_large"),
        ({"properties": {f"k{n}": n for n in range(513)}}, "too_many_keys"),
        ({"event_type": "x" * 201}, "name_too_long"),
        ({"event_type": ""}, "no_event_type"),
        ({"user_id": "null"}, "no_identity"),
        ({"user_id": ["ada"]}, "bad_record"),
        ({"event_type": {"a": 1}}, "bad_record"),
        ({"properties": 5}, "bad_json"),
        ({"event_id": " "}, "bad_id"),
        ({"event_id": True}, "bad_record"),
    ],
)
def test_an_event_over_a_limit_is_rejected_and_its_neighbours_are_not(bench: Bench, bad, code: str) -> None:
    reply = bench.send("/v1/batch", [LIKE, LIKE | bad, LIKE])
    assert reply.json["accepted"] == 2
    assert [(each["index"], each["code"]) for each in reply.json["rejected"]] == [(1, code)]


@pytest.mark.parametrize(("depth", "status"), [(30, 200), (33, 400), (150, 400), (20_000, 400), (200_000, 400)])
def test_deep_nesting_is_refused_without_recursion(bench: Bench, depth: int, status: int) -> None:
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    body = b'{"user_id":"ada","event_type":"like","properties":' + nested + b"}"
    assert bench.send("/v1/track", body).status == status
    both = b"[" + json.dumps(LIKE).encode() + b"," + body + b"]"
    reply = bench.send("/v1/batch", both)
    assert reply.status == (200 if depth < 200 else 400)


def test_brackets_inside_texts_do_not_count_as_depth() -> None:
    assert not depth_is_over(b'["' + b"[" * 1000 + b'"]', 10)
    assert not depth_is_over(b'["\\"' + b"{" * 1000 + b'"]', 10)
    begun = time.perf_counter()
    assert not depth_is_over(b"[" * 11 + b'"' + b'\\"' * 2_000_000, 11)
    assert depth_is_over(b"[" * 2_000_000, 200)
    assert time.perf_counter() - begun < 5  # it would be hours, were each quote a new beginning
    hidden = b'["]",' * 300 + b"1" + b"]" * 300
    assert depth_is_over(hidden, 200)


def test_a_bad_byte_takes_no_neighbour_with_it(bench: Bench) -> None:
    good = json.dumps(LIKE).encode()
    bad = good.replace(b"ada", b"a\xffa")
    reply = bench.send("/v1/batch", b"[" + b",".join([good, bad, good]) + b"]")
    assert (reply.json["accepted"], reply.json["rejected"][0]["code"]) == (2, "bad_encoding")
    assert bench.send("/v1/batch", "[\ufdd0".encode() + b"\xff]").status == 400


def test_what_is_no_json_is_refused_with_its_place(bench: Bench) -> None:
    for bad in (b"", b"  ", b"{", b"[1,]", b"{'a': 1}", b'{"a": NaN}', b'{"events": 5}', b'{"events": {}}', b"nul",
                b'{"a":1}{"b":2}', b"[]", b'{"events":[]}', b"\xff\xfe", b"5", b'"x"'):  # fmt: skip
        reply = bench.send("/v1/batch", bad)
        assert reply.status == 400, bad
    assert "byte 3" in bench.send("/v1/batch", b"[1,]").json["error"]["message"]
    assert bench.send("/v1/track", b"\xef\xbb\xbf" + json.dumps(LIKE).encode()).status == 200


def test_gzip_is_unpacked_named_or_not(bench: Bench) -> None:
    packed = gzip.compress(json.dumps(LIKE).encode())
    assert bench.send("/v1/track", packed, {"content-encoding": "gzip"}).status == 200
    assert bench.send("/v1/track", packed, {"content-type": "text/plain"}).status == 200
    assert bench.send("/v1/track", packed[:-3], {"content-encoding": "gzip"}).json["error"]["code"] == "bad_gzip"
    assert bench.send("/v1/track", packed + b"x", {"content-encoding": "gzip"}).json["error"]["code"] == "bad_gzip"
    assert bench.send("/v1/track", b"no gzip", {"content-encoding": "gzip"}).json["error"]["code"] == "bad_gzip"
    assert bench.send("/v1/track", gzip.compress(packed), {"content-encoding": "gzip"}).status == 400
    assert bench.send("/v1/track", LIKE, {"content-encoding": "br"}).status == 415
    halves = gzip.compress(b"[" + json.dumps(LIKE).encode()) + gzip.compress(b"]")
    assert bench.send("/v1/batch", halves, {"content-encoding": "gzip"}).status == 200


def test_a_gzip_bomb_stops_at_the_limit(bench: Bench) -> None:
    """200 MB in 200 KB: refused soon, and never in memory as a whole."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    tracemalloc.start()
    begun = time.perf_counter()
    reply = bench.send("/v1/batch", bomb, {"content-encoding": "gzip"})
    seconds, peak = time.perf_counter() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (reply.status, reply.json["error"]["code"]) == (413, "inflated_too_large")
    assert seconds < 10  # being watched costs most of it
    assert peak < 64 << 20


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    bodies = Bodies(seconds=0.05)

    async def never() -> dict[str, object]:
        await asyncio.sleep(5)
        return {}

    async def many() -> list[object]:
        slow = (bodies.read({}, never) for _ in range(3))
        return await asyncio.gather(*slow, bodies.read({}, at_once), return_exceptions=True)

    async def at_once() -> dict[str, object]:
        return {"type": "http.request", "body": b"{}"}

    *slow, quick = asyncio.run(many())
    assert [error.status for error in slow] == [408] * 3
    assert quick == b"{}"


def test_a_task_that_somebody_else_ends_is_not_called_slow() -> None:
    bodies = Bodies(seconds=5)

    async def never() -> dict[str, object]:
        await asyncio.sleep(5)
        return {}

    async def ended() -> None:
        task = asyncio.create_task(bodies.read({}, never))
        await asyncio.sleep(0.02)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(ended())


def test_bodies_that_are_being_read_share_one_bound(tmp_path: Path) -> None:
    bench = Bench(tmp_path, bodies={"most_bytes": 1000})
    body = json.dumps([LIKE] * 20).encode()
    assert bench.send("/v1/batch", body, parts=4).status == 503
    assert bench.send("/v1/batch", [LIKE], parts=2).status == 200
    bench.store.close()


def test_a_client_that_goes_away_leaves_nothing(bench: Bench) -> None:
    async def gone() -> dict[str, object]:
        return {"type": "http.disconnect"}

    with pytest.raises(RefusedError, match="broke off"):
        asyncio.run(Bodies().read({}, gone))
    assert bench.kept() == []


def test_two_statements_about_the_length_are_refused(bench: Bench) -> None:
    headers = {"content-length": "5", "transfer-encoding": "chunked"}
    assert bench.send("/v1/track", LIKE, headers).json["error"]["code"] == "ambiguous_length"


def test_a_full_journal_is_a_503_that_says_when_to_come_back(tmp_path: Path) -> None:
    full = Bench(tmp_path, journal={"disk_floor_mib": 1 << 40})
    reply = full.send("/v1/track", LIKE)
    assert (reply.status, reply.json["error"]["code"]) == (503, "disk_full")
    assert 1 <= int(reply.headers["retry-after"]) <= 10
    full.store.close()
    small = Bench(tmp_path, journal={"disk_floor_mib": 0, "memory_mib": 0})
    reply = small.send("/v1/track", LIKE)
    assert (reply.status, reply.json["error"]["code"]) == (503, "journal_full")
    assert small.kept() == []
    small.store.close()
    reply = small.send("/v1/track", LIKE)
    assert (reply.status, reply.json["error"]["code"]) == (503, "journal_closed")


def test_a_fault_of_our_own_is_told_without_its_details(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was acknowledged, so it is a reason to come back; what happened is in the log."""
    bench.collector._now = lambda: 1 / 0
    reply = bench.send("/v1/track", LIKE)
    assert (reply.status, reply.json["error"]["code"]) == (503, "internal")
    assert int(reply.headers["retry-after"]) > 0
    assert "division" not in reply.body.decode()
    assert "ZeroDivisionError" in caplog.text


def test_what_is_no_key_at_all_is_refused(bench: Bench) -> None:
    create(bench.store.keys, "write", "", NOW)
    for header in ("Basic !!!", "Basic", "Digest x", "Bearer " + "x" * 5000, "Bearer", ""):
        assert bench.send("/v1/track", LIKE, {"authorization": header}).status == 401


def test_requests_of_one_turn_are_kept_together_or_each_told(tmp_path: Path) -> None:
    """Together they are over the bound of the journal; those that fit on their own are taken."""
    bench = Bench(tmp_path, journal={"disk_floor_mib": 0, "memory_mib": 1})
    wide = [LIKE | {"properties": {"text": "x" * 60_000}}] * 12

    async def both() -> list[object]:
        body = json.dumps(wide).encode()
        return await asyncio.gather(*(bench._send("/v1/batch", body, {}, "POST", "", 1) for _ in range(2)))

    replies = asyncio.run(both())
    assert 200 in {reply.status for reply in replies}
    assert {reply.status for reply in replies} <= {200, 503}
    assert len(bench.kept()) == 12 * sum(reply.status == 200 for reply in replies)
    bench.store.close()


def test_addresses_and_methods_that_do_not_exist_are_told_apart(bench: Bench) -> None:
    assert bench.send("/v1/tracks", LIKE).status == 404
    assert bench.send("/v1/track", method="GET").status == 405
    assert bench.send("/health", method="POST").status == 405
    assert bench.send("/health", method="GET").json == {"status": "ok"}
    assert bench.send("/health", method="HEAD").body == b""


def test_the_collector_counts_what_it_answers(bench: Bench) -> None:
    bench.send("/v1/batch", [LIKE, {"event_type": "x"}])
    bench.send("/v1/track", {})
    text = bench.send("/metrics", method="GET").body.decode()
    assert "regulars_collector_accepted_events_total 1\n" in text
    assert "regulars_collector_rejected_events_total 2\n" in text
    assert 'regulars_collector_responses_total{status="200"} 1\n' in text
    assert 'regulars_collector_responses_total{status="400"} 1\n' in text


# --- keys -----------------------------------------------------------------------------------------------------


def test_a_key_may_do_what_its_role_says(bench: Bench) -> None:
    """Every route for events, every role, and no key at all: the matrix is made from the table of routes."""
    assert bench.send("/v1/track", LIKE).status == 200  # open as long as there is no key
    secrets = {role: create(bench.store.keys, role, "", NOW)[1] for role in ("write", "read", "admin")}
    bench.seconds += 2
    expected = {"write": 400, "read": 403, "admin": 400}
    for path in ROUTES:
        for role, secret in secrets.items():
            assert bench.send(path, {}, {"authorization": f"Bearer {secret}"}).status == expected[role], (path, role)
        assert bench.send(path, {}).status == 401, path
        assert bench.send(path, {}, {"authorization": "Bearer rg_write_wrong"}).status == 401, path
    for path, (_, needed) in PAGES.items():
        for role, secret in secrets.items():
            status = bench.send(path, headers={"authorization": f"Bearer {secret}"}, method="GET").status
            assert status == (200 if needed is None or role in {needed, "admin"} else 403), (path, role)
        assert bench.send(path, method="GET").status == (401 if needed else 200), path
    assert len(bench.kept()) == 1


@pytest.mark.parametrize("way", ["bearer", "basic", "x-api-key", "query", "body", "writeKey", "token"])
def test_a_key_is_found_wherever_clients_put_it(bench: Bench, way: str) -> None:
    _, secret = create(bench.store.keys, "write", "", NOW)
    basic = base64.b64encode(f"{secret}:".encode()).decode()
    headers = {"bearer": {"authorization": f"Bearer {secret}"}, "basic": {"authorization": f"Basic {basic}"},
               "x-api-key": {"x-api-key": secret}}.get(way, {})  # fmt: skip
    content = {
        "body": {"api_key": secret, "events": [LIKE]}, "writeKey": {"writeKey": secret, "batch": [LIKE]},
        "token": [LIKE | {"properties": {"token": secret}}],
    }.get(way, [LIKE])  # fmt: skip
    query = f"key={secret}" if way == "query" else ""
    assert bench.send("/v1/batch", content, headers, query=query).status == 200
    wrong = {name: value[:-2] + "xx" for name, value in headers.items()}
    if wrong:
        assert bench.send("/v1/batch", content, wrong).status == 401


def test_a_revoked_key_ends_within_a_second_and_a_rotated_one_after_its_grace(bench: Bench) -> None:
    old, secret = create(bench.store.keys, "write", "web", NOW)
    assert bench.send("/v1/track", LIKE, {"x-api-key": secret}).status == 200
    new, new_secret = rotate(bench.store.keys, old.id, NOW, grace=dt.timedelta(hours=1))
    assert (new.role, new.name) == ("write", "web")
    bench.seconds += 1.1
    for moment, expected in ((NOW + dt.timedelta(minutes=59), 200), (NOW + dt.timedelta(minutes=61), 401)):
        bench.now = moment
        assert bench.send("/v1/track", LIKE, {"x-api-key": secret}).status == expected
        assert bench.send("/v1/track", LIKE, {"x-api-key": new_secret}).status == 200
    revoke(bench.store.keys, new.id, bench.now)
    bench.seconds += 1.1
    assert bench.send("/v1/track", LIKE, {"x-api-key": new_secret}).status == 401
    # With keys that have all ended, nobody gets in: the door does not open by itself.
    assert bench.send("/v1/track", LIKE).status == 401
    with pytest.raises(RegularsError, match="unknown key"):
        revoke(bench.store.keys, "nobody", bench.now)


def test_a_secret_is_kept_nowhere(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, disk_floor_mib=0)
    key, secret = create(store.keys, "write", "web", NOW)
    assert secret not in repr(store.keys.all())
    assert key in store.keys.all()
    store.close()
    assert not any(secret.encode() in path.read_bytes() for path in tmp_path.iterdir())


def test_a_key_that_sends_too_much_waits_and_others_do_not(tmp_path: Path) -> None:
    bench = Bench(tmp_path, events_per_second=10)
    secrets = [create(bench.store.keys, "write", "", NOW)[1] for _ in range(2)]
    flood, normal = ({"x-api-key": secret} for secret in secrets)
    statuses = [bench.send("/v1/batch", [LIKE] * 10, flood).status for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    reply = bench.send("/v1/track", LIKE, flood)
    assert int(reply.headers["retry-after"]) >= 1
    assert bench.send("/v1/track", LIKE, normal).status == 200
    bench.seconds += 3
    assert bench.send("/v1/track", LIKE, flood).status == 200
    bench.store.close()
