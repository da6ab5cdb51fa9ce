"""A backup is one moment of a workspace in use: nothing that was accepted is missing, nothing is there twice."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import regulars
from regulars.application import keys
from regulars.errors import QueryError, SourceError, UnsupportedError, WorkspaceError
from regulars.infrastructure.operational.sqlite import SqliteStore
from tests.application.test_refresh import derived
from tests.domain.examples import did

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from regulars.workspace import Workspace

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVENTS = [did(f"u{n % 7}", f"2026-01-{n % 28 + 1:02}T{n % 24:02}:00:00", event_id=f"e{n}") for n in range(300)]
IDS = "SELECT event_id FROM fact_user_actions"


def opened(folder: Path) -> Workspace:
    return regulars.open(folder, clock=lambda: NOW)


def track(ws: Workspace, event: dict[str, Any]) -> None:
    ws.track(event["user_id"], event["event_type"], timestamp=event["timestamp"], event_id=event["event_id"])


def ids(ws: Workspace) -> list[str]:
    return sorted(row[0] for row in ws.sql(IDS).rows)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(WorkspaceError) as raised:
        call()
    return raised.value.code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return regulars.init(tmp_path / "shop")


@pytest.fixture
def backup(made_once: Path, tmp_path: Path) -> Path:
    """A backup with 200 events in the database, and 100 more that only the journal has."""
    return shutil.copytree(made_once, tmp_path / "copy")


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = regulars.init(tmp_path_factory.mktemp("made") / "shop")
    with opened(folder) as ws:
        ws.load(EVENTS[:100])
        for event in EVENTS[100:200]:
            track(ws, event)
        ws.flush()
        for event in EVENTS[200:]:
            track(ws, event)
        manifest = ws.backup(folder.parent / "copy")
    assert manifest.journal
    assert (manifest.rows["fact_user_actions"], manifest.journal.loaded, manifest.journal.accepted) == (200, 100, 200)
    return folder.parent / "copy"


# --- under load -------------------------------------------------------------------------------------------


def busy(ws: Workspace, stop: threading.Event, acknowledged: dict[str, dict[str, Any]]) -> Iterator[Callable[[], None]]:
    """What threads do meanwhile: three track, one asks, one loads."""
    for name in "abc":

        def tracking(name: str = name) -> None:
            for n in itertools.count():
                if stop.is_set():
                    return
                event = did(f"{name}{n % 5}", f"2026-02-{n % 27 + 1:02}T12:00:{n % 60:02}", event_id=f"{name}-{n}")
                track(ws, event)
                acknowledged[event["event_id"]] = event

        yield tracking

    def asking() -> None:
        while not stop.is_set():
            ws.active_users(start="2026-01-01", end="2026-02-28")

    def loading() -> None:
        for n in itertools.count():
            if stop.is_set():
                return
            event = did(f"l{n % 5}", f"2026-01-{n % 28 + 1:02}T13:00:00", event_id=f"l-{n}")
            ws.load([event])
            acknowledged[event["event_id"]] = event

    yield from (asking, loading)


def test_a_backup_under_load_holds_what_was_accepted_before_it_once(folder: Path, tmp_path: Path) -> None:
    """Numbers of each restored workspace are those of a bulk load of exactly the events that it holds.

    The journal forgets at once what the database has: copies of two moments would lose what lies between them.
    """
    with (folder / "regulars.toml").open("a") as settings:
        settings.write("[journal]\nkeep_days = 0\narchive = false\n")
    acknowledged: dict[str, dict[str, Any]] = {event["event_id"]: event for event in EVENTS}
    stop = threading.Event()
    before: dict[str, set[str]] = {}
    with opened(folder) as ws:
        ws.load(EVENTS)
        failures: list[BaseException] = []
        threads = [threading.Thread(target=_noting(failures, work)) for work in busy(ws, stop, acknowledged)]
        for thread in threads:
            thread.start()
        try:
            for name in ("first", "second", "third"):
                time.sleep(0.3)
                before[name] = set(acknowledged.copy())
                ws.backup(tmp_path / name)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert failures == []
        # The original lost nothing by it either.
        assert ids(ws) == sorted(acknowledged)
    for name, known in before.items():
        restored = tmp_path / f"{name}-shop"
        regulars.restore(tmp_path / name, restored)
        with opened(restored) as ws:
            held = ids(ws)
            assert len(held) == len(set(held))
            assert known <= set(held) <= set(acknowledged)
            audit = ws.journal_audit()
            assert audit.adds_up
            assert audit.dead_letter == 0  # no gap between the two
            with regulars.open(clock=lambda: NOW) as loaded:
                loaded.load([acknowledged[event_id] for event_id in held])
                assert derived(ws) == derived(loaded)
                asked = {"start": "2026-01-01", "end": "2026-02-28"}
                assert ws.active_users(window=7, **asked).rows == loaded.active_users(window=7, **asked).rows


def _noting(failures: list[BaseException], work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        try:
            work()
        except BaseException as exc:  # noqa: BLE001 -- the test fails with it
            failures.append(exc)

    return run


# --- after a restore --------------------------------------------------------------------------------------


def test_loading_goes_on_after_a_restore_where_the_database_ended(backup: Path, tmp_path: Path) -> None:
    """What the journal had ahead is loaded once; ids that are known are known still; offsets go on."""
    regulars.restore(backup, tmp_path / "new")
    with regulars.open(tmp_path / "new", read_only=True) as ws:
        assert len(ids(ws)) == len(EVENTS)
    with opened(tmp_path / "new") as ws, regulars.open(clock=lambda: NOW) as loaded:
        loaded.load(EVENTS)
        assert ids(ws) == ids(loaded)
        assert derived(ws) == derived(loaded)
        assert ws.load(EVENTS).duplicates == len(EVENTS)
        track(ws, EVENTS[0])
        track(ws, did("u1", "2026-02-01T10:00:00", event_id="new"))
        assert ids(ws) == sorted([*ids(loaded), "new"])
        audit = ws.journal_audit()
        assert (audit.accepted, audit.loaded, audit.duplicates, audit.backlog) == (202, 201, 1, 0)


def test_a_journal_that_survived_brings_back_what_came_after_the_backup(folder: Path, tmp_path: Path) -> None:
    """As the page Operations promises."""
    with opened(folder) as ws:
        for event in EVENTS[:20]:
            track(ws, event)
        ws.backup(tmp_path / "copy")
        for event in EVENTS[20:30]:
            track(ws, event)
    regulars.restore(tmp_path / "copy", tmp_path / "new")
    shutil.copyfile(folder / "journal.sqlite", tmp_path / "new" / "journal.sqlite")
    with opened(tmp_path / "new") as ws:
        assert ids(ws) == sorted(event["event_id"] for event in EVENTS[:30])
        assert ws.journal_audit().adds_up


def test_settings_keys_and_history_come_along(folder: Path, tmp_path: Path) -> None:
    """Not only events: what the workspace was told, and who may send."""
    settings = (folder / "regulars.toml").read_text() + "# a note of ours\n"
    (folder / "regulars.toml").write_text(settings)
    with opened(folder) as ws:
        ws.load([*EVENTS, {"user_id": "x", "event_type": "like", "timestamp": "nonsense"}])
        ws.erase("u1")
        with closing(SqliteStore(folder)) as store:
            keys.create(store.keys, "write", "web", NOW.replace(tzinfo=None))
            made = store.keys.all()
        ws.backup(tmp_path / "copy")
    regulars.restore(tmp_path / "copy", tmp_path / "new")
    assert (tmp_path / "new" / "regulars.toml").read_text() == settings
    with closing(SqliteStore(tmp_path / "new")) as store:
        assert store.keys.all() == made
    with opened(tmp_path / "new") as ws:
        assert ws.load(EVENTS).reasons["erased"] == sum(event["user_id"] == "u1" for event in EVENTS)
        assert ws.sql("SELECT count(*) FROM dead_letter WHERE reason <> 'erased'").rows == [(1,)]


def test_a_workspace_that_never_tracked_has_no_journal_to_copy(folder: Path, tmp_path: Path) -> None:
    """And gets one when it first tracks."""
    with opened(folder) as ws:
        ws.load(EVENTS[:10])
        assert ws.backup(tmp_path / "it's a copy").journal is None
    regulars.restore(tmp_path / "it's a copy", tmp_path / "new")
    with opened(tmp_path / "new") as ws:
        track(ws, EVENTS[10])
        assert len(ids(ws)) == 11


def test_the_holder_keeps_its_locks(folder: Path, tmp_path: Path) -> None:
    """Reading the database's own bytes would have dropped DuckDB's, and let a second process write."""
    code = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('CREATE TABLE intruder (x INT)')"
    with opened(folder) as ws:
        ws.load(EVENTS[:10])
        ws.backup(tmp_path / "copy")
        done = subprocess.run(  # noqa: S603 -- our own interpreter
            [sys.executable, "-c", code, str(folder / "regulars.duckdb")], capture_output=True, text=True, check=False
        )
    assert "lock" in done.stderr.lower()


# --- refusals ---------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def rewrite(backup: Path, change: Callable[[dict[str, Any]], object]) -> None:
    told = json.loads((backup / "manifest.json").read_text())
    change(told)
    (backup / "manifest.json").write_text(json.dumps(told))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a bit of the database": lambda backup: flip(backup / "regulars.duckdb"),
    "a bit of the journal": lambda backup: flip(backup / "journal.sqlite"),
    "a bit of the settings": lambda backup: flip(backup / "regulars.toml"),
    "the end of the database": lambda backup: (backup / "regulars.duckdb").write_bytes(b""),
    "no journal": lambda backup: (backup / "journal.sqlite").unlink(),
    "a link": lambda backup: (
        (backup / "journal.sqlite").rename(backup / "j") and (backup / "journal.sqlite").symlink_to(backup / "j")
    ),
    "the manifest is no JSON": lambda backup: (backup / "manifest.json").write_text("{"),
    "the manifest is a list": lambda backup: (backup / "manifest.json").write_text("[]"),
    "the manifest has no format": lambda backup: rewrite(backup, lambda told: told.pop("format")),
    "the manifest lacks a file": lambda backup: rewrite(backup, lambda told: told["files"].pop("regulars.duckdb")),
    "a file from elsewhere": lambda backup: rewrite(
        backup, lambda told: told["files"].update({"../evil": told["files"]["regulars.toml"]})
    ),
    "a number of rows": lambda backup: rewrite(backup, lambda told: told["rows"].update(fact_user_actions=199)),
    "the place in the journal": lambda backup: rewrite(backup, lambda told: told["journal"].update(loaded=99)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_backup_is_refused(backup: Path, tmp_path: Path, damage: str) -> None:
    """Whatever is damaged; and nothing is left of the attempt."""
    DAMAGE[damage](backup)
    there = sorted(tmp_path.iterdir())
    assert refused(lambda: regulars.restore(backup, tmp_path / "new")) == "backup_damaged"
    assert sorted(tmp_path.iterdir()) == there


def test_a_database_that_cannot_be_opened_is_damage(backup: Path, tmp_path: Path) -> None:
    """Although its checksum is right."""
    shutil.copyfile(backup / "regulars.toml", backup / "regulars.duckdb")
    rewrite(backup, lambda told: told["files"].update({"regulars.duckdb": told["files"]["regulars.toml"]}))
    assert refused(lambda: regulars.restore(backup, tmp_path / "new")) == "backup_damaged"


def test_a_journal_that_cannot_be_opened_is_damage(backup: Path, tmp_path: Path) -> None:
    """Although its checksum is right."""
    shutil.copyfile(backup / "regulars.toml", backup / "journal.sqlite")
    rewrite(backup, lambda told: told["files"].update({"journal.sqlite": told["files"]["regulars.toml"]}))
    assert refused(lambda: regulars.restore(backup, tmp_path / "new")) == "backup_damaged"


def test_a_later_form_and_what_is_no_backup_are_told_apart_from_damage(backup: Path, tmp_path: Path) -> None:
    """Each with what to do."""
    rewrite(backup, lambda told: told.update(format=2, rows="something new"))
    assert refused(lambda: regulars.restore(backup, tmp_path / "new")) == "backup_unknown"
    assert refused(lambda: regulars.restore(tmp_path / "nowhere", tmp_path / "new")) == "no_backup"
    assert refused(lambda: regulars.restore(tmp_path, tmp_path / "new")) == "no_backup"


def test_nothing_is_ever_written_over(folder: Path, backup: Path, tmp_path: Path) -> None:
    """Neither a backup nor a workspace; an empty folder will do."""
    with opened(folder) as ws:
        assert refused(lambda: ws.backup(backup)) == "backup_exists"
    assert refused(lambda: regulars.restore(backup, folder)) == "folder_not_empty"
    assert refused(lambda: regulars.restore(backup, backup / "manifest.json")) == "folder_not_empty"
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert refused(lambda: regulars.restore(backup, tmp_path / "link")) == "folder_not_empty"


def test_a_path_that_can_be_none_is_refused(folder: Path, backup: Path, tmp_path: Path) -> None:
    """Too long, with a NUL in it, or below a file; for a file to import as well."""
    (tmp_path / "file").write_text("")
    with opened(folder) as ws:
        for bad in (tmp_path / ("x" * 300), "a\0b", tmp_path / "file" / "below"):
            with pytest.raises(WorkspaceError) as caught:
                ws.backup(bad)
            assert caught.value.code == "bad_path"
        with pytest.raises(SourceError, match="is no path"):
            ws.load(str(tmp_path / ("x" * 300)))
    with pytest.raises(WorkspaceError) as caught:
        regulars.restore(backup, tmp_path / ("x" * 300))
    assert caught.value.code == "bad_path"


def test_an_empty_folder_is_filled_where_it_is(backup: Path, tmp_path: Path) -> None:
    """It may be a volume, which cannot be replaced; after a failure it is empty again."""
    (tmp_path / "empty").mkdir()
    before = (tmp_path / "empty").stat().st_ino
    settings = (backup / "regulars.toml").read_text()
    (backup / "regulars.toml").write_text("damaged")
    assert refused(lambda: regulars.restore(backup, tmp_path / "empty")) == "backup_damaged"
    assert list((tmp_path / "empty").iterdir()) == []
    (backup / "regulars.toml").write_text(settings)
    regulars.restore(backup, tmp_path / "empty")
    assert (tmp_path / "empty").stat().st_ino == before
    with opened(tmp_path / "empty") as ws:
        assert len(ids(ws)) == len(EVENTS)


def test_a_backup_that_fails_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    """Here because the settings have gone."""
    with opened(folder) as ws:
        (folder / "regulars.toml").unlink()
        there = sorted(tmp_path.iterdir())
        with pytest.raises(WorkspaceError, match=r"No such file or directory \(.*regulars.toml\)") as raised:
            ws.backup(tmp_path / "copy")
        assert raised.value.code == "copy_failed"
    assert sorted(tmp_path.iterdir()) == there


def test_readers_and_workspaces_in_memory_are_refused(folder: Path, tmp_path: Path) -> None:
    """A reader cannot know what waits in the journal; memory has no files."""
    with regulars.open(folder, read_only=True) as ws, pytest.raises(UnsupportedError, match="back it up"):
        ws.backup(tmp_path / "copy")
    with regulars.open() as ws, pytest.raises(QueryError) as raised:
        ws.backup(tmp_path / "copy")
    assert raised.value.code == "memory_only"
