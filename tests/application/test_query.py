"""One answer is of one moment: rows, ledger and state agree, whoever loads meanwhile and whatever was asked before."""

from __future__ import annotations

import itertools
import threading
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from regulars.application.ports import Snapshot, Table
from regulars.application.query import analyze
from regulars.application.reads import StateReads
from regulars.errors import EngineError, UnknownNameError
from tests.domain.examples import column, did, workspace

if TYPE_CHECKING:
    from regulars.application.reads import Read

FIRST = date(2026, 1, 1)
LOADS = 10


def test_an_answer_is_of_one_moment_while_loads_run() -> None:
    """Load n brings person n on day n, so all of a result follows from its watermark, or it was torn."""
    seen: set[date] = set()
    torn: list[Any] = []
    done = threading.Event()
    with workspace(did("p0", "2026-01-01T12:00:00")) as ws:

        def ask() -> None:
            try:
                while not done.is_set():
                    result = ws.active_users(window=366, start=FIRST)
                    people = (result.watermark - FIRST).days + 1 if result.watermark else 0
                    expected = [(FIRST + timedelta(days=day), day + 1) for day in range(people)]
                    if [*zip(column(result, "date"), column(result, "active_users"), strict=True)] != expected:
                        torn.append(result.rows)
                    if result.population["total"] != people:
                        torn.append((result.watermark, result.population))
                    seen.add(result.rows[-1]["date"])
            except BaseException as exc:  # noqa: BLE001 -- an error in a thread must not be lost
                torn.append(exc)

        reader = threading.Thread(target=ask)
        reader.start()
        for number in range(1, LOADS):
            ws.load([did(f"p{number}", f"{FIRST + timedelta(days=number)}T12:00:00")])
        done.set()
        reader.join()
        assert ws.active_users(window=366).rows[-1]["active_users"] == LOADS
    assert torn == []
    assert len(seen) > 1


@pytest.mark.parametrize("place", range(7))
def test_a_load_in_the_midst_of_a_question_changes_nothing_of_its_answer(place: int) -> None:
    """Whichever of its reads the load comes after; the next question sees all of it."""
    with workspace(did("a", "2026-01-05T12:00:00")) as ws:
        question = ws.question("active_users", window=7, start="2026-01-05", where="plan is null")
        expected = ws.query(question)

        class Meanwhile(StateReads):
            """Reads, and lets somebody load after one of them."""

            left = place

            def on(self, snapshot: Snapshot) -> Read:
                read = super().on(snapshot)

                def reading(sql: str) -> list[tuple[Any, ...]]:
                    rows = read(sql)
                    if self.left == 0:
                        ws.load([did("b", "2026-01-06T12:00:00", "share")])
                    self.left -= 1
                    return rows

                return reading

        reads = Meanwhile()
        answers = [analyze(ws.engine, ws.settings, question, ws.now(), reads) for _ in range(2)]
        assert reads.left < 0
    assert answers[0] == expected
    assert column(answers[1], "active_users") == [1, 2]
    assert (answers[1].population["total"], answers[1].watermark) == (2, date(2026, 1, 6))


def test_a_question_sees_the_load_before_it() -> None:
    """Days, action types, names of attributes and properties, and the ledger, also when all were asked for before."""
    with workspace(did("a", "2026-01-05T12:00:00")) as ws:
        for _ in range(2):
            assert column(ws.active_users(start="2026-01-04"), "active_users") == [0, 1]
            with pytest.raises(UnknownNameError):
                ws.active_users(by="color")
            with pytest.raises(UnknownNameError):
                ws.active_users(by="user.team")
        ws.load([did("b", "2026-01-06T12:00:00", "payment_failed", color="red")])
        ws.load([did("b", "2026-01-07T12:00:00", "page_view")])
        ws.load([{"user_id": "b", "team": "x"}], kind="users")
        result = ws.active_users(start="2026-01-05")
        assert column(result, "active_users") == [1, 0, 1]
        assert (result.population["total"], result.watermark) == (2, date(2026, 1, 7))
        assert column(ws.active_users(by="user.team", start="2026-01-07"), "user.team") == ["x"]
        assert column(ws.active_users(by="color", activity="any", start="2026-01-06", end="2026-01-06"), "color") == [
            "red"
        ]


def test_snapshots_share_a_version_until_something_is_committed() -> None:
    """A load that fails commits nothing; while a commit runs, nobody can tell on which side of it a snapshot lies."""
    with workspace(did("a", "2026-01-05T12:00:00")) as ws:
        engine = ws.engine
        versions: list[int | None] = []

        def look() -> None:
            with engine.snapshot() as snapshot:
                versions.append(snapshot.version)

        def fail() -> None:
            with engine.transaction():
                look()
                engine.execute("SELECT no_such_column FROM dim_users")

        look()
        with pytest.raises(EngineError):
            fail()
        look()
        assert len(set(versions)) == 1

        execute = engine.execute

        def watched(sql: str, parameters: object = None) -> None:
            look()
            execute(sql, parameters)
            look()

        versions.clear()
        engine.execute = watched  # type: ignore[method-assign]  # the only way to stand beside a commit
        ws.rebuild()
        assert versions[-2:] == [None, None]
        assert set(versions[:-2]) == {versions[0]}
        assert versions[0] is not None
        look()
        assert versions[-1] not in versions[:-1]


def test_a_snapshot_keeps_its_rows_while_others_commit() -> None:
    """From its first moment on, even when it is read later."""
    with workspace(did("a", "2026-01-05T12:00:00")) as ws, ws.engine.snapshot() as snapshot:
        ws.load([did("b", "2026-01-06T12:00:00")])
        assert snapshot.query("SELECT count(*) FROM dim_users").rows == [(1,)]
        assert ws.engine.query("SELECT count(*) FROM dim_users").rows == [(2,)]
        with pytest.raises(EngineError, match="could not answer"):
            snapshot.query("SELECT nothing")


def test_state_is_read_once_per_version() -> None:
    """Never across two versions, nor where the version is unknown, and not without bound."""
    asked = itertools.count()

    def query(_: str) -> Table:
        return Table(("n",), [(next(asked),)])

    reads = StateReads()
    first, again = (reads.on(Snapshot(query, 2)) for _ in range(2))
    assert (first("a"), again("a")) == ([(0,)], [(0,)])
    later = reads.on(Snapshot(query, 4))
    assert (later("a"), first("a"), again("a"), later("a")) == ([(1,)], [(0,)], [(0,)], [(1,)])
    unknown, other = (reads.on(Snapshot(query)) for _ in range(2))
    assert (unknown("a"), unknown("a"), other("a")) == ([(2,)], [(2,)], [(3,)])
    for number in range(1000):
        assert later(str(number)) == [(4 + number,)]
    assert later("0") == [(1004,)]
