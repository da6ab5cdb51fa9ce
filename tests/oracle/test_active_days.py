"""The power-user curve and a cohort's stickiness, by examples small enough to count by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given

from regulars.domain.query import Query, Range
from regulars.settings import Activity
from tests.oracle import RefusedError, World, answer
from tests.oracle.daily import active_days_rows
from tests.oracle.examples import column, event, world
from tests.strategies import worlds


def february() -> World:
    """28 days from Sunday, 1 February 2026: a comes every day, b on two of one week, c on two of two."""
    return world(
        *(event("a", f"2026-02-{day:02}") for day in range(1, 29)),
        *(event("b", f"2026-02-{day:02}") for day in (3, 4)),
        *(event("c", f"2026-02-{day:02}") for day in (8, 9)),
        event("gone", "2026-01-31"),
    )


def curve(where: World, start: int = 28, grain: str = "day", **more: Any) -> list[dict[str, Any]]:
    """The rows for 28 February, or for the days from ``start`` to it."""
    days = Range(start=date(2026, 2, start), end=date(2026, 2, 28), grain=grain)  # type: ignore[arg-type]
    return active_days_rows(where, Query(metric="active_days", window=28, range=days, **more))


def counted(rows: list[dict[str, Any]]) -> dict[int, int]:
    """Number of active days -> people, without the empty ones."""
    return {row["active_days"]: row["users"] for row in rows if row["users"]}


def test_the_curve_of_28_days() -> None:
    rows = curve(february())
    assert column(rows, "active_days") == list(range(1, 29))
    assert counted(rows) == {2: 2, 28: 1}
    assert rows[1] == {"active_days": 2, "users": 2, "share": pytest.approx(2 / 3), "flags": []}


def test_at_least_k_days_is_the_sum_from_the_right() -> None:
    rows = curve(february(), options={"at_least": True})
    assert column(rows, "users") == [3, 3, *[1] * 26]
    assert rows[0]["share"] == 1.0


def test_weeks_follow_the_setting() -> None:
    """From Sunday 1 to Saturday 28 February: 4 weeks that start on Sunday, 5 that start on Monday."""
    rows = curve(february(), options={"unit": "week"})
    assert column(rows, "active_days") == [1, 2, 3, 4, 5]
    assert counted(rows) == {1: 1, 2: 1, 5: 1}
    sunday = world(*february().events, week_start="sunday")
    assert counted(curve(sunday, options={"unit": "week"})) == {1: 2, 4: 1}


def test_over_time_has_a_block_per_bucket_and_the_last_one_is_the_answer_for_the_range() -> None:
    rows = curve(february(), 27, options={"over_time": True})
    assert len(rows) == 2 * 28
    assert list(rows[0]) == ["date", "active_days", "users", "share", "flags"]
    assert counted(rows[:28]) == {1: 1, 2: 2, 27: 1}
    assert [{name: value for name, value in row.items() if name != "date"} for row in rows[28:]] == curve(
        february(), 27
    )


def test_flags_speak_of_the_last_day_and_of_the_first() -> None:
    where = world(event("a", "2026-02-20"), now="2026-02-20T12:00")
    assert curve(where, 1)[0]["flags"] == ["incomplete", "warming_up"]
    assert curve(where) == []
    over = world(event("a", "2026-02-20"), event("a", "2026-02-28"), event("a", "2026-01-01"))
    assert curve(over)[0]["flags"] == []
    assert curve(over, grain="month")[0]["flags"] == []


def test_nobody_has_no_share() -> None:
    where = world(event("a", "2026-01-01"), event("a", "2026-02-28", "session_start"))
    assert {(row["users"], row["share"]) for row in curve(where)} == {(0, None)}


def test_event_slices_have_chains_of_their_own() -> None:
    """Two searches a day make a day, one on each device none; three make one on the device of two."""
    where = world(
        event("a", "2026-02-01T01:00", "search", device_type="ios"),
        event("a", "2026-02-01T02:00", "search", device_type="web"),
        event("a", "2026-02-28T01:00", "search", device_type="ios"),
        event("a", "2026-02-28T02:00", "search", device_type="ios"),
        event("a", "2026-02-28T03:00", "search", device_type="web"),
        activity={"searching": Activity(events=("search",), min_events=2)},
    )
    assert counted(curve(where, activity="searching")) == {2: 1}
    rows = curve(where, activity="searching", breakdown=("device.device_type",))
    assert {row["device.device_type"] for row in rows} == {"ios"}
    assert counted(rows) == {1: 1}


@pytest.mark.parametrize("more", [{"grain": "hour"}, {"activity": "dancing"}, {"options": {"unit": "month"}}])
def test_what_the_curve_cannot_answer_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        curve(february(), **more)


@given(worlds())
def test_the_curve_adds_up_to_the_active_users(world: World) -> None:
    days = active_days_rows(world, Query(metric="active_days", options={"over_time": True}, breakdown=("country",)))
    users = answer(world, Query(metric="active_users", window=30, breakdown=("country",)))
    per_block = [days[n : n + 30] for n in range(0, len(days), 30)]
    assert [sum(column(block, "users")) for block in per_block] == column(users, "active_users")
    assert [block[0]["flags"] for block in per_block] == column(users, "flags")
    assert [block[0]["country"] for block in per_block] == column(users, "country")
