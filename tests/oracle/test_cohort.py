"""Stickiness of a fixed set of people, by examples small enough to count by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given

from regulars.domain.query import Filter, Query, Range
from tests.oracle import RefusedError, User, World, answer
from tests.oracle.cohort import cohort_cells, cohort_rows
from tests.oracle.examples import column, event, world
from tests.strategies import worlds


def february() -> World:
    """a and b begin on the 1st, a comes back on the 3rd; old was there before; r registers on the 1st, comes later."""
    return world(
        *(event("a", f"2026-02-0{day}") for day in (1, 3)),
        event("b", "2026-02-01"),
        *(event("old", day) for day in ("2025-12-01", "2026-02-01", "2026-02-05")),
        event("r", "2026-02-04"),
        users=(User("r", {"plan": "paid"}, registration_date=date(2026, 2, 1)), User("a", {"plan": "paid"}),
               User("never", registration_date=date(2026, 2, 1)),
               User("t", registration_date=date(2026, 2, 1), population="test")),
    )  # fmt: skip


def followed(where: World, end: int = 5, **more: Any) -> list[dict[str, Any]]:
    """The rows from 1 February on."""
    days = Range(start=date(2026, 2, 1), end=date(2026, 2, end))
    return cohort_rows(where, Query(metric="stickiness_by_cohort", range=days, **more))


def test_a_window_looks_back_no_further_than_the_start() -> None:
    """Two begin; with a window of 3 days b is forgotten on the 4th, and nobody is left on the 6th."""
    rows = followed(february(), window=3)
    assert rows[2] == {
        "date": date(2026, 2, 3),
        "day": 2,
        "cohort": 2,
        "active_users": 1,
        "window_users": 2,
        "stickiness": 0.5,
        "flags": [],
    }
    assert column(rows, "active_users") == [2, 0, 1, 0, 0]
    assert column(rows, "window_users") == [2, 2, 2, 1, 1]
    silent = world(*february().events, event("z", "2026-02-06"))
    assert followed(silent, 6, window=3)[-1]["stickiness"] is None


@pytest.mark.parametrize(
    ("by", "size", "active"),
    [("first_activity", 2, [2, 0, 1, 0, 0]), ("active", 3, [3, 0, 1, 0, 1]), ("registration", 2, [0, 0, 0, 1, 0])],
)
def test_three_ways_to_choose_a_cohort(by: str, size: int, active: list[int]) -> None:
    """New on the day, there on the day, or registered on it: then also who never comes."""
    rows = followed(february(), options={"cohort": by})
    assert set(column(rows, "cohort")) == {size}
    assert column(rows, "active_users") == active


def test_slices_are_those_of_the_first_day() -> None:
    """The band moves on, the people stay; a slice is what the filter finds."""
    users = (User("a", registration_date=date(2026, 1, 26)),)
    where = world(*february().events, users=users)
    rows = followed(where, breakdown=("tenure_band",))
    assert [(row["tenure_band"], row["cohort"]) for row in rows if row["day"] == 3] == [("(none)", 1), ("0-6 days", 1)]
    only = followed(where, filters=(Filter(property="tenure_band", value="0-6 days"),))
    sliced = [row for row in rows if row["tenure_band"] == "0-6 days"]
    assert [{**row, "tenure_band": "0-6 days"} for row in only] == sliced
    rest = followed(february(), breakdown=("plan",), limit=1, options={"cohort": "active"})[:2]
    assert [(row["plan"], row["cohort"], row["flags"]) for row in rest] == [("(none)", 2, []), (None, 1, ["other"])]


def test_rows_end_at_the_watermark_and_young_data_warm_up() -> None:
    """The last event is on the 5th; a first day inside the first window may only look like one."""
    assert len(followed(february(), 20)) == 5
    young = world(*(each for each in february().events if each.at.year == 2026))
    assert {tuple(row["flags"]) for row in followed(young)} == {("warming_up",)}
    assert {tuple(row["flags"]) for row in followed(young, options={"cohort": "active"})} == {()}


@pytest.mark.parametrize(
    "more", [{"breakdown": ("action",)}, {"options": {"cohort": "all"}}, {"calendar": "week"}, {"activity": "dancing"},
             {"range": Range(grain="week")}]
)  # fmt: skip
def test_what_a_cohort_cannot_answer_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        cohort_rows(february(), Query(metric="stickiness_by_cohort", **more))


@given(worlds())
def test_on_the_first_day_the_active_are_the_days_users(world: World) -> None:
    """And the beginners among them its new users."""
    for row in answer(world, Query(metric="new_vs_returning"))[-3:]:
        day = Range(start=row["date"], end=row["date"])
        for by, count in (("active", row["active_users"]), ("first_activity", row["new"])):
            query = Query(metric="stickiness_by_cohort", range=day, options={"cohort": by})
            ((_, _, cell),) = cohort_cells(world, query)
            assert [len(users) for users in cell.people.values()] == [count] * 3
