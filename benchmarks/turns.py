"""Contenders take turns at the same work; times are only quoted after their rows were found equal."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.records import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Row = tuple[Any, ...]
SLOW_SECONDS: Final = 20.0
SLOW_RUNS: Final = 3
# The processes of one run share its beginning.
_STARTED: Final = float(os.environ.setdefault("REGULARS_BENCHMARK_STARTED", str(time.time())))


class RowsDifferError(Exception):
    """Two contenders gave different rows, so their times must not be compared."""


@dataclass(frozen=True)
class Contender:
    """Somebody who can do the work: ``work`` is timed, ``rows`` brings what it gave into a comparable form."""

    name: str
    work: Callable[[], Any]
    rows: Callable[[Any], list[Row]]


def say(text: str) -> None:
    """Tell on stderr what is going on, with the seconds since the run began."""
    print(f"[{time.time() - _STARTED:7.1f} s] {text}", file=sys.stderr, flush=True)


def take_turns(contenders: Sequence[Contender], runs: int) -> tuple[dict[str, Sample], int]:
    """Compare the rows of all contenders, then time them in turns.

    The run that is compared warms the caches up and is not counted, unless it takes so long that warmth cannot
    matter; a contender that slow runs three times in all. Returns the times in seconds by name, and how many rows
    were compared.
    """
    times: dict[str, list[float]] = {one.name: [] for one in contenders}
    wanted, found = dict.fromkeys(times, runs), {}
    for one in contenders:
        seconds, given = _timed(one.work)
        say(f"  {one.name}: {seconds:.3f} s to compare rows")
        found[one.name] = one.rows(given)
        if seconds > SLOW_SECONDS:
            wanted[one.name] = min(runs, SLOW_RUNS)
            times[one.name].append(seconds)
    compare(found)
    for _ in range(runs):
        for one in contenders:
            if len(times[one.name]) < wanted[one.name]:
                times[one.name].append(_timed(one.work)[0])
    samples = {name: Sample.of(name, values) for name, values in times.items()}
    for sample in samples.values():
        say(f"  {sample.name}: {sample.median:.4f} s ({sample.min:.4f} to {sample.max:.4f}, {sample.runs} runs)")
    return samples, len(found[contenders[0].name])


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    given = work()
    return time.perf_counter() - begun, given


def compare(found: Mapping[str, list[Row]]) -> None:
    """Stop at the first row in which somebody differs from the one named first, and where there are no rows."""
    (first, expected), *others = found.items()
    if not expected:
        raise RowsDifferError(f"{first} gave no rows")
    for name, rows in others:
        for number, (own, other) in enumerate(zip(expected, rows, strict=False)):
            if own != other:
                raise RowsDifferError(f"row {number}: {first} gives {own}, {name} gives {other}")
        if len(rows) != len(expected):
            raise RowsDifferError(f"{first} gives {len(expected)} rows, {name} {len(rows)}")
