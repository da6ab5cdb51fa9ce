"""Actors other than the user: accounts, teams, sessions. Whoever is counted, the rules are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

import regulars
from regulars.errors import QueryError, UnknownNameError
from tests.application.test_agreement import comparable, workspace_of
from tests.oracle import RefusedError, answer
from tests.oracle.attributes import event_value, resolve
from tests.oracle.questions import EVENT_LEVEL
from tests.oracle.retention import retention
from tests.oracle.world import User, World
from tests.strategies import FEWER, queries, worlds

METRICS = ("active_users", "new_vs_returning", "stickiness", "actions", "lifecycle", "lifecycle")
NOBODY = "nobody"


def seen_as(world: World, actor: str) -> World:
    """The same events as if each actor were a user; what has no actor, or is not production, is a test user's."""
    prop = resolve(world, actor)

    def sender(event: Any) -> str:
        value = event_value(world, event, prop)
        return NOBODY if value is None or world.population_of(event.user) != "production" else value

    events = [replace(event, user=sender(event), anonymous=False) for event in world.distinct_events()]
    plain = msgspec.structs.replace(world.settings, population=type(world.settings.population)())
    return World(events, {NOBODY: User(NOBODY, population="test")}, plain, world.now)


@given(data=st.data())
@FEWER
def test_an_actor_is_counted_as_a_user_would_be(data: st.DataObject) -> None:
    """Rows, and the actors behind the cells, of every running count and of the lifecycle."""
    world = data.draw(worlds())
    query = data.draw(queries(world, metrics=METRICS))
    actor = data.draw(st.sampled_from(("event.feature", "device.platform", "geo.country")))
    query = msgspec.structs.replace(query, population="production", options={
        name: value for name, value in query.options.items() if name != "new_by"
    })  # fmt: skip
    query = msgspec.structs.replace(
        query,
        breakdown=tuple(name for name in query.breakdown if name in EVENT_LEVEL),
        filters=tuple(each for each in query.filters if all(leaf.property in EVENT_LEVEL for leaf in each.leaves())),
    )
    try:
        expected = comparable(answer(seen_as(world, actor), query))
    except RefusedError:
        assume(False)
    note(msgspec.json.encode(query).decode())
    with workspace_of(world) as ws:
        result = ws.query(msgspec.structs.replace(query, actor=actor))
        assert comparable(result.rows) == expected
        for row in result.rows[:: max(1, len(result.rows) // 4)]:
            for column in result.people_columns:
                if row[column] is not None:
                    assert len(result.users(row, column)) == row[column]


@given(data=st.data())
@FEWER
def test_an_actor_comes_back_as_a_user_would(data: st.DataObject) -> None:
    """Retention, from single events."""
    world = data.draw(worlds())
    query = data.draw(queries(world, metrics=("lifecycle",)))
    clock = data.draw(st.sampled_from(("calendar", "anchored", "rolling")))
    query = msgspec.structs.replace(
        query, metric="retention", population="production", breakdown=(), filters=(), activity="any",
        options={"clock": clock, "horizon": 4},
    )  # fmt: skip
    expected = comparable([row.values for row in retention(seen_as(world, "event.feature"), query)])
    with workspace_of(world) as ws:
        assert comparable(ws.query(msgspec.structs.replace(query, actor="feature")).rows) == expected


EVENTS = [
    {"user_id": who, "event_type": "like", "timestamp": f"2026-01-{day:02}T10:00:00Z", "properties": {"account": name},
     "session_id": f"{who}-{day}"}
    for who, day, name in [("ada", 5, "acme"), ("bob", 5, "acme"), ("eve", 6, "bolt"), ("ada", 6, "bolt")]
]  # fmt: skip


def test_accounts_and_sessions_are_counted_listed_and_explained() -> None:
    """Two users of one account are one active account."""
    with regulars.open() as ws:
        ws.load([*EVENTS, {"user_id": "zoe", "event_type": "like", "timestamp": "2026-01-05T10:00:00Z"}])
        ws.load(
            [{"user_id": who, "plan": plan, "team": "red"} for who, plan in (("ada", "paid"), ("bob", "free"))],
            kind="users",
        )
        asked: dict[str, Any] = {"start": "2026-01-05", "end": "2026-01-06", "actor": "account"}
        found = ws.active_users(window=2, **asked)
        assert [row["active_users"] for row in found.rows] == [1, 2]
        assert found.users(1) == ["acme", "bolt"]
        assert [one.user_id for one in found.events(0)] == ["acme", "acme"]
        assert "counting account" in found.explain(1)
        by_plan = ws.active_users(by="plan", **asked).rows
        assert {row["plan"]: row["active_users"] for row in by_plan[:3]} == {"paid": 1, "(none)": 0, "free": 1}
        assert [row["active_users"] for row in ws.active_users(where="plan = 'paid'", **asked).rows] == [1, 1]
        assert [row["active_users"] for row in ws.active_users(**asked | {"actor": "session"}).rows] == [2, 2]
        assert [row["active_users"] for row in ws.active_users(**asked | {"actor": "team"}).rows] == [1, 1]
        assert ws.funnel("like -> like", **asked).rows[1]["users"] == 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"actor": "tenure_band"}, "not tenure_band"),
        ({"actor": "account", "by": "tenure_band"}, "not tenure_band"),
        ({"actor": "account", "where": "tenure_band = '0-6 days'"}, "not tenure_band"),
    ],
)
def test_what_only_a_user_has_is_refused(asked: dict[str, Any], words: str) -> None:
    """With the reason."""
    with regulars.open() as ws:
        ws.load(EVENTS)
        with pytest.raises(QueryError, match=words) as found:
            ws.active_users(**asked)
        assert found.value.code == "bad_actor"


def test_metrics_about_users_take_no_other_actor() -> None:
    """Sessions, tiers, registrations."""
    with regulars.open() as ws:
        ws.load(EVENTS)
        for ask in (ws.sessions, ws.tiers, ws.churn_risk):
            with pytest.raises(QueryError, match="is about users; leave actor out"):
                ask(actor="account")
        with pytest.raises(QueryError, match="only users have a registration date"):
            ws.retention(actor="account", cohort="registration")
        with pytest.raises(UnknownNameError, match="did you mean 'account'"):
            ws.active_users(actor="accounts")
