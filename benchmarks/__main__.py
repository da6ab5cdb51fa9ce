"""Measure Regulars against its peers: ``python -m benchmarks --size S``.

There is one JSON file per size. A run puts what it measured in the place of what the file had of the same workloads,
each as soon as it is there, and then writes the tables of all sizes into the documentation.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.imports import measure_import
from benchmarks.newday import measure_new_days
from benchmarks.report import write_table
from benchmarks.store import merge_result
from benchmarks.turns import say
from benchmarks.worker import run_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.dataset import Size

    Measured = list[dict[str, Any]]

_HERE: Final = Path(__file__).parent
_WORKLOADS: Final = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10", "W11")
_QUERIES: Final = ("W1", "W2", "W3")
_RETURNS: Final = ("W8", "W9")
_STREAM: Final = "W11"


def measure(size: Size, log: Path, wanted: Sequence[str], runs: int) -> Iterator[Measured]:
    """The wanted measurements of a size, piece by piece; what is built for them is gone afterwards."""
    if _STREAM in wanted:  # the only one without a workspace
        yield run_task("stream", size=size.name, log=str(log), runs=runs)
    if set(wanted) == {_STREAM}:
        return
    with tempfile.TemporaryDirectory(prefix="run-", dir=log.parent) as scratch:
        folder = Path(scratch)
        workspace, peers = folder / "workspace", folder / "peers"
        if "W5" in wanted:
            say(f"W5 on size {size.name}")
            yield [one.as_json() for one in measure_import(size, log, folder, runs, run_task)]
        else:
            say("importing the event log")
            run_task("import", log=str(log), to=str(workspace))
        if queries := [name for name in _QUERIES if name in wanted]:
            peers.mkdir()
            yield run_task("queries", size=size.name, log=str(log), folder=scratch, wanted=queries, runs=runs)
            shutil.rmtree(peers)
        if returns := [name for name in _RETURNS if name in wanted]:
            peers.mkdir()
            yield run_task("returns", size=size.name, log=str(log), folder=scratch, wanted=returns, runs=runs)
            shutil.rmtree(peers)
        if "W4" in wanted:
            say(f"W4 on size {size.name}")
            yield run_task("overview", workspace=str(workspace))
        if "W10" in wanted:
            yield run_task("starting", size=size.name, workspace=str(workspace), runs=runs)
        if "W6" in wanted:  # the last but one, because it loads into the workspace
            say(f"W6 on size {size.name}")
            yield [one.as_json() for one in measure_new_days(size, log, folder, runs, run_task)]
        if "W7" in wanted:  # the last, because it fills the present day
            say(f"W7 on size {size.name}")
            yield run_task("collecting", size=size.name, workspace=str(workspace), runs=runs)


def main() -> None:
    given = _arguments()
    from benchmarks.dataset import ALL_SIZES, SEED  # noqa: PLC0415 -- numpy, which --help can do without

    size = ALL_SIZES[given.size]
    log = run_task("log", size=size.name, folder=str(given.data.resolve()))
    about = {"size": size.name, "users": size.users, "days": size.days, "seed": SEED, "events": log["events"]}
    run = {"date": dt.datetime.now(dt.UTC).date().isoformat(), "machine": run_task("machine")}
    for measured in measure(size, Path(log["path"]), given.only, given.runs):
        merge_result(given.out / f"{size.name}.json", about, run, measured)
        for one in measured:
            print(_summary(one), flush=True)
    write_table(given.page, given.out)
    say(f"wrote {size.name}.json and the tables in {given.page.name}")


def _summary(one: dict[str, Any]) -> str:
    ratio = "" if one["ratio"] is None else f"  ratio {one['ratio']}"
    met = {None: "", True: "  target met", False: "  target NOT met"}[one["met"]]
    return f"{one['id']:<14} {one['regulars']['median']:.4f} {one['unit']}{ratio}{met}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Regulars against its peers.")
    parser.add_argument("--size", choices=("XS", "S", "M", "L"), default="S", help="S ~1 M, M ~14 M, L ~187 M events")
    parser.add_argument("--only", type=_workloads, default=_WORKLOADS, help=f"some of {','.join(_WORKLOADS)}")
    parser.add_argument("--runs", type=int, default=5, help="runs per contender; slow ones take 3")
    parser.add_argument("--out", type=Path, default=_HERE / "results", help="folder of the result files")
    parser.add_argument("--data", type=Path, default=_HERE / "data", help="folder of event logs and scratch")
    parser.add_argument(
        "--page", type=Path, default=_HERE.parent / "docs" / "performance.md", help="page with the table"
    )
    return parser.parse_args()


def _workloads(text: str) -> tuple[str, ...]:
    names = tuple(name.strip().upper() for name in text.split(","))
    if unknown := set(names) - set(_WORKLOADS):
        listed, known = ", ".join(sorted(unknown)), ", ".join(_WORKLOADS)
        raise argparse.ArgumentTypeError(f"no such workload: {listed}; there are {known}")
    return names


if __name__ == "__main__":
    main()
