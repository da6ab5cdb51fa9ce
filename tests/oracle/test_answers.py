"""The oracle itself, held to the contract by examples small enough to count by hand."""

from __future__ import annotations

from datetime import date

import pytest

from regulars.domain.query import Filter, Query, Range
from tests.oracle import RefusedError, User, World, answer, people
from tests.oracle.examples import ask, column, event, world


def three_users() -> World:
    """The classic example; a silent test user keeps the clock running until 3 February."""
    counts = {"1": (5, 3, 7), "2": (2, 0, 1), "3": (1, 4, 2)}
    events = [
        event(user, f"2023-01-0{day}T10:00:{n:02}")
        for user, days in counts.items()
        for day, times in enumerate(days, start=1)
        for n in range(times)
    ]
    return world(*events, event("1", "2023-02-03T00:00", "session_start"))


def test_daily_and_monthly_users_of_the_classic_example() -> None:
    """Three users: the 30-day window still holds 3 January on 1 February, and no longer on the 2nd."""
    where = three_users()
    assert column(ask(where, "dau", "2023-01-01", "2023-01-03"), "active_users") == [3, 2, 3]
    assert column(ask(where, "mau", "2023-01-03", "2023-01-03"), "active_users") == [3]
    assert column(ask(where, "mau", "2023-02-01", "2023-02-02"), "active_users") == [3, 0]


def test_stickiness_of_the_classic_example() -> None:
    """On 2 January two of three monthly users are there; no monthly users, no ratio."""
    rows = ask(three_users(), "stickiness", "2023-01-02", "2023-02-02")
    assert (rows[0]["numerator"], rows[0]["denominator"]) == (2, 3)
    assert rows[0]["stickiness"] == pytest.approx(2 / 3)
    assert rows[0]["flags"] == ["warming_up"]
    assert rows[-1]["stickiness"] is None


def test_actions_are_counted_summed_and_weighted() -> None:
    """Eight likes of weight 2 by three users."""
    rows = ask(three_users(), "actions", "2023-01-01", "2023-01-01", options={"weighted": True})
    assert rows == [
        {
            "date": date(2023, 1, 1),
            "actions": 8,
            "users": 3,
            "actions_per_user": 8 / 3,
            "weighted_actions": 16.0,
            "flags": [],
        }
    ]


def test_the_day_is_local_and_the_watermark_follows_the_clock() -> None:
    """18:30 UTC is the next day in Kathmandu; an event far ahead of the clock is not there yet."""
    where = world(
        event("a", "2026-01-01T18:30"),
        event("a", "2026-01-03T00:00"),
        now="2026-01-02T12:00",
        timezone="Asia/Kathmandu",
    )
    rows = ask(where, "dau", "2026-01-01", "2026-01-05")
    assert column(rows, "date") == [date(2026, 1, 1), date(2026, 1, 2)]
    assert column(rows, "active_users") == [0, 1]
    assert column(rows, "flags") == [["warming_up"], ["incomplete"]]


def test_the_skipped_hour_has_no_bucket_and_the_repeated_one_has_two() -> None:
    """Berlin has 23 hours on one Sunday and 25 on another."""
    spring, autumn = event("a", "2026-03-29T01:10"), event("a", "2026-10-25T01:10")
    where = world(spring, autumn, timezone="Europe/Berlin")
    rows = ask(where, "active_users", "2026-03-29", "2026-03-29", "hour")
    assert len(rows) == 23
    assert [row["date"] for row in rows if row["active_users"]] == ["2026-03-29T03:00:00+02:00"]
    rows = ask(where, "active_users", "2026-10-25", "2026-10-25", "hour")
    assert len(rows) == 25
    assert [row["date"] for row in rows if row["active_users"]] == ["2026-10-25T02:00:00+01:00"]


def test_half_an_hour_of_summer_time_cuts_an_hour_in_two() -> None:
    """On Lord Howe Island the clock goes from 02:00 to 02:30."""
    where = world(event("a", "2026-10-03T15:30"), timezone="Australia/Lord_Howe")
    rows = ask(where, "active_users", "2026-10-04", "2026-10-04", "hour")
    assert [row["date"] for row in rows if row["active_users"]] == ["2026-10-04T02:30:00+11:00"]


def test_weeks_follow_the_setting_and_are_widened() -> None:
    """2021-01-03 is a Sunday: the last day of ISO week 53, or the first of a week."""
    monday, sunday = world(event("a", "2021-01-03")), world(event("a", "2021-01-03"), week_start="sunday")
    assert column(ask(monday, "active_users", "2021-01-03", "2021-01-03", "week"), "date") == [date(2020, 12, 28)]
    rows = ask(sunday, "active_users", "2021-01-03", "2021-01-03", "week")
    assert [(row["date"], row["flags"]) for row in rows] == [(date(2021, 1, 3), ["incomplete"])]


def test_new_is_judged_on_the_whole_history() -> None:
    """Somebody seen a year ago is not new, unless registration says so."""
    where = world(
        event("a", "2025-01-01"),
        event("a", "2026-01-01"),
        event("b", "2026-01-01"),
        users=(User("a", registration_date=date(2026, 1, 1)),),
    )
    row = ask(where, "new_vs_returning", "2026-01-01", "2026-01-01")[0]
    assert (row["new"], row["returning"], row["active_users"], row["flags"]) == (1, 1, 2, [])
    query = Query(metric="new_vs_returning", options={"new_by": "registration"})
    assert people(where, query)[date(2026, 1, 1), ()]["new"] == {"a"}


def test_methods_and_summaries_of_stickiness() -> None:
    """a comes on the 1st, 2nd and 4th, b on the 1st; the 4th is not over."""
    where = world(
        *(event("a", f"2026-01-0{day}") for day in (1, 2, 4)),
        event("b", "2026-01-01"),
        now="2026-01-04T12:00",
    )
    days = ("2026-01-01", "2026-01-04")
    back = ask(where, "stickiness", *days, options={"method": "return"})
    assert column(back, "stickiness") == [0.5, 0.0, None, None]
    assert column(back, "flags") == [[], [], ["incomplete"], ["incomplete"]]
    mean = ask(where, "stickiness", *days, window=2, options={"method": "mean"})
    assert column(mean, "numerator") == [1.0, 1.5, 0.5, 0.5]
    assert column(mean, "stickiness") == [0.5, 0.75, 0.5, 0.5]
    best = ask(where, "stickiness", *days, window=2, options={"summary": "mean"})
    assert column(best, "stickiness") == [pytest.approx((1 + 0.5 + 0) / 3)]
    assert best[0]["date"] == date(2026, 1, 1)
    assert best[0]["flags"] == ["incomplete", "warming_up"]


def test_questions_without_an_answer_are_refused() -> None:
    """Hours have no window, a month no weeks, and an event no age."""
    mixed = Filter(any=(Filter(property="age_band", value="65+"), Filter(property="geo.country", value="DE")))
    for question in (
        Query(metric="mau", range=Range(grain="hour"), window=30),
        Query(metric="active_users", calendar="week", range=Range(grain="month")),
        Query(metric="dau", filters=(mixed,)),
    ):
        with pytest.raises(RefusedError):
            answer(three_users(), question)


def test_an_empty_world_has_no_rows() -> None:
    """Nothing happened, or all of it lies ahead."""
    assert answer(world(), Query(metric="dau")) == []
    assert answer(world(event("a", "2040-01-01")), Query(metric="dau")) == []
