"""Churn risk: the engine against the oracle, from stored rows and from raw events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given, note, settings
from hypothesis import strategies as st

from regulars.domain.query import Filter, Query
from tests.application.test_agreement import comparable, rows_from, workspace_of
from tests.application.test_cohort_agreement import SLICES, attributes
from tests.application.test_habits_agreement import ruled_worlds
from tests.oracle.churn import churn_cells, churn_rows
from tests.oracle.questions import days, ranges
from tests.strategies import worlds

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from regulars.domain.relations.scope import Source
    from regulars.workspace import Workspace
    from tests.application.test_agreement import Rows
    from tests.oracle.world import World

SOURCES: tuple[tuple[Source, ...], ...] = (("arrivals",), ("events",))


@st.composite
def churn_queries(draw: DrawFn, world: World) -> Query:
    """A question about some day near the events."""
    listed = draw(st.booleans())
    return Query(
        metric="churn_risk",
        window=draw(st.sampled_from((None, None, 1, 7, 30, 366))),
        range=draw(ranges(world, "day", dated=False)),
        activity=draw(st.sampled_from(("core", "core", "any", *world.settings.activities))),
        population=draw(st.sampled_from(("production", "all", "all"))),
        breakdown=() if listed else draw(st.sampled_from(SLICES)),
        filters=draw(st.just(()) | st.just(()) | attributes(world)),
        options={"show": "people", "top": draw(st.sampled_from((1, 3, 100)))} if listed else {},
        limit=draw(st.sampled_from((1, 2, 12))),
        as_of=draw(st.one_of(*[st.none()] * 3, days(world))),
    )


def without_reasons(rows: Rows) -> Rows:
    """Rows without the words that explain a person's risk, which the oracle does not tell."""
    return [{name: value for name, value in row.items() if name != "reasons"} for row in rows]


def churn_agrees(ws: Workspace, world: World, query: Query) -> None:
    """Every source gives the rows of the oracle, and every list the people it counts."""
    expected = comparable(churn_rows(world, query))
    for sources in SOURCES:
        _, rows = rows_from(ws, query, sources)
        assert comparable(without_reasons(rows)) == expected
    result = ws.query(query)
    for row, (_, cell) in zip(result.rows, churn_cells(world, query), strict=True):
        if "users" in row:
            assert result.users(row) == sorted(cell.people["users"])


@given(ruled=ruled_worlds(), data=st.data())
@settings(max_examples=20)
def test_churn_risk_is_the_oracles_in_worlds_of_sessions(ruled: tuple[World, Any], data: st.DataObject) -> None:
    """Every rule of sessions, for everybody and by slice."""
    shown = data.draw(st.sampled_from(("levels", "people")))
    by = () if shown == "people" else data.draw(st.sampled_from(SLICES))
    query = Query(metric="churn_risk", population="all", breakdown=by, options={"show": shown})
    note(msgspec.json.encode(query).decode())
    with workspace_of(ruled[0]) as ws:
        churn_agrees(ws, ruled[0], query)


@given(world=worlds(), data=st.data())
@settings(max_examples=15)
def test_a_slice_of_churn_risk_is_the_question_filtered_to_its_value(world: World, data: st.DataObject) -> None:
    """For stored attributes and those that change with time."""
    (name,) = by = data.draw(st.sampled_from((("country",), ("tenure_band",))))
    query = Query(metric="churn_risk", population="all", limit=1000)
    with workspace_of(world) as ws:
        sliced = ws.query(msgspec.structs.replace(query, breakdown=by)).rows
        for value in {row[name] for row in sliced} - {"(none)"}:
            only = msgspec.structs.replace(query, filters=(Filter(property=name, value=value),))
            own = [{key: cell for key, cell in row.items() if key != name} for row in sliced if row[name] == value]
            assert ws.query(only).rows == own
