"""Batches sent again, in other parts, in any order, by clients with wrong clocks: every event counts once.

They go the whole way: the collector's requests, a journal on disk, the loads that drain it. What must come out is told
by a ledger of first receipts, and is loaded once from a list for comparison.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, note
from hypothesis import strategies as st

import regulars
from regulars.infrastructure.operational.sqlite import SqliteStore
from regulars.settings import Settings
from tests.application.test_agreement import workspace_of
from tests.application.test_histories import compare
from tests.application.test_refresh import derived
from tests.interfaces.asgi import NOW, Bench
from tests.oracle import answer
from tests.oracle.world import Event, World
from tests.strategies import FEWER, event_rows, queries, worlds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import DrawFn

    from regulars.workspace import Workspace

# Where there is one, a disk that needs no time: what is waited for here is tried elsewhere.
SHM = Path("/dev/shm")  # noqa: S108 -- folders in it get names of their own
MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)
NOTHING = dt.timedelta(0)
SKEWS = (NOTHING, dt.timedelta(seconds=2), 180 * MINUTE, -40 * MINUTE, 1096 * DAY, -1096 * DAY)
DELAYS = (NOTHING, dt.timedelta(milliseconds=1500), dt.timedelta(seconds=4), dt.timedelta(seconds=90))


@dataclass(frozen=True)
class Client:
    """A device with a clock that may be wrong; it may say when it sends, and leave out when something happened."""

    skew: dt.timedelta
    says_when_sent: bool
    says_when: bool


@dataclass(frozen=True)
class Delivery:
    """What is sent at once: whose events, which of them, after what time on the way, and in which form."""

    client: Client
    events: list[Event]
    delay: dt.timedelta
    form: str


@st.composite
def clients(draw: DrawFn) -> Client:
    """Most have a right clock and say what they know."""
    skew = draw(st.sampled_from((NOTHING, *SKEWS)))
    return Client(skew, draw(st.integers(0, 3)) > 0, draw(st.integers(0, 7)) > 0)


@st.composite
def deliveries(draw: DrawFn, world: World) -> list[Delivery]:
    """Every event of the world in batches of one client each, and at least a tenth of the batches again."""
    senders = sorted({event.user for event in world.events})
    owners = {sender: draw(st.integers(0, 2)) for sender in senders}
    devices = [draw(clients()) for _ in range(3)]
    first = [
        (devices[number], part)
        for number in range(3)
        for part in parts(draw, [event for event in world.events if owners[event.user] == number])
    ]
    again = [batch for batch in first if draw(st.integers(0, 4)) == 0] or first[:1]
    for device in devices:
        first += [(device, part) for part in parts(draw, [e for owner, some in again if owner is device for e in some])]
    return [
        Delivery(device, events, draw(st.sampled_from(DELAYS)), draw(st.sampled_from(FORMS)))
        for device, events in draw(st.permutations(first))
    ]


def parts(draw: DrawFn, events: list[Event]) -> list[list[Event]]:
    """Events in any order, cut anywhere."""
    if not events:
        return []
    shuffled = draw(st.permutations(events))
    cuts = sorted(draw(st.sets(st.integers(1, len(events)), max_size=2)))
    return [shuffled[a:b] for a, b in pairwise([0, *cuts, len(events)]) if a < b]


FORMS = ("envelope", "array", "lines", "gzip", "one by one")


def requests(delivery: Delivery, sent_at: dt.datetime) -> list[tuple[str, bytes, dict[str, str]]]:
    """What the client sends: path, body and headers."""
    client = delivery.client
    rows = event_rows(World(delivery.events, {}, None, None))
    for row, event in zip(rows, delivery.events, strict=True):
        row["timestamp"] = stamp(event.at + client.skew)
        if not client.says_when:
            del row["timestamp"]
    sent = {"sent_at": stamp(sent_at)} if client.says_when_sent else {}
    if delivery.form == "array":
        return [("/v1/batch", json.dumps([row | sent for row in rows]).encode(), {})]
    if delivery.form == "lines":
        lines = "\n".join(json.dumps(row | sent) for row in rows)
        return [("/v1/batch", lines.encode(), {"content-type": "application/x-ndjson"})]
    if delivery.form == "one by one":
        return [("/v1/track", json.dumps(row | sent).encode(), {}) for row in rows]
    body = json.dumps({"events": rows} | sent).encode()
    if delivery.form == "gzip":
        return [("/v1/batch", gzip.compress(body), {"content-encoding": "gzip"})]
    return [("/v1/batch", body, {})]


def stamp(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="microseconds") + "Z"


def counted_at(event: Event, client: Client, sent_at: dt.datetime, received_at: dt.datetime) -> dt.datetime:
    """When an event happened, as docs/collecting.md says."""
    if not client.says_when:
        return received_at
    said = event.at + client.skew
    if client.says_when_sent and abs(received_at - sent_at) > dt.timedelta(seconds=5):
        said += received_at - sent_at
    return received_at if said > received_at + 5 * MINUTE else said


@contextmanager
def opened_on(folder: Path, world: World) -> Iterator[tuple[Workspace, Bench]]:
    """A workspace in memory that drains a journal on disk, and the collector that fills it."""
    bench = Bench(folder)
    with (
        closing(bench.store),
        regulars.open(settings=world.settings, clock=lambda: world.now.replace(tzinfo=dt.UTC)) as ws,
    ):
        ws._tracker._store = SqliteStore(folder, disk_floor_mib=0)
        yield ws, bench


@pytest.fixture
def way(tmp_path: Path) -> Iterator[tuple[Workspace, Bench]]:
    """A workspace with the collector that fills its journal."""
    with opened_on(tmp_path, World([], {}, Settings(), NOW)) as opened:
        yield opened


LIKE = {"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00.123456Z"}
TIMELESS = {"user_id": "ada", "event_type": "like"}
# By event id: what is sent first, what is different the second time, and whether that is told as a conflict.
AGAIN = {
    "same": (LIKE, {}, False),
    "other property": (LIKE, {"properties": {"shade": "red"}}, False),
    "timeless": (TIMELESS, {}, False),
    "other type": (LIKE, {"event_type": "share"}, True),
    "other user": (LIKE, {"user_id": "bob"}, True),
    "stranger": (LIKE, {"user_id": None, "anonymous_id": "ada"}, True),
    "a microsecond later": (LIKE, {"timestamp": "2026-01-05T09:00:00.123457Z"}, True),
    "no time": (LIKE, {"timestamp": None}, True),
    "a time": (TIMELESS, {"timestamp": "2026-01-05T09:00:00Z"}, True),
}


@pytest.mark.parametrize("is_loaded_between", [False, True])
def test_what_a_client_with_a_wrong_clock_sends_again_is_no_other_event(way, is_loaded_between: bool) -> None:
    """Its time was put right by another receipt; what it said is the same. Another event under its id is told."""
    ws, bench = way
    for number in range(3):
        bench.now = NOW + number * 3 * MINUTE
        sent_at = bench.now + 3 * 60 * MINUTE - number * dt.timedelta(seconds=1)
        events = [
            {"event_id": name} | first | (change if number == 1 else {}) for name, (first, change, _) in AGAIN.items()
        ]
        assert bench.send("/v1/batch", {"events": events, "sent_at": stamp(sent_at)}).json["accepted"] == len(AGAIN)
        if is_loaded_between:
            ws.flush()
    ws.flush()
    audit = ws.journal_audit()
    assert (audit.loaded, audit.duplicates, audit.adds_up) == (len(AGAIN), 2 * len(AGAIN), True)
    told = ws.sql("SELECT raw ->> 'event_id', reason FROM dead_letter").rows
    assert sorted(told) == sorted((name, "id_conflict") for name, (_, _, is_told) in AGAIN.items() if is_told)


def test_a_week_or_a_month_later_it_is_still_the_same_event(way) -> None:
    """The whole history is looked at, not a window of some days, and not what the journal still has."""
    ws, bench = way
    both = [LIKE | {"event_id": "e1"}, TIMELESS | {"event_id": "e2"}]
    for days in (0, 8, 40):
        bench.now = NOW + days * DAY
        assert bench.send("/v1/batch", both).status == 200
        assert ws.sql("SELECT count(*) FROM fact_user_actions").rows == [(2,)]
    bench.now = NOW
    assert bench.send("/v1/batch", [TIMELESS | {"event_id": f"e{n}"} for n in range(3, 6)]).status == 200
    assert ws.sql("SELECT count(*) FROM fact_user_actions").rows == [(5,)]
    assert ws.sql("FROM dead_letter").rows == []


def test_an_offset_that_is_sent_again_is_no_other_event(way) -> None:
    """PostHog's browser library says how long ago something was, and repeats that when it repeats the request."""
    ws, bench = way
    for number in range(2):
        bench.now = NOW + number * MINUTE
        event = {"event": "like", "uuid": "e1", "distinct_id": "ada", "offset": 5000}
        assert bench.send("/e/", [event]).status == 200
        ws.flush()
    assert ws.sql("SELECT action_timestamp FROM fact_user_actions").rows == [(NOW - dt.timedelta(seconds=5),)]
    assert ws.sql("FROM dead_letter").rows == []


def test_a_request_that_names_itself_may_be_sent_again_by_anybody_in_any_load(way) -> None:
    """Without ids, Idempotency-Key makes the events of a request the same events."""
    ws, bench = way
    nameless = [{"user_id": "ada", "event_type": "like", "timestamp": stamp(NOW - n * DAY)} for n in range(3)]
    for number in range(2):
        bench.now = NOW + number * DAY
        assert bench.send("/v1/batch", nameless, {"idempotency-key": "order-7"}).status == 200
        ws.flush()
    assert bench.send("/v1/batch", nameless, {"idempotency-key": "order-8"}).status == 200
    ws.flush()
    audit = ws.journal_audit()
    assert (audit.loaded, audit.duplicates) == (6, 3)


@given(data=st.data())
@FEWER
def test_sent_again_in_any_parts_and_order_gives_the_numbers_of_loading_once(data: st.DataObject) -> None:
    """Also beyond a week, across loads, with other times of sending: stored rows, a rebuild and answers agree."""
    world = data.draw(worlds(conflicts=False))
    last = max((event.at for event in world.events), default=world.now)
    world = replace(world, users={}, now=max(world.now, last) + 30 * DAY)
    plan = data.draw(deliveries(world))
    loads = data.draw(st.sets(st.integers(1, len(plan)), max_size=1)) if plan else set()
    first: dict[str, Event] = {}
    sent = 0
    with (
        tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder,
        opened_on(Path(folder), world) as (ws, bench),
    ):
        for number, delivery in enumerate(plan, start=1):
            bench.now = world.now - 29 * DAY * (len(plan) - number) / len(plan)
            sent_at = bench.now - delivery.delay + delivery.client.skew
            for path, body, headers in requests(delivery, sent_at):
                assert bench.send(path, body, headers).status == 200
            sent += len(delivery.events)
            for event in delivery.events:
                at = counted_at(event, delivery.client, sent_at, bench.now)
                first.setdefault(event.event_id, replace(event, at=at))
            if number in loads:
                ws.flush()
        outcome = replace(world, events=list(first.values()))
        check(ws, outcome, data)
        audit = ws.journal_audit()
        assert (audit.accepted, audit.loaded, audit.duplicates) == (sent, len(first), sent - len(first))
        assert ws.sql("SELECT reason, raw FROM dead_letter").rows == []


def check(ws: Workspace, outcome: World, data: st.DataObject) -> None:
    """Facts are those of the ledger, what follows from them that of a rebuild or of one load, answers the oracle's."""
    facts = """SELECT event_id, external_id, kind = 'anonymous', action_type, action_timestamp FROM fact_user_actions
               JOIN dim_identities USING (identity_key) JOIN dim_actions USING (action_key)"""
    said = [(event.event_id, event.user, event.anonymous, event.type, event.at) for event in outcome.events]
    assert sorted(ws.sql(facts).rows) == sorted(said)
    if outcome.events:
        query = data.draw(queries(outcome))
        note(msgspec.json.encode(query).decode())
        compare(ws, outcome, query, answer)
    stored = derived(ws)
    if data.draw(st.integers(0, 3)):
        ws.rebuild()
        assert derived(ws) == stored
    else:
        with workspace_of(outcome) as once:
            assert derived(once) == stored
