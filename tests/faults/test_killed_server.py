"""Nothing acknowledged is lost and nothing counts twice: a server whose processes are killed under load."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import regulars
from tests.faults.oracle import Ledger, Sender, person_and_day, settle
from tests.interfaces.servers import get, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.conftest import Scale
    from tests.interfaces.servers import Server

    Tell = Callable[[str, object], None]

SENDERS = 3
_UP = {200, 503}


def answers(url: str) -> bool:
    """Whether a process is up, well or ill."""
    try:
        return get(f"{url}/health")[0] in _UP
    except OSError:
        return False


def wait_for(server: Server, kind: str, *, running: bool = True) -> float:
    """Seconds until a process is there, or answers."""
    begun = time.monotonic()
    url = server.collecting if kind == "collector" else server.answering
    while kind not in server.children() or (running and not answers(url)):
        assert time.monotonic() - begun < 120, f"the {kind} did not come back: {server.errors.read_text()[-2000:]}"
        time.sleep(0.02)
    return time.monotonic() - begun


def kill(server: Server, *kinds: str) -> int:
    """Kill processes in one moment; returns how many were there to be killed."""
    killed = 0
    for kind, pid in server.children().items():
        if kind in kinds:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed


class Auditor(threading.Thread):
    """Looks again and again where every accepted event is; whenever it gets an answer, all are somewhere."""

    def __init__(self, server: Server, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.server, self.stopped, self.looks, self.gaps = server, stop, 0, []

    def run(self) -> None:
        """Until told to stop."""
        while not self.stopped.wait(0.1):
            with suppress(OSError, KeyError, ValueError):
                numbers = self.server.numbers()
                self.looks += 1
                if numbers["audit_adds_up"] != 1:
                    self.gaps.append(numbers)


def one_life(server: Server, chance: random.Random, kills: int, times: dict[str, list[float]]) -> int:
    """Kill the collector, the store, or both, while they start or when they run."""
    done = 0
    while done < kills:
        kinds = chance.choice([("collector",), ("store",), ("store",), ("collector", "store")])
        running = chance.random() < 0.6
        for kind in kinds:
            wait_for(server, kind, running=running)
        time.sleep(chance.uniform(0, 0.4))
        done += kill(server, *kinds)
        if chance.random() < 0.1:
            for kind in kinds:
                times[kind].append(wait_for(server, kind))
    return done


def assert_numbers_of(folder: Path) -> None:
    """Who was active on which day, computed by hand from the ids that are there."""
    with regulars.open(folder, read_only=True) as ws:
        people: dict[str, set[int]] = {}
        for (name,) in ws.sql("SELECT event_id FROM fact_user_actions").rows:
            person, day = person_and_day(name)
            people.setdefault(f"2026-01-{day:02}", set()).add(person)
        rows = ws.active_users(start="2026-01-01", end="2026-01-28").rows
    found = {str(row["date"]): row["active_users"] for row in rows if row["active_users"]}
    assert found == {day: len(them) for day, them in people.items()}


def test_nothing_is_lost_or_doubled_whatever_is_killed(tmp_path: Path, scale: Scale, record_property: Tell) -> None:
    """Collector, store, both, and the supervisor above them, under load; everything restarts by itself."""
    folder, chance = regulars.init(tmp_path / "shop"), random.Random(scale.seed)
    places: tuple[str, ...] = ()
    ledger, looks, kills = Ledger(), 0, 0
    times: dict[str, list[float]] = {"collector": [], "store": [], "server": []}
    for life in range(scale.server_lives):
        begun = time.monotonic()
        with serving(folder, *places) as server:
            times["server"].append(time.monotonic() - begun)
            places = ("--port", server.collecting.rpartition(":")[2], "--api-port", server.answering.rpartition(":")[2])
            stop = threading.Event()
            share = scale.events / scale.server_lives / SENDERS
            senders = [
                Sender(server.collecting, f"{life}{n}", scale.batch, stop, scale.pause, enough=share)
                for n in range(SENDERS)
            ]
            auditor = Auditor(server, stop)
            for thread in (*senders, auditor):
                thread.start()
            kills += one_life(server, chance, scale.server_kills // scale.server_lives, times)
            enough = scale.events * (life + 1) // scale.server_lives
            while len(ledger.acknowledged) + sum(len(sender.ledger.acknowledged) for sender in senders) < enough:
                assert all(sender.is_alive() for sender in senders), [sender.error for sender in senders]
                time.sleep(0.1)
            server.process.kill()  # its processes are left alone, and end
            kills += 1
            server.process.wait()
            stop.set()
            for sender in senders:
                ledger.add(sender.ended())
            auditor.join(20)
            assert auditor.gaps == []
            looks += auditor.looks
    with serving(folder, *places) as server:
        numbers = server.drained(1800)
        assert numbers["audit_adds_up"] == 1
        assert server.stop() == 0, server.errors.read_text()[-2000:]
    audit = settle(folder, ledger)
    assert audit.loaded >= len(ledger.acknowledged) >= scale.events
    assert looks > 0
    assert_numbers_of(folder)
    worst = {name: f"{max(found):.1f} s" for name, found in times.items() if found}
    record_property("kills", kills)
    record_property("acknowledged", len(ledger.acknowledged))
    record_property("audits", looks)
    record_property("longest restart", worst)
