"""The file of a size: every measurement as it was last taken, and of which run it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

ORDER: Final = ("XS", "S", "M", "L")
_LOG: Final = ("size", "users", "days", "seed", "events")


def read_results(folder: Path) -> list[dict[str, Any]]:
    """The files of all sizes, in the order of size."""
    return [read_result(path) for size in ORDER if (path := folder / f"{size}.json").exists()]


def read_result(path: Path) -> dict[str, Any]:
    """The file of a size. One that holds a single run says so in the form of today: as a list of runs."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if "runs" not in found:
        whole = {"date": found["date"], "machine": found["machine"], "workloads": _workloads(found["measurements"])}
        found = {**_log_of(found), "runs": [whole], "measurements": found["measurements"]}
    return found


def merge_result(path: Path, log: dict[str, Any], run: dict[str, Any], measured: Sequence[dict[str, Any]]) -> None:
    """Put measurements in the place of those of the same workloads; the others of the same event log stay.

    Args:
        path: The file of the size.
        log: ``size``, ``users``, ``days``, ``seed`` and ``events``.
        run: ``date`` and ``machine``.
        measured: Measurements in their JSON form.
    """
    stored = read_result(path) if path.exists() else {}
    if _log_of(stored) != log:
        stored = {"runs": [], "measurements": []}
    fresh = _workloads(measured)
    kept = [one for one in stored["measurements"] if one["workload"] not in fresh]
    runs = _without(fresh, [*stored["runs"]])
    same = next((one for one in runs if one["date"] == run["date"] and one["machine"] == run["machine"]), None)
    if same is None:
        runs.append({**run, "workloads": fresh})
    else:
        same["workloads"] = sorted([*same["workloads"], *fresh], key=_number)
    measurements = sorted([*kept, *measured], key=lambda one: _number(one["workload"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**log, "runs": runs, "measurements": measurements}, indent=2) + "\n", encoding="utf-8")


def _without(workloads: Sequence[str], runs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    left = ({**run, "workloads": [one for one in run["workloads"] if one not in workloads]} for run in runs)
    return [run for run in left if run["workloads"]]


def _workloads(measurements: Iterable[dict[str, Any]]) -> list[str]:
    return sorted({one["workload"] for one in measurements}, key=_number)


def _number(workload: str) -> int:
    return int(workload.removeprefix("W"))


def _log_of(found: dict[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in _LOG if name in found}
