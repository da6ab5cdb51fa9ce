"""The libraries of Segment and PostHog, as they are on PyPI, send to our server unchanged."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest
from posthog import Posthog
from segment.analytics import Client
from segment.analytics.request import post as send_to_segment

import regulars
from tests.interfaces.servers import post, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.interfaces.servers import Server

DAY = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = regulars.init(tmp_path_factory.mktemp("sdk") / "shop")
    with serving(folder, "--single-process") as running:
        yield running


def facts(server: Server, where: str) -> list[list[object]]:
    server.drained()
    return server.sql(
        "SELECT i.kind, i.external_id, a.action_type, f.event_name, f.action_context, f.action_timestamp "
        "FROM fact_user_actions f JOIN dim_identities i USING (identity_key) JOIN dim_actions a USING (action_key) "
        f"WHERE {where} ORDER BY f.action_timestamp, f.event_id"
    )


def active(server: Server, user: str) -> list[int]:
    """Active people of that name and what they did, on the day of the tests."""
    asked = {"range": {"start": "2026-01-05", "end": "2026-01-05"}, "filters": [{"property": "user_id", "value": user}]}
    answers = [post(f"{server.answering}/api/v1/query", {"metric": m} | asked)[1] for m in ("active_users", "actions")]
    return [answers[0]["rows"][0]["active_users"], answers[1]["rows"][0]["actions"]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("gzip", [False, True])
def test_segments_python_library_is_understood(server: Server, gzip: bool) -> None:
    who = f"segment-{gzip}"
    failed: list[object] = []
    client = Client(
        "any-key", host=server.collecting, gzip=gzip, on_error=lambda *seen: failed.append(seen), max_retries=2
    )
    client.track(who, "like", {"shade": "red"}, timestamp=DAY, anonymous_id=f"anon-{gzip}")
    client.page(who, "docs", "Start", {"path": "/start"}, timestamp=DAY + dt.timedelta(minutes=1))
    client.screen(who, "app", "Home", timestamp=DAY + dt.timedelta(minutes=2))
    client.identify(who, {"plan": "paid"}, anonymous_id=f"anon-{gzip}", timestamp=DAY + dt.timedelta(minutes=3))
    client.alias(f"old-{gzip}", who, timestamp=DAY + dt.timedelta(minutes=4))
    client.group(who, "acme", {"size": 3}, timestamp=DAY + dt.timedelta(minutes=5))
    client.shutdown()
    assert failed == []
    rows = facts(server, f"i.external_id = '{who}'")
    assert [row[2] for row in rows] == ["like", "page_view", "screen_view", "identify", "alias", "group"]
    assert rows[1][3:5] == ["Start", "/start"]
    assert rows[2][4] == "Home"
    assert rows[0][5] == "2026-01-05T09:00:00"
    assert active(server, who) == [1, 4]
    assert server.sql(f"SELECT plan FROM dim_users WHERE user_id = '{who}'") == [["paid"]]
    linked = server.sql(
        "SELECT external_id FROM dim_identities WHERE kind = 'anonymous' AND user_key = "
        f"(SELECT user_key FROM dim_users WHERE user_id = '{who}') ORDER BY 1"
    )
    assert linked == [[f"anon-{gzip}"], [f"old-{gzip}"]]


def test_a_repeated_batch_of_segments_library_counts_once(server: Server) -> None:
    """The library sends the same message ids again after a timeout, with another time of sending."""
    message = {"type": "track", "event": "share", "userId": "twice", "messageId": "m-1", "timestamp": DAY.isoformat()}
    for seconds in range(3):
        sent = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).isoformat()
        assert send_to_segment("any-key", host=server.collecting, batch=[message], sentAt=sent).status_code == 200
    assert len(facts(server, "i.external_id = 'twice'")) == 1
    numbers = server.numbers()
    assert numbers["events_duplicates"] >= 2
    assert numbers["audit_adds_up"] == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("gzip", [False, True])
def test_posthogs_python_library_is_understood(server: Server, gzip: bool) -> None:
    who = f"posthog-{gzip}"
    failed: list[object] = []
    client = Posthog(
        "phc_any", host=server.collecting, gzip=gzip, on_error=lambda *seen: failed.append(seen), disable_geoip=False
    )
    client.capture("like", distinct_id=who, properties={"shade": "red", "$session_id": "s1"}, timestamp=DAY)
    client.capture(
        "$pageview", distinct_id=who, properties={"$pathname": "/start"}, timestamp=DAY + dt.timedelta(minutes=1)
    )
    client.set(distinct_id=who, properties={"plan": "paid"}, timestamp=DAY + dt.timedelta(minutes=2))
    client.set_once(distinct_id=who, properties={"plan": "none", "seen": "first"}, timestamp=DAY)
    client.alias(f"device-{gzip}", who, timestamp=DAY + dt.timedelta(minutes=3))
    client.shutdown()
    assert failed == []
    rows = facts(server, f"i.external_id = '{who}'")
    assert sorted(row[2] for row in rows) == ["alias", "identify", "identify", "like", "page_view"]
    assert [row[4] for row in rows if row[2] == "page_view"] == ["/start"]
    assert active(server, who) == [1, 2]
    ((plan, attributes),) = server.sql(f"SELECT plan, user_attributes FROM dim_users WHERE user_id = '{who}'")
    assert (plan, json.loads(attributes)["seen"]) == ("paid", "first")
    linked = server.sql(
        "SELECT external_id FROM dim_identities WHERE kind = 'anonymous' AND user_key = "
        f"(SELECT user_key FROM dim_users WHERE user_id = '{who}')"
    )
    assert linked == [[f"device-{gzip}"]]


def test_metrics_count_what_the_libraries_sent(server: Server) -> None:
    batch = [
        {"event": "buy", "distinct_id": f"p{number % 7}", "uuid": f"00000000-0000-4000-8000-{number:012}",
         "timestamp": "2026-02-03T10:00:00Z"} for number in range(50)
    ]  # fmt: skip
    assert post(f"{server.collecting}/batch/", {"api_key": "phc", "batch": batch})[1]["accepted"] == 50
    server.drained()
    question = {"metric": "active_users", "range": {"start": "2026-02-03", "end": "2026-02-03"}}
    answer = post(f"{server.answering}/api/v1/query", question)[1]
    assert [row["active_users"] for row in answer["rows"]] == [7]
