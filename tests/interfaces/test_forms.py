"""How messages of other libraries become events, field by field."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import json
from urllib.parse import quote

import pytest

import regulars
from regulars.errors import EventError
from regulars.infrastructure.importers.exports import posthog as exports
from regulars.interfaces.http.collecting import posthog, segment
from tests.interfaces.asgi import Bench

NOW = dt.datetime(2026, 1, 5, 12)


def test_a_segment_message_keeps_device_place_and_campaign_and_drops_the_address() -> None:
    message = {
        "type": "page", "name": "Start", "userId": "ada", "anonymousId": "a1", "messageId": "m1",
        "timestamp": "2026-01-05T09:00:00Z", "originalTimestamp": "2026-01-05T08:00:00Z",
        "properties": {"path": "/start", "title": "Start"},
        "context": {
            "ip": "10.0.0.1", "device": {"type": "mobile", "id": "d1"}, "os": {"name": "iOS", "version": "19"},
            "app": {"version": "2.1"}, "location": {"country": "DE", "city": "Berlin"}, "sessionId": "s1",
            "campaign": {"source": "mail"}, "library": {"name": "x"}, "traits": {"plan": "paid"},
        },
    }  # fmt: skip
    assert segment.event_of(message) == {
        "event_id": "m1", "user_id": "ada", "anonymous_id": "a1", "event_type": "page_view", "name": "Start",
        "timestamp": "2026-01-05T08:00:00Z", "session_id": "s1", "context": "/start",
        "device": {"type": "mobile", "id": "d1", "platform": "iOS", "os_version": "19", "app_version": "2.1"},
        "geo": {"country": "DE", "city": "Berlin"}, "user": {"plan": "paid"},
        "properties": {"path": "/start", "title": "Start", "$context": {"campaign": {"source": "mail"}}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "screen", "name": "Home", "userId": "a"}, {"event_type": "screen_view", "context": "Home"}),
        (
            {"type": "identify", "userId": "a", "traits": {"plan": "x"}},
            {"event_type": "identify", "user": {"plan": "x"}},
        ),
        ({"type": "alias", "userId": "a", "previousId": "b"}, {"event_type": "alias", "previous_id": "b"}),
        ({"type": "group", "userId": "a", "groupId": "g"}, {"event_type": "group"}),
        ({"type": "track", "event": "like", "userId": "a", "properties": 5, "context": []}, {"event_type": "like"}),
    ],
)
def test_every_kind_of_segment_message_has_its_event(message, expected) -> None:
    assert segment.event_of(message).items() >= ({"user_id": "a"} | expected).items()


def test_a_kind_that_does_not_exist_is_rejected() -> None:
    for wrong in ("tracked", 5, None, []):
        with pytest.raises(EventError, match="unknown message type"):
            segment.event_of({"type": wrong, "userId": "a"})


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"event": "$pageview"}, {"user_id": "ada", "event_type": "page_view"}),
        ({"event": "$screen", "properties": {"$screen_name": "A"}}, {"event_type": "screen_view", "context": "A"}),
        ({"event": "x", "properties": {"$is_identified": False}}, {"anonymous_id": "ada"}),
        ({"event": "x", "properties": {"$process_person_profile": False}}, {"anonymous_id": "ada"}),
        ({"event": "$identify", "properties": {"$anon_distinct_id": "b", "$set": {"p": 1}}},
         {"user_id": "ada", "anonymous_id": "b", "event_type": "identify", "user": {"p": 1}}),
        ({"event": "$create_alias", "properties": {"distinct_id": "old", "alias": "ada"}},
         {"user_id": "ada", "previous_id": "old", "event_type": "alias"}),
        ({"event": "x", "offset": 3_600_000}, {"timestamp": "2026-01-05T11:00:00Z"}),
        ({"event": "x", "offset": 10**15}, {"event_type": "x"}),
        ({"event": "Application Opened"}, {"user_id": "ada", "event_type": "app_open"}),
        ({"event": "$merge_dangerously", "properties": {"alias": "old"}},
         {"user_id": "ada", "previous_id": "old", "event_type": "alias"}),
        ({"event": "$create_alias", "properties": {"alias": "old", "$is_identified": True}},
         {"user_id": "ada", "previous_id": "old", "event_type": "alias"}),
        ({"event": "x", "properties": {"$device_id": "ada"}}, {"anonymous_id": "ada"}),
        ({"event": "x", "properties": {"$device_id": "ada", "$user_id": "ada"}}, {"user_id": "ada"}),
        ({"event": "x", "properties": {"$is_identified": True, "$process_person_profile": False}}, {"user_id": "ada"}),
        ({"event": "$set", "$set": {"p": 1}, "$set_once": {"q": 2}},
         {"event_type": "identify", "user": {"p": 1}, "properties": {"$set_once": {"q": 2}}}),
        ({"event": "x", "properties": {"$os": "iOS", "$geoip_country_code": "DE", "$ip": "10.0.0.1", "n": 1}},
         {"device": {"platform": "iOS"}, "geo": {"country": "DE"}, "properties": {"n": 1}}),
    ],
)  # fmt: skip
def test_a_posthog_event_has_its_event(event, expected) -> None:
    found = posthog.event_of({"distinct_id": "ada"} | event, NOW)
    assert found.items() >= expected.items()
    assert "10.0.0.1" not in repr(found)


def test_events_of_posthog_are_called_the_same_whether_collected_or_imported() -> None:
    assert posthog._EVENTS == exports._ACTIONS


def test_posthogs_browser_library_sends_gzip_without_saying_so(tmp_path) -> None:
    bench = Bench(tmp_path)
    events = [{"event": "$pageview", "properties": {"distinct_id": "ada", "token": "k"}, "offset": 100}] * 2
    reply = bench.send("/e/", gzip.compress(json.dumps(events).encode()), {"content-type": "text/plain"},
                       query="compression=gzip-js&ip=0&_=1767614400000")  # fmt: skip
    assert (reply.status, reply.json["status"], reply.json["accepted"]) == (200, 1, 2)
    assert bench.kept()[0]["timestamp"] == "2026-01-05T11:59:59.900000Z"
    bench.store.close()


def test_one_address_takes_both_forms_and_each_event_says_whose_it_is(tmp_path) -> None:
    bench = Bench(tmp_path)
    both = [{"user_id": "a", "event_type": "x"}, {"type": "track", "event": "y", "userId": "b"}]
    assert bench.send("/v1/batch", {"batch": both}).json["accepted"] == 2
    assert [event["event_type"] for event in bench.kept()] == ["x", "y"]
    for path, kind in (("/v1/page", "page_view"), ("/v1/i", "identify"), ("/v1/t", "y")):
        assert bench.send(path, {"userId": "b", "event": "y", "anonymousId": "c"}).status == 200
        assert bench.kept()[-1]["event_type"] == kind
    bench.store.close()


EVENT = {"event": "like", "properties": {"distinct_id": "ada", "token": "k", "text": "a+b c/d?~\u00fc"}}


@pytest.mark.parametrize("spelling", ["base64", "url-safe", "no padding", "plus", "json", "behind others"])
def test_posthogs_browser_library_may_send_a_form(tmp_path, spelling: str) -> None:
    """As it does by default before it knows what the server can read, and whenever a page is left."""
    text = json.dumps([EVENT] * 2, ensure_ascii=False)
    packed = base64.b64encode(text.encode()).decode()
    form = {
        "base64": "data=" + quote(packed, safe=""), "url-safe": "data=" + packed.replace("+", "-").replace("/", "_"),
        "no padding": "data=" + quote(packed.rstrip("="), safe=""), "plus": "data=" + packed,
        "json": "data=" + quote(text), "behind others": "ver=1.2&ip=&data=" + quote(packed, safe="") + "&beacon=1",
    }[spelling]  # fmt: skip
    bench = Bench(tmp_path)
    kind = {"content-type": "application/x-www-form-urlencoded"}
    for path in ("/e/", "/i/v0/e/", "/capture/", "/track/", "/batch/"):
        assert bench.send(path, form.encode(), kind, query="compression=base64").json["accepted"] == 2
    assert {event["properties"]["text"] for event in bench.kept()} == {EVENT["properties"]["text"]}
    bench.store.close()


def test_a_form_that_holds_no_json_is_refused_with_a_way_out(tmp_path) -> None:
    bench = Bench(tmp_path)
    for bad, code in (
        (b"data=", "empty_body"), (b"data=%%%", "bad_form"), (b"data=N4IgpgzgLg", "bad_json"),
        (b"data=\xff", "bad_form"),
        (b"data=" + b"%41" * 600_000, "body_too_large"), (b"a=1&" * 100_000, "bad_json"), (b"a=1", "bad_json"),
    ):  # fmt: skip
        reply = bench.send("/e/", bad)
        assert (reply.status, reply.json["error"]["code"]) == (413 if "large" in code else 400, code), bad[:20]
    # What other addresses take is never a form; curl calls every body one.
    assert bench.send("/v1/track", b"data={}").status == 400
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert bench.send("/v1/track", {"user_id": "ada", "event_type": "like"}, kind).status == 200
    assert bench.send("/e/", EVENT, kind).status == 200
    bench.store.close()


def test_posthogs_clock_is_put_right_by_the_query_and_an_offset_needs_none(tmp_path) -> None:
    """The time of sending stands behind the address; how long ago something was needs no clock at all."""
    bench = Bench(tmp_path)
    wrong = NOW + dt.timedelta(hours=3)
    sent = f"_={int(wrong.replace(tzinfo=dt.UTC).timestamp() * 1000)}"
    timed = EVENT | {"timestamp": (wrong - dt.timedelta(minutes=1)).isoformat() + "Z"}
    for body in ([timed], [EVENT | {"offset": 60_000}], {"batch": [EVENT | {"offset": 60_000}], "sent_at": str(wrong)}):
        assert bench.send("/e/", body, query=sent).status == 200
    assert [event["timestamp"][:19] for event in bench.kept()] == ["2026-01-05T11:59:00"] * 3
    bench.store.close()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_what_is_set_once_keeps_its_earliest_value_unless_it_is_set(tmp_path, order) -> None:
    """Whatever arrives first."""
    folder = regulars.init(tmp_path / "shop")
    bench = Bench(folder)
    told = [
        {"$set_once": {"first": "one", "plan": "none"}}, {"$set_once": {"first": "two", "a/b~": 7}},
        {"$set": {"plan": "paid"}},
    ]  # fmt: skip
    with regulars.open(folder, clock=lambda: NOW.replace(tzinfo=dt.UTC)) as ws:
        for number in order:
            at = f"2026-01-05T09:0{number}:00Z"
            event = {"event": "x", "distinct_id": "ada", "timestamp": at, "uuid": f"e{number}"} | told[number]
            assert bench.send("/batch/", {"batch": [event]}).status == 200
            ws.flush()
        ((attributes,),) = ws.sql("SELECT user_attributes FROM dim_users").rows
    assert json.loads(attributes) == {"first": "one", "plan": "paid", "a/b~": "7"}
    bench.store.close()
