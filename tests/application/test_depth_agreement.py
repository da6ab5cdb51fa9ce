"""Depth: the engine against the oracle, from stored sessions and from raw events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import assume, given, note
from hypothesis import strategies as st

from regulars.errors import QueryError
from tests.application.test_agreement import REFUSED_BY_DESIGN, comparable, rows_from, workspace_of
from tests.application.test_habits_agreement import ruled_worlds
from tests.oracle import RefusedError, answer, people
from tests.strategies import FEWER, queries, worlds

if TYPE_CHECKING:
    from regulars.domain.relations.scope import Source
    from tests.oracle.world import World

SOURCES: tuple[tuple[Source, ...], ...] = (("sessions",), ("events",))


def answers_agree(world: World, data: st.DataObject) -> None:
    """Every source gives the rows of the oracle, and every list the people it counts."""
    query = data.draw(queries(world, metrics=("depth",)))
    note(msgspec.json.encode(query).decode())
    try:
        expected, behind = comparable(answer(world, query)), people(world, query)
    except RefusedError:
        assume(False)
    with workspace_of(world) as ws:
        for sources in SOURCES:
            try:
                source, rows = rows_from(ws, query, sources)
            except QueryError as exc:
                assume(exc.code not in REFUSED_BY_DESIGN)
                raise
            assert comparable(rows) == expected
            assert source == sources[0] or not rows
        result = ws.query(query)
        for row in result.rows[:: max(1, len(result.rows) // 5)]:
            place = tuple(row[name] for name in query.breakdown)
            assert set(result.users(row)) == behind[row["date"], place]["users"]
            assert len(result.users(row)) == row["users"]


@given(world=worlds(), data=st.data())
@FEWER
def test_depth_is_the_oracles_in_worlds_of_many_days(world: World, data: st.DataObject) -> None:
    """Activities, filters and breakdowns of every kind, ties and changes of the clock."""
    answers_agree(world, data)


@given(ruled=ruled_worlds(), data=st.data())
def test_depth_is_the_oracles_in_worlds_of_sessions(ruled: tuple[World, dict[str, Any]], data: st.DataObject) -> None:
    """Every rule of sessions, chains of events near the gap."""
    answers_agree(ruled[0], data)
