"""Questions about depth, and what the oracle says of their answers, from stored sessions and from raw events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import assume

from tests.application.test_agreement import REFUSED_BY_DESIGN, comparable, rows_from
from tests.oracle import RefusedError, answer, people
from tests.strategies import queries

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from regulars.domain.query import Query
    from regulars.domain.relations.scope import Source
    from regulars.workspace import Workspace
    from tests.oracle.world import World

SOURCES: tuple[tuple[Source, ...], ...] = (("sessions",), ("events",))


def depth_queries(world: World) -> SearchStrategy[Query]:
    """A question about depth."""
    return queries(world, metrics=("depth",))


def depth_agrees(ws: Workspace, world: World, query: Query) -> None:
    """Every source gives the rows of the oracle, and every list the people it counts."""
    try:
        expected, behind = comparable(answer(world, query)), people(world, query)
    except RefusedError:
        assume(False)
    for sources in SOURCES:
        source, rows = rows_from(ws, query, sources, REFUSED_BY_DESIGN)
        assert comparable(rows) == expected
        assert source == sources[0] or not rows
    result = ws.query(query)
    for row in result.rows[:: max(1, len(result.rows) // 5)]:
        place = tuple(row[name] for name in query.breakdown)
        assert set(result.users(row)) == behind[row["date"], place]["users"]
        assert len(result.users(row)) == row["users"]
