"""Cases on which analytics tools disagree, and what this one answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.domain.examples import column, did, workspace

AT = "2026-01-05T10:00:00"


def users(*events: dict[str, Any], steps: str, **options: Any) -> list[int]:
    """People per step of a funnel over the first days of 2026."""
    with workspace(*events) as ws:
        return column(ws.funnel(steps, start="2026-01-01", **options), "users")


@pytest.mark.parametrize(("ties", "reached"), [("any", 1), ("sequence", 0), ("strict", 0)])
def test_case_5_start_and_return_in_the_same_second(ties: str, reached: int) -> None:
    """Amplitude and Mixpanel let them convert in either order, OpenPanel never; without sequences we do, by default."""
    same = (did("a", AT, "purchase"), did("a", AT, "sign_up"))
    assert users(*same, steps="sign_up -> purchase", ties=ties) == [1, reached]


def test_case_5_a_sequence_decides_what_came_first() -> None:
    """A purchase that the client counted before the sign-up is no conversion by any rule."""
    wrong = (did("a", AT, "purchase", sequence=1), did("a", AT, "sign_up", sequence=2))
    right = (did("a", AT, "purchase", sequence=2), did("a", AT, "sign_up", sequence=1))
    for ties in ("any", "sequence"):
        assert users(*wrong, steps="sign_up -> purchase", ties=ties) == [1, 0]
        assert users(*right, steps="sign_up -> purchase", ties=ties) == [1, 1]


def test_case_5_one_event_is_not_two_steps() -> None:
    """Umami lets one event at the same instant satisfy two steps; a duplicate delivery is no second event either."""
    once, twice = (did("a", AT, "like", event_id=name) for name in ("1", "2"))
    assert users(once, once, steps="like -> like") == [1, 0]
    assert users(once, twice, steps="like -> like") == [1, 1]


AAB = (
    did("a", "2026-01-05T10:00:00", "A"),
    did("a", "2026-01-05T10:50:00", "A"),
    did("a", "2026-01-05T11:30:00", "B"),
)


def test_case_15_a_a_b_with_a_window_of_60_minutes() -> None:
    """From the first A, B is 90 minutes away, from the second 40: the attempt that converts counts."""
    with workspace(*AAB) as ws:
        result = ws.funnel("A -> B", within="60 minutes")
    assert column(result, "users") == [1, 1]
    assert result.rows[1]["seconds_median"] == 40 * 60


def test_case_15_the_earliest_of_equal_attempts_counts() -> None:
    """With a window that holds both, time runs from the first A."""
    with workspace(*AAB) as ws:
        assert ws.funnel("A -> B", within="90 minutes").rows[1]["seconds_median"] == 90 * 60


def test_case_15_the_window_runs_from_the_first_step() -> None:
    """It is closed, and no step restarts it, as Umami's does."""
    events = [did("a", f"2026-01-05T{hour}:00:00", kind) for hour, kind in ((10, "A"), (11, "B"), (12, "C"))]
    assert users(*events, steps="A -> B -> C", within="119 minutes") == [1, 1, 0]
    assert users(*events, steps="A -> B -> C", within="2 hours") == [1, 1, 1]


def test_case_16_an_exclusion_in_the_first_of_two_attempts() -> None:
    """PostHog drops the person, Amplitude and Mixpanel count the clean attempt; so do we."""
    hours = ((10, "A"), (11, "X"), (12, "B"), (13, "A"), (14, "B"))
    events = [did("a", f"2026-01-05T{hour}:00:00", kind) for hour, kind in hours]
    rule = "X between 1 and 2"
    assert users(*events, steps="A -> B", exclusions=rule) == [1, 1]
    # The first attempt ended with X, so that time runs from the second.
    with workspace(*events) as ws:
        assert ws.funnel("A -> B", exclusions=rule).rows[1]["seconds_median"] == 3600
    assert users(*events[:3], steps="A -> B", exclusions=rule) == [1, 0]


def test_case_16_an_exclusion_keeps_the_steps_that_were_reached() -> None:
    """A, B, X, C: two steps were done before X; outside its steps X changes nothing."""
    events = [did("a", f"2026-01-05T{hour}:00:00", kind) for hour, kind in enumerate("ABXC", 10)]
    assert users(*events, steps="A -> B -> C", exclusions="X between 2 and 3") == [1, 1, 0]
    assert users(*events, steps="A -> B -> C", exclusions="X between 1 and 2") == [1, 1, 1]


def test_case_16_an_exclusion_at_the_instant_of_a_step_is_not_between() -> None:
    """It may have come before or after."""
    events = [did("a", "2026-01-05T10:00:00", "A"), did("a", "2026-01-05T11:00:00", "B")]
    tied = [{**each, "event_type": "X"} for each in events]
    assert users(*events, *tied, steps="A -> B", exclusions="X between 1 and 2") == [1, 1]


def test_the_range_bounds_entries_only() -> None:
    """Who begins on the last day may convert after it; who began before it does not count."""
    events = [
        did("late", "2026-01-05T10:00:00", "A"), did("late", "2026-01-07T10:00:00", "B"),
        did("early", "2026-01-04T10:00:00", "A"), did("early", "2026-01-05T10:00:00", "B"),
    ]  # fmt: skip
    with workspace(*events) as ws:
        result = ws.funnel("A -> B", start="2026-01-05", end="2026-01-05", within="2 days")
        assert column(result, "users") == [1, 1]
        assert result.users(1, "users") == ["late"]


def test_the_trend_counts_once_per_day_and_the_funnel_once() -> None:
    """PostHog issue 4369: both are right, and say what they count."""
    events = [did("a", f"2026-01-0{day}T10:00:00", "A") for day in (5, 6)] + [did("a", "2026-01-06T11:00:00", "B")]
    with workspace(*events) as ws:
        assert column(ws.funnel("A -> B"), "users") == [1, 1]
        trend = ws.funnel_trend("A -> B", start="2026-01-05", within="1 hour")
        assert [(row["entered"], row["converted"]) for row in trend.rows] == [(1, 0), (1, 1)]
