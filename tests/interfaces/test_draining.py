"""What is collected gets loaded, and what goes wrong with that is told and tried again."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import regulars
from regulars.domain.report import JournalAudit
from regulars.interfaces.http.collecting.counters import Counters
from regulars.interfaces.http.serving import draining
from regulars.interfaces.http.serving.draining import Drain
from regulars.interfaces.http.serving.exposition import of_collector, of_store

if TYPE_CHECKING:
    import pytest


def test_what_is_tracked_is_loaded_without_a_question() -> None:
    with regulars.open() as ws:
        drain = Drain(ws, give_up=lambda: None)
        drain.start()
        try:
            ws.track("ada", "like")
            until = time.monotonic() + 10
            while ws.journal_audit().loaded < 1:
                assert time.monotonic() < until
                time.sleep(0.02)
        finally:
            drain.stop()
        assert (drain.failures, drain.last_error) == (0, None)
        assert drain.lag_seconds() < 10


def test_a_database_that_goes_on_failing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five failures in a row; the events are still in the journal."""
    monkeypatch.setattr(draining, "PAUSE_SECONDS", 0.001)
    given_up = threading.Event()
    ws = regulars.open()
    drain = Drain(ws, give_up=given_up.set)
    ws.track("ada", "like")
    ws._engine.close()
    drain.start()
    assert given_up.wait(20)
    drain.stop()
    assert drain.failures == 5
    assert drain.last_error


def test_the_numbers_are_what_prometheus_reads() -> None:
    text = of_store(JournalAudit(10, 5, 2, 1, 2), lag_seconds=1.5, failures=0).decode()
    lines = text.splitlines()
    assert "regulars_events_accepted 10" in lines
    assert "regulars_lag_seconds 1.5" in lines
    assert "regulars_audit_adds_up 1" in lines
    assert "regulars_audit_adds_up 0" in of_store(JournalAudit(10, 5, 2, 1, 1), lag_seconds=0, failures=0).decode()
    counters = Counters()
    counters.answered(429)
    for line in [*lines, *of_collector(counters).decode().splitlines()]:
        assert line.startswith(("# HELP regulars_", "# TYPE regulars_")) or len(line.split(" ")) == 2
    assert text.endswith("\n")
