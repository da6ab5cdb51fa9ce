"""The net promoter score, by an example small enough to count by hand."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest

from regulars.domain.query import Filter, Query, Range
from tests.oracle.examples import column, event, world
from tests.oracle.nps import nps_rows, nps_totals, unusable

DAYS = Range(start=date(2026, 2, 1), end=date(2026, 2, 3))


def answered(user: str, at: str, score: Any, **more: Any) -> Any:
    """One answer."""
    return event(user, at, "nps_response", properties={"score": score, **more})


WORLD = world(
    answered("a", "2026-02-01T10:00", 3, survey="spring"), answered("a", "2026-02-01T11:00", 9, survey="spring"),
    answered("b", "2026-02-01T10:00", 7, survey="spring"), answered("b", "2026-02-03T10:00", 6, survey="autumn"),
    answered("c", "2026-02-03T10:00", "x"), answered("d", "2026-02-03T10:00", 11), event("e", "2026-02-03T11:00"),
)  # fmt: skip


def test_the_latest_answer_of_each_person_in_a_bucket_counts() -> None:
    """a changed their mind on the 1st; over all three days b did too."""
    rows = nps_rows(WORLD, Query(metric="nps", range=DAYS))
    assert column(rows, "responses") == [2, 0, 1]
    assert column(rows, "nps") == [50.0, None, -100.0]
    assert rows[0]["people"] == {"responses": {"a", "b"}, "promoters": {"a"}, "passives": {"b"}, "detractors": set()}
    (total,) = nps_totals(WORLD, Query(metric="nps", range=DAYS))
    assert (total["promoters"], total["detractors"], total["nps"]) == (1, 1, 0.0)


def test_all_answers_count_when_asked_and_have_no_interval_where_somebody_repeats() -> None:
    """A person who answers twice is not two people drawn by chance."""
    rows = nps_rows(WORLD, Query(metric="nps", range=DAYS, options={"repeats": "all"}))
    assert column(rows, "responses") == [3, 0, 1]
    assert rows[0]["nps"] == 0.0
    assert column(rows, "low")[:2] == [None, None]
    assert rows[2]["low"] is not None


def test_the_interval_is_that_of_the_published_example() -> None:
    """50 promoters, 30 passives, 20 detractors: 14.05 to 44.20, as adjusted-Wald intervals are reported."""
    scores = [10] * 50 + [8] * 30 + [0] * 20
    many = world(*(answered(f"u{n}", "2026-02-01", score) for n, score in enumerate(scores)))
    (row,) = nps_rows(many, Query(metric="nps", range=Range(start=date(2026, 2, 1), end=date(2026, 2, 1))))
    assert (row["nps"], row["low"], row["high"]) == (
        30.0,
        pytest.approx(14.05, abs=0.005),
        pytest.approx(44.2, abs=0.005),
    )


def test_a_slice_is_the_filtered_question_and_what_is_no_answer_is_counted_apart() -> None:
    """b is in both surveys, with an answer to each."""
    sliced = nps_rows(WORLD, Query(metric="nps", range=DAYS, breakdown=("event.survey",)))
    assert [(row["event.survey"], row["responses"]) for row in sliced if row["date"] == date(2026, 2, 1)] == [
        ("spring", 2), ("autumn", 0),
    ]  # fmt: skip
    only = Query(metric="nps", range=DAYS, filters=(Filter(property="event.survey", value="autumn"),))
    assert column(nps_rows(WORLD, only), "responses") == [0, 0, 1]
    assert unusable(WORLD, Query(metric="nps", range=DAYS)) == Counter(no_whole_number=1, out_of_range=1)
