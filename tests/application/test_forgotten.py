"""Erased means: in no file of the workspace, whatever its kind; and nothing that was kept elsewhere brings it back."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import regulars
from regulars.application.ports import Envelope
from regulars.domain.naming import PersonIds
from regulars.errors import QueryError, WorkspaceError
from regulars.infrastructure.archive.folder import FolderArchive
from regulars.infrastructure.engines.duckdb import DuckDBEngine
from tests.application.test_archive import Clock, held, lose_database, made, opened
from tests.interfaces.cli import call
from tests.interfaces.servers import post, serving

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.workspace import Workspace

CANARY = "canary-7f3a"
NOW = datetime(2026, 1, 14, 12, tzinfo=UTC)
HERS = (
    "SELECT count(*) FROM fact_user_actions JOIN dim_identities USING (identity_key) "
    f"WHERE external_id LIKE '%{CANARY}'"
)


def traces(folder: Path) -> dict[str, int]:
    """How often the canary stands in each file, in UTF-8 or UTF-16; files of the archive count as one."""
    found: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            name = "archive" if path.suffix == ".parquet" else path.name
            count = sum(data.count(CANARY.encode(form)) for form in ("utf-8", "utf-16-le", "utf-16-be"))
            found[name] = found.get(name, 0) + count
    return {name: count for name, count in found.items() if count}


def append(ws: Workspace, *bodies: bytes, at: datetime) -> None:
    ws._tracker._store.journal.append([Envelope(body, at.replace(tzinfo=None)) for body in bodies])


def tell(ws: Workspace, clock: Clock) -> None:
    """A day on which she does everything, and others something."""
    text = f"a secret of {CANARY}"
    for n in range(3):
        ws.track(CANARY, "like", properties={"note": text}, feature=f"{CANARY}'s own", user={"plan": f"{CANARY} gold"})
        ws.track(f"u{n}", "like")
    ws.track(CANARY, "view", timestamp=clock.now + timedelta(days=90))  # future
    ws.track(CANARY, "view", timestamp=clock.now - timedelta(days=90))  # late
    ws.track(anonymous_id=f"an-{CANARY}", event_type="view")
    ws.track(CANARY, "identify", anonymous_id=f"an-{CANARY}")
    ws.track("u1", "invite", properties={"to": "somebody"})
    broken = f'{{"user_id": "{CANARY}", "event_type": "like", "timestamp": "soon"}}'
    append(ws, broken.encode(), f"like,{CANARY},no json".encode(), b'{"user_id":"u2","event_type":"like"', at=clock.now)
    ws.flush()


@pytest.fixture(scope="module")
def shop_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that keeps everything uncompressed, so that whatever is in a file can be seen there."""
    folder = made(tmp_path_factory.mktemp("canary") / "shop")
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("regulars.infrastructure.archive.parquet.COMPRESSION", "uncompressed")
        with opened(folder, clock) as ws:
            ws._engine.execute("SET force_compression = 'uncompressed'")
            for _ in range(3):
                tell(ws, clock)
                clock.now += timedelta(days=3)
    assert [file.entries for file in FolderArchive(folder).manifest().files] == [14, 14]
    return folder


@pytest.fixture
def shop(shop_once: Path, tmp_path: Path) -> Path:
    """She is in the database, the dead letter, the journal, and the archive."""
    return shutil.copytree(shop_once, tmp_path / "shop")


def test_the_canary_is_in_each_kind_of_file_before_and_in_none_after(shop: Path) -> None:
    assert set(traces(shop)) == {"regulars.duckdb", "journal.sqlite", "archive"}
    clock = Clock()
    clock.now += timedelta(days=6)
    with opened(shop, clock) as ws:
        assert ws.sql("SELECT reason, count(*) FROM dead_letter GROUP BY 1 ORDER BY 1").rows == [
            ("bad_json", 6), ("bad_time", 3),
        ]  # fmt: skip
        # It is in the write-ahead log of the journal too.
        append(ws, f'{{"user_id": "{CANARY}", "event_type": "like"}}'.encode(), at=NOW)
        assert "journal.sqlite-wal" in traces(shop)
        certificate = ws.erase(CANARY)
        assert certificate.is_rewritten
        assert {name: certificate.removed[name] for name in ("journal", "archive", "dead_letter")} == {
            "journal": 10, "archive": 18, "dead_letter": 6,
        }  # fmt: skip
        assert traces(shop) == {}
        assert ws.journal_audit().adds_up
        assert ws._archive.examine().wrong == {}
        assert ws._archive.examine().gaps == {}
    assert traces(shop) == {}


def test_nothing_that_was_kept_elsewhere_brings_her_back(shop: Path, tmp_path: Path) -> None:
    """Neither the archive and the journal from before, with the database lost, nor what clients send again."""
    shutil.copytree(shop / "archive", tmp_path / "archive")
    shutil.copyfile(shop / "journal.sqlite", tmp_path / "journal.sqlite")
    with opened(shop) as ws:
        ws.erase(CANARY)
        others = held(ws)
        ws.track(CANARY, "like", timestamp="2026-01-05T09:00:00Z", event_id="sent again")
        assert ws.sql(HERS).rows == [(0,)]
        assert traces(shop) == {}  # not even in the journal
    erasures = (shop / "archive" / "erasures.json").read_bytes()
    lose_database(shop)
    rebuilt = regulars.rebuild_from_archive(shop)
    assert (rebuilt.lost, rebuilt.reasons["erased"]) == (0, 28)
    with opened(shop) as ws:
        assert _without_turned_away(held(ws)) == _without_turned_away(others)
    # The files from before are put back by somebody who does not know.
    lose_database(shop)
    shutil.rmtree(shop / "archive")
    shutil.copytree(tmp_path / "archive", shop / "archive")
    for path in shop.glob("journal.sqlite-*"):
        path.unlink()
    shutil.copyfile(tmp_path / "journal.sqlite", shop / "journal.sqlite")
    (shop / "archive" / "erasures.json").write_bytes(erasures)
    assert set(traces(shop)) == {"journal.sqlite", "archive"}
    assert regulars.rebuild_from_archive(shop).reasons["erased"] == 28
    with opened(shop) as ws:
        assert ws.sql(HERS).rows == [(0,)]
    assert traces(shop) == {}


def _without_turned_away(state: dict[str, Any]) -> dict[str, Any]:
    """Rows of the erased are counted in one, and were taken away in the other."""
    dead = [row for row in state["dead"] if row[1] != "erased"]
    return state | {"dead": dead, "audit": None}


def test_a_database_from_before_the_erasure_forgets_her_again(shop: Path, tmp_path: Path) -> None:
    """It was put back by hand: the archive knows better. What she did after she came back stays."""
    shutil.copyfile(shop / "regulars.duckdb", tmp_path / "old")
    with opened(shop) as ws:
        ws.erase(CANARY)
        others = held(ws)["facts"]
    with regulars.open(shop, clock=lambda: NOW + timedelta(days=2)) as ws:
        ws.track(CANARY, "like", event_id="back")
        ws.flush()
        back = held(ws)["facts"]
        assert len(back) == len(others) + 1
    shutil.copyfile(tmp_path / "old", shop / "regulars.duckdb")
    with regulars.open(shop, clock=lambda: NOW + timedelta(days=2)) as ws:
        assert held(ws)["facts"] == back
        assert ws.erase(CANARY).removed["fact_user_actions"] == 1
        assert traces(shop) == {}


def test_opening_costs_the_same_however_many_were_erased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, asked = made(tmp_path / "shop"), []
    with opened(folder) as ws:
        for n in range(8):
            ws.track(f"u{n}", "like")
        for n in range(8):
            ws.erase(f"u{n}")
    fetch = DuckDBEngine.fetch
    monkeypatch.setattr(DuckDBEngine, "fetch", lambda *of: asked.append(of[1]) or fetch(*of))
    with opened(folder):
        assert sum("FROM erasures" in sql for sql in asked) < 8


def test_who_came_back_is_erased_again_or_nothing_opens(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever keeps somebody from being erased is told: a person who stays by mistake is found by nobody."""
    before = (shop / "regulars.duckdb").read_bytes()
    with opened(shop) as ws:
        ws.erase(CANARY)
    (shop / "regulars.duckdb").write_bytes(before)
    with monkeypatch.context() as patch:
        patch.setattr("regulars.application.erase._remove_facts", _refuse)
        with pytest.raises(QueryError, match="not today"):
            opened(shop)
    with opened(shop) as ws:
        assert ws.sql(HERS).rows == [(0,)]


def _refuse(*_: object) -> None:
    raise QueryError("not today")


def test_an_erasure_that_was_killed_is_finished_when_somebody_opens(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any of its steps."""
    for step in ("_forget_in", "_forget_places"):
        folder = shutil.copytree(shop, shop.parent / step)

        def fall(*_: object) -> None:
            raise KeyboardInterrupt

        with opened(folder) as ws, monkeypatch.context() as patch:
            patch.setattr(f"regulars.application.tracking.Tracker.{step}", fall)
            with pytest.raises(KeyboardInterrupt):
                ws.erase(CANARY)
            monkeypatch.setattr(ws._tracker, "flush", lambda: None)  # what is killed does not
        with opened(folder) as ws:
            assert traces(folder) == {}
            assert ws.sql(HERS).rows == [(0,)]


def test_beside_a_running_server_it_forgets_and_goes_on(shop: Path) -> None:
    """The command line and the API; without an admin key, strangers may not."""
    with serving(shop) as server:
        event = {"user_id": CANARY, "event_type": "like", "event_id": "just now"}
        assert post(f"{server.collecting}/v1/track", event)[0] == 200
        assert post(f"{server.answering}/api/v1/erase", {"user_id": CANARY})[0] == 403
        asked = call("erase", CANARY, "-w", shop, stdin="n\n")
        assert "(2 ids, 22 actions)" in asked.err
        done = call("erase", CANARY, "-w", shop, "--yes", "--format", "json")
        assert done.code == 0, done.err
        assert (done.json["removed"]["journal"], done.json["removed"]["archive"]) == (1, 27)
        assert call("erase", CANARY, "-w", shop, "--yes").code == 2
        old = {**event, "timestamp": "2026-01-05T09:00:00Z", "event_id": "sent again"}
        assert post(f"{server.collecting}/v1/track", old)[0] == 200
        assert post(f"{server.collecting}/v1/track", {**event, "user_id": "u1"})[0] == 200
        assert server.drained()["events_dead_letter"] >= 1
        assert server.sql(HERS) == [[0]]
        assert traces(shop) == {}
    assert traces(shop) == {}


def test_an_archive_of_another_workspace_is_refused(tmp_path: Path) -> None:
    """Its hashes mean nothing here."""
    for name in ("one", "two"):
        folder = made(tmp_path / name)
        with opened(folder) as ws:
            ws.load([{"user_id": "a", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}])
            ws.erase("a")
    shutil.rmtree(tmp_path / "one" / "archive")
    shutil.copytree(tmp_path / "two" / "archive", tmp_path / "one" / "archive")
    with pytest.raises(WorkspaceError) as raised:
        opened(tmp_path / "one")
    assert raised.value.code == "archive_foreign"


def test_somebody_elses_entries_stay_whatever_they_are_called(tmp_path: Path) -> None:
    """An id that is part of another one, or somebody else's value, is not hers."""
    folder = made(tmp_path / "shop")
    with opened(folder) as ws:
        for user in ("u1", "u11", "1", "u2"):
            ws.track(user, "like", properties={"friend": "u1"}, event_id=f"e-{user}")
        assert ws.erase("u1").removed["journal"] == 1
        journal = ws._tracker._store.journal
        assert [entry.offset for entry in journal.read(0, 9).entries] == [2, 3, 4]
    lose_database(folder)
    assert regulars.rebuild_from_archive(folder).events == 3


@pytest.mark.parametrize("hostile", ["o'brien", 'quo"te', "back\\slash", "a|b.*(", "日本", "7", "\U0001f600"])
def test_ids_of_any_spelling_are_found_in_any_spelling(hostile: str) -> None:
    """Also with characters in disguise."""

    ids = PersonIds(frozenset({("known", hostile)}))
    disguised = "".join(f"\\u{unit:04x}" for unit in memoryview(hostile.encode("utf-16-le")).cast("H"))
    for body in (json.dumps({"user_id": hostile}), json.dumps({"user_id": hostile}, ensure_ascii=False),
                 f'{{"user_id": "{disguised}"}}'):  # fmt: skip
        assert ids.own(body.encode())
    assert not ids.own(json.dumps({"user_id": f"{hostile}x", "by": hostile}).encode())


def test_in_memory_there_is_neither_a_journal_nor_an_archive_to_clean() -> None:
    """What was tracked is in the database, and goes from there."""
    with regulars.open(clock=lambda: NOW) as ws:
        for user in ("ada", "bob"):
            ws.track(user, "like")
        assert ws.erase("ada").removed["journal"] == 0
        ws.track("ada", "like", timestamp="2026-01-05T09:00:00Z")
        assert ws.sql("SELECT user_id FROM dim_users").rows == [("bob",)]


def test_without_a_journal_erasing_needs_none(tmp_path: Path) -> None:
    """Nothing was ever tracked: there is neither a journal nor a file of the archive."""
    folder = made(tmp_path / "shop")
    with opened(folder) as ws:
        ws.load([{"user_id": "a", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}])
        assert ws.erase("a").removed["journal"] == 0
    assert not (folder / "journal.sqlite").exists()
