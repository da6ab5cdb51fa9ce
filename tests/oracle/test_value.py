"""Feature adoption, onboarding and revenue, by examples small enough to count by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from regulars.domain.query import Query, Range, Step
from tests.oracle import RefusedError, User, World
from tests.oracle.examples import column, event, world
from tests.oracle.value import adoption_rows, onboarding_rows, revenue_rows

WEEK = Range(start=date(2026, 1, 5), end=date(2026, 1, 7))


def shop() -> World:
    """Three days: a edits twice and pays 10, b only looks and fails to pay, c edits on the last day and pays 20.5."""
    return world(
        event("a", "2026-01-05", feature="editor"),
        event("a", "2026-01-06", feature="editor"),
        event("a", "2026-01-06", "payment_success", properties={"amount": 10}),
        event("b", "2026-01-05", feature="search"),
        event("b", "2026-01-07", "payment_failed", properties={"amount": 5}),
        event("c", "2026-01-07", feature="editor"),
        event("c", "2026-01-07", "payment_success", properties={"amount": "20.5"}),
        event("c", "2026-01-07", "payment_success", properties={"amount": "much"}),
        users=(User("a", {"plan": "paid"}, registration_date=date(2026, 1, 5)),
               User("b", registration_date=date(2026, 1, 6)), User("c")),
    )  # fmt: skip


def test_adoption_is_a_share_of_the_active() -> None:
    """On the 5th a and b are active, on the 6th a, on the 7th c."""
    rows = adoption_rows(shop(), Query(metric="feature_adoption", range=WEEK))
    assert [(row["date"].day, row["feature"], row["users"], row["active_users"]) for row in rows] == [
        (5, "editor", 1, 2), (5, "search", 1, 2), (6, "editor", 1, 1), (6, "search", 0, 1), (7, "editor", 1, 1),
        (7, "search", 0, 1),
    ]  # fmt: skip
    windowed = adoption_rows(
        shop(), Query(metric="feature_adoption", range=WEEK, window=2, options={"feature": "editor"})
    )
    assert column(windowed, "adoption") == [0.5, 0.5, 1.0]
    with pytest.raises(RefusedError):
        adoption_rows(shop(), Query(metric="feature_adoption", breakdown=("feature",)))


@pytest.mark.parametrize(
    ("options", "users", "days"),
    [
        ({}, [1], [0.0]),  # a on the day; b's only core action came the day before
        ({"milestones": ("payment_success", "any"), "days": 1}, [1, 2], [1.0, 0.5]),
        ({"milestones": (Step(None, times=3), Step(("like",), times=3))}, [1, 0], [1.0, None]),
        ({"cohort": "first_activity", "milestones": ("payment_success",)}, [2], [0.5]),
    ],
)
def test_a_milestone_is_reached_in_time_or_not(options: dict[str, Any], users: list[int], days: list[float]) -> None:
    """a registers on the 5th, b on the 6th; c never did, and began on the 7th."""
    rows = onboarding_rows(shop(), Query(metric="onboarding", range=WEEK, options=options))
    assert column(rows, "users") == users
    assert column(rows, "median_days") == days
    assert {row["cohort"] for row in rows} == {3 if "cohort" in options else 2}


def test_revenue_is_added_up_per_bucket_and_per_age() -> None:
    """Nothing on the 5th; a text that is no number adds nothing, but is a payment."""
    rows = revenue_rows(shop(), Query(metric="revenue", range=WEEK))
    assert column(rows, "revenue") == [0.0, 10.0, 20.5]
    assert column(rows, "payments") == [0, 1, 2]
    assert column(rows, "revenue_per_paying_user") == [None, 10.0, 20.5]
    assert column(rows, "failed_payment_rate") == [None, 0.0, 1 / 3]
    aged = revenue_rows(shop(), Query(metric="revenue", range=WEEK, options={"cohort_age": "day"}))
    assert [(row["age"], row["revenue"], row["active_users"]) for row in aged] == [
        (0, 20.5, 3),
        (1, 10.0, 1),
        (2, 0, 0),
    ]
