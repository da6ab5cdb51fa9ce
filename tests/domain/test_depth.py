"""Depth and session profiles: what they are judged by, and who they leave out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.domain.examples import column, did, workspace

# Monday to Sunday; ada has been registered for a week on the Thursday.
WEEK = [
    did("ada", "2026-03-02T09:00:00", "upload", country="DE", feature="editor"),
    did("ada", "2026-03-02T09:10:00", "page_view", country="FR"),
    did("ada", "2026-03-08T09:00:00", "purchase", country="DE"),
    did("ben", "2026-03-02T09:00:00", "page_view", country="FR"),
    did("qa", "2026-03-02T09:00:00", "upload", country="DE"),
]
PEOPLE = (
    {"user_id": "ada", "registration_date": "2026-02-26"},
    {"user_id": "qa", "is_test_account": "true"},
)
THIS_WEEK: dict[str, Any] = {"start": "2026-03-02", "end": "2026-03-08"}


def test_what_changes_with_time_is_judged_on_the_last_day_of_the_week() -> None:
    """Ada was new on Monday; the week's row is about who she is on Sunday."""
    with workspace(*WEEK, users=PEOPLE) as ws:
        week = ws.depth(grain="week", by="tenure_band", **THIS_WEEK)
        monday = ws.depth(by="tenure_band", start="2026-03-02", end="2026-03-02").rows
        assert [week.users(number) for number in (0, 1)] == [["ben"], ["ada"]]
    assert [(row["tenure_band"], row["actions_per_user"]) for row in week.rows] == [("(none)", 1), ("7-29 days", 3)]
    assert [row["tenure_band"] for row in monday] == ["(none)", "0-6 days"]


def test_a_profile_judges_what_changes_with_time_on_the_last_day_of_the_range() -> None:
    """One person is in one slice of it, whichever day she came."""
    with workspace(*WEEK, users=PEOPLE) as ws:
        rows = ws.sessions(profile="weekday", by="tenure_band", **THIS_WEEK).rows
    found = {(row["tenure_band"], row["weekday"]): row["sessions"] for row in rows if row["sessions"]}
    assert found == {("7-29 days", 1): 1, ("7-29 days", 7): 1, ("(none)", 1): 1}


@pytest.mark.parametrize(
    ("question", "population"),
    [
        ({}, {"total": 2, "excluded": {"test": 1}}),
        ({"activity": "conversion"}, {"total": 1, "excluded": {}}),
        ({"where": "event.country = 'DE'"}, {"total": 1, "excluded": {"test": 1}}),
        ({"where": "action = 'page_view'"}, {"total": 2, "excluded": {}}),
    ],
)
def test_the_ledger_of_depth_is_about_its_own_people(question: dict[str, Any], population: dict[str, Any]) -> None:
    """Those with an event that qualifies, stored or not, under the conditions on events."""
    with workspace(*WEEK, users=PEOPLE) as ws:
        result = ws.depth(grain="week", **THIS_WEEK, **question)
    assert result.source == "sessions"
    assert result.population == population
    assert column(result, "users") == [population["total"]]


def test_a_creation_share_needs_something_created_or_consumed() -> None:
    """A week of purchases has none, and says why; the other means are there."""
    with workspace(*WEEK, users=PEOPLE) as ws:
        bought = ws.depth(activity="conversion", grain="week", **THIS_WEEK)
        everything = ws.depth(grain="week", **THIS_WEEK)
    assert column(bought, "creation_share") == [None]
    assert column(bought, "actions_per_user") == [1.0]
    assert any("undefined" in warning for warning in bought.warnings)
    assert column(everything, "creation_share") == [1 / 3]
