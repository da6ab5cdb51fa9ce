"""A number explains itself: in words, by its people, and by the events that made them count."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from regulars.domain.metrics import METRICS
from regulars.errors import QueryError
from tests.domain.examples import did, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.workspace import Workspace

EVENTS = [
    did(user, at, country=country)
    for user, at, country in (
        ("a", "2026-11-01T09:10:00", "DE"), ("b", "2026-11-01T09:20:00", "FR"), ("c", "2026-11-01T10:00:00", "IT"),
        ("d", "2026-11-01T11:00:00", "IT"), ("a", "2026-11-02T09:00:00", "DE"), ("a", "2026-11-02T09:01:00", "DE"),
        ("a", "2026-11-02T09:02:00", "DE"), ("a", "2026-11-02T09:03:00", "DE"),
    )
]  # fmt: skip


@pytest.fixture(scope="module")
def ws() -> Iterator[Workspace]:
    """Four people on two days, in Berlin."""
    with workspace(*EVENTS) as opened:
        yield opened


def test_the_words_say_what_was_asked_and_where_the_answer_came_from(ws: Workspace) -> None:
    """With the settings' hash, so that two numbers can be told to mean the same."""
    asked: dict[str, Any] = {"start": "2026-11-01", "by": "country", "where": "country is not null"}
    text = ws.active_users(window=7, **asked).explain()
    assert "Asked: active users, per day, in a window of 7 days, by country, 1 conditions, 2026-11-01 to" in text
    assert f"definitions {ws.settings.definitions_hash}." in text
    assert "sums that every load keeps up to date" in text
    assert "by calendar week" in ws.active_users(calendar="week").explain()
    assert "kind=on_or_after" in ws.retention(kind="on_or_after").explain()
    assert "FROM" in text


def test_a_cell_is_followed_to_people_and_events(ws: Workspace) -> None:
    """Three of them by name, with three of their events each, in local time."""
    result = ws.active_users(start="2026-11-01")
    first = result.explain(0)
    assert "For example active_users = 4 (date 2026-11-01):" in first
    assert "  a: 2026-11-01 09:10 like" in first
    assert "  and 1 more people" in first
    assert "  a: 2026-11-02 09:00 like; 2026-11-02 09:01 like; 2026-11-02 09:02 like; and 1 more" in result.explain(1)
    assert [one.user_id for one in result.events(0, people=2)] == ["a", "b"]
    assert "country other" in ws.active_users(start="2026-11-01", by="country", limit=1).explain(1)


def test_the_events_are_those_of_the_window_the_hour_or_the_horizon(ws: Workspace) -> None:
    """What lies outside did not make anybody count."""
    week = ws.active_users(window=7, start="2026-11-02")
    assert [one.at.day for one in week.events(0)] == [1, 2, 2, 2, 2, 1, 1]
    hours = ws.active_users(grain="hour", start="2026-11-01", end="2026-11-01")
    assert [one.user_id for one in hours.events(hours.rows[9])] == ["a", "b"]
    back = ws.retention(start="2026-11-01", end="2026-11-01", horizon=1)
    assert len(back.events(1, "retention_users")) == 5
    assert len(ws.tiers(start="2026-11-02").events(0)) == 7
    never = ws.retention(start="2026-11-01", end="2026-11-01", horizon=1, start_event="share")
    assert never.events(0, "cohort_size") == []
    gone = ws.lifecycle(start="2026-11-02")
    assert {one.at.day for one in gone.events(0, "churned")} == {1}


def test_a_person_who_counts_without_an_event_is_said_to_have_none(ws: Workspace) -> None:
    """A registration is one."""
    ws.load([{"user_id": "z", "registration_date": "2026-11-01"}], kind="users")
    result = ws.retention(start="2026-11-01", end="2026-11-01", cohort="registration", horizon=1)
    assert "  z: no event in the range" in result.explain(0, "cohort_size")


def test_a_workspace_without_data_has_no_events_to_show() -> None:
    """Nor an error."""
    with workspace() as empty:
        result = empty.active_users()
        assert result.open_events is not None
        assert result.open_events({"date": date(2026, 1, 1)}, ["a"]) == []


def test_a_cell_that_counts_nobody_cannot_be_explained_further(ws: Workspace) -> None:
    """As it cannot be opened."""
    with pytest.raises(QueryError, match="no row 99"):
        ws.active_users().explain(99)
    with pytest.raises(QueryError, match="say which column"):
        ws.lifecycle().explain(-1)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_explains_itself(ws: Workspace, name: str) -> None:
    """Down to the events, where it counts people."""
    result = ws.metric(name, start="2026-11-01", **NEEDED.get(name, {}))
    text = result.explain()
    assert METRICS[name].title in text
    for column in result.people_columns:
        row = next((row for row in result.rows if row[column]), None)
        if row is not None:
            assert f"For example {column} = {row[column]}" in result.explain(row, column)


# Options without which a metric cannot be asked.
WAY = {"steps": "like -> like"}
NEEDED: dict[str, dict[str, Any]] = {
    "revenue": {"property": "duration_seconds"},
    "funnel": WAY,
    "funnel_trend": WAY,
    "time_to_convert": WAY,
    "experiment": {"experiment": "checkout", "event": "like"},
}
