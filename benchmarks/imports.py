"""W5: importing the event log, against DuckDB's bare copy of the same file. Each run is a process of its own."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from benchmarks.records import Measurement, Sample, Target
from benchmarks.turns import RowsDifferError, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.dataset import Size

    Run = Callable[..., dict[str, Any]]

BARE: Final = "DuckDB, CREATE TABLE AS SELECT *"
MOST_RUNS: Final = {"M": 3, "L": 3}
_MEMORY_LIMIT: Final = "3GB"


def import_log(log: Path, workspace: Path) -> dict[str, Any]:
    """Import into a new workspace, closing it included."""
    import regulars  # noqa: PLC0415 -- the bare copy's process must not carry it

    regulars.init(workspace)
    begun = time.perf_counter()
    with regulars.open(workspace) as ws:
        rows = ws.load(log, timezone="UTC").loaded
    return {"seconds": time.perf_counter() - begun, "rows": rows, "peak_mib": peak_mib()}


def copy_log(log: Path, database: Path) -> dict[str, Any]:
    """Copy into a new DuckDB file, closing it included."""
    import duckdb  # noqa: PLC0415 -- imported by the process that needs it

    from benchmarks.machine import cores  # noqa: PLC0415 -- same

    begun = time.perf_counter()
    with duckdb.connect(str(database), config={"threads": cores(), "memory_limit": _MEMORY_LIMIT}) as connection:
        connection.execute(f"CREATE TABLE events AS SELECT * FROM '{log}'")
        rows = connection.execute("SELECT count(*) FROM events").fetchall()[0][0]
    return {"seconds": time.perf_counter() - begun, "rows": rows, "peak_mib": peak_mib()}


def peak_mib() -> float:
    """The most memory this process has held."""
    import resource  # noqa: PLC0415 -- POSIX only, like this benchmark

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def measure_import(size: Size, log: Path, folder: Path, runs: int, run: Run) -> Iterator[Measurement]:
    """Import and copy in turns; the workspace of the last run stays for the queries."""
    ours: list[dict[str, Any]] = []
    bare: list[dict[str, Any]] = []
    for number in range(min(runs, MOST_RUNS.get(size.name, runs))):
        shutil.rmtree(folder / "workspace", ignore_errors=True)
        ours.append(run("import", log=str(log), to=str(folder / "workspace")))
        bare.append(run("copy", log=str(log), to=str(folder / f"bare-{number}.duckdb")))
        (folder / f"bare-{number}.duckdb").unlink()
        say(f"  import {ours[-1]['seconds']:.2f} s, bare copy {bare[-1]['seconds']:.2f} s")
        if ours[-1]["rows"] != bare[-1]["rows"]:
            raise RowsDifferError(f"imported {ours[-1]['rows']} rows, copied {bare[-1]['rows']}")
    rows = ours[-1]["rows"]
    yield Measurement(
        "W5", "W5", f"import of {rows:,} events from Parquet into a file workspace", "s",
        Sample.of("regulars", [one["seconds"] for one in ours]), Sample.of(BARE, [one["seconds"] for one in bare]),
        Target("at most", 3), "at most", rows,
    )  # fmt: skip
    yield Measurement(
        "W5.memory", "W5", "peak memory of the importing process", "MiB",
        Sample.of("regulars", [one["peak_mib"] for one in ours]), None, Target("at most", 4096), "at most",
    )  # fmt: skip
