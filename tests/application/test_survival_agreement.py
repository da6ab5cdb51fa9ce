"""Usage interval and survival: the engine against the oracle, from stored arrivals and from raw events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.domain.query import Filter, Query
from tests.application.test_agreement import comparable, rows_from, workspace_of
from tests.application.test_cohort_agreement import SLICES, SOURCES, attributes
from tests.oracle.cadence import interval_cells, interval_rows
from tests.oracle.questions import days, filters, ranges
from tests.oracle.survival import survival_cells, survival_rows
from tests.strategies import worlds

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from regulars.workspace import Workspace
    from tests.oracle.world import World

ALL_SLICES = (*SLICES, ("feature",), ("action", "country"), ("platform",))


@st.composite
def lives(draw: DrawFn, world: World, metric: str) -> Query:
    """A question about some days near the events."""
    anything = metric == "usage_interval"
    query = Query(
        metric=metric,
        range=draw(ranges(world, "day", dated=False)),
        activity=draw(st.sampled_from(("core", "any", "any", *world.settings.activities))),
        population=draw(st.sampled_from(("production", "all", "all"))),
        breakdown=draw(st.sampled_from(ALL_SLICES if anything else SLICES)),
        limit=draw(st.sampled_from((1, 2, 12))),
        as_of=draw(st.one_of(*[st.none()] * 4, days(world))),
        options={} if anything else {"silent_days": draw(st.sampled_from((1, 2, 3, 7, 30)))},
    )
    some = filters(world).map(lambda f: (f,)) if anything and not query.breakdown else attributes(world)
    return msgspec.structs.replace(query, filters=draw(st.just(()) | st.just(()) | some))


def intervals_agree(ws: Workspace, world: World, query: Query) -> None:
    """For events and people of every kind; and the lists are the people counted."""
    expected = comparable(interval_rows(world, query))
    for sources in SOURCES:
        assert comparable(rows_from(ws, query, sources)[1]) == expected
    result = ws.query(query)
    for row, (_, cell) in zip(result.rows, interval_cells(world, query), strict=True):
        assert result.users(row) == sorted(cell.people["users"])


def curves_agree(ws: Workspace, world: World, query: Query) -> None:
    """From every source; and the lists are the people counted."""
    expected = comparable(survival_rows(world, query))
    for sources in SOURCES:
        assert comparable(rows_from(ws, query, sources)[1]) == expected
    result = ws.query(query)
    found = list(zip(result.rows, survival_cells(world, query), strict=True))
    for row, (_, cell) in found[:: max(1, len(found) // 3)]:
        for column in result.people_columns:
            assert result.users(row, column) == sorted(cell.people[column])


@given(world=worlds(), data=st.data())
@settings(max_examples=15)
def test_a_slice_is_the_question_filtered_to_its_value(world: World, data: st.DataObject) -> None:
    """Of intervals and of curves, judged on the last day and on the first."""
    metric, name = data.draw(st.sampled_from([
        ("usage_interval", "country"), ("usage_interval", "tenure_band"), ("usage_interval", "feature"),
        ("survival", "country"), ("survival", "tenure_band"),
    ]))  # fmt: skip
    options = {"silent_days": 3} if metric == "survival" else {}
    query = Query(metric=metric, population="all", limit=1000, activity="any", options=options)
    with workspace_of(world) as ws:
        sliced = ws.query(msgspec.structs.replace(query, breakdown=(name,))).rows
        for value in {row[name] for row in sliced} - {"(none)"}:
            only = msgspec.structs.replace(query, filters=(Filter(property=name, value=value),))
            own = [{key: cell for key, cell in row.items() if key != name} for row in sliced if row[name] == value]
            assert ws.query(only).rows == own
