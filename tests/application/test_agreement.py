"""What the engine answers from aggregates, arrivals and raw events, and how that is compared with the oracle."""

from __future__ import annotations

from datetime import UTC
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, event, note

import regulars
from regulars.application.query import names_in, read_context
from regulars.domain.dialect import render
from regulars.domain.plan import plan
from regulars.domain.relations.scope import SOURCES
from regulars.domain.result import result_rows
from regulars.errors import QueryError
from tests.oracle import RefusedError, answer, people
from tests.oracle.ledger import population, undated
from tests.oracle.scope import Scope
from tests.strategies import event_rows, user_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.domain.context import Context
    from regulars.domain.dialect import Dialect
    from regulars.domain.plan import Plan
    from regulars.domain.query import Query
    from regulars.domain.relations.scope import Source
    from regulars.domain.result import Result
    from regulars.workspace import Workspace
    from tests.oracle.world import World

Rows = list[dict[str, Any]]

# Forms that the oracle answers and the product refuses, each with the way out in its message.
REFUSED_BY_DESIGN = ("mixed_breakdown", "mixed_filter", "alias_with_window", "bad_window")


def workspace_of(world: World, cuts: tuple[int, ...] = ()) -> Workspace:
    """A workspace in memory that holds a world, its events loaded in parts."""
    ws = regulars.open(settings=world.settings, clock=lambda: world.now.replace(tzinfo=UTC))
    if world.users:
        ws.load(user_rows(world), kind="users")
    rows = event_rows(world)
    edges = [0, *sorted(cut for cut in cuts if 0 < cut < len(rows)), len(rows)]
    for start, end in pairwise(edges):
        if rows[start:end]:
            ws.load(rows[start:end], kind="events")
    return ws


def rows_from(
    ws: Workspace, query: Query, sources: tuple[Source, ...], refused: tuple[str, ...] = ()
) -> tuple[str, Rows]:
    """The rows of a query when only some sources may be read, and the source that was.

    A question that is ``refused`` by design is no example.
    """
    context = read_context(ws.engine, ws.settings, ws.now(), names_in(query))
    try:
        planned = plan(query, context, sources)
    except QueryError as exc:
        assume(exc.code not in refused)
        raise
    if planned.statement is None:
        return planned.source, []
    found = ws.engine.query(render(planned.statement, ws.engine.dialect)).rows
    return planned.source, result_rows(planned, found, context.timezone)


def rows_of_each(
    ws: Workspace, query: Query, refused: tuple[str, ...] = REFUSED_BY_DESIGN
) -> Iterator[tuple[str, Rows]]:
    """Every source with the rows that come from it."""
    for planned, text, context in plans_of_each(ws, query, ws.engine.dialect, refused=refused):
        found = [] if text is None else ws.engine.query(text).rows
        note(planned.source)
        yield planned.source, result_rows(planned, found, context.timezone)


def plans_of_each(
    ws: Workspace,
    query: Query,
    dialect: Dialect,
    sources: tuple[Source, ...] = SOURCES,
    refused: tuple[str, ...] = REFUSED_BY_DESIGN,
) -> Iterator[tuple[Plan, str | None, Context]]:
    """How every source would answer, with the statement; sources that come to the same statement are one.

    A question that is ``refused`` by design is no example.
    """
    context = read_context(ws.engine, ws.settings, ws.now(), names_in(query))
    known: set[str | None] = set()
    for number in range(len(sources)):
        try:
            planned = plan(query, context, sources[number:])
        except QueryError as exc:
            assume(exc.code not in refused)
            raise
        text = None if planned.statement is None else render(planned.statement, dialect)
        if text not in known:
            known.add(text)
            yield planned, text, context


def comparable(rows: Rows) -> Rows:
    """Rows with flags in order and floats rounded far beyond any real difference, and to what a float can tell."""
    return [
        {
            name: sorted(value) if name == "flags" else _rounded(value) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in rows
    ]


def _rounded(value: float) -> float:
    """The mean of two times that lie months apart has fewer than nine places to be right in."""
    return round(float(f"{value:.14g}"), 9)


def rows_and_lists_agree(ws: Workspace, world: World, query: Query) -> None:
    """Aggregates, arrivals and raw events answer as the oracle does; behind every count are its people."""
    try:
        expected, behind = comparable(answer(world, query)), people(world, query)
    except RefusedError:
        assume(False)
    for _, rows in rows_of_each(ws, query):
        assert comparable(rows) == expected
    result = ws.query(query)
    tells_its_population(world, query, result)
    for row in result.rows[:: max(1, len(result.rows) // 2)]:
        place = tuple(row[name] for name in query.breakdown)
        for column, count in row.items():
            if column in result.people_columns and count is not None:
                listed = result.users(row, column)
                assert len(listed) == count
                assert set(listed) == behind[row["date"], place].get(column, set(listed))


def tells_who_has_no_date(world: World, query: Query, result: Result, by: str) -> None:
    """A cohort of registrations says how many people it cannot hold; no other one does."""
    told = [text for text in result.warnings if text.startswith("people without a registration date")]
    is_asked = by == "registration" and result.sql and not Scope.is_empty(world)
    left_out = undated(world, query) if is_asked else ()
    assert told == ([f"people without a registration date, who are in no cohort: {len(left_out)}"] if left_out else [])


def tells_its_population(world: World, query: Query, result: Result) -> None:
    """Who was counted and who was left out, by the events that the metric is about."""
    if result.sql:
        assert result.population == population(world, query)


def slices_agree(ws: Workspace, world: World, query: Query) -> None:
    """Event properties and pairs of attributes, by and filtered to a value: also the ledger is that of raw events."""
    expected = comparable(answer(world, query))
    context = read_context(ws.engine, ws.settings, ws.now(), names_in(query))
    ledgers = []
    for number in range(len(SOURCES)):
        # The settings may name a property that no event of this world has.
        source, rows = rows_from(ws, query, SOURCES[number:], ("unknown_property",))
        event(f"from {source}")
        assert comparable(rows) == expected
        planned = plan(query, context, SOURCES[number:])
        if planned.ledger is not None:
            ledgers.append(dict(ws.engine.query(render(planned.ledger, ws.engine.dialect)).rows))
    assert all(ledger == ledgers[-1] for ledger in ledgers)


@pytest.mark.parametrize("metric", ["active_users", "new_vs_returning", "stickiness", "actions"])
def test_an_empty_workspace_has_no_rows_and_says_so(metric: str) -> None:
    """Nothing is invented where there are no data."""
    with regulars.open() as ws:
        result = ws.metric(metric)
    assert result.rows == []
    assert result.warnings == ("the workspace has no data yet",)
