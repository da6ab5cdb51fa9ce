"""Churn risk: what it refuses, says in words, and reads when the settings changed."""

from __future__ import annotations

from typing import Any

import pytest

from regulars.errors import QueryError
from regulars.settings import SessionSettings
from tests.domain.examples import column, did, under, workspace

EVENTS = [
    did("ada", "2026-03-19T09:00:00"),
    *(did("ben", f"2026-03-{day:02}T{hour}:00:00") for day in range(1, 32) for hour in (10, 12)),
    *(did("cem", f"2026-03-{day}T12:00:00") for day in (29, 30, 31)),
]


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"show": "people", "by": "country"}, "bad_breakdown"),
        ({"show": "all"}, "bad_option"),
        ({"top": 0}, "bad_option"),
        ({"by": "action"}, "wrong_scope"),
        ({"where": "session.type = 'web'"}, "wrong_scope"),
        ({"grain": "week"}, "bad_grain"),
        ({"calendar": "month"}, "bad_calendar"),
        ({"window": 367}, "bad_window"),
    ],
)
def test_what_it_cannot_answer_is_refused_with_a_code(question: dict[str, Any], code: str) -> None:
    """The message says what can be asked instead."""
    with workspace() as ws, pytest.raises(QueryError) as error:
        ws.metric("churn_risk", **question)
    assert error.value.code == code


def test_people_are_listed_with_their_reasons() -> None:
    """Each reason with its share; a list has no cell that counts people."""
    with workspace(*EVENTS) as ws:
        result = ws.churn_risk(show="people")
        assert [(row["user_id"], row["risk"]) for row in result.rows] == [("ada", 1.0), ("cem", 0.0), ("ben", 0.0)]
        assert [row["reasons"].split("; ") for row in result.rows] == [
            ["12 days since the last visit (+0.4)", "1 of 30 days active (+0.3)", "0.077 sessions a day (+0.2)",
             "declining activity (+0.2)"],
            ["3 of 30 days active (+0.1)", "increasing activity (-0.1)"],
            ["no sign of leaving"],
        ]  # fmt: skip
        assert column(ws.churn_risk(show="people", top=2), "user_id") == ["ada", "cem"]
        with pytest.raises(QueryError, match="count no people"):
            result.users(0)


def test_levels_count_everybody_of_the_window_and_open_into_people() -> None:
    """Nobody of a window is no share at all, with the reason."""
    with workspace(*EVENTS) as ws:
        result = ws.churn_risk()
        assert column(result, "users") == [1, 0, 2]
        assert [result.users(row) for row in result.rows] == [["ada"], [], ["ben", "cem"]]
        nobody = ws.churn_risk(where="user_id = 'nobody'")
    assert column(nobody, "share") == [None, None, None]
    assert "share is undefined" in nobody.warnings[-1]


def test_changed_session_rules_are_followed_at_once() -> None:
    """Ada begins 6 sessions in 10 days by the default gap, and 4 by one of two hours."""
    sent = [did("ada", f"2026-03-{day}T{hour}:00:00") for day in (21, 30) for hour in (10, 11, 20)]
    with workspace(*sent) as ws:
        wide = under(ws, sessions=SessionSettings(gap_minutes=120))
        before, after = (one.churn_risk(show="people") for one in (ws, wide))
    assert column(before, "sessions_per_day") == [0.6]
    assert column(after, "sessions_per_day") == [0.4]
    assert any("stale_rollups" in warning for warning in after.warnings)
