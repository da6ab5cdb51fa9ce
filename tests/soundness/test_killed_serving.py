"""Nothing acknowledged is lost, and nothing counts twice: processes killed under load, and an oracle of ids."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import regulars
from tests.interfaces.servers import get, post, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.interfaces.servers import Server

KILLS = 20
SENDERS = 3


class Sender(threading.Thread):
    """Sends batches with ids, sometimes one again, and keeps the ids by what it was told about them."""

    def __init__(self, server: Server, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.server, self.number, self.stop_sending = server, number, stop
        self.chance = random.Random(number)
        self.acknowledged: set[str] = set()
        self.unknown: set[str] = set()
        self.refused: set[str] = set()

    def run(self) -> None:
        """Until told to stop."""
        host, port = self.server.collecting.removeprefix("http://").split(":")
        count = 0
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        while not self.stop_sending.wait(0.004):
            ids = [f"s{self.number}-{count}-{n}" for n in range(self.chance.randint(1, 8))]
            count += 1
            if self.acknowledged and self.chance.random() < 0.1:
                ids.append(self.chance.choice(ids))  # twice in one batch
            if self.unknown and self.chance.random() < 0.5:
                ids += list(self.unknown)[:5]  # again, in another batch
            events = [self.event(event_id) for event_id in ids]
            bad = f"bad{self.number}-{count}"
            events.insert(self.chance.randint(0, len(events)), {"event_id": bad, "event_type": "like"})
            self.refused.add(bad)
            try:
                connection.request("POST", "/v1/batch", json.dumps({"events": events}))
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self.unknown |= set(ids) - self.acknowledged
                time.sleep(0.02)
                continue
            assert response.status in {200, 503}
            if response.status == 200:
                self.acknowledged |= set(ids)
                self.unknown -= set(ids)
        connection.close()

    def event(self, event_id: str) -> dict[str, object]:
        """The same event for the same id, always."""
        chance = random.Random(event_id)
        day = chance.randint(1, 28)
        return {"event_id": event_id, "user_id": f"u{chance.randint(1, 50)}", "event_type": "like",
                "timestamp": f"2026-01-{day:02}T10:00:00Z"}  # fmt: skip


def _kill(server: Server, kind: str, *, running: bool) -> None:
    """Kill a process, while it is starting or when it is ``running``."""
    until = time.monotonic() + 20
    url = server.collecting if kind == "collector" else server.answering
    while kind not in server.children() or (running and not _answers(url)):
        assert time.monotonic() < until, f"the {kind} process did not come back"
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.kill(server.children()[kind], signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        return get(f"{url}/health")[0] in {200, 503}
    except OSError:
        return False


def test_no_acknowledged_event_is_lost_or_counted_twice_whatever_is_killed(tmp_path: Path) -> None:
    folder = regulars.init(tmp_path / "shop")
    chance = random.Random(7)
    with serving(folder) as server:
        stop = threading.Event()
        senders = [Sender(server, number, stop) for number in range(SENDERS)]
        for sender in senders:
            sender.start()
        for number in range(KILLS):
            time.sleep(chance.uniform(0.02, 0.5))
            _kill(server, "collector" if number % 2 else "store", running=number % 4 != 0)
        time.sleep(0.5)
        stop.set()
        for sender in senders:
            sender.join(20)
            assert not sender.is_alive()
        numbers = server.drained(60)
        assert numbers["audit_adds_up"] == 1
        assert server.stop() == 0, server.errors.read_text()[-2000:]
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    unknown = set().union(*(sender.unknown for sender in senders)) - acknowledged
    refused = set().union(*(sender.refused for sender in senders))
    assert len(acknowledged) > 200
    with regulars.open(folder, read_only=True) as ws:
        ids = [row[0] for row in ws.sql("SELECT event_id FROM fact_user_actions").rows]
        assert len(ids) == len(set(ids))
        stored = set(ids)
        assert not acknowledged - stored
        assert not stored - acknowledged - unknown
        assert not stored & refused
        # The numbers are those of the ids, computed by hand.
        people: dict[str, set[object]] = {}
        for event_id in stored:
            event = senders[0].event(event_id)
            people.setdefault(str(event["timestamp"])[:10], set()).add(event["user_id"])
        rows = ws.active_users(start="2026-01-01", end="2026-01-28").rows
        assert {str(row["date"]): row["active_users"] for row in rows if row["active_users"]} == {
            day: len(found) for day, found in people.items()
        }


def test_a_server_that_is_told_to_end_answers_what_has_begun(tmp_path: Path) -> None:
    """SIGTERM under load, three times on one workspace: exit code 0, and everything acknowledged is in the database."""
    folder = regulars.init(tmp_path / "shop")
    acknowledged: set[str] = set()
    for number in range(3):
        stop = threading.Event()
        with serving(folder, "--single-process") as server:
            sender = Sender(server, number, stop)
            sender.start()
            time.sleep(0.7)
            assert server.stop() == 0, server.errors.read_text()[-2000:]
        stop.set()
        sender.join(20)
        assert not sender.is_alive()
        acknowledged |= sender.acknowledged
    with regulars.open(folder, read_only=True) as ws:
        ids = [row[0] for row in ws.sql("SELECT event_id FROM fact_user_actions").rows]
    assert len(ids) == len(set(ids))
    assert acknowledged
    assert acknowledged <= set(ids)


def test_batches_sent_again_shuffled_and_cut_anew_give_the_same_numbers(tmp_path: Path) -> None:
    """As often as one likes, with another time of sending: the metrics are those of sending each event once."""
    chance = random.Random(3)
    events = [
        {"event_id": f"e{n}", "user_id": f"u{chance.randint(1, 40)}", "event_type": chance.choice(["like", "share"]),
         "timestamp": f"2026-02-{chance.randint(1, 20):02}T{chance.randint(0, 23):02}:00:00Z"} for n in range(600)
    ]  # fmt: skip
    with regulars.open() as once:
        once.load(events)
        expected = [
            once.metric(name, start="2026-02-01", end="2026-02-20").rows for name in ("dau", "wau", "lifecycle")
        ]
    folder = regulars.init(tmp_path / "shop")
    with serving(folder, "--single-process") as server:
        for _ in range(3):
            shuffled = chance.sample(events, len(events))
            while shuffled:
                size = chance.randint(1, 100)
                batch, shuffled = shuffled[:size], shuffled[size:]
                assert post(f"{server.collecting}/v1/batch", {"events": batch})[1]["accepted"] == len(batch)
        numbers = server.drained()
        assert (numbers["events_accepted"], numbers["events_loaded"], numbers["events_duplicates"]) == (1800, 600, 1200)
        assert server.stop() == 0
    with regulars.open(folder, read_only=True) as ws:
        found = [ws.metric(name, start="2026-02-01", end="2026-02-20").rows for name in ("dau", "wau", "lifecycle")]
    without_flags = [[{k: v for k, v in row.items() if k != "flags"} for row in rows] for rows in expected]
    assert [[{k: v for k, v in row.items() if k != "flags"} for row in rows] for rows in found] == without_flags
