"""The archive: what the journal lets go outlives it, and the database too."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

import regulars
from regulars.errors import EngineError, WorkspaceError
from regulars.infrastructure.archive.folder import FolderArchive
from regulars.infrastructure.operational.sqlite import JOURNAL_NAME, SqliteStore
from tests.application.test_refresh import derived

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from regulars.workspace import Workspace

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
FACTS = """SELECT f.event_id, kind, external_id, action_type, event_name, action_timestamp, f.day, received_at,
action_metadata FROM fact_user_actions f JOIN dim_identities USING (identity_key) JOIN dim_actions USING (action_key)"""
DEAD = "SELECT line, reason, detail, raw FROM dead_letter"
FILES = [
    "journal-{}-2026-01-05-1-6.parquet", "journal-{}-2026-01-06-7-12.parquet", "journal-{}-2026-01-07-13-18.parquet",
]  # fmt: skip


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def opened(folder: Path, clock: Clock | None = None, **keywords: Any) -> Workspace:
    return regulars.open(folder, clock=clock or (lambda: NOON + timedelta(days=9)), **keywords)


def made(path: Path, settings: str = "keep_days = 2") -> Path:
    folder = regulars.init(path)
    with (folder / "regulars.toml").open("a") as file:
        file.write(f"[journal]\n{settings}\n")
    return folder


def day_of_events(ws: Workspace, clock: Clock) -> None:
    """Six events on the day of the clock: with and without ids, of somebody who links, one repeated, one that fails."""
    at = clock.now.isoformat()
    for n in range(2):
        ws.track(f"u{n}", "like", properties={"n": n}, country="DE")
    ws.track("ada", "purchase", event_id="the-same", timestamp="2026-01-05T09:00:00Z", properties={"amount": 3})
    ws.track(anonymous_id=f"x{clock.now.day}", event_type="view", timestamp=at)
    ws.track("ada", "identify", anonymous_id=f"x{clock.now.day}")
    ws._tracker._store.journal.append([_bad(clock)])
    ws.flush()


def _bad(clock: Clock) -> Any:
    from regulars.application.ports import Envelope  # noqa: PLC0415

    return Envelope(b'{"user_id": "ada", "event_type": "like", "timestamp": "soon"}', clock.now.replace(tzinfo=None))


def week(folder: Path, days: int = 5) -> tuple[dict[str, Any], str]:
    """Days of events; what the workspace holds then, and the id of its journal."""
    clock = Clock()
    with opened(folder, clock) as ws:
        for _ in range(days):
            day_of_events(ws, clock)
            clock.now += timedelta(days=1)
        ws.track("zoe", "like", event_id="last", timestamp="2026-01-09T12:00:00Z")
        ws.flush()
        return held(ws), ws._tracker._store.journal.id


def held(ws: Workspace) -> dict[str, Any]:
    """Everything but times of loading."""
    rows = {name: sorted(ws.engine.query(sql).rows, key=repr) for name, sql in (("facts", FACTS), ("dead", DEAD))}
    audit = ws.journal_audit()
    assert audit.adds_up
    return {**derived(ws), **rows, "audit": audit}


def lose_database(folder: Path) -> None:
    for path in folder.glob("regulars.duckdb*"):
        path.unlink()


def refused(call: Callable[[], object], kind: type[Exception] = WorkspaceError) -> Any:
    with pytest.raises(kind) as raised:
        call()
    return raised.value


@pytest.fixture(scope="module")
def shop_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    folder = made(tmp_path_factory.mktemp("archived") / "shop")
    (folder.parent / "events.csv").write_text("user_id,event_type,timestamp\nimp,like,2026-01-02T09:00:00Z\n")
    state, journal = week(folder)
    return folder, state, journal


@pytest.fixture
def shop(shop_once: tuple[Path, dict[str, Any], str], tmp_path: Path) -> Path:
    """Five days were tracked; three of them are in the archive, and the journal has let them go."""
    return shutil.copytree(shop_once[0], tmp_path / "shop")


@pytest.fixture
def state(shop_once: tuple[Path, dict[str, Any], str]) -> dict[str, Any]:
    return shop_once[1]


@pytest.fixture
def journal(shop_once: tuple[Path, dict[str, Any], str]) -> str:
    return shop_once[2]


# --- from the journal into the archive ---------------------------------------------------------------------


def test_whole_days_go_into_one_file_each_before_the_journal_lets_them_go(shop: Path, journal: str) -> None:
    archive = FolderArchive(shop)
    assert [file.name for file in archive.manifest().files] == [name.format(journal) for name in FILES]
    report = archive.examine()
    assert (report.files, report.entries, report.wrong, report.gaps) == (3, 18, {}, {})
    assert (report.first_day, report.last_day) == (date(2026, 1, 5), date(2026, 1, 7))
    with sqlite3.connect(shop / JOURNAL_NAME) as other:
        assert other.execute("SELECT min(offset), max(offset) FROM envelopes").fetchone() == (19, 31)
    other.close()


def test_any_tool_can_read_the_files(shop: Path) -> None:
    """And judge each entry by its own checksum."""
    rows = duckdb.sql(
        f"SELECT \"offset\", received_at, typeof(crc), decode(body) FROM '{shop}/archive/*.parquet' ORDER BY 1"
    ).fetchall()
    assert [row[0] for row in rows] == list(range(1, 19))
    assert rows[0][1:3] == (datetime(2026, 1, 5, 12), "UINTEGER")
    assert json.loads(rows[0][3])["user_id"] == "u0"


def test_a_switch_in_the_settings_turns_it_off(tmp_path: Path) -> None:
    folder = made(tmp_path / "shop", "keep_days = 2\narchive = false")
    clock = Clock()
    with opened(folder, clock) as ws:
        for _ in range(2):
            ws.track("u", "like")
            ws.flush()
            clock.now += timedelta(days=4)
        assert ws._tracker._store.journal.read(0, 1).faults[0].reason == "journal_missing"
        assert ws._archive.manifest().files == ()


def test_what_is_not_loaded_is_neither_archived_nor_let_go(shop: Path) -> None:
    """However old it is."""
    with opened(shop, Clock()) as ws:
        ws._tracker._drained = 20
        ws._tracker._pruned_at = None
        ws._tracker._clock = lambda: datetime(2027, 1, 1)
        ws._tracker._retire(ws._tracker._store.journal, 0)
        assert FolderArchive(shop).manifest().files[-1].last == 20
        assert ws._tracker._store.journal.read(20, 1).faults == ()


def test_a_long_day_is_archived_in_parts_which_become_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regulars.application.tracking.AT_ONCE", 4)
    folder = made(tmp_path / "shop")
    clock = Clock()
    with opened(folder, clock) as ws:
        day_of_events(ws, clock)
        clock.now += timedelta(days=4)
        names = []
        for n in range(4):
            ws.track("u", "like", event_id=f"e{n}")
            ws.flush()
            names.append([file.name[17:] for file in ws._archive.manifest().files])
        assert names[0] == ["2026-01-05-1-4.parquet"]
        assert names[1] == ["2026-01-05-1-6.1.parquet"]
        assert names[-1] == names[1]
        assert ws._archive.examine().wrong == {}
        assert [path.name for path in (folder / "archive").glob("*.parquet")] == [ws._archive.manifest().files[0].name]


def test_files_without_a_list_are_listed_and_a_damaged_stranger_stays_where_it_is(shop: Path, journal: str) -> None:
    """When the workspace is opened by somebody who may write."""
    (shop / "archive" / "journal.json").unlink()
    stranger = shop / "archive" / "journal-x-2026-01-01-1-2.parquet"
    with opened(shop) as ws:
        assert len(ws._archive.manifest().of(journal)) == 3
    assert (shop / "archive" / "journal.json").exists()
    stranger.write_bytes(b"no Parquet")
    with opened(shop) as ws:
        assert ws._archive.manifest().of("x") == ()
    assert stranger.exists()


def test_rows_of_a_program_are_noted_once_a_day(tmp_path: Path) -> None:
    """It may load all the time; files are noted each time, and told once."""
    (tmp_path / "a.csv").write_text("user_id,event_type,timestamp\nimp,like,2026-01-02T09:00:00Z\n")
    folder = made(tmp_path / "shop")
    with opened(folder) as ws:
        for n in range(3):
            ws.load([{"user_id": "a", "event_type": "like", "timestamp": f"2026-01-0{n + 1}T09:00:00Z"}])
            ws.load(tmp_path / "a.csv")
        with pytest.raises(regulars.RegularsError):
            ws.load(tmp_path / "none.csv")
        assert [record.source for record in ws._archive.imports()] == ["list of dicts", "a.csv", "a.csv", "a.csv"]
    with (folder / "archive" / "imports.jsonl").open("ab") as file:
        file.write(b'{"half')
    with opened(folder) as ws:
        ws.load(tmp_path / "a.csv")
        assert len(ws._archive.imports()) == 5
    lose_database(folder)
    assert [record.loaded for record in regulars.rebuild_from_archive(folder).imports] == [1, 0]


def test_a_failing_archive_stops_neither_questions_nor_tracking_and_nothing_is_let_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Here its folder cannot be written to."""
    folder = made(tmp_path / "shop")
    clock = Clock()
    with opened(folder, clock) as ws:
        day_of_events(ws, clock)
        shutil.move(folder / "archive", tmp_path / "away")
        (folder / "archive").write_text("in the way")
        clock.now += timedelta(days=4)
        ws.track("u", "like")
        assert len(ws.sql("SELECT 1 FROM fact_user_actions").rows) == 6
        assert "cannot archive" in caplog.text
        assert ws._tracker._store.journal.read(0, 1).faults == ()


STEPS = ("write", "seal", "rename", "list")


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_between_two_steps_loses_nothing_and_leaves_nothing(
    shop: Path, state: dict[str, Any], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one who opens goes on; left-overs are gone."""
    clock = Clock()
    clock.now += timedelta(days=6)

    def fall(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    where = "regulars.infrastructure.archive"
    target = {
        "write": f"{where}.parquet._damaged", "seal": f"{where}.folder.sealed",
        "rename": f"{where}.folder.sync_folder", "list": f"{where}.folder.write_record",
    }[step]  # fmt: skip
    with opened(shop) as ws:
        ws._tracker._clock = lambda: clock.now.replace(tzinfo=None)
        ws._tracker._pruned_at = None
        with monkeypatch.context() as patch:
            patch.setattr(target, fall)
            patch.setattr("pathlib.Path.unlink", lambda *_, **__: None)  # a killed process cleans nothing up
            with pytest.raises(KeyboardInterrupt):
                ws._tracker._retire(ws._tracker._store.journal, 0)
        assert ws._tracker._store.journal.read(18, 1).faults == ()
    with opened(shop) as ws:
        ws.track("zoe", "like", event_id="last", timestamp="2026-01-09T12:00:00Z")
        ws.flush()
        report = ws._archive.examine()
        assert (report.entries, report.wrong, report.gaps) == (31, {}, {})
        names = {file.name for file in ws._archive.manifest().files}
        assert {path.name for path in (shop / "archive").iterdir()} == names | {"journal.json", "made.json"}
    lose_database(shop)
    regulars.rebuild_from_archive(shop)
    with opened(shop) as ws:
        assert held(ws)["facts"] == state["facts"]


def test_a_lost_list_of_files_is_made_anew_from_the_files(shop: Path, journal: str) -> None:
    before = FolderArchive(shop).manifest()
    (shop / "archive" / "journal.json").unlink()
    assert FolderArchive(shop).manifest() == before
    (shop / "archive" / "journal.json").write_text("{")
    assert refused(FolderArchive(shop).manifest).code == "archive_damaged"
    (shop / "archive" / "journal.json").write_text('{"format": 2, "files": []}')
    assert refused(FolderArchive(shop).manifest).code == "archive_unknown"
    (shop / "archive" / "journal.json").unlink()
    flip(shop / "archive" / FILES[1].format(journal))
    assert refused(FolderArchive(shop).manifest).code == "archive_damaged"


def flip(path: Path) -> None:
    """Change some bytes."""
    data = bytearray(path.read_bytes())
    data[100:160] = bytes(byte ^ 255 for byte in data[100:160])
    path.write_bytes(data)


def test_files_that_are_gone_or_damaged_are_found(shop: Path, journal: str) -> None:
    names = [name.format(journal) for name in FILES]
    (shop / "archive" / names[0]).unlink()
    flip(shop / "archive" / names[2])
    assert FolderArchive(shop).examine().wrong == {names[0]: "it is missing", names[2]: "it is not what was written"}


# --- a lost database -----------------------------------------------------------------------------------------


def test_a_database_made_anew_has_the_same_rows(shop: Path, state: dict[str, Any], tmp_path: Path) -> None:
    """Facts with their ids, everything derived, the dead letter, the audit; and it says which imports to repeat."""
    with opened(shop) as ws:
        csv = tmp_path / "events.csv"
        csv.write_text("user_id,event_type,timestamp\nimp,like,2026-01-02T09:00:00Z\n")
        ws.load(csv, timezone="UTC")
        ws.load([{"user_id": "row", "event_type": "like", "timestamp": "2026-01-02T09:00:00Z"}])
        whole = held(ws)
    lose_database(shop)
    error = refused(lambda: opened(shop))
    assert error.code == "database_missing"
    assert "regulars rebuild --from-archive" in error.message
    assert refused(lambda: opened(shop, read_only=True)).code == "database_missing"
    assert not (shop / "regulars.duckdb").exists()
    told: list[int] = []
    rebuilt = regulars.rebuild_from_archive(shop, progress=told.append)
    assert (rebuilt.events, rebuilt.read, sum(told), rebuilt.lost) == (len(state["facts"]), 31, 31, 0)
    assert rebuilt.reasons == {"bad_time": 5}
    assert [(record.source, record.path, record.loaded) for record in rebuilt.imports] == [
        ("events.csv", str(csv), 1), ("list of dicts", None, 1),
    ]  # fmt: skip
    with opened(shop) as ws:
        assert held(ws) == state
        ws.load(csv, timezone="UTC")
        ws.load([{"user_id": "row", "event_type": "like", "timestamp": "2026-01-02T09:00:00Z"}])
        assert held(ws) == whole
        ws.track("u1", "like", event_id="after")
        assert ws.journal_audit().accepted == 32


def test_a_rebuild_that_is_killed_goes_on_where_it_was(
    shop: Path, state: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regulars.application.tracking.AT_ONCE", 10)
    lose_database(shop)

    def fall(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        regulars.rebuild_from_archive(shop, progress=fall)
    assert refused(lambda: opened(shop)).code == "database_missing"
    told: list[int] = []
    regulars.rebuild_from_archive(shop, progress=told.append)
    assert sum(told) == 21
    with opened(shop) as ws:
        assert held(ws) == state
    assert [path.name for path in shop.glob("regulars.duckdb*")] == ["regulars.duckdb"]


def test_a_damaged_database_says_how_to_make_it_anew_and_is_kept(shop: Path, state: dict[str, Any]) -> None:
    assert refused(lambda: regulars.rebuild_from_archive(shop)).code == "database_exists"
    for name in ("regulars.duckdb.damaged-1", "regulars.duckdb.damaged-2"):
        (shop / "regulars.duckdb").write_bytes(b"no database" * 1000)
        assert "regulars rebuild --from-archive" in refused(lambda: opened(shop), EngineError).message
        assert regulars.rebuild_from_archive(shop).kept_aside == name
        assert (shop / name).read_bytes().startswith(b"no database")
    with opened(shop) as ws:
        assert held(ws) == state


def test_the_journal_alone_tells_of_a_database_when_it_has_let_go(shop: Path) -> None:
    """One that still has everything may be the first thing in a folder: a collector was started before."""
    lose_database(shop)
    shutil.rmtree(shop / "archive")
    assert refused(lambda: opened(shop)).code == "database_missing"
    (shop / JOURNAL_NAME).unlink()
    store = SqliteStore(shop)
    store.journal.append([_bad(Clock())])
    store.close()
    with opened(shop) as ws:
        assert ws.journal_audit().dead_letter == 1


def test_places_that_are_nowhere_are_counted_as_lost(shop: Path, journal: str, state: dict[str, Any]) -> None:
    lose_database(shop)
    (shop / "archive" / FILES[1].format(journal)).unlink()
    rebuilt = regulars.rebuild_from_archive(shop)
    assert rebuilt.reasons["journal_missing"] == rebuilt.lost == 6
    with opened(shop) as ws:
        assert ws.journal_audit().adds_up
        assert len(held(ws)["facts"]) == len(state["facts"]) - 4
        assert ws._archive.examine().wrong != {}


def test_a_damaged_file_is_never_skipped_in_silence(shop: Path, journal: str) -> None:
    """Neither when it can be read nor when it cannot."""
    lose_database(shop)
    path = shop / "archive" / FILES[1].format(journal)
    path.write_bytes(b"PAR1" + bytes(1000) + b"PAR1")
    assert refused(lambda: regulars.rebuild_from_archive(shop)).code == "archive_damaged"
    path.unlink()
    assert regulars.rebuild_from_archive(shop).lost == 6


def test_an_older_database_catches_up_from_the_archive(shop: Path, state: dict[str, Any], tmp_path: Path) -> None:
    """The journal has let go what it lacks."""
    shutil.copyfile(regulars.init(tmp_path / "empty") / "regulars.duckdb", shop / "regulars.duckdb")
    with opened(shop) as ws:
        assert held(ws) == state


def test_without_the_journal_the_archive_still_has_what_it_had(shop: Path, state: dict[str, Any]) -> None:
    lose_database(shop)
    for path in shop.glob(f"{JOURNAL_NAME}*"):
        path.unlink()
    assert regulars.rebuild_from_archive(shop).read == 18
    with opened(shop) as ws:
        ws.track("u1", "like", event_id="new journal")
        facts = held(ws)["facts"]
        assert len(facts) == 13 + 1
        assert {row for row in facts if row[0] != "new journal"} <= set(state["facts"])


def test_a_backup_takes_the_archive_along(shop: Path, state: dict[str, Any], tmp_path: Path) -> None:
    with opened(shop) as ws:
        manifest = ws.backup(tmp_path / "copy")
    assert sum(name.startswith("archive/journal-") for name in manifest.files) == 3
    regulars.restore(tmp_path / "copy", tmp_path / "new")
    lose_database(tmp_path / "new")
    regulars.rebuild_from_archive(tmp_path / "new")
    with opened(tmp_path / "new") as ws:
        assert held(ws) == state
        assert ws._archive.examine().wrong == {}
    flip(next((tmp_path / "copy" / "archive").glob("*.parquet")))
    assert refused(lambda: regulars.restore(tmp_path / "copy", tmp_path / "third")).code == "backup_damaged"


def test_doing_it_where_there_is_no_workspace_is_refused(tmp_path: Path) -> None:
    assert refused(lambda: regulars.rebuild_from_archive(tmp_path)).code == "no_workspace"
