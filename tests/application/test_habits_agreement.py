"""Sessions, daily activity, active days and tiers: the engine against the oracle, loaded at once and in parts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

import regulars
from regulars.domain.query import Query, Range
from regulars.settings import SessionSettings
from tests.application.test_agreement import comparable, rows_from, rows_of_each, workspace_of
from tests.cohort_strategies import in_segments, memberships
from tests.oracle import RefusedError
from tests.oracle.attributes import resolve
from tests.oracle.clock import local_day
from tests.oracle.daily import active_days_cells, active_days_rows, daily
from tests.oracle.questions import TIME_LEVEL, days, filters, names, ranges
from tests.oracle.session_metric import session_cells, session_rows
from tests.oracle.sessions import sessions
from tests.oracle.tiers import tier_transitions, tiers_cells, tiers_rows
from tests.session_strategies import session_rules, session_worlds
from tests.strategies import FEWER

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from regulars.workspace import Workspace
    from tests.oracle.world import World

USER_SLICES = ((), (), ("country",), ("plan",), ("tenure_band",), ("user.device_type", "age_band"))


@st.composite
def ruled_worlds(draw: DrawFn) -> tuple[World, dict[str, Any]]:
    """A world of clustered events under some rules for sessions."""
    world, rules = draw(session_worlds()), draw(session_rules())
    world.settings = msgspec.structs.replace(world.settings, sessions=SessionSettings(**rules))
    return world, rules


@st.composite
def parts(draw: DrawFn) -> tuple[int, ...]:
    """Where the events are cut into loads."""
    return tuple(draw(st.lists(st.integers(1, 119), max_size=3)))


def stored_sessions(ws: Workspace) -> list[tuple[Any, ...]]:
    """Every stored session with its person's id."""
    return sorted(
        ws.sql(
            """SELECT u.user_id, s.session_id, s.day, s.session_start, s.session_end, s.duration_seconds,
  s.actions_count, s.screens_visited, s.session_type, s.entry_action, s.exit_action, s.run_start
FROM user_sessions s JOIN dim_users u ON u.user_key = s.user_key"""
        ).rows
    )


def told_sessions(world: World, rules: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The same as the oracle tells them."""
    return sorted(
        (s.user, s.session_id, s.day, s.start, s.end, s.duration_seconds, s.actions, s.screens, s.session_type,
         s.entry_action, s.exit_action, s.run_start)
        for s in sessions(world, **rules)
    )  # fmt: skip


def stored_days(ws: Workspace) -> list[tuple[Any, ...]]:
    """Every stored day of activity with its person's id."""
    return sorted(
        ws.sql(
            """SELECT u.user_id, d.day, d.sessions_count, round(d.total_session_duration, 6), d.total_actions,
  d.core_actions, d.unique_action_types, round(d.engagement_score, 6), d.is_active_day
FROM daily_activity d JOIN dim_users u ON u.user_key = d.user_key"""
        ).rows
    )


@given(ruled=ruled_worlds(), cuts=parts())
def test_sessions_and_days_follow_the_rules_in_whatever_parts_they_arrive(
    ruled: tuple[World, dict[str, Any]], cuts: tuple[int, ...]
) -> None:
    """Stored sessions and days are the oracle's, after loads in parts and after a rebuild alike."""
    world, rules = ruled
    expected = told_sessions(world, rules)
    days = sorted(
        (d.user, d.day, d.sessions_count, round(d.total_session_duration, 6), d.total_actions, d.core_actions,
         d.unique_action_types, round(d.engagement_score, 6), d.is_active_day)
        for d in daily(world, **rules)
    )  # fmt: skip
    with workspace_of(world, cuts) as ws:
        for _ in range(2):
            assert stored_sessions(ws) == expected
            assert stored_days(ws) == days
            ws.rebuild()


@given(ruled=ruled_worlds(), data=st.data())
def test_the_sessions_metric_is_the_oracles(ruled: tuple[World, dict[str, Any]], data: st.DataObject) -> None:
    """Counts, durations and shares per bucket and slice, and the people behind them."""
    world, rules = ruled
    slices = (*USER_SLICES, ("session.type",), ("session.entry_action",), ("country", "session.exit_action"))
    query = Query(
        metric="sessions",
        range=Range(grain=data.draw(st.sampled_from(("day", "week", "month")))),
        breakdown=data.draw(st.sampled_from(slices)),
        population=data.draw(st.sampled_from(("production", "all"))),
        limit=data.draw(st.sampled_from((1, 2, 12))),
    )
    note(msgspec.json.encode(query).decode())
    with workspace_of(world) as ws:
        result = ws.query(query)
        assert comparable(result.rows) == comparable(session_rows(world, query, **rules))
        cells = {(bucket.label, place): cell for bucket, place, cell in session_cells(world, query, **rules)}
        for row in result.rows[::7]:
            place = tuple(row[name] for name in query.breakdown)
            assert set(result.users(row)) == cells[row["date"], place].people["users"]


@given(ruled=ruled_worlds(), data=st.data())
@FEWER
def test_session_profiles_are_the_oracles(ruled: tuple[World, dict[str, Any]], data: st.DataObject) -> None:
    """By local hour and by weekday over the whole range, stored and from events, with the people behind each row."""
    world, rules = ruled
    start = data.draw(st.none() | days(world))
    ends = {} if start is None else {"start": start, "end": start + timedelta(days=data.draw(st.sampled_from((0, 20))))}
    query = Query(
        metric="sessions",
        range=Range(**ends),
        breakdown=data.draw(st.sampled_from((*USER_SLICES, ("session.type",)))),
        population=data.draw(st.sampled_from(("production", "all"))),
        limit=data.draw(st.sampled_from((1, 12))),
        options={"profile": data.draw(st.sampled_from(("hour", "weekday")))},
    )
    note(msgspec.json.encode(query).decode())
    expected = comparable(session_rows(world, query, **rules))
    with workspace_of(world) as ws:
        for source in ("sessions", "events"):
            assert comparable(rows_from(ws, query, (source,))[1]) == expected
        result = ws.query(query)
        found = [cell for _, _, cell in session_cells(world, query, **rules)]
        for row, cell in list(zip(result.rows, found, strict=True))[::5]:
            assert set(result.users(row)) == cell.people["users"]


@st.composite
def active_days_queries(draw: DrawFn, world: World) -> Query:
    """People by number of active days or weeks, exact or at least, once or over time."""
    options = {"at_least": draw(st.booleans()), "unit": draw(st.sampled_from(("day", "week")))}
    is_over_time = draw(st.sampled_from((None, False, True)))
    grains = ("week", "month") if is_over_time else ("day", "week", "month")
    return Query(
        metric="active_days",
        window=draw(st.sampled_from((None, 1, 7, 28))),
        range=Range(grain=draw(st.sampled_from(grains))),
        activity=draw(st.sampled_from(("core", "any", *world.settings.activity))),
        breakdown=draw(st.sampled_from((*USER_SLICES, ("action",), ("event.country", "plan")))),
        options=options if is_over_time is None else {**options, "over_time": is_over_time},
        limit=draw(st.sampled_from((1, 12))),
    )


def active_days_agree(ws: Workspace, world: World, query: Query) -> None:
    """The curve is the oracle's, and its lists are the people counted."""
    result = ws.query(query)
    assert comparable(result.rows) == comparable(active_days_rows(world, query))
    found = active_days_cells(world, query)
    for row, (_, _, cell) in list(zip(result.rows, found, strict=True))[::11]:
        assert set(result.users(row)) == cell.people["users"]


@given(ruled=ruled_worlds(), data=st.data())
def test_tiers_are_the_oracles(ruled: tuple[World, dict[str, Any]], data: st.DataObject) -> None:
    """Both schemes, with and without risk, per bucket and slice."""
    world, rules = ruled
    options = {"scheme": data.draw(st.sampled_from(("days", "depth"))), "with_risk": data.draw(st.booleans())}
    query = Query(
        metric="tiers",
        window=data.draw(st.sampled_from((None, 7))),
        range=Range(grain=data.draw(st.sampled_from(("week", "month")))),
        activity=data.draw(st.sampled_from(("core", "any"))),
        breakdown=data.draw(st.sampled_from(USER_SLICES)),
        options={**options, "depth_threshold": data.draw(st.sampled_from((2, 10)))},
        limit=data.draw(st.sampled_from((1, 12))),
    )
    note(msgspec.json.encode(query).decode())
    with workspace_of(world) as ws:
        result = ws.query(query)
        assert comparable(result.rows) == comparable(tiers_rows(world, query, **rules))
        found = tiers_cells(world, query, **rules)
        for row, (_, _, cell) in list(zip(result.rows, found, strict=True))[::5]:
            assert set(result.users(row)) == cell.people["users"]


@st.composite
def tiers_queries(draw: DrawFn, world: World) -> Query:
    """A question about tiers by days alone."""
    return Query(
        metric="tiers",
        range=Range(grain=draw(st.sampled_from(("day", "week", "month")))),
        activity=draw(st.sampled_from(("core", "any", *world.settings.activity))),
        population=draw(st.sampled_from(("production", "test", "all"))),
        options={"averages": False},
    )


def tiers_agree(ws: Workspace, world: World, query: Query) -> None:
    """Running sums of stored changes, arrivals and events agree, and open into the same people."""
    whole = msgspec.structs.replace(query, options={})
    full = [{name: row[name] for name in ("date", "tier", "users", "flags")} for row in tiers_rows(world, whole)]
    for number, (source, rows) in enumerate(rows_of_each(ws, query)):
        assert number or not rows or source == "aggregates"
        assert comparable(rows) == comparable(full)
    result = ws.query(query)
    for row in result.rows[::7]:
        assert len(result.users(row)) == row["users"]


@st.composite
def transition_queries(draw: DrawFn, world: World) -> Query:
    """Two days, mostly of days with events, and people chosen by what is stored or by what changes with time."""
    timezone = world.settings.timezone
    found = sorted({local_day(event.at, timezone) for event in world.events if event.at <= world.now})
    some = st.sampled_from(found) if found else days(world)
    start, end = sorted(draw(st.tuples(some, some)))
    told = [name for name in names(world) if resolve(world, name).level != "event"]
    belongs = memberships() if world.settings.cohorts else in_segments()
    filters_of = filters(world, told) | filters(world, TIME_LEVEL) | belongs
    options = {"scheme": ("days", "depth"), "with_risk": (False, True), "depth_threshold": (1, 2, 10)}
    return Query(
        metric="tier_transitions",
        range=draw(st.just(Range(start=start, end=end)) | ranges(world, "day", dated=False)),
        window=draw(st.sampled_from((None, None, 1, 7, 90))),
        activity=draw(st.sampled_from(("core", "core", "any", *world.settings.activities))),
        population=draw(st.sampled_from(("production", "production", "production", "all", "test"))),
        filters=draw(st.lists(filters_of, max_size=2).map(tuple)),
        options={name: draw(st.sampled_from(values)) for name, values in options.items() if draw(st.booleans())},
        as_of=draw(st.one_of(*[st.none()] * 5, days(world))),
    )


def transitions_agree(ws: Workspace, world: World, query: Query) -> None:
    """Who stood in which tier on two days, from every source, with the flags and the people behind each row."""
    try:
        expected = tier_transitions(world, query)
    except RefusedError:
        assume(False)
    for _, rows in rows_of_each(ws, query):
        assert comparable(rows) == expected.rows
    result = ws.query(query)
    for row in result.rows:
        assert set(result.users(row)) == expected.people[row["from_tier"], row["to_tier"]]


@pytest.mark.parametrize("days", [1, 5, 6, 15, 16, 19, 20, 30])
def test_tier_boundaries_are_those_of_the_definition(days: int) -> None:
    """5/6, 15/16 and 19/20 active days of 30 divide casual, regular, core and power."""
    with regulars.open() as ws:
        ws.load(
            [
                {"user_id": "ada", "event_type": "like", "timestamp": f"2026-01-{30 - n:02}T12:00:00Z"}
                for n in range(days)
            ]
        )
        rows = ws.metric("tiers", start="2026-01-30", end="2026-01-30").rows
    bounds = {"casual": (1, 5), "regular": (6, 15), "core": (16, 19), "power": (20, 30)}
    assert [row["tier"] for row in rows if row["users"]] == [
        tier for tier, (low, high) in bounds.items() if low <= days <= high
    ]
