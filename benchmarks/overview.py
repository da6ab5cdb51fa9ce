"""W4: everything that an overview page asks, one tile after another, from a workspace opened to read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import regulars
from benchmarks.records import FEWEST_FOR_P95, Measurement, Part, Sample, Target
from benchmarks.turns import compare, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from regulars import Result, Workspace

PAGE_LOADS: Final = FEWEST_FOR_P95
FRESHNESS: Final = "freshness"
STORED: Final = "aggregates"
# Without a start and an end a metric answers for the last 90 days.
TILES: Final[dict[str, Callable[[Workspace, date], Result]]] = {
    "dau": lambda ws, _: ws.metric("dau"),
    "wau": lambda ws, _: ws.metric("wau"),
    "mau": lambda ws, _: ws.metric("mau"),
    "stickiness": lambda ws, _: ws.stickiness(),
    "new_vs_returning": lambda ws, _: ws.new_vs_returning(),
    "tiers": lambda ws, last: ws.tiers(averages=False, start=last, end=last),
    "at_risk": lambda ws, last: ws.tiers(with_risk=True, averages=False, start=last, end=last),
    "sessions": lambda ws, last: ws.sessions(start=last - timedelta(days=29), end=last),
}
_PAGE_SECONDS: Final = 0.15
_TILE_SECONDS: Final = 0.03


@dataclass(frozen=True)
class Page:
    """One load of the page: its answers, and the seconds of each tile."""

    last_day: date
    answers: Mapping[str, Result]
    seconds: Mapping[str, float]

    def source(self, tile: str) -> str:
        """The rows that a tile was answered from."""
        return self.answers[tile].source if tile in self.answers else "event_days"

    def rows_that_agree(self) -> int:
        """How many numbers of the page were found equal where two tiles show the same one; stops at a difference."""
        daily = {
            name: [(row["date"], row[column]) for row in self.answers[name].rows]
            for name, column in (("dau", "active_users"), ("mau", "active_users"), ("new_vs_returning", "active_users"))
        }
        ratio = self.answers["stickiness"].rows
        active = sum(row["users"] for row in self.answers["tiers"].rows if row["tier"] != "dormant")
        with_risk = sum(row["users"] for row in self.answers["at_risk"].rows if row["tier"] != "dormant")
        same: list[dict[str, list[Any]]] = [
            {
                "dau": daily["dau"],
                "new_vs_returning": daily["new_vs_returning"],
                "stickiness": [(row["date"], row["numerator"]) for row in ratio],
            },
            {"mau": daily["mau"], "stickiness": [(row["date"], row["denominator"]) for row in ratio]},
            {
                "mau": daily["mau"][-1:],
                "tiers": [(self.last_day, active)],
                "at_risk": [(self.last_day, with_risk)],
            },
        ]
        for tiles in same:
            compare(tiles)
        return sum(len(next(iter(tiles.values()))) for tiles in same)


def load_page(ws: Workspace) -> Page:
    """Ask how far the data reach, then every tile."""
    begun = time.perf_counter()
    last = ws.sql("SELECT max(day) AS day, max(last_timestamp) AS instant FROM event_days").rows[0][0]
    seconds, answers = {FRESHNESS: time.perf_counter() - begun}, {}
    for name, ask in TILES.items():
        begun = time.perf_counter()
        answers[name] = ask(ws, last)
        seconds[name] = time.perf_counter() - begun
    return Page(last, answers, seconds)


def measure_overview(workspace: Path, loads: int = PAGE_LOADS) -> Iterator[Measurement]:
    """W4: one load warms up and is checked, the others count."""
    with regulars.open(workspace, read_only=True) as ws:
        first = load_page(ws)
        rows = first.rows_that_agree()
        pages = [load_page(ws) for _ in range(loads)]
    samples = {name: Sample.of(name, [page.seconds[name] for page in pages]) for name in first.seconds}
    stored = [one for name, one in samples.items() if first.source(name) == STORED]
    others = [one for name, one in samples.items() if first.source(name) != STORED]
    whole = Sample.of("regulars", [sum(page.seconds.values()) for page in pages])
    say(f"  page: {whole.median:.4f} s, 95 % within {whole.p95} s")
    yield Measurement(
        "W4", "W4", f"overview page, {len(samples)} tiles one after another", "s", whole,
        target=Target("at most", _PAGE_SECONDS, "p95"), sense="at most", rows_compared=rows,
        parts=tuple(Part(name, first.source(name), one.median, one.p95) for name, one in samples.items()),
    )  # fmt: skip
    yield _slowest("W4.aggregates", "tile from aggregates", stored, Target("at most", _TILE_SECONDS))
    yield _slowest("W4.others", "tile from other rows", others, None)


def _slowest(id_: str, words: str, samples: Sequence[Sample], target: Target | None) -> Measurement:
    slowest = max(samples, key=lambda one: one.median)
    return Measurement(id_, "W4", f"slowest {words}: {slowest.name}", "s", slowest, target=target, sense="at most")
