"""Usage interval and survival, by examples small enough to count by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from regulars.domain.query import Query, Range
from tests.oracle import RefusedError, User, World
from tests.oracle.cadence import interval_rows
from tests.oracle.examples import column, event, world
from tests.oracle.survival import Life, life, survival_rows

JANUARY = date(2026, 1, 1)
DAYS = Range(start=JANUARY, end=date(2026, 3, 31))


def on(*days: int) -> list[date]:
    return [JANUARY + timedelta(days=day) for day in days]


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        ((0,), Life(0, has_left=True)),
        ((0, 4), Life(4, has_left=True)),
        ((0, 4, 8), Life(8, has_left=True)),  # three silent days are not four
        ((0, 4, 9), Life(4, has_left=True)),  # four are
        ((0, 4, 8, 12, 16), Life(16, has_left=True)),  # 16 = 20 - 4 is the last day that can be followed
        ((0, 4, 8, 12, 15, 17), Life(16, has_left=False)),
        ((12, 20), Life(0, has_left=True)),
        ((17,), None),
    ],
)
def test_a_life_ends_before_the_first_long_silence(active: tuple[int, ...], expected: Life | None) -> None:
    """Four days are long; the last day with data is day 20."""
    assert life(on(*active), JANUARY + timedelta(days=20), 4) == expected


def school() -> World:
    """a leaves at once, b after 10 days, c comes to the end, d begins too late to be followed, z came last year."""
    events = [event("a", "2026-01-01"), event("b", "2026-01-02"), event("b", "2026-01-12"), event("d", "2026-03-20")]
    events += [event("c", f"2026-0{month}-0{day}") for month in (1, 2, 3) for day in (1, 5)]
    events += [event("z", "2025-06-01"), event("z", "2026-01-05"), event("c", "2026-03-31")]
    return world(*events, users=(User("c", {"plan": "paid"}),))


def test_a_curve_is_multiplied_day_by_day() -> None:
    """Of three one leaves on day 0, one on day 10; c is followed from 1 January to 1 March, 59 days."""
    rows = survival_rows(school(), Query(metric="survival", range=DAYS))
    assert len(rows) == 60
    assert [rows[day]["at_risk"] for day in (0, 1, 10, 11, 59)] == [3, 2, 2, 1, 1]
    assert [round(rows[day]["survival"], 4) for day in (0, 9, 10, 59)] == [0.6667, 0.6667, 0.3333, 0.3333]
    # By hand: variance 1/(3*2) = 1/6; 1.96 * sqrt(1/6) / ln(2/3) = -1.9734; (2/3) ** exp(+-1.9734).
    assert (round(rows[0]["low"], 3), round(rows[0]["high"], 3)) == (0.054, 0.945)
    assert rows[59]["censored"] == 1


def test_slices_of_a_curve_are_those_of_the_first_day() -> None:
    """c alone is paid."""
    rows = survival_rows(school(), Query(metric="survival", range=DAYS, breakdown=("plan",)))
    assert [row["at_risk"] for row in rows if row["day"] == 0] == [2, 1]
    assert {row["low"] for row in rows if row["plan"] == "paid"} == {None}


def test_an_interval_is_the_median_of_the_days_between() -> None:
    """a comes every 2 days and once after 9, b after 1 and after 2, c only once."""
    days = {"a": (1, 3, 5, 14), "b": (1, 2, 4), "c": (1,), "d": (1, 3)}
    where = world(*(event(user, f"2026-01-{day:02}") for user, own in days.items() for day in own))
    rows = interval_rows(where, Query(metric="usage_interval", range=DAYS))
    assert column(rows, "days_between") == [1.5, 2.0]
    assert column(rows, "users") == [1, 2]
    assert column(rows, "cumulative_share") == [1 / 3, 1.0]
    part = Range(start=date(2026, 1, 3), end=date(2026, 1, 14))
    (row,) = interval_rows(where, Query(metric="usage_interval", range=part))
    assert row["days_between"] == 5.5


@pytest.mark.parametrize("more", [{"breakdown": ("action",)}, {"options": {"silent_days": 0}}, {"window": 7}])
def test_what_a_life_cannot_answer_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        survival_rows(school(), Query(metric="survival", **more))
