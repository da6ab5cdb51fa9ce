"""Wrong answers that nobody was told about, each named by what must hold instead."""

from __future__ import annotations

from datetime import date

import pytest

import regulars
from regulars.domain.dialect import CLICKHOUSE, DUCKDB, render
from regulars.domain.query import Filter
from regulars.domain.readonly import check_select
from regulars.domain.sql import Values
from regulars.domain.where import parse_where
from regulars.errors import QueryError, UnknownNameError
from regulars.settings import SessionSettings, Settings
from tests.domain.examples import column, did, workspace


def test_the_first_day_ever_has_no_gap_in_the_aggregates() -> None:
    """least(NULL, 366) is 366 in DuckDB, which made everybody look returning."""
    with workspace(did("a", "2024-01-01T12:00:00"), did("a", "2026-01-01T12:00:00")) as ws:
        ws.load([did("b", "2026-01-02T12:00:00"), did("a", "2026-01-02T13:00:00")])
        for _ in range(2):
            gaps = ws.sql(
                "SELECT day, gap, users FROM agg_arrivals WHERE activity = 'core' AND dimension = 'overall'"
            ).rows
            assert sorted(gaps, key=repr) == sorted(
                [
                    (date(2024, 1, 1), None, 1),
                    (date(2026, 1, 1), 366, 1),
                    (date(2026, 1, 2), 1, 1),
                    (date(2026, 1, 2), None, 1),
                ],
                key=repr,
            )
            result = ws.new_vs_returning(start="2026-01-01")
            assert (result.source, column(result, "new"), column(result, "returning")) == ("aggregates", [0, 1], [1, 1])
            ws.rebuild()


def test_a_gap_at_the_cap_is_told_from_a_longer_one() -> None:
    """A window of 366 days still holds the day 365 days ago, and no day before it."""
    with workspace(
        did("a", "2024-12-31T12:00:00"), did("a", "2026-01-01T12:00:00"), did("a", "2026-12-31T12:00:00")
    ) as ws:
        rows = ws.active_users(window=366, start="2025-12-30", end="2026-01-02").rows
        assert [row["active_users"] for row in rows] == [1, 1, 1, 1]
        rows = ws.active_users(window=365, start="2025-12-30", end="2026-01-02").rows
        assert [row["active_users"] for row in rows] == [1, 0, 1, 1]


def test_a_qualified_column_keeps_its_name_on_clickhouse() -> None:
    """In a join, ClickHouse calls i.user_key "i.user_key", and nothing outside finds it."""
    tree = Values().bind("SELECT user_key FROM (SELECT i.user_key, r.* FROM a AS i JOIN b AS r ON r.x = i.x) AS q")
    assert "SELECT i.user_key AS user_key, r.* FROM" in render(tree, CLICKHOUSE, pretty=False)


def test_a_placeholder_is_never_an_alias() -> None:
    """In DuckDB's dialect ``x: 1`` is 1 AS x, so ``:v1`` may vanish from a CASE; ``$v1`` cannot."""
    values = Values()
    text = f"SELECT CASE WHEN x THEN {values.add('a')} ELSE {values.add('x: 1')} END AS y, {values.add(1)} AS z"
    assert render(values.bind(text), DUCKDB, pretty=False) == "SELECT CASE WHEN x THEN 'a' ELSE 'x: 1' END AS y, 1 AS z"


@pytest.mark.parametrize("timezone", ["Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu", "UTC"])
@pytest.mark.parametrize("day", ["2026-03-29", "2026-04-05", "2026-04-24", "2026-10-04", "2026-10-25", "2026-10-29"])
def test_the_hours_of_a_day_hold_its_actions(timezone: str, day: str) -> None:
    """None falls between two buckets or into both, whatever the clock does."""
    instants = [f"{day}T{hour:02}:{minute:02}:00" for hour in range(0, 24, 2) for minute in (0, 15, 30)]
    with workspace(*(did("a", at) for at in instants), timezone=timezone) as ws:
        by_day = column(ws.actions(start=day, end=day), "actions")
        by_hour = column(ws.actions(grain="hour", start=day, end=day), "actions")
    assert sum(by_hour) == by_day[0] > 0


def test_a_property_named_like_a_place_in_a_template_is_itself() -> None:
    """The name {0} was replaced by the column that it was read from."""
    event = did("a", "2026-01-01T12:00:00", properties={"{0}": "x", "e": "y"})
    with workspace(event) as ws:
        result = ws.active_users(by="{0}", where=(Filter(property="{0}", value="x"),), start="2026-01-01")
    assert column(result, "{0}") == ["x"]


def test_an_argument_too_many_is_not_ignored() -> None:
    """contains(name, 'a', 'b') was read as contains(name, 'a')."""
    with pytest.raises(QueryError, match="cannot read the condition"):
        parse_where("contains(name, 'a', 'b')")


def test_quotes_in_a_typed_name_are_kept() -> None:
    '''"a""""b" is a""b, not a"b.'''
    (found,) = parse_where('"a""""b" = 1')
    assert found.property == '"a""""b"'
    event = did("a", "2026-01-01T12:00:00", properties={'a""b': 1})
    with workspace(event) as ws:
        assert column(ws.active_users(where='"a""""b" = 1', start="2026-01-01"), "active_users") == [1]


def test_a_name_of_with_is_no_key_to_a_file_of_that_name() -> None:
    """The name in one part of a statement allowed the file in another."""
    with pytest.raises(UnknownNameError):
        check_select('WITH "x.csv" AS (SELECT * FROM "x.csv") SELECT * FROM "x.csv"')
    with pytest.raises(QueryError):
        check_select("SELECT * FROM (SUMMARIZE 'x.csv')")


def test_people_without_a_registration_date_are_the_ones_whose_tenure_is_not_set() -> None:
    """The member (none) of a time-dependent attribute is missing, not a value of that name."""
    with workspace() as ws:
        ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-03-02T12:00:00Z"}])
        assert ws.active_users(where="tenure_band is null").rows[-1]["active_users"] == 1
        assert ws.active_users(where="tenure_band = '(none)'").rows[-1]["active_users"] == 0


def test_a_marker_that_carries_a_client_id_still_cuts_the_stream_without_ids() -> None:
    """A session_start between two actions begins a new session, whatever id the client put on it."""
    rows = [
        {"user_id": "ada", "event_type": "like", "timestamp": "2026-03-02T12:00:00Z"},
        {"user_id": "ada", "event_type": "session_start", "timestamp": "2026-03-02T12:10:00Z", "session_id": "c1"},
        {"user_id": "ada", "event_type": "like", "timestamp": "2026-03-02T12:20:00Z"},
    ]
    settings = Settings(sessions=SessionSettings(source="client"))
    with regulars.open(settings=settings) as ws:
        ws.load(rows)
        assert ws.sessions(start="2026-03-02").rows[-1]["sessions"] == 2


def test_two_sessions_may_begin_at_the_same_instant() -> None:
    """A session_start between two actions of one instant parts them, although both runs start at the same time."""
    at = "2026-03-02T12:00:00Z"
    rows = [
        {"event_id": "b", "user_id": "ada", "event_type": "like", "timestamp": at, "sequence": 0},
        {"event_id": "c", "user_id": "ada", "event_type": "session_start", "timestamp": at},
        {"event_id": "a", "user_id": "ada", "event_type": "like", "timestamp": at},
    ]
    with regulars.open() as ws:
        ws.load(rows)
        assert ws.sessions(start="2026-03-02").rows[-1]["sessions"] == 2


@pytest.mark.parametrize("asked", [{}, {"by": "country"}, {"where": "event.shade = 'red'"}], ids=str)
def test_the_last_day_asked_for_has_a_next_day_when_there_are_later_data(asked: dict[str, str]) -> None:
    """The share of people who came back on the next day ended one day before the range did."""
    days = ["2026-03-02", "2026-03-03", "2026-03-04"]
    rows = [
        {"user_id": "ada", "event_type": "like", "timestamp": f"{day}T12:00:00Z", "country": "DE", "shade": "red"}
        for day in days
    ]
    with regulars.open() as ws:
        ws.load(rows)
        within = ws.stickiness(method="return", start=days[0], end=days[1], **asked)
        assert (column(within, "numerator"), column(within, "stickiness")) == ([1, 1], [1.0, 1.0])
        up_to_the_end = ws.stickiness(method="return", start=days[1], end=days[2], **asked)
        assert column(up_to_the_end, "stickiness") == [1.0, None]
