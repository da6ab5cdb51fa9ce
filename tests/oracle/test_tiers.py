"""Tiers and active days, by examples small enough to count by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given

from regulars.domain.query import Filter, Query, Range
from tests.oracle import Event, RefusedError, User, World, answer
from tests.oracle.examples import column, event, world
from tests.oracle.tiers import tier_transitions, tiers_rows
from tests.strategies import worlds

JANUARY = date(2026, 1, 1)
END = date(2026, 1, 30)


def comes(user: str, *days: int, times: int = 1) -> list[Event]:
    """Somebody who comes on the n-th of January 2026 (beyond 31: later), some times an hour apart."""
    mornings = [JANUARY + timedelta(days=day - 1) for day in days]
    return [event(user, f"{morning}T{hour:02}:00") for morning in mornings for hour in range(times)]


def over(start: date, end: date = END, grain: str = "day") -> Range:
    return Range(start=start, end=end, grain=grain)  # type: ignore[arg-type]


def sizes(where: World, day: date = END, window: int | None = None, **options: Any) -> dict[str, int]:
    """People by tier on one day, without the empty tiers."""
    query = Query(metric="tiers", range=over(day, day), window=window, options=options)
    return {row["tier"]: row["users"] for row in tiers_rows(where, query) if row["users"]}


def by_days(*counts: int) -> World:
    """One user per count, active on that many days up to 30 January."""
    return world(*(e for n in counts for e in comes(f"u{n}", *range(31 - n, 31))))


# --- the tiers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "tier"),
    [(1, "casual"), (5, "casual"), (6, "regular"), (15, "regular"), (16, "core"), (19, "core"), (20, "power"),
     (30, "power")],
)  # fmt: skip
def test_the_tier_follows_from_the_active_days_of_the_window(days: int, tier: str) -> None:
    assert sizes(by_days(days)) == {tier: 1}


def test_the_window_is_30_days_closed_and_a_setting() -> None:
    """Somebody of the 1st is in the window of the 30th, dormant on the 31st, and not a row before."""
    where = world(*comes("a", 1), *comes("b", 40))
    assert sizes(where, END) == {"casual": 1}
    assert sizes(where, END + timedelta(days=1)) == {"dormant": 1}
    assert sizes(where, date(2026, 1, 3), window=2) == {"dormant": 1}
    assert sizes(by_days(20), window=19) == {"core": 1}


def test_deep_users_are_power_in_the_other_scheme_and_not_core() -> None:
    """16 days of one action are core, one day of ten is power, 20 days of one are core, too."""
    where = world(*comes("deep", 30, times=10), *comes("often", *range(11, 31)), *comes("core", *range(15, 31)))
    assert sizes(where, scheme="depth") == {"core": 2, "power": 1}
    assert sizes(where, scheme="depth", depth_threshold=11) == {"casual": 1, "core": 2}
    assert sizes(where) == {"casual": 1, "core": 1, "power": 1}
    both = world(*comes("a", *range(11, 31), times=10))
    assert sizes(both, scheme="depth") == {"power": 1}


def test_at_risk_is_silence_of_more_than_7_days_and_tested_first() -> None:
    """Last seen on the 23rd is 7 days before the 30th; the frequent one of the 22nd is at risk, not power."""
    where = world(*comes("power", *range(1, 23)), *comes("week", 23), *comes("clock", 31))
    assert sizes(where) == {"casual": 1, "power": 1}
    assert sizes(where, with_risk=True) == {"at_risk": 1, "casual": 1}
    later = date(2026, 3, 1)
    assert sizes(world(*where.events, event("clock", "2026-03-01")), later, with_risk=True) == {
        "casual": 1,
        "dormant": 2,
    }


def test_every_tier_has_a_row_and_means_are_pooled() -> None:
    """a: 2 days, 3 actions, 3 sessions; b: 1 day, 1 action, 1 session."""
    where = world(*comes("a", 29), *comes("a", 30, times=2), *comes("b", 30), now="2026-01-30T12:00")
    query = Query(metric="tiers", range=over(END), options={"with_risk": True})
    rows = tiers_rows(where, query)
    assert column(rows, "tier") == ["casual", "regular", "core", "power", "at_risk", "dormant"]
    assert rows[0] == {
        "date": END,
        "tier": "casual",
        "users": 2,
        "sessions_per_active_day": pytest.approx(4 / 3),
        "actions_per_active_day": pytest.approx(4 / 3),
        "flags": ["incomplete", "warming_up"],
    }
    assert rows[-1]["sessions_per_active_day"] is None
    assert len(tiers_rows(where, Query(metric="tiers", range=over(END)))) == 5


def test_tiers_of_a_slice_are_those_of_its_filter() -> None:
    where = world(*comes("a", 29, 30), *comes("b", 1), *comes("c", 30), users=(User("b", {"country": "DE"}),))
    query = Query(metric="tiers", range=over(END), window=7, breakdown=("country",), limit=1)
    rows = [row for row in tiers_rows(where, query) if row["users"]]
    assert [(row["country"], row["tier"], row["users"]) for row in rows] == [
        ("(none)", "casual", 2),
        (None, "dormant", 1),
    ]
    only = Query(metric="tiers", range=over(END), window=7, filters=(Filter(property="country", value="DE"),))
    assert column(tiers_rows(where, only), "users") == [0, 0, 0, 0, 1]


def test_transitions_count_everybody_seen_by_the_second_day() -> None:
    """a stays casual, b rises, c falls, d arrives."""
    where = world(
        *comes("a", 5, 40), *comes("b", 5, *range(31, 41)), *comes("c", *range(1, 11)), *comes("d", 40), *comes("e", 50)
    )
    query = Query(metric="tier_transitions", range=over(date(2026, 1, 10), date(2026, 2, 9)))
    found = tier_transitions(where, query)
    assert [tuple(row.values()) for row in found.rows] == [
        ("casual", "casual", 1, ["warming_up"]),
        ("casual", "regular", 1, ["warming_up"]),
        ("regular", "dormant", 1, ["warming_up"]),
        ("not_yet_seen", "casual", 1, ["warming_up"]),
    ]
    assert found.movers == [
        ("b", "casual", "regular"),
        ("c", "regular", "dormant"),
        ("d", "not_yet_seen", "casual"),
    ]


def test_transitions_are_of_the_people_selected_on_the_first_day() -> None:
    """a has been here for 9 days on it and for 40 on the second; b for 200 on both."""
    people = (User("a", registration_date=JANUARY), User("b", registration_date=JANUARY - timedelta(days=191)))
    where = world(*comes("a", *range(1, 11), 41), *comes("b", 1, 41), *comes("c", 60), users=people)
    days = over(date(2026, 1, 10), date(2026, 2, 10))
    for band, expected in (("7-29 days", [("regular", "casual")]), ("30-89 days", [])):
        chosen = Filter(property="tenure_band", value=band)
        query = Query(metric="tier_transitions", range=days, window=10, filters=(chosen,))
        assert [(row["from_tier"], row["to_tier"]) for row in tier_transitions(where, query).rows] == expected
        assert all(row["flags"] == [] for row in tier_transitions(where, query).rows)


@pytest.mark.parametrize(
    "more", [{"range": Range(grain="hour")}, {"calendar": "week"}, {"activity": "dancing"},
             {"options": {"scheme": "x"}}, {"options": {"depth_threshold": 0}}, {"options": {"unknown": 1}}]
)  # fmt: skip
def test_what_tiers_cannot_answer_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        tiers_rows(by_days(1), Query(metric="tiers", **more))


@given(worlds())
def test_the_active_tiers_are_the_monthly_users(world: World) -> None:
    tiers = tiers_rows(world, Query(metric="tiers", range=Range(grain="week")))
    monthly = answer(world, Query(metric="active_users", window=30, range=Range(grain="week")))
    for row in monthly:
        there = [tier for tier in tiers if tier["date"] == row["date"] and tier["tier"] != "dormant"]
        assert sum(column(there, "users")) == row["active_users"]
        assert all(tier["flags"] == row["flags"] for tier in there)
