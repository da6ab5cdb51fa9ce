"""Stored aggregates and the views over them say what the oracle counts, loaded at once or in parts."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.settings import RollupSettings
from tests.application.test_agreement import workspace_of
from tests.application.test_refresh import workspace_in_parts
from tests.domain.examples import did, workspace
from tests.oracle import rollups as oracle
from tests.strategies import worlds

if TYPE_CHECKING:
    from regulars.workspace import Workspace

Row = tuple[Any, ...]


def counted(ws: Workspace, sql: str) -> dict[Row, int]:
    """Rows whose last column is a number of people, as a dictionary."""
    return {row[:-1]: row[-1] for row in ws.engine.query(sql).rows}


@given(data=st.data())
@settings(max_examples=15)
def test_aggregates_are_those_of_the_oracle(data: st.DataObject) -> None:
    """Histograms of gaps with every slice and pair, and retention, however the events arrived."""
    world = data.draw(worlds(conflicts=False))
    with workspace_in_parts(data, world) as ws:
        rows = ws.engine.query(
            """SELECT x.activity, x.dimension, x.value, u.user_id, x.day, x.days_since_prior, x.actions
FROM sliced_arrivals x JOIN dim_users u USING (user_key)"""
        ).rows
        assert Counter(rows) == Counter(oracle.sliced_arrivals(world))
        assert counted(ws, "SELECT * FROM agg_arrivals") == oracle.histograms(world)
        assert counted(ws, "SELECT * FROM agg_retention") == oracle.retention(world)


@given(world=worlds())
@settings(max_examples=15)
def test_the_daily_overview_is_that_of_the_oracle(world: Any) -> None:
    """One row per day of the workspace and slice; what lies ahead of the clock is left out."""
    now = datetime.now(UTC).replace(tzinfo=None)
    with workspace_of(world) as ws:
        found = ws.engine.query(
            """SELECT d.full_date, population, feature, device_type, country, dau_count, wau_count, mau_count,
  new_user_count, returning_user_count
FROM agg_daily_active JOIN dim_dates d USING (date_key) WHERE user_segment IS NULL"""
        ).rows
        ratios = ws.engine.query(
            "SELECT dau_count, wau_count, mau_count, dau_mau_ratio, wau_mau_ratio FROM dim_agg_daily_active"
        ).rows
    assert Counter(found) == Counter(oracle.daily_active(world, now))
    for dau, wau, mau, *shares in ratios:
        assert shares == ([dau / mau, wau / mau] if mau else [None, None])


@given(world=worlds())
@settings(max_examples=15)
def test_tiers_by_day_are_those_of_the_oracle(world: Any) -> None:
    """With zeros, so that every tier that ever had somebody has every day."""
    now = datetime.now(UTC).replace(tzinfo=None)
    with workspace_of(world) as ws:
        found = counted(ws, "SELECT activity, population, day, tier, users FROM agg_tiers")
        personal = counted(ws, "SELECT user_id, day, engagement_tier, 1 FROM fact_daily_user_activity")
    assert {key: users for key, users in found.items() if users} == oracle.tiers(world, now)
    lines = Counter((activity, population, tier) for activity, population, _, tier in found)
    assert set(lines.values()) <= {len(oracle.workspace_days(world, now))}
    chains = {user: chain for (_, user), chain in oracle.chains(world, "core").items()}
    for user, day, tier in personal:
        assert tier == oracle.tier_on(chains.get(user, {}), day)


def test_a_slice_has_chains_of_its_own() -> None:
    """Who is active every day may be new to a feature, and come back to it after a week."""
    events = [did("a", f"2026-01-0{day}T10:00:00", feature=feature) for day, feature in enumerate("xyyyyyyyx", 1)]
    with workspace(*events, rollups=RollupSettings(event_dimensions=("feature",))) as ws:
        found = ws.sql(
            """SELECT date_key, dau_count, wau_count, mau_count, new_user_count, returning_user_count
FROM agg_daily_active WHERE feature = 'x' ORDER BY date_key"""
        ).rows
    days = range(20260101, 20260110)
    assert [row[0] for row in found] == list(days)
    assert [row[1:] for row in found] == [(1, 1, 1, 1, 0), *[(0, 1, 1, 0, 0)] * 6, (0, 0, 1, 0, 0), (1, 1, 1, 0, 1)]


def test_nobody_active_has_no_ratio() -> None:
    """A slice that went silent for a month keeps its rows."""
    with workspace(did("a", "2026-01-01T10:00:00", country="DE"), did("b", "2026-02-20T10:00:00")) as ws:
        ((mau, share),) = ws.sql(
            "SELECT mau_count, dau_mau_ratio FROM agg_daily_active WHERE country = 'DE' AND date_key = 20260215"
        ).rows
    assert (mau, share) == (0, None)


def test_sessions_and_first_actions_are_told_by_views() -> None:
    """With the keys that join them; a marker is no action."""
    events = [
        did("a", "2026-01-01T09:59:00", "session_start"),
        did("a", "2026-01-01T10:00:00", feature="x"),
        did("a", "2026-01-01T10:05:00", "search"),
        did("a", "2026-01-02T10:00:00", "search"),
    ]
    with workspace(*events, users=({"user_id": "a", "is_test": True},)) as ws:
        sessions = ws.sql(
            """SELECT user_id, population, date_key, duration_seconds, entry_action, exit_action
FROM fact_user_sessions ORDER BY date_key"""
        ).rows
        firsts = ws.sql(
            "SELECT action_type, is_first_daily_activity FROM fact_user_activity ORDER BY action_timestamp"
        ).rows
    assert sessions == [
        ("a", "test", 20260101, 300.0, "like", "search"),
        ("a", "test", 20260102, 0.0, "search", "search"),
    ]
    assert firsts == [
        ("session_start", False), ("like", True), ("search", False), ("search", True)
    ]  # fmt: skip


@pytest.mark.parametrize("view", ["agg_daily_active", "agg_tiers", "fact_user_sessions", "fact_daily_user_activity"])
def test_an_empty_workspace_has_empty_views(view: str) -> None:
    """And read-only SQL may read them."""
    with workspace() as ws:
        assert ws.sql(f"SELECT * FROM {view}").rows == []


def test_a_tier_is_judged_on_each_day_by_the_30_days_that_end_on_it() -> None:
    """Five days in a row: casual, from the sixth on regular; down again as days leave the window, at last dormant."""
    active = [did("a", f"2026-01-{day:02}T10:00:00") for day in range(2, 8)]
    passive = [
        did("a", f"2026-{day}T10:00:00", "payment_failed") for day in ("01-01", "01-31", "02-01", "02-05", "02-06")
    ]
    with workspace(*active, *passive) as ws:
        personal = ws.sql("SELECT strftime(day, '%m-%d'), engagement_tier FROM fact_daily_user_activity").rows
        everybody = ws.sql(
            "SELECT strftime(day, '%m-%d'), tier FROM agg_tiers WHERE activity = 'core' AND users = 1 ORDER BY day"
        ).rows
    assert dict(personal) == {
        "01-01": "not_yet_seen", **{f"01-0{day}": "casual" for day in range(2, 7)}, "01-07": "regular",
        "01-31": "regular", "02-01": "casual", "02-05": "casual", "02-06": "dormant",
    }  # fmt: skip
    told = dict(everybody)
    assert {day: told.get(day, "not_yet_seen") for day in dict(personal)} == dict(personal)
