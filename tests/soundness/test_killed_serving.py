"""A server that is told to end, and what is sent again: nothing is lost, and nothing counts twice.

Servers that are killed are in tests/faults.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

import regulars
from tests.faults.oracle import Ledger, Sender, settle
from tests.interfaces.servers import post, serving

if TYPE_CHECKING:
    from pathlib import Path


def test_a_server_that_is_told_to_end_answers_what_has_begun(tmp_path: Path) -> None:
    """SIGTERM under load, three times on one workspace: exit code 0, and everything acknowledged is in the database."""
    folder, ledger = regulars.init(tmp_path / "shop"), Ledger()
    for number in range(3):
        stop = threading.Event()
        with serving(folder, "--single-process") as server:
            sender = Sender(server.collecting, f"s{number}", 8, stop)
            sender.start()
            time.sleep(0.7)
            assert server.stop() == 0, server.errors.read_text()[-2000:]
        stop.set()
        ledger.add(sender.ended())
    assert settle(folder, ledger, anew=False).loaded >= len(ledger.acknowledged) > 0


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
