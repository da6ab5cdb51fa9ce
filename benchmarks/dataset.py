"""The event log of a size: written once, then found under its size and seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.data import DAYS, SIZES, START, write_bench_events
from benchmarks.turns import say

FOLDER: Final = Path(__file__).parent / "data"
SEED: Final = 7


@dataclass(frozen=True)
class Size:
    """How many users for how many days; ``XS`` is for the tests of the harness."""

    name: str
    users: int
    days: int = DAYS

    @property
    def first_day(self) -> str:
        """The first day of the log."""
        return START.isoformat()

    @property
    def last_day(self) -> str:
        """The last day of the log."""
        return START.fromordinal(START.toordinal() + self.days - 1).isoformat()


ALL_SIZES: Final = {"XS": Size("XS", 200, 40), **{name: Size(name, users) for name, users in SIZES.items()}}


def event_log(size: Size, folder: Path) -> Path:
    """The Parquet file of a size; written when it is not there yet."""
    path = folder / f"events-{size.name}-{SEED}.parquet"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        say(f"writing the event log {path.name}")
        rows = write_bench_events(path, size.users, size.days, SEED)
        say(f"wrote {rows:,} events")
    return path
