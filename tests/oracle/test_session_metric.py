"""The metric of sessions, by examples small enough to count by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.domain.query import Filter, Query, Range
from tests.oracle import RefusedError, User, World
from tests.oracle.examples import column, event, world
from tests.oracle.session_metric import quantile, session_rows
from tests.session_strategies import session_worlds


def measured(where: World, grain: str = "day", **more: Any) -> list[dict[str, Any]]:
    """The metric over the first days of January."""
    days = Range(start=date(2026, 1, 1), end=date(2026, 1, 2), grain=grain)  # type: ignore[arg-type]
    return session_rows(where, Query(metric="sessions", range=days, **more))


def visits() -> World:
    """On the 1st: a for 10 minutes and for none, b for 4; t is a test user; a silent 2nd."""
    return world(
        event("a", "2026-01-01T12:00", platform="app", context="x"),
        event("a", "2026-01-01T12:10", context="y"),
        event("a", "2026-01-01T13:00"),
        *(event("b", f"2026-01-01T12:0{n}", "search") for n in (0, 4)),
        event("t", "2026-01-01"),
        event("t", "2026-01-02"),
        users=(User("t", population="test"), User("a", {"plan": "paid"})),
    )


def test_sessions_are_measured_by_day_of_start() -> None:
    """Durations 600, 0 and 240 s; the 90 % point lies 0.8 of the way from 240 to 600."""
    rows = measured(visits())
    assert rows[0] == {
        "date": date(2026, 1, 1),
        "sessions": 3,
        "users": 2,
        "sessions_per_user": 1.5,
        "duration_mean": 280.0,
        "duration_median": 240.0,
        "duration_p90": pytest.approx(528.0),
        "actions_per_session": pytest.approx(5 / 3),
        "screens_per_session": pytest.approx(2 / 3),
        "bounce_share": pytest.approx(1 / 3),
        "flags": [],
    }
    assert [rows[1][name] for name in ("sessions", "users", "sessions_per_user", "duration_p90")] == [0, 0, None, None]
    assert column(measured(visits(), "week"), "sessions") == [3]
    assert column(measured(visits(), population="all"), "sessions") == [4, 1]


def test_session_properties_break_down_and_filter() -> None:
    """The slice law: a slice is what the filter finds; other is measured over the union."""
    rows = measured(visits(), breakdown=("session.entry_action",), limit=1)[:2]
    assert [(r["session.entry_action"], r["sessions"], r["flags"]) for r in rows] == [
        ("like", 2, []),
        (None, 1, ["other"]),
    ]
    assert column(measured(visits(), breakdown=("session.type",))[:2], "session.type") == ["unknown", "app"]
    only = measured(visits(), filters=(Filter(property="session.type", value="app"),))
    assert column(only, "sessions") == [1, 0]
    assert column(measured(visits(), filters=(Filter(property="plan", value="paid"),)), "sessions") == [2, 0]


def test_a_profile_puts_all_days_into_one_day_or_week() -> None:
    """Noon and one o'clock of the 1st and 2nd, a Thursday and a Friday; who came twice at noon is one person."""
    where = world(*visits().events, event("a", "2026-01-02T12:30"), users=tuple(visits().users.values()))
    hours = measured(where, options={"profile": "hour"})
    assert column(hours, "hour") == list(range(24))
    assert {row["hour"]: (row["sessions"], row["users"]) for row in hours if row["sessions"]} == {
        12: (3, 2),
        13: (1, 1),
    }
    weekdays = measured(where, options={"profile": "weekday"})
    assert [(row["weekday"], row["sessions"]) for row in weekdays] == [
        (1, 0),
        (2, 0),
        (3, 0),
        (4, 3),
        (5, 1),
        (6, 0),
        (7, 0),
    ]
    assert weekdays[0]["sessions_per_user"] is None


def test_an_hour_of_a_profile_is_a_local_one() -> None:
    """On the day the clock goes back, half past two comes twice; Kathmandu is 5:45 ahead."""
    twice = [event("a", "2026-10-25T00:30"), event("b", "2026-10-25T01:30")]
    for zone, hours in (("Europe/Berlin", {2: 2}), ("UTC", {0: 1, 1: 1}), ("Asia/Kathmandu", {6: 1, 7: 1})):
        days = Range(start=date(2026, 10, 25), end=date(2026, 10, 25))
        where = world(*twice, timezone=zone)
        rows = session_rows(where, Query(metric="sessions", range=days, options={"profile": "hour"}))
        assert {row["hour"]: row["users"] for row in rows if row["users"]} == hours


@pytest.mark.parametrize(
    "more", [{"activity": "any"}, {"window": 7}, {"breakdown": ("geo.country",)}, {"grain": "hour"},
             {"options": {"profile": "month"}}, {"options": {"profile": "hour"}, "grain": "week"}]
)  # fmt: skip
def test_what_a_session_cannot_know_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        measured(visits(), **more)


@pytest.mark.parametrize(("share", "expected"), [(0, 1), (0.5, 2.5), (0.9, 3.7), (1, 4)])
def test_quantiles_are_interpolated(share: float, expected: float) -> None:
    assert quantile([4, 1, 3, 2], share) == pytest.approx(expected)


@given(session_worlds(), st.sampled_from(("day", "week", "month")))
def test_slices_of_sessions_add_up(world: World, grain: Any) -> None:
    whole = Query(metric="sessions", range=Range(grain=grain), population="all")
    total = sum(column(session_rows(world, whole), "sessions"))
    for name in ("session.type", "country", "tenure_band"):
        sliced = Query(metric="sessions", range=Range(grain=grain), population="all", breakdown=(name,), limit=1)
        assert sum(column(session_rows(world, sliced), "sessions")) == total
