"""What opening a workspace takes is given back, whatever fails: the lock, the database, the journal, the engine."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

import regulars
from regulars.errors import EngineError, RegularsError
from regulars.infrastructure.engines.duckdb import DuckDBEngine

if TYPE_CHECKING:
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
