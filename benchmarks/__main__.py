"""Measure Regulars against its peers: ``python -m benchmarks --size S``.

Every run writes one JSON file per size and puts the table of all sizes into the documentation.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.imports import measure_import
from benchmarks.report import write_result, write_table
from benchmarks.turns import say
from benchmarks.worker import run_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.dataset import Size

_HERE: Final = Path(__file__).parent
_WORKLOADS: Final = ("W1", "W2", "W3", "W5")
_QUERIES: Final = ("W1", "W2", "W3")


def measure(size: Size, log: Path, wanted: Sequence[str], runs: int) -> list[dict[str, Any]]:
    """All wanted measurements of a size; what is built for them is gone afterwards."""
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="run-", dir=log.parent) as scratch:
        folder = Path(scratch)
        if "W5" in wanted:
            say(f"W5 on size {size.name}")
            found = [one.as_json() for one in measure_import(size, log, folder, runs, run_task)]
        queries = [name for name in _QUERIES if name in wanted]
        if queries:
            if "W5" not in wanted:
                say("importing the event log, for the queries")
                run_task("import", log=str(log), to=str(folder / "workspace"))
            found = [
                *run_task("queries", size=size.name, log=str(log), folder=scratch, wanted=queries, runs=runs),
                *found,
            ]
    return found


def main() -> None:
    given = _arguments()
    from benchmarks.dataset import ALL_SIZES, SEED  # noqa: PLC0415 -- numpy, which --help can do without

    size = ALL_SIZES[given.size]
    log = run_task("log", size=size.name, folder=str(given.data.resolve()))
    measurements = measure(size, Path(log["path"]), given.only, given.runs)
    head = {
        "size": size.name, "users": size.users, "days": size.days, "seed": SEED, "events": log["events"],
        "date": dt.datetime.now(dt.UTC).date().isoformat(), "machine": run_task("machine"),
    }  # fmt: skip
    write_result(given.out / f"{size.name}.json", head, measurements)
    write_table(given.page, given.out)
    say(f"wrote {size.name}.json and the table in {given.page.name}")
    for one in measurements:
        ratio = "" if one["ratio"] is None else f"  ratio {one['ratio']}"
        met = {None: "", True: "  target met", False: "  target NOT met"}[one["met"]]
        print(f"{one['id']:<14} {one['regulars']['median']:.4f} {one['unit']}{ratio}{met}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Regulars against its peers.")
    parser.add_argument("--size", choices=("XS", "S", "M", "L"), default="S", help="S ~1 M, M ~14 M, L ~187 M events")
    parser.add_argument("--only", type=_workloads, default=_WORKLOADS, help="some of W1,W2,W3,W5")
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
        raise argparse.ArgumentTypeError(f"no such workload: {', '.join(sorted(unknown))}; there are W1, W2, W3, W5")
    return names


if __name__ == "__main__":
    main()
