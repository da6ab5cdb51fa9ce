"""One task in a process of its own: ``python -m benchmarks.worker TASK JSON`` prints its result as JSON.

So a peak of memory belongs to one task, and every engine is opened once per process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.imports import copy_log, import_log
from benchmarks.machine import describe_machine
from benchmarks.newday import load_day, rebuild, write_new_days
from benchmarks.traffic import send_traffic

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    task, given = sys.argv[1], json.loads(sys.argv[2])
    print(json.dumps(_TASKS[task](**given)))


def run_task(task: str, **given: Any) -> Any:
    """Run a task in a new process and return its result."""
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "benchmarks.worker", task, json.dumps(given)]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, check=True, text=True)  # noqa: S603 -- our own
    return json.loads(done.stdout)


def _queries(size: str, log: str, folder: str, wanted: list[str], runs: int) -> list[dict[str, Any]]:
    from benchmarks.dataset import ALL_SIZES  # noqa: PLC0415 -- numpy would count as the importing process's memory
    from benchmarks.workloads import measure_queries  # noqa: PLC0415 -- same

    found = measure_queries(ALL_SIZES[size], Path(log), Path(folder), wanted, runs)
    return [one.as_json() for one in found]


def _returns(size: str, log: str, folder: str, wanted: list[str], runs: int) -> list[dict[str, Any]]:
    from benchmarks.dataset import ALL_SIZES  # noqa: PLC0415 -- same
    from benchmarks.returns import measure_returns  # noqa: PLC0415 -- same

    return [one.as_json() for one in measure_returns(ALL_SIZES[size], Path(log), Path(folder), wanted, runs)]


def _stream(size: str, log: str, runs: int) -> list[dict[str, Any]]:
    from benchmarks.dataset import ALL_SIZES  # noqa: PLC0415 -- same
    from benchmarks.stream import measure_stream  # noqa: PLC0415 -- same

    return [one.as_json() for one in measure_stream(ALL_SIZES[size], Path(log), runs)]


def _overview(workspace: str) -> list[dict[str, Any]]:
    from benchmarks.overview import measure_overview  # noqa: PLC0415 -- same

    return [one.as_json() for one in measure_overview(Path(workspace))]


def _collecting(size: str, workspace: str, runs: int) -> list[dict[str, Any]]:
    from benchmarks.collecting import measure_collecting  # noqa: PLC0415 -- it starts tasks itself
    from benchmarks.dataset import ALL_SIZES  # noqa: PLC0415 -- same

    return [one.as_json() for one in measure_collecting(ALL_SIZES[size], Path(workspace), runs)]


def _starting(size: str, workspace: str, runs: int) -> list[dict[str, Any]]:
    from benchmarks.dataset import ALL_SIZES  # noqa: PLC0415 -- same
    from benchmarks.starting import measure_starting  # noqa: PLC0415 -- same

    return [one.as_json() for one in measure_starting(ALL_SIZES[size], Path(workspace), runs)]


def _new_days(size: str, log: str, folder: str, count: int) -> dict[str, Any]:
    from benchmarks.dataset import ALL_SIZES  # noqa: PLC0415 -- same

    return write_new_days(ALL_SIZES[size], Path(log), Path(folder), count)


def _log(size: str, folder: str) -> dict[str, Any]:
    import duckdb  # noqa: PLC0415 -- same

    from benchmarks.dataset import ALL_SIZES, event_log  # noqa: PLC0415 -- same

    path = event_log(ALL_SIZES[size], Path(folder))
    return {"path": str(path), "events": duckdb.execute(f"SELECT count(*) FROM '{path}'").fetchall()[0][0]}


_TASKS: Final[dict[str, Callable[..., Any]]] = {
    "machine": describe_machine,
    "log": _log,
    "import": lambda log, to: import_log(Path(log), Path(to)),
    "copy": lambda log, to: copy_log(Path(log), Path(to)),
    "queries": _queries,
    "returns": _returns,
    "stream": _stream,
    "overview": _overview,
    "collecting": _collecting,
    "starting": _starting,
    "traffic": send_traffic,
    "new_days": _new_days,
    "load_day": lambda log, workspace: load_day(Path(log), Path(workspace)),
    "rebuild": lambda workspace: rebuild(Path(workspace)),
}

if __name__ == "__main__":
    main()
