"""W6: one new day after a year of history, against computing everything derived anew.

The days that follow the log are loaded one by one: some as they are, some with a part of their events late. Each is
new to the workspace, so there are as many runs as days and no copies of a database that may fill the disk. The days of
the first kind also go into a workspace with a quarter of the history. Each load is a process of its own.
"""

from __future__ import annotations

import shutil
import time
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.records import Measurement, Sample, Target
from benchmarks.turns import SLOW_RUNS, SLOW_SECONDS, RowsDifferError, compare, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.dataset import Size
    from regulars import Workspace
    from regulars.domain.schema import Table

    Run = Callable[..., Any]

LATE_SHARE: Final = 0.01
SHORT_HISTORY: Final = 90
REBUILD: Final = "regulars, everything derived anew"
_SECONDS: Final = 0.5


def short_history(size: Size) -> int:
    """Days in the smaller workspace: 90 of a year."""
    return min(SHORT_HISTORY, size.days // 4)


def write_new_days(size: Size, log: Path, folder: Path, count: int) -> dict[str, Any]:
    """The days after the log, first those in time and then those with late events, and the log's own last days."""
    import duckdb  # noqa: PLC0415 -- every task imports what its own process needs

    from benchmarks.data import write_bench_events  # noqa: PLC0415 -- same
    from benchmarks.dataset import SEED  # noqa: PLC0415 -- same

    paths = {kind: [folder / f"{kind}-{number}.parquet" for number in range(count)] for kind in ("new", "late")}
    with duckdb.connect() as connection:
        first_key = 1 + connection.execute(f"SELECT count(*) FROM '{log}'").fetchall()[0][0]
        for number, path in enumerate([*paths["new"], *paths["late"]]):
            day = size.days + number
            first_key += write_bench_events(path, size.users, 1, SEED, first_day=day, first_key=first_key)
        for path in paths["late"]:
            _make_late(connection, path, size.days - 1)
        history = folder / "history.parquet"
        connection.execute(
            f"""COPY (
  SELECT * FROM '{log}' WHERE event_time >= DATE '{size.last_day}' - {short_history(size) - 1}
) TO '{history}' (FORMAT parquet)"""
        )
    return {"history": str(history), **{kind: [str(path) for path in found] for kind, found in paths.items()}}


def _make_late(connection: Any, path: Path, most_days: int) -> None:
    """Move one event in a hundred back by a whole number of days, spread over the history; their place stays."""
    on_time = path.with_suffix(".on_time.parquet")
    path.rename(on_time)
    connection.execute(
        f"""COPY (
  SELECT * EXCLUDE (place, turn) REPLACE (
    CASE WHEN turn <= ceil({LATE_SHARE} * count(*) OVER ()) THEN event_time - to_days(
      CAST(1 + hash(event_id, 'days') % {most_days} AS INTEGER)) ELSE event_time END AS event_time)
  FROM (
    SELECT *, row_number() OVER () AS place, row_number() OVER (ORDER BY hash(event_id)) AS turn FROM '{on_time}'
  ) ORDER BY place
) TO '{path}' (FORMAT parquet)"""
    )
    on_time.unlink()


def load_day(log: Path, workspace: Path) -> dict[str, Any]:
    """Load one day, closing the workspace included, and tell what its refresh took of that."""
    import regulars  # noqa: PLC0415 -- every task imports what its own process needs

    seconds = _timed("refresh")
    begun = time.perf_counter()
    with regulars.open(workspace) as ws:
        report = ws.load(log, timezone="UTC")
    load = time.perf_counter() - begun
    if report.loaded != report.rows_read:
        raise RowsDifferError(f"{log.name} has {report.rows_read} events, {report.loaded} of them new")
    return {"load": load, "refresh": seconds["refresh"], "rows": report.loaded}


def rebuild(workspace: Path) -> dict[str, Any]:
    """Compute everything derived anew; the rows before and after it are for comparison."""
    import regulars  # noqa: PLC0415 -- same

    seconds = _timed("rebuild")
    with regulars.open(workspace) as ws:
        before = derived_rows(ws)
        ws.rebuild()
        return {"rebuild": seconds["rebuild"], "before": before, "after": derived_rows(ws)}


def _timed(name: str) -> dict[str, float]:
    """Have ``refresh`` or ``rebuild`` timed wherever a load calls it; the seconds appear when it is done.

    Both run inside a transaction that begins and ends in :mod:`regulars.application.load`. That module finds them among
    its own names, so replacing the name there, in this process, takes the time of the very call that a load makes.
    """
    from regulars.application import load  # noqa: PLC0415 -- same

    seconds: dict[str, float] = {}
    work = getattr(load, name)

    @wraps(work)
    def timing(*given: Any, **named: Any) -> None:
        begun = time.perf_counter()
        work(*given, **named)
        seconds[name] = time.perf_counter() - begun

    setattr(load, name, timing)
    return seconds


def derived_rows(ws: Workspace) -> list[tuple[str, int, str]]:
    """Each derived table with its number of rows and a checksum that does not depend on their order."""
    from regulars.domain.schema import DIM_IDENTITIES, DIM_USERS, TABLES  # noqa: PLC0415 -- same

    derived = [table for table in TABLES if table.role == "derived" or table in {DIM_USERS, DIM_IDENTITIES}]
    return [(table.name, *ws.engine.query(_checksum(table)).rows[0]) for table in derived]


def _checksum(table: Table) -> str:
    # Sums of numbers with a fraction depend on the order of adding in their last digits.
    columns = (f"round({one.name}, 6)" if one.type == "double" else one.name for one in table.columns)
    return f"SELECT count(*), CAST(sum(hash({', '.join(columns)})) AS VARCHAR) FROM {table.name}"


def measure_new_days(size: Size, log: Path, folder: Path, runs: int, run: Run) -> Iterator[Measurement]:
    """Load the days in turns, then rebuild what they were loaded into; the workspace is changed by that."""
    given = run("new_days", size=size.name, log=str(log), folder=str(folder), count=runs)
    year, short = folder / "workspace", folder / "short"
    run("import", log=given["history"], to=str(short))
    Path(given["history"]).unlink()
    on_year, on_short = [], []
    for day in given["new"]:
        on_year.append(_loaded(run, day, year))
        on_short.append(_loaded(run, day, short))
    shutil.rmtree(short)
    late = [_loaded(run, day, year) for day in given["late"]]
    rebuilds, rows = _rebuilt(run, year, runs)

    refresh = _sample("regulars", on_year, "refresh")
    what = f"refresh of one new day on {size.days} days of history"
    yield Measurement(
        "W6", "W6", what, "s", refresh, rebuilds, Target("at most", 0.01, or_at_most=_SECONDS), "at most", rows
    )
    yield Measurement(
        "W6.late", "W6", f"{what}, {LATE_SHARE:.0%} of its events late", "s", _sample("regulars", late, "refresh"),
        rebuilds, Target("at most", 0.03, or_at_most=_SECONDS), "at most", rows,
    )  # fmt: skip
    shorter = _sample(f"regulars, the same days on {short_history(size)} days of history", on_short, "refresh")
    yield Measurement("W6.history", "W6", what, "s", refresh, shorter, Target("at most", 1.5), "at most")
    what = f"the whole load of one new day, {on_year[-1]['rows']:,} events"
    yield Measurement("W6.load", "W6", what, "s", _sample("regulars", on_year, "load"))


def _loaded(run: Run, day: str, workspace: Path) -> dict[str, Any]:
    found: dict[str, Any] = run("load_day", log=day, workspace=str(workspace))
    say(f"  {Path(day).stem} into {workspace.name}: {found['load']:.2f} s, refresh {found['refresh']:.3f} s of it")
    return found


def _rebuilt(run: Run, workspace: Path, runs: int) -> tuple[Sample, int]:
    seconds: list[float] = []
    rows, wanted = 0, runs
    while len(seconds) < wanted:
        found = run("rebuild", workspace=str(workspace))
        before, after = ([tuple(row) for row in found[name]] for name in ("before", "after"))
        compare({"days loaded one by one": before, "everything derived anew": after})
        seconds.append(found["rebuild"])
        rows = sum(count for _, count, _ in after)
        say(f"  rebuild: {seconds[-1]:.2f} s, {rows:,} derived rows equal")
        if seconds[0] > SLOW_SECONDS:
            wanted = min(runs, SLOW_RUNS)
    return Sample.of(REBUILD, seconds), rows


def _sample(name: str, runs: list[dict[str, Any]], what: str) -> Sample:
    return Sample.of(name, [one[what] for one in runs])
