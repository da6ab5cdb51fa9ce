"""Erased means: in no number, in no table, in no byte of the file; and it stays so."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import regulars
from regulars.application.erase import erase
from tests.application.test_refresh import derived
from tests.domain.examples import did, workspace

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.workspace import Workspace

CANARY = "canary-7f3a"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
HERS = [
    did(CANARY, f"2026-01-{day:02}T10:00:00", event_id=f"c{day}", device_id=f"phone-of-{CANARY}",
        note=f"a secret of {CANARY}", feature=f"{CANARY}'s own", details=[{"type": "mail", "payload": CANARY}])
    for day in range(1, 20)
]  # fmt: skip
STRANGER = {"anonymous_id": f"an-{CANARY}", "event_type": "view", "timestamp": "2025-12-30T10:00:00Z", "event_id": "a"}
BROKEN = {"user_id": CANARY, "event_type": "like", "timestamp": "nonsense"}
OTHERS = [did(f"u{n}", f"2026-01-{day:02}T11:00:00", event_id=f"u{n}-{day}") for day in range(1, 25) for n in range(9)]


def filled(ws: Workspace) -> Workspace:
    """A workspace that knows a person under two ids, and eight others."""
    ws.load([*HERS, STRANGER, BROKEN, *OTHERS])
    ws.load([{"user_id": CANARY, "plan": f"{CANARY} gold"}], kind="users")
    ws.link(f"an-{CANARY}", CANARY)
    return ws


def traces(folder: Path) -> dict[str, int]:
    """How often the canary stands in each file."""
    found = {path.name: path.read_bytes().count(CANARY.encode()) for path in folder.rglob("*") if path.is_file()}
    return {name: count for name, count in found.items() if count}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A workspace on disk that is closed, so that everything has reached the file."""
    regulars.init(tmp_path / "shop")
    with regulars.open(tmp_path / "shop", clock=lambda: NOW) as ws:
        filled(ws)
    return tmp_path / "shop"


def test_nothing_of_an_erased_person_is_in_any_file(shop: Path) -> None:
    """While the workspace is open, and after it was closed; the canary was there before."""
    assert traces(shop)["regulars.duckdb"] > 0
    with regulars.open(shop, clock=lambda: NOW) as ws:
        certificate = ws.erase(CANARY)
        assert certificate.is_rewritten
        assert traces(shop) == {}
    assert traces(shop) == {}


def test_everything_that_remains_is_what_it_would_be_without_the_person() -> None:
    """Every derived row, the dimensions she alone had filled, and the rows that were rejected."""
    with workspace(now=NOW) as ws, workspace(*OTHERS, now=NOW) as without:
        filled(ws).erase(CANARY)
        assert derived(ws) == derived(without)
        for table in ("dim_features", "dim_devices", "fact_activity_details", "fact_user_attributes", "dead_letter"):
            assert ws.sql(f"SELECT count(*) FROM {table}").rows == without.sql(f"SELECT count(*) FROM {table}").rows
        ws.rebuild()
        assert derived(ws) == derived(without)


def test_the_certificate_counts_what_went_and_names_no_one() -> None:
    """Ids, days whose numbers changed, rows per table."""
    with workspace(now=NOW) as ws:
        certificate = filled(ws).erase(CANARY)
    assert (certificate.erasure_id, certificate.identities, certificate.active_days) == (1, 2, 20)
    assert (str(certificate.first_day), str(certificate.last_day)) == ("2025-12-30", "2026-01-19")
    expected = {"fact_user_actions": 20, "fact_activity_details": 19, "dead_letter": 1, "dim_identities": 2}
    assert {table: certificate.removed[table] for table in expected} == expected
    assert not certificate.is_rewritten
    assert CANARY not in repr(certificate)


def test_other_peoples_words_about_her_stay_and_are_counted() -> None:
    """They are theirs; the certificate says where they are. Part of a longer word is no mention."""
    with workspace(now=NOW) as ws:
        filled(ws).load([
            did("u1", "2026-02-01T10:00:00", invited=CANARY),
            did("u1", "2026-02-01T10:01:00", invited=f"{CANARY}-2"),
        ])  # fmt: skip
        assert ws.erase(CANARY).mentions == {"fact_user_actions": 1}


@pytest.mark.parametrize("hostile", ["o'brien", 'quo"te', "back\\slash", "a|b.*(", "100%_{0}", "日本", "7"])
def test_ids_of_any_spelling_can_be_erased(hostile: str) -> None:
    """Also from the rows that were rejected, where ids stand as JSON writes them."""
    rejected = [{"user_id": name, "event_type": "like", "timestamp": "nonsense"} for name in (hostile, "70", "ob")]
    with workspace(did(hostile, "2026-01-01T10:00:00"), did("u1", "2026-01-01T10:00:00"), now=NOW) as ws:
        ws.load(rejected)
        certificate = ws.erase(hostile)
        assert certificate.removed["dead_letter"] == 1
        assert ws.sql("SELECT user_id FROM dim_users").rows == [("u1",)]


def test_what_arrives_again_stays_out_and_who_comes_back_is_new() -> None:
    """A retry or an old export is rejected without keeping the rows; events after the erasure count."""
    with workspace(now=NOW) as ws:
        filled(ws).erase(CANARY)
        before = derived(ws)
        again = ws.load([*HERS, STRANGER, BROKEN, *OTHERS])
        assert again.reasons == {"erased": len(HERS) + 2}
        assert ws.load([{"user_id": CANARY, "plan": "gold"}], kind="users").reasons == {"erased": 1}
        assert ws.sql("SELECT DISTINCT raw, detail FROM dead_letter WHERE reason = 'erased'").rows == [
            (None, "from before this person was erased")
        ]
        assert derived(ws) == before
        back = did(CANARY, "2026-03-01T00:00:01")
        assert ws.load([back]).loaded == 1
        assert ws.load([{"user_id": CANARY, "plan": "gold"}], kind="users").loaded == 1
        assert ws.timeline(CANARY).profile.attributes == {"plan": "gold"}


def test_a_link_cannot_bring_an_erased_stranger_back() -> None:
    """An old identify event names two ids; one erased is enough to turn it away."""
    with workspace(now=NOW) as ws:
        filled(ws).erase(CANARY)
        identify = {"user_id": "u1", "anonymous_id": f"an-{CANARY}", "event_type": "identify"}
        assert ws.load([{**identify, "timestamp": "2026-01-05T10:00:00Z"}]).reasons == {"erased": 1}


def test_an_erasure_that_was_killed_before_the_rewrite_is_finished_when_somebody_opens(shop: Path) -> None:
    """What is committed is not forgotten."""
    with regulars.open(shop, clock=lambda: NOW) as ws:
        erase(ws.engine, ws.settings, CANARY, ws.now(), forget=lambda *_: {})
    assert traces(shop) != {}
    with regulars.open(shop, clock=lambda: NOW):
        assert traces(shop) == {}


def test_readers_go_on_while_the_file_is_written_anew(shop: Path) -> None:
    """They see everybody, or everybody but the erased person, and never an error."""
    seen: set[int] = set()
    problems: list[Any] = []
    done = threading.Event()
    with regulars.open(shop, clock=lambda: NOW) as ws:

        def read() -> None:
            try:
                while not done.is_set():
                    seen.add(ws.active_users(window=30, start="2026-01-19", end="2026-01-19").rows[0]["active_users"])
            except Exception as exc:  # noqa: BLE001 -- told to the test
                problems.append(exc)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for user in (CANARY, "u1", "u2"):
            ws.erase(user)
        done.set()
        for reader in readers:
            reader.join()
    assert problems == []
    assert seen <= {10, 9, 8, 7}
    assert len(seen) > 1
