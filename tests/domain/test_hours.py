"""The hour grain on the days on which the clock changes."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from regulars.errors import QueryError
from regulars.settings import Activity
from tests.domain.examples import column, did, workspace

CASES = [
    ("UTC", "2026-03-29", 24, ["2026-03-29T00:00:00+00:00", "2026-03-29T01:00:00+00:00"]),
    ("Europe/Berlin", "2026-03-29", 23, ["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"]),
    ("Europe/Berlin", "2026-10-25", 25, ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]),
    (
        "Australia/Lord_Howe",
        "2026-10-04",
        24,
        ["2026-10-04T01:00:00+10:30", "2026-10-04T02:30:00+11:00", "2026-10-04T03:00:00+11:00"],
    ),
    (
        "Australia/Lord_Howe",
        "2026-04-05",
        25,
        ["2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30"],
    ),
    ("Africa/Cairo", "2026-04-24", 23, ["2026-04-24T01:00:00+03:00", "2026-04-24T02:00:00+03:00"]),
    ("Africa/Cairo", "2026-10-29", 25, ["2026-10-29T23:00:00+03:00", "2026-10-29T23:00:00+02:00"]),
    ("Asia/Kathmandu", "2026-03-29", 24, ["2026-03-29T00:00:00+05:45", "2026-03-29T01:00:00+05:45"]),
]


@pytest.mark.parametrize(("timezone", "day", "buckets", "neighbours"), CASES)
def test_a_day_has_a_bucket_per_local_hour_and_per_change(
    timezone: str, day: str, buckets: int, neighbours: list[str]
) -> None:
    """23, 24 or 25 of them; half-hour changes give one bucket of half an hour."""
    with workspace(did("a", f"{day}T12:00:00"), timezone=timezone) as ws:
        shown = column(ws.active_users(grain="hour", start=day, end=day), "date")
    assert len(shown) == len(set(shown)) == buckets
    place = shown.index(neighbours[0])
    assert shown[place : place + len(neighbours)] == neighbours
    assert {text[:10] for text in shown} == {day}


def test_the_repeated_hour_is_two_hours() -> None:
    """Two people an hour apart at the same local time are not in one bucket."""
    events = (did("a", "2026-10-25T00:30:00"), did("b", "2026-10-25T01:30:00"), did("b", "2026-10-25T01:45:00"))
    with workspace(*events, timezone="Europe/Berlin") as ws:
        people = ws.active_users(grain="hour", start="2026-10-25", end="2026-10-25").rows
        actions = ws.actions(grain="hour", start="2026-10-25", end="2026-10-25", weighted=True).rows
    assert [(row["date"][11:], row["active_users"]) for row in people if row["active_users"]] == [
        ("02:00:00+02:00", 1),
        ("02:00:00+01:00", 1),
    ]
    assert [(row["actions"], row["users"], row["weighted_actions"]) for row in actions if row["actions"]] == [
        (1, 1, 2.0),
        (2, 1, 4.0),
    ]


def test_hours_that_have_not_begun_are_not_shown() -> None:
    """The day of the watermark stops at the present hour."""
    now = datetime(2026, 3, 2, 9, 20, tzinfo=UTC)
    with workspace(did("a", "2026-03-02T09:10:00"), now=now) as ws:
        result = ws.active_users(grain="hour", start="2026-03-02", end="2026-03-02")
    assert len(result.rows) == 10
    assert result.rows[-1]["active_users"] == 1
    assert "incomplete" in result.rows[-1]["flags"]


def test_hours_can_be_broken_down_by_everything() -> None:
    """By event, by person, by tenure; the people beyond the limit stand under other."""
    events = [
        did(user, f"2026-03-02T0{hour}:15:00", geo={"country": land})
        for user, hour, land in (("a", 1, "DE"), ("b", 1, "DE"), ("b", 2, "FR"), ("c", 2, "IT"))
    ]
    users = ({"user_id": "a", "registration_date": "2026-03-01"},)
    day = {"grain": "hour", "start": "2026-03-02", "end": "2026-03-02"}
    with workspace(*events, users=users) as ws:
        by_event = ws.active_users(by="geo.country", limit=1, **day)
        by_tenure = ws.active_users(by="tenure_band", where="country = 'DE'", **day)
    assert by_event.columns[0].type == "text"
    hours = {(r["date"][11:13], r["geo.country"]): r["active_users"] for r in by_event.rows if r["active_users"]}
    assert hours == {("01", "DE"): 2, ("02", None): 2}
    assert {r["tenure_band"] for r in by_tenure.rows} == {"0-6 days", "(none)"}


@pytest.mark.parametrize(("activity", "expected"), [("busy", [1, 1]), ("calm", [1])])
def test_an_activity_that_counts_per_day_is_judged_on_the_day(activity: str, expected: list[int]) -> None:
    """Somebody with two events on a day is busy in both hours, and calm in none."""
    events = (did("a", "2026-03-02T01:00:00"), did("a", "2026-03-02T05:00:00"), did("b", "2026-03-02T07:00:00"))
    rules = {"busy": Activity(min_events=2), "calm": Activity(max_events=1)}
    with workspace(*events, activity=rules) as ws:
        day = {"grain": "hour", "start": "2026-03-02", "end": "2026-03-02"}
        shown = column(ws.active_users(activity=activity, **day), "active_users")
        sliced = column(ws.active_users(activity=activity, by="user_id", **day), "active_users")
    assert [n for n in shown if n] == expected == [n for n in sliced if n]


def test_a_rolling_window_of_hours_is_refused_with_the_reason() -> None:
    """Each hour counts its own people."""
    with workspace(did("a", "2026-03-02T01:00:00")) as ws, pytest.raises(QueryError, match="each hour counts") as found:
        ws.active_users(window=7, grain="hour")
    assert found.value.code == "window_at_hour_grain"


def test_metrics_without_hours_say_what_they_have() -> None:
    """Stickiness compares days."""
    with workspace() as ws, pytest.raises(QueryError, match="no hour grain; allowed: day, week, month"):
        ws.stickiness(grain="hour")


def test_the_next_day_begins_with_its_own_first_hour() -> None:
    """Neighbouring days share no bucket, and none is missing between them."""
    with workspace(did("a", "2026-10-26T12:00:00"), timezone="Europe/Berlin") as ws:
        shown = column(ws.active_users(grain="hour", start="2026-10-24", end="2026-10-26"), "date")
    instants = [datetime.fromisoformat(text) for text in shown]
    assert {later - sooner for sooner, later in itertools.pairwise(instants)} == {timedelta(hours=1)}
    assert len(shown) == 24 + 25 + 24
