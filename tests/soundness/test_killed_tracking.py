"""A process that tracks is killed, again and again: whatever it acknowledged is in the database exactly once."""

import random
import signal
import subprocess
import sys
import threading
import time

import regulars
from regulars.infrastructure.operational.sqlite import JOURNAL_NAME
from tests.application.test_refresh import derived
from tests.interfaces.cli import environment

KILLS = 12
THREADS = 8
# Eight threads track, every second event without an id of its own; two ask now and then, so that draining is under
# way when the end comes. An id is printed when `track` has returned: that is the promise.
TRACKER = """
import itertools, sys, threading
import regulars
folder, life = sys.argv[1], sys.argv[2]
ws = regulars.open(folder)
out = threading.Lock()

def track(name):
    for n in itertools.count():
        own = f"{life}-{name}-{n}" if n % 2 else None
        mark = f"{life}-{name}-{n}"
        found = ws.track(f"u{n % 5}", "like", event_id=own, properties={"mark": mark},
                         timestamp=f"2026-01-0{1 + n % 7}T09:00:00Z")
        with out:
            sys.stdout.write(f"{found} {mark}\\n")
            sys.stdout.flush()

def ask():
    while True:
        ws.sql("SELECT count(*) FROM fact_user_actions")

for name in range(THREADS):
    threading.Thread(target=track, args=[name]).start()
threading.Thread(target=ask).start()
""".replace("THREADS", str(THREADS))
STORED = "SELECT event_id, json_extract_string(action_metadata, '/mark') AS mark FROM fact_user_actions"


def live_and_die(folder, life, seconds, program=TRACKER):
    """Let a process track for a while after its first event, kill it, and return what it acknowledged."""
    child = subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-c", program, str(folder), str(life)],
        env=environment(), stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    assert child.stdout is not None
    killer = threading.Timer(seconds, child.send_signal, [signal.SIGKILL])
    lines = []
    with child:
        for n, line in enumerate(child.stdout):
            if n == 0:
                killer.start()
            lines.append(line)
    assert child.returncode == -signal.SIGKILL, lines[-3:]
    # The last line may have been cut off; then nobody was told.
    return [tuple(line.split()) for line in lines if line.endswith("\n")]


def exactly_once(folder, acknowledged):
    with regulars.open(folder) as ws:
        rows = ws.sql(STORED).rows
        audit = ws.journal_audit()
        found = derived(ws)
        ws.rebuild()
        assert derived(ws) == found
    marks = [mark for _, mark in rows]
    assert len(marks) == len(set(marks)), "something is there twice"
    assert set(acknowledged) - set(rows) == set(), "something that was acknowledged is not there"
    assert audit.adds_up
    assert audit.backlog == audit.dead_letter == audit.duplicates == 0
    # Whatever else is there was on its way when the end came: one event per thread and life at most.
    assert len(rows) - len(acknowledged) <= THREADS * KILLS
    return audit


def test_events_outlive_a_process_that_is_killed_at_any_moment(tmp_path):
    folder = regulars.init(tmp_path / "shop")
    chance = random.Random(4)
    acknowledged = []
    for life in range(KILLS):
        found = live_and_die(folder, life, chance.uniform(0.02, 0.6))
        assert found
        acknowledged += found
    audit = exactly_once(folder, acknowledged)
    assert audit.accepted >= len(acknowledged)


def test_eight_threads_lose_and_double_nothing(tmp_path):
    folder = regulars.init(tmp_path / "shop")
    told = []
    with regulars.open(folder) as ws:

        def track(name):
            told.extend((ws.track(f"u{n % 5}", "like", properties={"mark": f"{name}-{n}"}), f"{name}-{n}")
                        for n in range(250))  # fmt: skip

        threads = [threading.Thread(target=track, args=[name]) for name in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with regulars.open(folder) as ws:
        assert sorted(ws.sql(STORED).rows) == sorted(told)
        assert ws.journal_audit().loaded == 250 * THREADS


def test_a_kill_during_a_commit_of_the_journal_leaves_whole_rows(tmp_path):
    folder = regulars.init(tmp_path / "shop")
    live_and_die(folder, 0, 0.3)
    began = time.monotonic()
    with regulars.open(folder) as ws:
        page = ws._tracker._store.journal.read(0, 100_000)
        assert page.faults == ()
        assert [entry.offset for entry in page.entries] == list(range(1, page.through + 1))
        assert ws.journal_audit().backlog == 0
    assert time.monotonic() - began < 60
    assert (folder / JOURNAL_NAME).exists()


PRODUCER = """
import itertools, sys
from datetime import datetime
from pathlib import Path
from regulars.application.ports import Envelope
from regulars.infrastructure.operational.sqlite import SqliteStore
folder, life = Path(sys.argv[1]), sys.argv[2]
journal = SqliteStore(folder).journal
for n in itertools.count():
    marks = [f"{life}-{n}-{each}" for each in range(3)]
    event = '{"user_id": "u%d", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z", "mark": "%s"}'
    offsets = journal.append([Envelope((event % (n % 7, mark)).encode(), datetime(2026, 1, 5)) for mark in marks])
    for offset, mark in zip(offsets, marks):
        sys.stdout.write(f"journal-{journal.id}-{offset} {mark}\\n")
    sys.stdout.flush()
"""


def test_processes_append_and_are_killed_while_another_one_drains_and_asks(tmp_path):
    folder = regulars.init(tmp_path / "shop")
    told, errors = [], []

    def produce(name):
        try:
            for life in range(4):
                told.extend(live_and_die(folder, f"{name}-{life}", 0.3 + life / 10, PRODUCER))
        except Exception as exc:  # noqa: BLE001 -- shown below
            errors.append(exc)

    producers = [threading.Thread(target=produce, args=[name]) for name in range(2)]
    with regulars.open(folder) as ws:
        for producer in producers:
            producer.start()
        counts = [0]
        while any(producer.is_alive() for producer in producers):
            counts.append(ws.sql("SELECT count(*) FROM fact_user_actions").rows[0][0])
            ws.track("own", "like", properties={"mark": f"own-{len(counts)}"})
        assert errors == []
        assert len(told) > 20
        assert counts == sorted(counts)
        rows = ws.sql(STORED).rows
        assert set(told) - set(rows) == set()
        marks = [mark for _, mark in rows]
        assert len(marks) == len(set(marks))
        assert sum(mark.startswith("own-") for mark in marks) == len(counts) - 1
        assert ws.journal_audit().adds_up
