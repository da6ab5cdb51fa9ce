"""Feature adoption, onboarding and revenue: what they refuse, and what they say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from regulars.domain.metrics.onboarding import words_of
from regulars.domain.query import EventCondition, Filter, Step
from regulars.errors import QueryError
from regulars.settings import Activity
from tests.domain.examples import Row, column, did, workspace

PEOPLE: tuple[Row, ...] = ({"user_id": "ada", "registration_date": "2026-01-05", "plan": "paid"},)
SEVERAL = Filter(property="a", op="in", value=("x", 1))
SENT = [
    did("ada", "2026-01-05T09:00:00", feature="editor"),
    did("ada", "2026-01-06T09:00:00", "payment_success", amount=10),
    did("ben", "2026-01-05T09:00:00", feature="search"),
    did("ben", "2026-01-05T10:00:00", feature="search"),
    did("ben", "2026-01-06T09:00:00", "payment_failed", amount=10),
]


@pytest.mark.parametrize(
    ("name", "question", "code"),
    [
        ("feature_adoption", {"by": "feature"}, "wrong_scope"),
        ("feature_adoption", {"where": "event.amount > 1"}, "wrong_scope"),
        ("feature_adoption", {"feature": ""}, "bad_option"),
        ("feature_adoption", {"top": 0}, "bad_option"),
        ("feature_adoption", {"grain": "hour"}, "bad_grain"),
        ("onboarding", {"milestones": 7}, "bad_option"),
        ("onboarding", {"milestones": "busy"}, "bad_events"),
        ("onboarding", {"days": 0}, "bad_option"),
        ("onboarding", {"cohort": "active"}, "bad_option"),
        ("onboarding", {"by": "action"}, "wrong_scope"),
        ("onboarding", {"grain": "week"}, "bad_grain"),
        ("revenue", {"property": "amuont"}, "unknown_property"),
        ("revenue", {"property": "plan"}, "wrong_scope"),
        ("revenue", {"events": "busy"}, "bad_events"),
        ("revenue", {"cohort_age": "year"}, "bad_option"),
        ("revenue", {"cohort_age": "week", "grain": "week"}, "bad_grain"),
        ("revenue", {"by": "session.type"}, "wrong_scope"),
    ],
)
def test_what_they_cannot_answer_is_refused_with_a_code(name: str, question: dict[str, Any], code: str) -> None:
    """The message says what can be asked instead."""
    activity = {"busy": Activity(min_events=2)}
    with workspace(*SENT, users=PEOPLE, activity=activity) as ws, pytest.raises(QueryError) as error:
        ws.metric(name, start="2026-01-05", **question)
    assert error.value.code == code


def test_a_feature_counts_on_active_days_only() -> None:
    """Of an activity that asks for two events a day, Ben alone has an active day."""
    with workspace(*SENT, activity={"busy": Activity(min_events=2)}) as ws:
        row = ws.feature_adoption(start="2026-01-05", end="2026-01-05", activity="busy").rows
        editor = ws.feature_adoption(start="2026-01-05", feature="editor", top=1)
        assert editor.users(0, "active_users") == ["ada", "ben"]
        assert editor.users(0, "users") == ["ada"]
    assert [(one["feature"], one["users"], one["active_users"]) for one in row] == [("search", 1, 1)]
    # Payments are passive, so nobody is active on the 6th.
    assert column(editor, "adoption") == [0.5, None]
    assert editor.warnings == ("adoption is undefined: nobody was active",)


def test_milestones_that_never_came_are_zero_and_young_cohorts_are_flagged() -> None:
    """Nobody has a median then; an unknown event is said to be unknown."""
    with workspace(*SENT, users=PEOPLE, now=datetime(2026, 1, 10, tzinfo=UTC)) as ws:
        result = ws.onboarding("payment_success -> dance", start="2026-01-05", days=3)
        assert result.users(0, "users") == result.users(1, "cohort") == ["ada"]
        first = ws.onboarding(start="2026-01-05", end="2026-01-05", days=1, cohort="first_activity")
        nobody = ws.onboarding(start="2026-01-06")
    assert [(row["name"], row["share"], row["median_days"]) for row in result.rows] == [
        ("payment_success", 1.0, 1.0), ("dance", 0.0, None),
    ]  # fmt: skip
    assert result.rows[0]["flags"] == ["incomplete"]
    assert any("unseen_event: no event 'dance'" in warning for warning in result.warnings)
    assert (first.rows[0]["cohort"], first.rows[0]["flags"]) == (2, ["warming_up"])
    assert [nobody.rows[0][name] for name in ("cohort", "share", "low", "high")] == [0, None, None, None]


@pytest.mark.parametrize(("start", "flags"), [("2026-01-04", ["warming_up"]), ("2026-01-05", [])])
def test_who_signed_up_before_the_data_may_have_reached_a_milestone_unseen(start: str, flags: list[str]) -> None:
    """The first event there is lies on the 5th."""
    users = (*PEOPLE, {"user_id": "ben", "registration_date": "2026-01-04"})
    with workspace(*SENT, users=users, now=datetime(2026, 1, 10, tzinfo=UTC)) as ws:
        assert ws.onboarding(start=start, end="2026-01-05", days=1).rows[0]["flags"] == flags


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (EventCondition(), "any"),
        (Step(("like",), (Filter(property="plan", op="is_set"),), times=2), "like, 2 times where plan is_set"),
        (
            EventCondition(None, (Filter(any=(SEVERAL, Filter(property="b", value=2))),)),
            "any where (a in x, 1 or b = 2)",
        ),
        (
            EventCondition(("x",), (Filter(all=(Filter(property="a", value=1), Filter(property="b", value=2))),)),
            "x where (a = 1 and b = 2)",
        ),
    ],
)  # fmt: skip
def test_a_milestone_is_named_by_what_it_asks_for(asked: EventCondition, words: str) -> None:
    """Types, how often, and conditions."""
    assert words_of(asked) == words


def test_revenue_divides_by_the_active_and_by_the_paying() -> None:
    """The numbers of another property, of other events; and nothing where nobody is."""
    with workspace(*SENT, users=PEOPLE, activity={"once": Activity(max_events=1, events=("like",))}) as ws:
        result = ws.revenue(start="2026-01-05")
        assert result.users(1, "paying_users") == ["ada"]
        assert result.users(0, "active_users") == ["ada", "ben"]
        failed = ws.revenue(events="payment_failed", failed="dance", start="2026-01-06")
        once = ws.revenue(start="2026-01-05", activity="once")
        aged = ws.revenue(start="2026-01-05", cohort_age="day", by="plan")
        assert aged.users(3, "paying_users") == ["ada"]
    assert column(result, "revenue") == [0.0, 10.0]
    assert column(result, "revenue_per_active_user") == [0.0, None]
    assert column(result, "failed_payment_rate") == [None, 0.5]
    assert column(failed, "revenue") == [10.0]
    assert column(once, "active_users") == [1, 0]
    assert [(row["age"], row["plan"], row["revenue"]) for row in aged.rows] == [
        (0, "(none)", 0.0), (1, "(none)", 0.0), (0, "paid", 0.0), (1, "paid", 10.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "question", "counted", "left_out"),
    [
        ("revenue", {}, 3, 2),
        ("conversion_rate", {}, 3, 2),
        ("conversion_rate", {"activity": "busy"}, 2, 1),
        ("conversion_rate", {"activity": "busy", "where": "event.action != 'dance'"}, 2, 1),
        ("conversion_rate", {"activity": "busy", "event": "dance"}, 1, 1),
        ("conversion_rate", {"event": "core"}, 2, 1),
        ("funnel", {"steps": "payment_success -> like"}, 3, 1),
        ("funnel", {"steps": "payment_success -> dance"}, 2, 2),
        ("funnel_trend", {"steps": "payment_success -> dance"}, 2, 2),
        ("time_to_convert", {"steps": "payment_success -> dance"}, 2, 2),
        ("onboarding", {"milestones": "payment_success"}, 2, 1),
        ("onboarding", {"milestones": "payment_success", "cohort": "first_activity"}, 3, 2),
        ("retention", {"start_event": "payment_success"}, 3, 2),
        ("retention", {"start_event": "payment_success", "return_event": "dance"}, 2, 2),
        ("retention", {"return_event": "payment_success", "cohort": "registration"}, 2, 1),
        ("retention", {"clock": "rolling"}, 2, 1),
        ("active_users", {}, 2, 1),
    ],
)
def test_people_are_counted_by_the_events_a_metric_is_about(
    metric: str, question: dict[str, Any], counted: int, left_out: int
) -> None:
    """A payment is passive, and Ben likes too often to be busy; of those left out, one pays and one dances."""
    at = "2026-01-05T09:00:00"
    sent = [did("ada", at, "payment_success", amount=7), did("ada", at)]
    sent += [did("ben", f"2026-01-05T1{hour}:00:00") for hour in (0, 1)]
    sent += [did("cy", at, "payment_success", amount=9), did("qa", at, "payment_success", amount=100)]
    sent += [did("qb", f"2026-01-05T1{hour}:00:00", "dance") for hour in (0, 1)]
    people = tuple({"user_id": user, "population": "test"} for user in ("qa", "qb"))
    with workspace(*sent, users=people, activity={"busy": Activity(events=("like",), max_events=1)}) as ws:
        asked = ws.metric(metric, start="2026-01-05", end="2026-01-05", **question)
    assert asked.population == {"total": counted, "excluded": {"test": left_out}}


def test_a_number_that_no_event_carries_is_refused_with_the_way_out() -> None:
    """The default may be the wrong name."""
    with workspace(did("ada", "2026-01-05T09:00:00")) as ws, pytest.raises(QueryError, match="option property names"):
        ws.revenue()


def test_windows_and_slices_are_of_people() -> None:
    """Ada is paid and edits, Ben is neither; both are in the window of the next day."""
    with workspace(*SENT, users=PEOPLE) as ws:
        used = ws.feature_adoption(2, start="2026-01-06", by="plan", feature="editor").rows
        reached = ws.onboarding("like", start="2026-01-05", cohort="first_activity", by="plan").rows
    assert [(row["plan"], row["users"], row["active_users"]) for row in used] == [("(none)", 0, 1), ("paid", 1, 1)]
    assert [(row["plan"], row["users"], row["cohort"]) for row in reached] == [("(none)", 1, 1), ("paid", 1, 1)]


def test_conversion_in_a_bucket_of_several_days_is_that_of_all_its_days() -> None:
    """Without a window, a step of two days counts whoever acted on either."""
    ws = workspace(did("ann", "2026-01-05T09:00:00", "purchase"), did("bob", "2026-01-06T09:00:00"))
    result = ws.conversion_rate(start="2026-01-05", end="2026-01-06", every=2)
    assert [(row["converted"], row["active_users"]) for row in result.rows] == [(1, 2)]
