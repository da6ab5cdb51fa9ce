"""W10: what it takes to be there: memory of an idle server, its start, and the start of the command line."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from benchmarks.records import Measurement, Sample, Target
from benchmarks.served import served
from benchmarks.turns import say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.dataset import Size

_IDLE_SECONDS: Final = 2
_COMMANDS: Final = {
    "help": ("regulars --help", ("-m", "regulars", "--help"), 0.15),
    "import": ("import regulars", ("-c", "import regulars"), 0.1),
}


def measure_starting(size: Size, workspace: Path, runs: int) -> Iterator[Measurement]:
    """Everything of W10, on a workspace with a history; commands as a shell sees them."""
    say("W10")
    runs = 1 if size.name == "XS" else runs
    starts, sizes = zip(*(_serve(size, workspace) for _ in range(runs)), strict=True)
    memory, start = Sample.of("regulars", sizes), Sample.of("regulars", starts)
    yield Measurement("W10.memory", "W10", "memory of all processes of an idle server", "MiB", memory,
                      target=Target("at most", 300))  # fmt: skip
    yield Measurement("W10.start", "W10", "from `regulars serve` to the first answer", "s", start,
                      target=Target("at most", 2))  # fmt: skip
    for name, (what, command, limit) in _COMMANDS.items():
        times = [_seconds(*command) for _ in range(runs)]
        yield Measurement(
            f"W10.{name}", "W10", what, "s", Sample.of("regulars", times), target=Target("at most", limit)
        )


def _serve(size: Size, workspace: Path) -> tuple[float, float]:
    """Seconds to the first answer, and the memory a while after it."""
    begun = time.perf_counter()
    with served(workspace) as server:
        server.ask({"metric": "active_users", "range": {"start": size.last_day, "end": size.last_day}})
        seconds = time.perf_counter() - begun
        time.sleep(_IDLE_SECONDS)
        return seconds, server.memory()


def _seconds(*arguments: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)  # noqa: S603 -- our own
    return time.perf_counter() - begun
