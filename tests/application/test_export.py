"""Everything that is known of a person is in one document, and nothing of anybody else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import regulars
from regulars.application.export import write_export
from regulars.domain.schema import TABLES
from regulars.errors import QueryError, UnsupportedError
from tests.domain.examples import did, workspace

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.workspace import Workspace

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OTHER = "other-9c1e"
HERS = [
    did("ada", f"2026-01-{day:02}T10:00:00", event_id=f"a{day}", feature="search", country="DE", platform="ios",
        session_id=f"s{day}", amount=day,
        details=[{"type": "mail", "payload": {"n": day}}, {"type": "mail"}][: day % 3])
    for day in range(1, 20)
]  # fmt: skip
BEFORE = [
    {"anonymous_id": "an-1", "event_type": "view", "timestamp": f"2025-12-{day}T10:00:00Z", "event_id": f"b{day}"}
    for day in (29, 30)
]
SAID = [
    did("ada", "2026-01-20T09:00:00", "nps_response", event_id="n1", properties={"score": 9, "comment": "quick"}),
    did("ada", "2026-01-20T09:00:00", "experiment_viewed", event_id="x1",
        properties={"experiment": "button", "variant": "VARIANT_A"}),
]  # fmt: skip
BROKEN = [{"user_id": "ada", "event_type": "like", "timestamp": f"nonsense {n}"} for n in range(2)]
OTHERS = [
    did(f"{OTHER}-{n}", f"2026-01-{day:02}T10:00:00", event_id=f"{OTHER}-{n}-{day}", feature=f"{OTHER}'s",
        device_id=OTHER, session_id=f"{OTHER}-{day}", note=OTHER, details=[{"type": "mail", "payload": OTHER}])
    for n in range(3) for day in range(1, 25)
]  # fmt: skip
BROKEN_OTHER = {"user_id": OTHER, "event_type": "like", "timestamp": "nonsense"}


def filled(ws: Workspace) -> Workspace:
    """A workspace that knows a person in every way there is, and others in as many."""
    ws.load([*HERS, *BEFORE, *SAID, *BROKEN, *OTHERS, BROKEN_OTHER])
    ws.load([{"user_id": "ada", "plan": "free"}, {"user_id": f"{OTHER}-1", "plan": OTHER}], kind="users")
    ws.set_attributes("ada", {"plan": "paid"})
    ws.link("an-1", "ada")
    ws.freeze_cohort(users=["ada", f"{OTHER}-1"], as_="testers")
    ws.experiments.create("button", forced={"ada": "VARIANT_A", f"{OTHER}-1": "CONTROL"})
    return ws


def test_it_counts_what_was_loaded() -> None:
    """By lists that were given to the workspace, not by its own tables."""
    with workspace(now=NOW) as ws:
        told = filled(ws).export_user("ada")
        events = {event["event_id"]: event for event in told["events"]}
        assert len(told["events"]) == len(events)
        assert set(events) == {row["event_id"] for row in (*HERS, *BEFORE, *SAID)}
        assert {name: len(event["details"]) for name, event in events.items() if event["details"]} == {
            row["event_id"]: len(row["details"]) for row in HERS if row["details"]
        }
        assert [day["day"] for day in told["daily_activity"]] == sorted(
            {row["timestamp"][:10] for row in HERS + BEFORE}
        )
        assert len(told["rejected_rows"]) == len(BROKEN)
        assert told["identities"] == [{"kind": "known", "id": "ada"}, {"kind": "anonymous", "id": "an-1"}]
        assert [(link["anonymous_id"], link["known_id"]) for link in told["identity_links"]] == [("an-1", "ada")]
        plans = [change["value"] for change in told["attribute_history"] if change["key"] == "plan"]
        assert sorted(plans) == ["free", "paid"]
        assert told["profile"]["user_attributes"]["plan"] == told["profile"]["plan"] == "paid"


def test_answers_variants_and_memberships_are_in_it() -> None:
    """As the questions about them have them."""
    with workspace(now=NOW) as ws:
        told = filled(ws).export_user("ada")
        stays = ws.membership("ada")
    assert [(one["score"], one["comment"]) for one in told["survey_answers"]] == [(9, "quick")]
    assert [(one["experiment"], one["variant"]) for one in told["exposures"]] == [("button", "VARIANT_A")]
    assert told["forced_variants"] == [{"experiment": "button", "phase": 1, "id": "ada", "variant": "VARIANT_A"}]
    assert [(one["name"], one["first_day"]) for one in told["memberships"]] == [
        (stay.name, stay.first_day.isoformat()) for stay in stays
    ]
    assert "testers" in {one["name"] for one in told["memberships"]}


def test_no_row_that_belongs_to_the_person_is_left_out() -> None:
    """For every table with a person in it, also one that comes later."""
    names = {"fact_user_actions": "events", "fact_user_attributes": "attribute_history", "dim_identities": "identities"}
    with workspace(now=NOW) as ws:
        told = filled(ws).export_user("ada")
        keys = "SELECT identity_key FROM dim_identities WHERE external_id IN ('ada', 'an-1')"
        ((own,),) = ws.sql("SELECT user_key FROM dim_users WHERE user_id = 'ada'").rows
        for table in TABLES:
            mine = {"user_key": f"user_key = {own}", "identity_key": f"identity_key IN ({keys})"}
            for column in [name for name in mine if name in table.column_names and table.name != "dim_users"][:1]:
                ((count,),) = ws.sql(f"SELECT count(*) FROM {table.name} WHERE {mine[column]}").rows
                assert len(told[names.get(table.name, table.name)]) == count, table.name


def test_an_event_says_all_that_was_sent() -> None:
    """Properties as they were, whatever is in them; device and place in words."""
    odd = {"text": 'a "quote" \\ ü 😀', "big": 123456789012345678901234567890, "deep": [{"x": [None, True, 1.5]}]}
    sent = did(
        "ada", "2026-01-05T10:00:00.123456", "purchase", event_id="e", name="checkout done", feature="cart",
        sequence=7, duration_seconds=1.5, context="/cart", session_id="s", properties=odd,
        device={"platform": "ios", "os_version": "19"}, geo={"country": "DE", "city": "Kiel", "postal_code": "24103"},
    )  # fmt: skip
    with workspace(sent, now=NOW) as ws:
        (event,) = ws.export_user("ada")["events"]
    assert {name: event[name] for name in event if name not in {"received_at", "load_id", "category"}} == {
        "id": "ada", "event_id": "e", "action_type": "purchase", "event_name": "checkout done", "feature": "cart",
        "action_timestamp": "2026-01-05T10:00:00.123456Z", "sequence": 7, "day": "2026-01-05", "time_key": 100000,
        "duration_seconds": 1.5, "action_context": "/cart", "client_session_id": "s", "action_metadata": odd,
        "device": {"platform": "ios", "os_version": "19"},
        "place": {"country": "DE", "city": "Kiel", "postal_code": "24103"}, "details": [],
    }  # fmt: skip


def test_nothing_of_anybody_else_is_in_it() -> None:
    """Not in one byte; the canary is in the other person's own document."""
    with workspace(now=NOW) as ws:
        pieces: list[bytes] = []
        assert filled(ws).export_user("ada", write=pieces.append) == {}
        assert OTHER.encode() not in b"".join(pieces)
        assert OTHER in json.dumps(ws.export_user(f"{OTHER}-1"))
        assert '"ada"' not in json.dumps(ws.export_user(f"{OTHER}-1"))


def test_every_id_of_the_person_leads_to_the_same_document() -> None:
    """The anonymous one too."""
    with workspace(now=NOW) as ws:
        filled(ws)
        assert ws.export_user("an-1") == ws.export_user("ada")


@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_pages_make_no_difference(page: int) -> None:
    """Also where several events have the same time."""
    ties = [
        did("ada", f"2026-01-0{n % 3 + 1}T10:00:00", event_id=f"e{n}", details=[{"type": str(n)}]) for n in range(9)
    ]
    with workspace(*ties, now=NOW) as ws:
        pieces: list[bytes] = []
        write_export(ws.engine, ws.settings, "ada", ws.now(), pieces.append, page=page)
        found: dict[str, Any] = json.loads(b"".join(pieces))
        assert found == ws.export_user("ada")
        assert [one["event_id"] for one in found["events"]] == ["e0", "e3", "e6", "e1", "e4", "e7", "e2", "e5", "e8"]
        assert [one["details"][0]["type"] for one in found["events"]] == [*"036147258"]


def test_what_waits_in_the_journal_is_in_it(tmp_path: Path) -> None:
    """It is brought in first; whoever may only read cannot do that, and is told so."""
    folder = regulars.init(tmp_path / "shop")
    with regulars.open(folder, clock=lambda: NOW) as ws:
        ws.track("ada", "like", event_id="just now")
        assert ws.journal_audit().backlog == 1
        assert [event["event_id"] for event in ws.export_user("ada")["events"]] == ["just now"]
    with regulars.open(folder, read_only=True) as ws, pytest.raises(UnsupportedError, match="export a person"):
        ws.export_user("ada")


def test_a_person_who_is_not_here_is_unknown() -> None:
    """Nothing is written; after an erasure neither."""
    pieces: list[bytes] = []
    with workspace(now=NOW) as ws:
        filled(ws).erase("ada")
        for user_id in ("ada", "an-1", "nobody"):
            with pytest.raises(QueryError) as raised:
                ws.export_user(user_id, write=pieces.append)
            assert raised.value.code == "unknown_user"
    assert pieces == []


def test_it_changes_nothing() -> None:
    """Rows and loads are what they were."""
    counts = " UNION ALL ".join(f"SELECT '{table.name}', count(*) FROM {table.name}" for table in TABLES)
    with workspace(now=NOW) as ws:
        before = filled(ws).sql(counts).rows
        ws.export_user("ada")
        assert ws.sql(counts).rows == before
