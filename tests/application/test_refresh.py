"""Derived rows follow from the facts, whatever the order in which these arrived."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regulars
from regulars.domain.schema import TABLES
from regulars.infrastructure.loader import Loader
from tests.application.test_agreement import workspace_of
from tests.strategies import event_rows, user_rows, worlds

if TYPE_CHECKING:
    from regulars.workspace import Workspace
    from tests.oracle.world import World

ATTRIBUTES = (
    "registration_date, acquisition_channel, device_type, region, country, plan, account_status, birth_date, gender"
)
# Keys are given in order of arrival, so people are compared by their ids.
DERIVED = {
    "people": f"SELECT user_id, population, is_test_account, {ATTRIBUTES} FROM dim_users",
    "attributes": """SELECT u.user_id, j.key, j.value FROM dim_users u, json_each(u.user_attributes) j""",
    "identities": """SELECT i.kind, i.external_id, o.kind, o.external_id FROM dim_identities i
                     JOIN dim_identities o ON o.identity_key = i.user_key""",
    "arrivals": """SELECT r.activity, u.user_id, r.day, r.days_since_prior, r.actions
                   FROM arrivals r JOIN dim_users u ON u.user_key = r.user_key""",
    "sliced_arrivals": """SELECT u.user_id, x.* EXCLUDE (user_key)
                          FROM sliced_arrivals x JOIN dim_users u USING (user_key)""",
    "sessions": "SELECT u.user_id, x.* EXCLUDE (user_key) FROM user_sessions x JOIN dim_users u USING (user_key)",
    "days": "SELECT u.user_id, x.* EXCLUDE (user_key) FROM daily_activity x JOIN dim_users u USING (user_key)",
    "agg_arrivals": "SELECT * FROM agg_arrivals",
    "agg_retention": "SELECT * FROM agg_retention",
    "agg_tier_changes": "SELECT * FROM agg_tier_changes",
    "event_days": "SELECT * FROM event_days",
}


def derived(ws: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """Every derived row, in an order of its own."""
    return {name: sorted(ws.engine.query(sql).rows, key=repr) for name, sql in DERIVED.items()}


def workspace_in_parts(data: st.DataObject, world: World) -> Workspace:
    """The world loaded in several parts, in any order, people at any time."""
    rows = data.draw(st.permutations(event_rows(world)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    edges = [0, *cuts, len(rows)]
    parts: list[tuple[str, list[dict[str, Any]]]] = [
        ("events", rows[start:end]) for start, end in itertools.pairwise(edges) if rows[start:end]
    ]
    if world.users:
        parts.insert(data.draw(st.integers(0, len(parts))), ("users", user_rows(world)))
    ws = workspace_of(type(world)([], {}, world.settings, world.now))
    for kind, part in parts:
        ws.load(part, kind=kind)
    return ws


def test_every_derived_table_is_compared() -> None:
    """A new one cannot be left out."""
    texts = " ".join(DERIVED.values())
    assert [table.name for table in TABLES if table.role == "derived" and f"FROM {table.name}" not in texts] == []


@given(data=st.data())
@settings(max_examples=12)
def test_parts_in_any_order_give_the_rows_of_one_load_and_of_a_rebuild(data: st.DataObject) -> None:
    """People, identities, arrivals, aggregates and days, compared by ids."""
    world = data.draw(worlds(conflicts=False))
    with workspace_of(world) as whole, workspace_in_parts(data, world) as parts:
        expected = derived(whole)
        assert derived(parts) == expected
        parts.rebuild()
        assert derived(parts) == expected
        if world.events:
            parts.load(event_rows(world), kind="events")
            assert derived(parts) == expected


LINKED: list[dict[str, Any]] = [
    {
        "anonymous_id": "anon",
        "event_type": "page_view",
        "timestamp": "2026-01-01T10:00:00Z",
        "event_id": "1",
        "country": "DE",
    },
    {"user_id": "ada", "event_type": "like", "timestamp": "2026-01-02T10:00:00Z", "event_id": "2"},
    {
        "user_id": "ada",
        "anonymous_id": "anon",
        "event_type": "identify",
        "timestamp": "2026-01-03T10:00:00Z",
        "event_id": "3",
    },
    {"anonymous_id": "anon", "event_type": "like", "timestamp": "2026-01-04T10:00:00Z", "event_id": "4"},
    {
        "user_id": "bob",
        "anonymous_id": "anon",
        "event_type": "identify",
        "timestamp": "2026-01-05T10:00:00Z",
        "event_id": "5",
    },
    {"user_id": "bob", "event_type": "like", "timestamp": "2026-01-05T11:00:00Z", "event_id": "6"},
]


@given(order=st.permutations(LINKED), cuts=st.lists(st.integers(1, 5), max_size=3, unique=True))
@settings(max_examples=8)
def test_links_in_any_order_name_the_same_people(order: list[dict[str, Any]], cuts: list[int]) -> None:
    """The first link wins, and the days of an anonymous id move with it."""
    edges = [0, *sorted(cuts), len(order)]
    with regulars.open() as whole, regulars.open() as parts:
        whole.load(LINKED)
        for start, end in itertools.pairwise(edges):
            parts.load(order[start:end])
        assert derived(parts) == derived(whole)
        days = whole.sql(
            "SELECT user_id, count(*) FROM fact_arrivals WHERE activity = 'core' GROUP BY ALL ORDER BY 1"
        ).rows
    assert days == [("ada", 3), ("bob", 1)]


class StoppedError(Exception):
    """What interrupts a load in these tests."""


@pytest.fixture
def ws() -> Any:
    """A workspace with one event."""
    with regulars.open() as opened:
        opened.load(LINKED[1:2])
        yield opened


def test_a_load_that_fails_changes_nothing(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither facts, nor what follows from them, nor the record of loads."""
    everything = {
        table: f"SELECT * FROM {table}"
        for table in (
            "fact_user_actions",
            "fact_user_attributes",
            "fact_identity_links",
            "loads",
            "dead_letter",
            "dim_actions",
        )
    }
    before = derived(ws), {name: ws.engine.query(sql).rows for name, sql in everything.items()}
    load = Loader.load

    def stop(self: Loader, *arguments: Any, **named: Any) -> Any:
        load(self, *arguments, **named)
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(Loader, "load", stop)
        with pytest.raises(StoppedError):
            ws.load(LINKED)
    assert (derived(ws), {name: ws.engine.query(sql).rows for name, sql in everything.items()}) == before
    ws.load(LINKED)
    with regulars.open() as fresh:
        fresh.load(LINKED)
        assert derived(ws) == derived(fresh)


def test_a_refresh_that_fails_changes_nothing(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whichever of its statements, rebuild included."""
    before = derived(ws)
    execute = ws.engine.execute
    failed = 0
    for stop_at in range(1, 200, 9):
        seen = 0

        def stopping(sql: str, *more: Any, last: int = stop_at) -> None:
            nonlocal seen
            seen += 1
            if seen == last:
                raise StoppedError
            execute(sql, *more)

        for change in (lambda: ws.load(LINKED), ws.rebuild):
            seen = 0
            with monkeypatch.context() as patch:
                patch.setattr(ws.engine, "execute", stopping)
                try:
                    change()
                except StoppedError:
                    failed += 1
                else:
                    assert seen < stop_at
                    assert failed > 5
                    return
            assert derived(ws) == before


def test_a_reader_never_sees_half_a_load() -> None:
    """While loads run, every answer is the one before or the one after."""
    days = [f"2026-01-{day:02}" for day in range(1, 13)]
    consistent = """SELECT (SELECT count(*) FROM fact_user_actions), (SELECT sum(events) FROM event_days),
  (SELECT sum(actions) FROM arrivals WHERE activity = 'any'),
  (SELECT sum(users) FROM agg_arrivals WHERE activity = 'any' AND dimension = 'overall'),
  (SELECT count(*) FROM arrivals WHERE activity = 'any')"""
    seen: list[tuple[Any, ...]] = []
    problems: list[BaseException] = []
    done = threading.Event()

    def read(ws: Workspace) -> None:
        try:
            while not done.is_set():
                seen.extend(ws.engine.query(consistent).rows)
        except Exception as exc:  # noqa: BLE001 -- told to the test
            problems.append(exc)

    with regulars.open() as ws:
        reader = threading.Thread(target=read, args=(ws,))
        reader.start()
        for day in days:
            ws.load([{"user_id": f"u{n}", "event_type": "like", "timestamp": f"{day}T0{n}:00:00Z"} for n in range(5)])
        done.set()
        reader.join()
    assert problems == []
    assert {row[0] for row in seen} <= {5 * n for n in range(len(days) + 1)}
    assert len({row[0] for row in seen}) > 1
    for events, counted, actions, people, arrivals in seen:
        assert (counted or 0) == (actions or 0) == events
        assert (people or 0) == arrivals == events
