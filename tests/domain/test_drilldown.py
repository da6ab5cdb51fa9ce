"""The people behind a cell, and the cells that have none."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from regulars.errors import QueryError
from tests.domain.examples import did, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.workspace import Workspace

EVENTS = [
    did(user, at, country=country)
    for user, at, country in (
        ("a", "2026-11-01T09:10:00", "DE"), ("b", "2026-11-01T09:20:00", "FR"), ("c", "2026-11-01T10:00:00", "IT"),
        ("a", "2026-11-02T09:00:00", "DE"),
    )
]  # fmt: skip


@pytest.fixture(scope="module")
def ws() -> Iterator[Workspace]:
    """Three people on two days."""
    with workspace(*EVENTS) as opened:
        yield opened


def test_a_cell_opens_into_the_people_it_counts(ws: Workspace) -> None:
    """By row, by number of the row, per slice, per hour, and for the rest of a breakdown."""
    start: dict[str, Any] = {"start": "2026-11-01", "end": "2026-11-01"}
    plain = ws.active_users(**start)
    assert sorted(plain.users(0)) == sorted(plain.users(plain.rows[0], "active_users")) == ["a", "b", "c"]
    sliced = ws.active_users(by="country", limit=1, **start)
    assert [sorted(sliced.users(row)) for row in sliced.rows] == [["a"], ["b", "c"]]
    hours = ws.active_users(grain="hour", **start)
    assert [sorted(hours.users(row)) for row in hours.rows[9:11]] == [["a", "b"], ["c"]]
    by_hour = ws.active_users(grain="hour", by="country", limit=1, **start)
    assert sorted(by_hour.users(by_hour.rows[19])) == ["b"]


@pytest.mark.parametrize(
    ("metric", "row", "column", "code"),
    [
        ("active_users", 99, None, "no_such_row"),
        ("active_users", {"date": date(2020, 1, 1)}, None, "no_such_row"),
        ("active_users", {"date": "soon"}, None, "no_such_row"),
        ("new_vs_returning", 0, None, "which_column"),
        ("actions", 0, "actions", "no_people"),
        ("active_users", 0, "colour", "no_people"),
        ("stickiness", {"date": date(2026, 11, 1), "numerator": None}, "numerator", "no_people"),
    ],
)
def test_a_cell_that_counts_nobody_says_why(
    ws: Workspace, metric: str, row: Any, column: str | None, code: str
) -> None:
    """An unknown row, a column without people, an undefined value."""
    with pytest.raises(QueryError) as error:
        ws.metric(metric, start="2026-11-01").users(row, column)
    assert error.value.code == code


def test_rows_without_their_slice_or_hour_are_refused(ws: Workspace) -> None:
    """And so is a result that was made without a workspace."""
    with pytest.raises(QueryError, match="country"):
        ws.active_users(by="country", start="2026-11-01").users({"date": date(2026, 11, 1)})
    with pytest.raises(QueryError, match="no hour"):
        ws.active_users(grain="hour", start="2026-11-01").users({"date": "noon"})
    with pytest.raises(QueryError, match="without a workspace"):
        replace(ws.active_users(), open_cell=None).users(0)


@pytest.mark.parametrize(
    ("metric", "options"),
    [("sessions", {"profile": "hour"}), ("active_days", {}), ("tier_transitions", {}), ("tiers", {})],
)
def test_a_row_without_what_tells_it_from_its_neighbours_is_refused(
    ws: Workspace, metric: str, options: dict[str, Any]
) -> None:
    """An hour, a number of days, a tier."""
    with pytest.raises(QueryError, match="the row lacks") as error:
        ws.metric(metric, **options).users({"date": date(2026, 11, 1)})
    assert error.value.code == "no_such_row"


def test_an_empty_workspace_has_nobody_to_list() -> None:
    """Whatever row is asked for."""
    with workspace() as ws:
        assert list(ws.active_users().users({"date": date(2026, 1, 1)})) == []
