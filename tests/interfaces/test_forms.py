"""How messages of other libraries become events, field by field."""

from __future__ import annotations

import datetime as dt
import gzip
import json

import pytest

from regulars.errors import EventError
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
        ({"event": "x", "properties": {"$os": "iOS", "$geoip_country_code": "DE", "$ip": "10.0.0.1", "n": 1}},
         {"device": {"platform": "iOS"}, "geo": {"country": "DE"}, "properties": {"n": 1}}),
    ],
)  # fmt: skip
def test_a_posthog_event_has_its_event(event, expected) -> None:
    found = posthog.event_of({"distinct_id": "ada"} | event, NOW)
    assert found.items() >= expected.items()
    assert "10.0.0.1" not in repr(found)


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
