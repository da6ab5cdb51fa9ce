"""Who belongs, by examples small enough to count by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from regulars.domain.cohorts import Cohort, Rule
from regulars.domain.query import EventCondition, Filter, Query, Range
from tests.oracle import User, World
from tests.oracle.cohort_size import size_rows
from tests.oracle.cohorts import belongs, order, tier, value_on
from tests.oracle.examples import column, event, world

FIRST = date(2026, 3, 1)
LARGE = EventCondition(("buy",), (Filter(property="event.amount", op=">=", value=10),))


def march(**settings: object) -> World:
    """a buys on the 1st (twice), the 3rd and the 10th, large only on the 3rd; b is registered on the 5th and silent."""
    return world(
        event("a", "2026-03-01T09:00", "buy", properties={"amount": 5}),
        event("a", "2026-03-01T10:00", "buy", properties={"amount": 9}),
        event("a", "2026-03-03T09:00", "buy", properties={"amount": 10}),
        event("a", "2026-03-10T09:00", "buy"),
        users=(User("b", {"plan": "paid"}, registration_date=date(2026, 3, 5)),),
        **settings,
    )


def days_of(rule: Rule, user_id: str = "a", where: World | None = None) -> list[int]:
    """The days of March, up to the 14th, on which somebody belongs."""
    here = where or march()
    return [n for n in range(1, 15) if belongs(here, rule, user_id, FIRST + timedelta(days=n - 1))]


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        (Rule(did="buy"), list(range(1, 15))),
        (Rule(did="buy", at_least=3), list(range(3, 15))),
        (Rule(did="buy", at_least=2, last_days=3), [1, 2, 3]),
        (Rule(did="buy", exactly=1, last_days=3), [4, 5, 10, 11, 12]),
        (Rule(did="buy", at_most=0, last_days=3), [6, 7, 8, 9, 13, 14]),
        (Rule(did="buy", measure="days", exactly=2), list(range(3, 10))),
        (Rule(did=LARGE, last_days=2), [3, 4]),
        (Rule(did="buy", measure="days_since", at_least=2, at_most=4), [5, 6, 7, 12, 13, 14]),
        (Rule(did=LARGE, measure="days_since", exactly=0), [3]),
        (Rule(measure="tenure", at_most=2), [1, 2, 3]),
        (Rule(all=(Rule(did="buy", last_days=1), Rule(not_=Rule(did=LARGE)))), [1]),
        (Rule(any=(Rule(did="sell"), Rule(measure="days_since", did="buy", exactly=1))), [2, 4, 11]),
        (Rule(tier=("casual",)), list(range(1, 15))),
        (Rule(tier=("power", "not_yet_seen")), []),
        (Rule(property="plan", op="is_not_set"), list(range(1, 15))),
    ],
)
def test_a_rule_holds_on_the_days_counted_by_hand(rule: Rule, days: list[int]) -> None:
    """Windows end on the day itself; days since are whole days; what was never done is no number."""
    assert days_of(rule) == days


def test_a_registration_comes_before_the_first_action_and_silence_is_no_number() -> None:
    """b is here from the 5th on, in no segment once the newcomers' week has passed, and never at risk."""
    assert days_of(Rule(measure="tenure", at_least=0), "b") == list(range(5, 15))
    assert days_of(Rule(measure="days_since", at_least=0), "b") == []
    assert days_of(Rule(did="buy", exactly=0), "b") == list(range(1, 15))
    here = march()
    assert [value_on(here, "b", "segment", date(2026, 3, day)) for day in (4, 5, 12, 13)] == [
        None, "new_user", "new_user", None,
    ]  # fmt: skip
    assert tier(here, "b", date(2026, 3, 14)) == "not_yet_seen"


@pytest.mark.parametrize(
    ("day", "segment"),
    [("2026-03-08", "new_user"), ("2026-03-17", "active_user"), ("2026-03-18", "at_risk"), ("2026-04-09", "at_risk"),
     ("2026-04-10", "dormant"), ("2026-05-09", "dormant"), ("2026-05-10", "churned")],
)  # fmt: skip
def test_silence_leads_from_risk_to_churn(day: str, segment: str) -> None:
    """After more than 7, 30 and 60 days."""
    assert value_on(march(), "a", "segment", date.fromisoformat(day)) == segment


def test_own_segments_come_first_or_where_the_order_says() -> None:
    """a is large on the 3rd already, and new as well."""
    own = {"large": Cohort(did=LARGE), "at_risk": Cohort(measure="days_since", at_least=2)}
    assert order(march(segments=own))[0] == "large"
    assert value_on(march(segments=own), "a", "segment", date(2026, 3, 3)) == "large"
    later = march(segments=own, segment_order=("at_risk", "new_user", "large"))
    assert [value_on(later, "a", "segment", date(2026, 3, day)) for day in (3, 5, 10)] == [
        "new_user",
        "at_risk",
        "large",
    ]


def test_sizes_follow_the_last_day_of_each_bucket() -> None:
    """Two large days end on the 4th; everybody known is one person, and two from the 5th on."""
    here = march(cohorts={"large": Cohort(did=LARGE, last_days=2)})
    asked = Query(metric="cohort_size", range=Range(start=date(2026, 3, 2), end=date(2026, 3, 6)))
    assert column(size_rows(here, asked), "cohort_size") == [1, 1, 1, 2, 2]
    large = Query(metric="cohort_size", range=asked.range, options={"cohort": "large"}, breakdown=("plan",))
    assert [(row["date"].day, row["plan"], row["cohort_size"]) for row in size_rows(here, large)] == [
        (2, "(none)", 0), (3, "(none)", 1), (4, "(none)", 1), (5, "(none)", 0), (6, "(none)", 0),
    ]  # fmt: skip
