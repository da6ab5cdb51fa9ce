"""What opening a workspace takes is given back, whatever fails: the lock, the database, the journal, the engine."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

import regulars
from regulars.errors import EngineError, RegularsError
from regulars.infrastructure.engines.duckdb import DuckDBEngine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Fragile(DuckDBEngine):
    """An engine for answers that cannot be closed."""

    def __init__(self) -> None:
        super().__init__()
        self.is_closed = False

    def replace(self, table: str, rows: object) -> None:
        """Nobody asks here, so nothing is ever copied."""

    def close(self) -> None:
        """Close, and fail."""
        super().close()
        self.is_closed = True
        raise EngineError("the connection was lost")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return regulars.init(tmp_path / "shop")


def test_a_workspace_whose_closing_fails_can_be_opened_again(folder: Path) -> None:
    ws = regulars.open(folder, engine=Fragile())
    with pytest.raises(EngineError, match="connection was lost"):
        ws.close()
    with regulars.open(folder) as again:
        again.track("ada", "like")
        assert len(again.sql("SELECT * FROM fact_user_actions").rows) == 1


def test_what_was_taken_before_an_opening_failed_is_given_back(folder: Path) -> None:
    database = (folder / "regulars.duckdb").read_bytes()
    (folder / "regulars.duckdb").write_bytes(b"no database" * 1000)
    engine = Fragile()
    with pytest.raises(RegularsError):
        regulars.open(folder, engine=engine)
    assert engine.is_closed
    (folder / "regulars.duckdb").write_bytes(database)
    regulars.open(folder).close()


def test_many_threads_beside_a_server_track_through_one_journal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the id that is returned is the one that is stored."""
    from regulars.infrastructure.operational import opening  # noqa: PLC0415 -- its function is counted
    from regulars.remote import RemoteWorkspace  # noqa: PLC0415 -- same
    from tests.interfaces.servers import serving  # noqa: PLC0415 -- only here

    opened, open_store = [], opening.open_store
    monkeypatch.setattr(opening, "open_store", lambda *of: opened.append(of) or open_store(*of))
    ids: list[str] = []
    with serving(folder, "--single-process"), regulars.open(folder) as ws:
        assert isinstance(ws, RemoteWorkspace)
        names = [None, "\u200bid-1\ufeff", " id-2 ", None]
        threads = [
            threading.Thread(target=lambda name=name: ids.append(ws.track("ada", "like", event_id=name)))
            for name in names
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows = ws.sql("SELECT event_id FROM fact_user_actions").rows
    assert sorted(ids) == sorted(event_id for (event_id,) in rows)
    assert {"id-1", "id-2"} < set(ids)
    assert len(opened) == 1


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(folder: Path) -> list[str]:
    """What others could read; not the settings, which hold no event, nor DuckDB's log, which only the folder guards."""
    return sorted(
        path.name for path in folder.iterdir() if mode(path) & 0o077 and not path.name.endswith((".toml", ".wal"))
    )


@pytest.mark.parametrize("mask", [0, 0o022])
def test_what_a_workspace_holds_is_for_its_owner_only_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    """Made, restored, rewritten and rebuilt; a folder that was there keeps its mode, its files are as closed."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given").chmod(0o755)
    with umask(mask):
        for folder, its in ((tmp_path / "new", 0o700), (tmp_path / "given", 0o755)):
            regulars.init(folder)
            with regulars.open(folder) as ws:
                ws.track("ada", "like")
                ws.track("bob", "like")
                ws.flush()
                assert open_to_others(folder) == []
                assert {"journal.sqlite", "journal.sqlite-wal", "journal.lock"} <= {
                    path.name for path in folder.iterdir()
                }
                ws.backup(tmp_path / f"copy of {folder.name}")
                ws.erase("bob")
            assert (mode(folder), open_to_others(folder)) == (its, [])
            (folder / "regulars.duckdb").unlink()
            assert regulars.rebuild_from_archive(folder).events == 1
            assert (mode(folder), open_to_others(folder)) == (its, [])
            shutil.rmtree(folder)
            if its == 0o755:
                folder.mkdir()
                folder.chmod(its)
            regulars.restore(tmp_path / f"copy of {folder.name}", folder)
            assert (mode(folder), open_to_others(folder)) == (its, [])
            assert [path.name for path in folder.iterdir() if ".new" in path.name] == []


def test_what_a_killed_process_left_of_making_a_database_goes(folder: Path) -> None:
    """An empty folder at the next opening; one with half a database in it when the next one is made."""
    left = folder / "regulars.duckdb.new"
    left.mkdir()
    regulars.open(folder).close()
    assert not left.exists()
    left.mkdir()
    (left / "regulars.duckdb").write_bytes(b"half")
    with regulars.open(folder) as ws:
        ws.track("ada", "like")
        ws.erase("ada")
    assert not left.exists()


def test_a_workspace_that_a_group_shares_keeps_its_modes(tmp_path: Path) -> None:
    """Also where the database is written anew."""
    folder = regulars.init(tmp_path / "shop")
    with regulars.open(folder) as ws:
        ws.track("ada", "like")
    folder.chmod(0o2770)
    for path in folder.iterdir():
        path.chmod(0o2770 if path.is_dir() else 0o660)
    with umask(0o022), regulars.open(folder) as ws:
        ws.track("bob", "like")
        ws.flush()
        ws.erase("ada")
    assert {mode(path) for path in folder.iterdir() if path.is_file()} == {0o660}
    assert mode(folder) == 0o2770


def test_the_archive_of_dropped_days_is_for_its_owner_only(tmp_path: Path) -> None:
    """Where the folder may be entered and nothing else has made the archive before."""
    (tmp_path / "shop").mkdir()
    folder = regulars.init(tmp_path / "shop")
    with (folder / "regulars.toml").open("a") as file:
        file.write("[journal]\narchive = false\n[retention]\nevents_days = 1\n")
    with umask(0), regulars.open(folder) as ws:
        ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T10:00:00Z"}])
        ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-02-05T10:00:00Z"}])
        ws.retain()
        ws.backup(tmp_path / "copy")
    assert (mode(folder / "archive"), mode(folder / "archive" / "events")) == (0o700, 0o700)
    (tmp_path / "other").mkdir()
    with umask(0):
        regulars.restore(tmp_path / "copy", tmp_path / "other")
    assert (mode(tmp_path / "other" / "archive"), open_to_others(tmp_path / "other")) == (0o700, [])
