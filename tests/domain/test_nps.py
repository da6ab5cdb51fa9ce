"""Answers to a survey: what they are, whose they are, and what they leave alone."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

import regulars
from regulars.domain.surveys import response_event
from regulars.errors import EventError, QueryError
from tests.domain.examples import LATER, did, under, workspace

if TYPE_CHECKING:
    from pathlib import Path


def answered(user: str, at: str, score: Any, **more: Any) -> dict[str, Any]:
    """One answer."""
    return did(user, at, "nps_response", properties={"score": score, **more})


def test_an_answer_makes_nobody_active_and_leaves_sessions_as_they_are() -> None:
    """Neither does an exposure: ten minutes later the session would go on, but nobody did anything."""
    with workspace(
        did("a", "2026-01-01T10:00:00"), answered("a", "2026-01-01T10:10:00", 9),
        answered("b", "2026-01-01T10:00:00", 9),
        did("a", "2026-01-01T10:20:00", "experiment_viewed", experiment="e", variant="x"),
        did("a", "2026-01-01T10:25:00", "Experiment Viewed", experiment_id="e", variation_id="x"),
        did("a", "2026-01-01T10:35:00"),
    ) as ws:  # fmt: skip
        assert ws.active_users(start="2026-01-01", activity="any").rows[0]["active_users"] == 1
        assert ws.actions(start="2026-01-01", activity="any").rows[0]["actions"] == 2
        assert [row["sessions"] for row in ws.sessions(start="2026-01-01").rows] == [2]
        assert [row[0] for row in ws.sql("SELECT variant FROM fact_exposures").rows] == ["x", "x"]


def test_answers_follow_their_person_and_go_when_they_are_erased() -> None:
    """Two ids of one person have one latest answer."""
    with workspace(
        did("", "2026-01-01T09:00:00", "nps_response", properties={"score": 2}, anonymous_id="anon"),
        answered("a", "2026-01-01T10:00:00", 9), answered("b", "2026-01-01T10:00:00", 10, comment="fine"),
    ) as ws:  # fmt: skip
        assert ws.nps(start="2026-01-01").rows[0]["responses"] == 3
        ws.link("anon", "a")
        assert (ws.nps(start="2026-01-01").rows[0]["responses"], ws.nps(start="2026-01-01").rows[0]["nps"]) == (
            2,
            100.0,
        )
        certificate = ws.erase("b")
        assert certificate.removed["fact_user_actions"] == 1
        assert ws.sql("SELECT user_id, score FROM fact_nps_responses ORDER BY score").rows == [("a", 2), ("a", 9)]


def test_who_is_excluded_and_what_does_not_count_is_told() -> None:
    """The ledger counts people who answered, not people who were active."""
    with workspace(
        answered("a", "2026-01-01T10:00:00", 9), answered("bot", "2026-01-01T10:00:00", 9),
        did("c", "2026-01-01T10:00:00"),
        answered("a", "2026-01-01T11:00:00", None), answered("a", "2026-01-01T11:01:00", "ten"),
        users=({"user_id": "bot", "population": "bot"},),
    ) as ws:  # fmt: skip
        result = ws.nps(start="2026-01-01")
        assert result.population == {"total": 1, "excluded": {"bot": 1}}
        assert result.warnings == (
            "answers without a score, which do not count: 1",
            "answers whose score is no whole number, which do not count: 1",
        )
        assert [one.action for one in result.events(0, "promoters")] == ["nps_response"]


def test_cells_of_all_answers_count_no_people() -> None:
    """Two answers of one person are no two people."""
    with workspace(answered("a", "2026-01-01T10:00:00", 9), answered("a", "2026-01-01T11:00:00", 3)) as ws:
        result = ws.nps(start="2026-01-01", repeats="all")
        assert (result.rows[0]["responses"], result.rows[0]["low"]) == (2, None)
        assert any("count several times" in text for text in result.warnings)
        with pytest.raises(QueryError, match="count no people"):
            result.users(0, "responses")


@pytest.mark.parametrize("score", [11, -1, 7.5, "9", True, None])
def test_a_score_is_a_whole_number_from_0_to_10(score: Any) -> None:
    """Nothing else is recorded."""
    with workspace() as ws, pytest.raises(QueryError, match="whole number from 0 to 10") as found:
        ws.record_nps_response("a", score)
    assert found.value.code == "bad_score"


def test_an_answer_is_recorded_now_or_at_a_time_that_names_its_zone() -> None:
    """In any form of a time; what cannot be stored is an error, not a row set aside."""
    with workspace() as ws:
        ws.record_nps_response("a", 9)
        east = timezone(timedelta(hours=2))
        ws.record_nps_response("a", 8, survey="spring", timestamp=datetime(2026, 1, 1, 1, 30, tzinfo=east))
        ws.record_nps_response(7, 8, timestamp="2026-01-02T00:00:00Z")
        rows = ws.sql("SELECT user_id, survey, day FROM fact_nps_responses ORDER BY responded_at").rows
        assert rows == [
            ("a", "spring", date(2025, 12, 31)),
            ("7", None, date(2026, 1, 2)),
            ("a", None, date(2030, 1, 1)),
        ]
        for user_id, at, code in (("", None, "no_identity"), ("a", "yesterday", "bad_time")):
            with pytest.raises(EventError) as found:
                ws.record_nps_response(user_id, 9, timestamp=at)
            assert found.value.code == code
    assert "comment" not in response_event("a", 9, "2026-01-01T00:00:00Z")["properties"]


def test_days_of_answers_follow_a_changed_time_zone() -> None:
    """As all days do."""
    with workspace(answered("a", "2026-01-01T23:30:00", 9), timezone="UTC") as ws:
        moved = under(ws, timezone="Europe/Berlin").nps(start="2026-01-01")
        assert [(row["date"], row["responses"]) for row in moved.rows][-1] == (date(2026, 1, 2), 1)


def test_a_file_of_before_answers_were_events_is_brought_up_to_date(tmp_path: Path) -> None:
    """It had tables of these names, which nothing filled; and an answer was an action like any other."""
    folder = regulars.init(tmp_path / "shop")
    with regulars.open(folder, clock=lambda: LATER) as ws:
        ws.load([answered("a", "2026-01-01T10:00:00", 9)])
    with duckdb.connect(str(folder / "regulars.duckdb")) as file:
        for name in ("fact_nps_responses", "fact_exposures"):
            file.execute(f"DROP VIEW {name}")
            file.execute(f"CREATE TABLE {name} (response_id VARCHAR)")
        file.execute("UPDATE dim_actions SET is_marker = FALSE, is_core_action = TRUE")
        ((text,),) = file.execute("SELECT value FROM workspace_state WHERE name = 'definitions'").fetchall()
        definitions = json.dumps(json.loads(text) | {"actions": "those of before"})
        file.execute("UPDATE workspace_state SET value = ? WHERE name = 'definitions'", [definitions])
        file.execute("DELETE FROM workspace_state WHERE name = 'schema'")
    with regulars.open(folder, clock=lambda: LATER) as ws:
        assert ws.sql("SELECT count(*) FROM fact_nps_responses").rows == [(1,)]
        assert "facts" in ws.refresh()
        assert ws.sql("SELECT is_marker, is_core_action FROM dim_actions").rows == [(True, False)]
        assert ws.active_users(start="2026-01-01", end="2026-01-01").rows[0]["active_users"] == 0


def test_now_is_an_argument() -> None:
    """An answer without a time is one of this moment, to the microsecond."""
    now = datetime(2026, 1, 1, 12, 0, 0, 5, tzinfo=UTC)
    with workspace(now=now) as ws:
        ws.record_nps_response("a", 9)
        assert ws.sql("SELECT responded_at FROM fact_nps_responses").rows == [(now.replace(tzinfo=None),)]
