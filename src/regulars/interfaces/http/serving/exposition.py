"""Numbers of a running server in the text form that Prometheus reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.domain.report import JournalAudit
    from regulars.interfaces.http.collecting.counters import Counters

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_AUDIT = (
    ("accepted", "counter", "Events that were acknowledged."),
    ("loaded", "counter", "Accepted events that the database has."),
    ("duplicates", "counter", "Accepted events that had been accepted before, by their id."),
    ("dead_letter", "counter", "Accepted events that the database could not take; they are in the table dead_letter."),
    ("backlog", "gauge", "Accepted events that are still in the journal only."),
)


def of_store(audit: JournalAudit, *, lag_seconds: float, failures: int) -> bytes:
    """Where every accepted event is; the first number is the sum of the four that follow it."""
    lines = [
        line for name, kind, words in _AUDIT for line in _metric(f"events_{name}", kind, words, getattr(audit, name))
    ]
    lines += _metric(
        "lag_seconds", "gauge", "Age of the oldest event that the database does not have yet.", lag_seconds
    )
    lines += _metric("load_failures", "gauge", "Loads that failed one after the other.", failures)
    lines += _metric("audit_adds_up", "gauge", "1 while accepted is the sum of the others.", int(audit.adds_up))
    return "\n".join([*lines, ""]).encode()


def of_collector(counters: Counters) -> bytes:
    """What one collector process answered since it began."""
    lines = [
        *_metric("collector_accepted_events_total", "counter", "Events this process acknowledged.", counters.accepted),
        *_metric("collector_rejected_events_total", "counter", "Events this process rejected.", counters.rejected),
        "# HELP regulars_collector_responses_total Responses by status.",
        "# TYPE regulars_collector_responses_total counter",
    ]
    lines += [
        f'regulars_collector_responses_total{{status="{status}"}} {n}'
        for status, n in sorted(counters.by_status.items())
    ]
    return "\n".join([*lines, ""]).encode()


def _metric(name: str, kind: str, words: str, value: float) -> Iterator[str]:
    yield f"# HELP regulars_{name} {words}"
    yield f"# TYPE regulars_{name} {kind}"
    yield f"regulars_{name} {value}"
