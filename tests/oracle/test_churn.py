"""Churn risk, by people whose score is added up by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from regulars.domain.query import Query, Range
from tests.oracle import RefusedError
from tests.oracle.churn import churn_rows, risk_of, trend
from tests.oracle.examples import event, world

DAY = date(2026, 3, 31)


def ago(*days: int) -> list[date]:
    return [DAY - timedelta(days=each) for each in days]


@pytest.mark.parametrize(
    ("active", "visits", "tenths"),
    [
        (range(30), 30 * [0], 0),  # there every day
        ([40, 14], [14], 9),  # 14 days ago 4, 1 day of 30 is 3, 1/30 is 2; nothing this week or last: stable
        ([40, 7], [7], 9),  # 7 days ago 2, as above: the window of the last week holds 0 to 6
        ([40, 3], [3], 4),  # 3 days ago 0, few days 3, few sessions 2, increasing -1
        ([0], [0], 2),  # one day old: 3 for few days, one session in one day is enough, increasing -1
        ([60], [], 9),  # 60 days ago 4, none of 30 days 3, no session 2, stable
        ([*range(0, 28, 4)], [*range(0, 28, 4)], 2),  # 7 days of 30; 7/25 sessions a day 2; 2 against 2
        ([0, 2, 4, 10, 12, 14, 29], 15 * [0], 0),  # 15/30 is not less than a half: 1; 3 against 2 is increasing: -1
        ([8, 9, 10], 3 * [8], 9),  # 8 days 4, three days 1, 3/11 sessions 2, declining 2
        ([8, 9], [8], 10),  # 8 days 4, two days 3, 1/10 sessions 2, declining 2: 11, which is cut
    ],
)
def test_a_score_is_added_up_from_what_speaks_for_leaving(active: Any, visits: list[int], tenths: int) -> None:
    """And cut at both ends."""
    assert risk_of(ago(*active), ago(*visits), DAY).risk * 10 == tenths


@pytest.mark.parametrize(
    ("this", "last", "direction"),
    [(0, 0, "stable"), (1, 0, "increasing"), (0, 1, "declining"), (6, 5, "stable"), (4, 5, "stable"),
     (7, 5, "increasing"), (3, 5, "declining"), (5, 6, "stable")],
)  # fmt: skip
def test_a_trend_is_more_than_a_fifth(this: int, last: int, direction: str) -> None:
    """Exactly a fifth is none."""
    assert trend(this, last) == direction


def test_people_stand_in_their_level_and_in_their_order() -> None:
    """Ada left 12 days ago, Ben comes daily, and Cem left before anybody asks about him."""
    events = [event("ada", "2026-03-19"), event("cem", "2025-12-31")]
    events += [event("ben", f"2026-03-{day:02}") for day in range(1, 32)]
    where = world(*events)
    day = Range(start=DAY, end=DAY)
    levels = churn_rows(where, Query(metric="churn_risk", range=day))
    assert [(row["level"], row["users"], row["share"]) for row in levels] == [
        ("high", 1, 0.5), ("medium", 0, 0.0), ("low", 1, 0.5),
    ]  # fmt: skip
    listed = churn_rows(where, Query(metric="churn_risk", range=day, window=91, options={"show": "people"}))
    # Ada: 4 + 3 + 2, and 2 for a week less than the one before; Cem: 4 + 3 + 2, nothing in either week.
    assert [(row["user_id"], row["risk"]) for row in listed] == [("ada", 1.0), ("cem", 0.9), ("ben", 0.0)]
    with pytest.raises(RefusedError):
        churn_rows(where, Query(metric="churn_risk", breakdown=("country",), options={"show": "people"}))
    with pytest.raises(RefusedError):
        churn_rows(where, Query(metric="churn_risk", breakdown=("action",)))
