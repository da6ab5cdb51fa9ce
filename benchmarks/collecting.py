"""W7: how many events a server takes while it loads them and answers, and when they are counted."""

from __future__ import annotations

import datetime as dt
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.records import Measurement, Sample, Target
from benchmarks.served import Served, served
from benchmarks.turns import say
from benchmarks.worker import run_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.dataset import Size
    from benchmarks.records import Unit

RUNS: Final = 3
_ONCE: Final = 1000  # events of a request that brings the people
_LOOK_SECONDS: Final = 0.1
_PROBE_SECONDS: Final = 0.2
_PATIENCE: Final = 120
_MEMORY: Final = Target("at most", 500)


@dataclass(frozen=True)
class Load:
    """A kind of traffic: events per request, and what the target is in requests per second."""

    id: str
    what: str
    unit: Unit
    batch: int
    connections: int
    requests_per_second: float
    p99: float


_LOADS: Final = (
    Load("single", "single events, durable when answered", "requests/s", 1, 256, 10_000, 0.05),
    Load("batch", "batches of 50, durable when answered", "events/s", 50, 64, 2_000, 0.15),
)
VISIBLE_SECONDS: Final = 3


def measure_collecting(size: Size, workspace: Path, runs: int) -> Iterator[Measurement]:
    """Everything of W7, on a workspace with a history. Events stay in it."""
    seconds, people, runs = (0.5, 1_000, 1) if size.name == "XS" else (5.0, 20_000, min(runs, RUNS))
    with served(workspace) as server:
        _bring(server, people)
        for load in _LOADS:
            say(f"W7.{load.id}")
            found = [_send(server, load, seconds, people) for _ in range(runs)]
            yield _rate(load, found)
            times = Sample.of("regulars", [one["p99"] for one in found])
            yield Measurement(
                f"W7.{load.id}.p99", "W7", f"{load.what}: time that 99% do not exceed", "s", times,
                target=Target("at most", load.p99),
            )  # fmt: skip
            yield _visible(server, load, seconds, people)
        peaks = Sample.of("regulars", [max(server.peaks().values())])
        yield Measurement("W7.memory", "W7", "peak memory of the largest process of the server", "MiB", peaks,
                          target=_MEMORY)  # fmt: skip


def _bring(server: Served, people: int) -> None:
    """Let everybody be active today, so that the traffic changes no count of people."""
    for first in range(0, people, _ONCE):
        server.send(
            [{"user_id": f"user_{n:07d}", "event_type": "like"} for n in range(first, min(first + _ONCE, people))]
        )
    server.wait_until_drained()


def _send(server: Served, load: Load, seconds: float, people: int, rate: float | None = None) -> dict[str, Any]:
    """Traffic with one reader beside it; only what is kept may be answered."""
    with reading(server) as reader:
        found: dict[str, Any] = run_task(
            "traffic", address=server.collecting, seconds=seconds, connections=load.connections, batch=load.batch,
            users=people, rate=rate,
        )  # fmt: skip
    if set(found["status"]) != {"200"}:
        raise RuntimeError(f"the server refused some: {found['status']}")
    server.wait_until_drained()
    say(
        f"  {found['events'] / found['seconds']:,.0f} events/s, p99 {found['p99']:.3f} s, {len(reader.answers)} answers"
    )
    return found


def _rate(load: Load, found: list[dict[str, Any]]) -> Measurement:
    rates = Sample.of("regulars", [one["events"] / one["seconds"] for one in found])
    target = Target("at least", load.requests_per_second * load.batch)
    return Measurement(f"W7.{load.id}", "W7", load.what, load.unit, rates, target=target)


def _visible(server: Served, load: Load, seconds: float, people: int) -> Measurement:
    """From sending an event to the answer that counts it, at half the load that is the target."""
    rate = load.requests_per_second / 2
    with reading(server, probing=True) as reader:
        run_task(
            "traffic", address=server.collecting, seconds=seconds, connections=load.connections, batch=load.batch,
            users=people, rate=rate,
        )  # fmt: skip
    server.wait_until_drained()
    ordered = sorted(reader.delays())
    p99 = ordered[max(0, -(-99 * len(ordered) // 100) - 1)]
    say(f"  visible after {p99:.2f} s (99% of {len(ordered)})")
    what = f"from sending to being counted, at {rate * load.batch:,.0f} events/s: time that 99% do not exceed"
    return Measurement(
        f"W7.{load.id}.seen", "W7", what, "s", Sample.of("regulars", [p99]), target=Target("at most", VISIBLE_SECONDS)
    )


class Reader:
    """Asks for today's people all the time; when ``probing``, new people come one by one, and are waited for."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self._before = self._count()
        self._over, self._all_sent = threading.Event(), threading.Event()
        self._sent: list[float] = []
        self._seen: list[float] = []
        self.answers: list[float] = []

    def delays(self) -> list[float]:
        """Seconds from sending to seeing, of every person that came."""
        if len(self._seen) < len(self._sent):
            raise TimeoutError(f"only {len(self._seen)} of {len(self._sent)} people were counted")
        return [seen - sent for sent, seen in zip(self._sent, self._seen, strict=True)]

    def look(self) -> None:
        """Ask until told to stop, and until everybody was seen."""
        until = float("inf")
        while not self._over.is_set() or (len(self._seen) < len(self._sent) and time.perf_counter() < until):
            begun = time.perf_counter()
            found = self._count() - self._before - len(self._seen)
            now = time.perf_counter()
            self._seen += [now] * found
            self.answers.append(now - begun)
            if self._over.is_set():
                until = min(until, now + _PATIENCE)
            time.sleep(_LOOK_SECONDS)

    def probe(self) -> None:
        """Let new people come until told to stop."""
        name = f"probe-{time.time_ns()}"
        while not self._over.wait(_PROBE_SECONDS):
            begun = time.perf_counter()
            self._server.send([{"user_id": f"{name}-{len(self._sent)}", "event_type": "like"}])
            self._sent.append(begun)

    def stop(self) -> None:
        """End both."""
        self._over.set()

    def _count(self) -> int:
        today = dt.datetime.now(dt.UTC).date().isoformat()
        ((row),) = self._server.ask({"metric": "active_users", "range": {"start": today, "end": today}})
        return int(row["active_users"])


@contextmanager
def reading(server: Served, *, probing: bool = False) -> Iterator[Reader]:
    """A reader beside whatever is done inside."""
    reader = Reader(server)
    threads = [threading.Thread(target=work) for work in (reader.look, *([reader.probe] if probing else []))]
    for thread in threads:
        thread.start()
    try:
        yield reader
    finally:
        reader.stop()
        for thread in threads:
            thread.join()
