"""Who is in which slice, by examples small enough to count by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from regulars.domain.query import Filter, Query
from regulars.settings import Activity, PopulationSettings
from tests.oracle import User, people
from tests.oracle.examples import ask, column, event, world


def test_min_events_is_judged_inside_the_slice() -> None:
    """Two searches a day make a user active, one on each device do not make them so on either."""
    searching = {"searching": Activity(events=("search",), min_events=2)}
    where = world(
        event("a", "2026-01-01T01:00", "search", device_type="ios"),
        event("a", "2026-01-01T02:00", "search", device_type="web"),
        activity=searching,
    )
    question: dict[str, Any] = {"start": "2026-01-01", "end": "2026-01-01", "activity": "searching"}
    assert column(ask(where, "dau", **question), "active_users") == [1]
    assert ask(where, "dau", **question, breakdown=("device.device_type",)) == []


def test_the_rest_of_a_breakdown_is_a_union() -> None:
    """One user in two small slices counts once under other."""
    where = world(
        *(event(user, "2026-01-01T01:00", country="DE") for user in "abc"),
        event("a", "2026-01-01T02:00", country="FR"),
        event("a", "2026-01-01T03:00"),
    )
    rows = ask(where, "dau", "2026-01-01", "2026-01-01", breakdown=("geo.country",), limit=1)
    assert [(row["geo.country"], row["active_users"], row["flags"]) for row in rows] == [
        ("DE", 3, []),
        (None, 1, ["other"]),
    ]
    rows = ask(where, "dau", "2026-01-01", "2026-01-01", breakdown=("geo.country",))
    assert column(rows, "geo.country") == ["DE", "(none)", "FR"]


def test_attributes_come_from_the_first_event_that_carries_them() -> None:
    """The first country sticks; an explicit one wins."""
    where = world(
        event("a", "2026-01-01T01:00"),
        event("a", "2026-01-01T02:00", country="DE"),
        event("a", "2026-01-01T03:00", country="FR"),
        event("b", "2026-01-01T03:00", country="FR"),
        users=(User("b", {"country": "IT"}),),
    )
    rows = ask(where, "dau", "2026-01-01", "2026-01-01", breakdown=("country",))
    assert column(rows, "country") == ["DE", "IT"]


def test_time_dependent_slices_are_judged_on_the_day_of_the_bucket() -> None:
    """A window keeps its user while the band moves on."""
    where = world(
        event("a", "2026-01-06"),
        event("a", "2026-01-09", "session_start"),
        users=(User("a", registration_date=date(2026, 1, 1)),),
    )
    rows = ask(where, "wau", "2026-01-07", "2026-01-08", breakdown=("tenure_band",))
    assert [(row["date"].day, row["tenure_band"], row["active_users"]) for row in rows] == [
        (7, "0-6 days", 1),
        (7, "7-29 days", 0),
        (8, "0-6 days", 0),
        (8, "7-29 days", 1),
    ]


def test_populations_and_duplicates() -> None:
    """Settings win over the flag, and an event counts once."""
    where = world(
        *[event("a", "2026-01-01")] * 2,
        event("t", "2026-01-01"),
        event("p", "2026-01-01"),
        users=(User("p", population="test"),),
        population=PopulationSettings(test_users=("t",), production_users=("p",)),
    )
    for population, expected in {"production": 2, "test": 1, "bot": 0, "all": 3}.items():
        rows = ask(where, "actions", "2026-01-01", "2026-01-01", population=population)
        assert column(rows, "actions") == [expected]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Filter(property="score", op=">", value=9), {"ten"}),
        (Filter(property="score", op=">", value="9"), {"word"}),
        (Filter(property="score", op="!=", value=10), {"word", "none"}),
        (Filter(property="score", op="not_in", value=("x", 10)), {"none"}),
        (Filter(property="score", op="between", value=(1, 10)), {"ten"}),
        (Filter(property="score", op="icontains", value="X"), {"word"}),
        (Filter(property="score", op="is_not_set"), {"none"}),
        (Filter(any=(Filter(property="score", op="=", value="x"), Filter(property="user_id", value="none"))),
         {"word", "none"}),
    ],
)  # fmt: skip
def test_filters(condition: Filter, expected: set[str]) -> None:
    """Numbers compare as numbers, text as text, and missing values match complements only."""
    where = world(
        event("ten", "2026-01-01", properties={"score": 10}),
        event("word", "2026-01-01", properties={"score": "x"}),
        event("none", "2026-01-01"),
    )
    found = people(where, Query(metric="dau", filters=(condition,)))
    assert found[date(2026, 1, 1), ()]["active_users"] == expected
