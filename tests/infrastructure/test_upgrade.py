"""A workspace that an older version made is brought up to date when it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

import regulars
from tests.application.test_refresh import DERIVED, derived
from tests.domain.examples import did
from tests.infrastructure.older import EVENTS, QUESTION, older_workspace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A workspace that lacks columns, tables and views of today."""
    return older_workspace(tmp_path / "shop")


def test_questions_are_answered_from_raw_events_until_the_next_load(old: Path) -> None:
    """With the warning; then everything is there, and stays."""
    late = did("c", "2026-01-02T10:00:00", country="DE")
    with regulars.open() as fresh:
        fresh.load(EVENTS)
        before = fresh.active_users(**QUESTION).rows
        fresh.load([late])
        after, rows = fresh.active_users(**QUESTION).rows, derived(fresh)
    with regulars.open(old) as ws:
        answer = ws.active_users(**QUESTION)
        assert (answer.source, answer.rows) == ("events", before)
        assert any(text.startswith("stale_rollups") for text in answer.warnings)
        assert ws.sql("SELECT count(*) FROM agg_arrivals").rows == [(0,)]
        ws.load([late])
        answer = ws.active_users(**QUESTION)
        assert (answer.source, answer.rows, answer.warnings) == ("aggregates", after, ())
        assert derived(ws) == rows
    with regulars.open(old) as again:
        assert derived(again) == rows
        assert again.sql("SELECT sum(users) FROM agg_tiers").rows[0][0] > 0


def test_a_rebuild_fills_what_was_made_anew(old: Path) -> None:
    """Without any new data."""
    with regulars.open() as fresh, regulars.open(old) as ws:
        fresh.load(EVENTS)
        ws.rebuild()
        assert derived(ws) == derived(fresh)
        assert ws.active_users(**QUESTION).source == "aggregates"


def test_a_reader_of_an_old_file_changes_nothing_and_answers_from_raw_events(old: Path) -> None:
    """Even before a writer has brought it up to date."""
    with regulars.open(old, read_only=True) as ws:
        assert ws.active_users(**QUESTION).source == "events"
        assert [row["active_users"] for row in ws.active_users(start="2026-01-01").rows] == [2, 0, 1]
    with duckdb.connect(str(old / "regulars.duckdb"), read_only=True) as file:
        assert file.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'sliced_arrivals'").fetchall() == []


@pytest.mark.parametrize("table", ["event_days", "user_sessions", "arrivals", "agg_tier_changes"])
def test_any_derived_table_may_have_changed(old: Path, table: str) -> None:
    """Answers stay what they were, the days of events included."""
    with duckdb.connect(str(old / "regulars.duckdb")) as file:
        file.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT 'old' AS shape FROM {table}")
    with regulars.open() as fresh, regulars.open(old) as ws:
        fresh.load(EVENTS)
        for metric in ("active_users", "sessions", "tiers"):
            question = {"start": "2026-01-01"}
            assert ws.metric(metric, **question).rows == fresh.metric(metric, **question).rows
        assert [row["active_users"] for row in ws.active_users(start="2026-01-01").rows] == [2, 0, 1]
        ws.rebuild()
        assert derived(ws) == derived(fresh)
        assert set(DERIVED) == set(derived(ws))


def test_a_database_that_is_up_to_date_is_left_alone(old: Path) -> None:
    """Opening writes nothing the second time."""
    with regulars.open(old):
        pass
    with regulars.open(old) as ws:
        statements = ws.engine.execute
        seen: list[str] = []
        ws.engine.execute = lambda sql, *more: (seen.append(sql), statements(sql, *more))  # type: ignore[method-assign, assignment]
        ws.engine.create_schema()
    assert seen == []
