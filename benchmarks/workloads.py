"""W1 to W3: rolling actives for every day of the log, whole and by country, against hand-written SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import regulars
from benchmarks import clickhouse_peer, duckdb_peer
from benchmarks.clickhouse_peer import clickhouse_with
from benchmarks.duckdb_peer import duckdb_with
from benchmarks.records import Measurement, Target
from benchmarks.turns import Contender, Row, say, take_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import duckdb
    from clickhouse_connect.driver.client import Client

    from benchmarks.dataset import Size
    from regulars import Result, Workspace

WINDOWS: Final = (1, 7, 28, 30)
COUNTRY_WINDOW: Final = 28
COUNTRIES_SHOWN: Final = 50
_WITHOUT_THE_USUAL_QUERY: Final = ("L",)  # estimated at ten minutes and more for each of its runs
_EVERY_DAY: Final = "rolling 1, 7, 28 and 30-day actives, every day"
_BY_COUNTRY: Final = f"rolling {COUNTRY_WINDOW}-day actives by country, every day"


@dataclass(frozen=True)
class Rolling:
    """The contenders of one size."""

    size: Size
    workspace: Workspace
    clickhouse: Client
    runs: int

    def every_day(self) -> Iterator[Measurement]:
        """W1: the target is held against the faster of two ways to ask ClickHouse."""
        best = self._windows("ClickHouse, explode stored user-days + uniqExact", clickhouse_peer.EXPLODE_USER_DAYS)
        usual = self._windows("ClickHouse, explode events + uniqExact", clickhouse_peer.EXPLODE_EVENTS)
        own, alone = self._own()
        found, rows = take_turns([own, alone, best], self.runs)
        yield Measurement(
            "W1", "W1", _EVERY_DAY, "s", found[own.name], found[best.name], Target("at least", 150), rows_compared=rows
        )
        what = f"{_EVERY_DAY}; engine alone"
        yield Measurement("W1.engine", "W1", what, "s", found[alone.name], found[best.name], rows_compared=rows)
        if self.size.name not in _WITHOUT_THE_USUAL_QUERY:
            # Apart from the others: right after it, the other query of the same engine takes twice as long.
            found, rows = take_turns([own, usual], self.runs)
            what = f"{_EVERY_DAY}; peer starts from events with text ids"
            yield Measurement("W1.usual", "W1", what, "s", found[own.name], found[usual.name], rows_compared=rows)

    def against_bitmaps(self) -> Iterator[Measurement]:
        """W2."""
        own, alone = self._own()
        bitmaps = self._windows("ClickHouse, stored daily bitmaps + groupBitmapMerge", clickhouse_peer.MERGE_BITMAPS)
        found, rows = take_turns([own, alone, bitmaps], self.runs)
        for id_, what, us, target in (
            ("W2", _EVERY_DAY, own, Target("at least", 3)),
            ("W2.engine", f"{_EVERY_DAY}; engine alone", alone, None),
        ):
            yield Measurement(id_, "W2", what, "s", found[us.name], found[bitmaps.name], target, rows_compared=rows)

    def by_country(self, duck: duckdb.DuckDBPyConnection) -> Iterator[Measurement]:
        """W3."""
        own = Contender("regulars", lambda: [self.ask(COUNTRY_WINDOW, "country")], rows_of_results)
        on_clickhouse, on_duckdb = (
            text.format(window=COUNTRY_WINDOW, last=self.size.last_day)
            for text in (clickhouse_peer.EXPLODE_BY_COUNTRY, duckdb_peer.EXPLODE_BY_COUNTRY)
        )
        peers = (
            Contender("ClickHouse, explode stored user-days + uniqExact",
                      lambda: self.clickhouse.query(on_clickhouse).result_rows, plain),
            Contender("DuckDB, explode stored user-days, distinct, count",
                      lambda: duck.execute(on_duckdb).fetchall(), plain),
        )  # fmt: skip
        found, rows = take_turns([own, *peers], self.runs)
        for id_, other in zip(("W3.clickhouse", "W3.duckdb"), peers, strict=True):
            us, them = found[own.name], found[other.name]
            yield Measurement(id_, "W3", _BY_COUNTRY, "s", us, them, Target("at least", 20), rows_compared=rows)

    def ask(self, window: int, *by: str) -> Result:
        """One question the way a caller asks it."""
        return self.workspace.active_users(
            window, by=by, start=self.size.first_day, end=self.size.last_day, activity="any", limit=COUNTRIES_SHOWN
        )

    def _own(self) -> tuple[Contender, Contender]:
        """The whole way from question to rows, and its last stretch, the statement in the engine."""
        engine, texts = self.workspace.engine, [self.ask(window).sql for window in WINDOWS]
        return (
            Contender("regulars", lambda: [self.ask(window) for window in WINDOWS], rows_of_results),
            Contender("regulars, engine alone", lambda: [engine.query(sql).rows for sql in texts], rows_of_windows),
        )

    def _windows(self, name: str, text: str) -> Contender:
        texts = [text.format(window=window, last=self.size.last_day) for window in WINDOWS]
        return Contender(name, lambda: [self.clickhouse.query(sql).result_rows for sql in texts], rows_of_windows)


def rows_of_results(results: Sequence[Result]) -> list[Row]:
    """Rows without their flags and without zeros, which hand-written SQL leaves out."""
    several = len(results) > 1
    rows = [
        (*([window] if several else []), *(value for name, value in row.items() if name != "flags"))
        for window, result in zip(WINDOWS, results, strict=False)
        for row in result.rows
        if row["active_users"]
    ]
    return sorted(rows)


def rows_of_windows(tables: Sequence[Sequence[Sequence[Any]]]) -> list[Row]:
    """Day and count of each window."""
    listed = ((w, row[0], row[1]) for w, table in zip(WINDOWS, tables, strict=True) for row in table)
    return sorted(row for row in listed if row[2])


def plain(table: Sequence[Sequence[Any]]) -> list[Row]:
    """Rows as they are."""
    return sorted(tuple(row) for row in table)


def measure_queries(size: Size, log: Path, folder: Path, wanted: Sequence[str], runs: int) -> Iterator[Measurement]:
    """Those of W1, W2 and W3 that are wanted, on the workspace that the import has left in the folder.

    The databases of the peers stay in ``peers``, which is there already.
    """
    peers = folder / "peers"
    with (
        regulars.open(folder / "workspace", read_only=True) as ws,
        clickhouse_with(log, peers / "clickhouse") as client,
    ):
        rolling = Rolling(size, ws, client, runs)
        work: dict[str, Callable[[], Iterator[Measurement]]] = {
            "W1": rolling.every_day,
            "W2": rolling.against_bitmaps,
            "W3": lambda: _by_country(rolling, log, peers),
        }
        for name, measure in work.items():
            if name in wanted:
                say(f"{name} on size {size.name}")
                yield from measure()


def _by_country(rolling: Rolling, log: Path, folder: Path) -> Iterator[Measurement]:
    with duckdb_with(log, folder) as connection:
        yield from rolling.by_country(connection)
