"""Paths against the oracle: the same rows from stored sessions and from events, the same people behind them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from regulars.domain.query import EventCondition, Filter, Query, Range
from regulars.errors import QueryError
from tests.application.test_agreement import comparable, rows_of_each, workspace_of
from tests.oracle.attributes import resolve
from tests.oracle.conditions import RefusedError
from tests.oracle.paths import paths
from tests.oracle.questions import names, queries
from tests.strategies import FEWER, worlds

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from regulars.workspace import Workspace
    from tests.oracle.world import World

REFUSED_BY_DESIGN = ("mixed_breakdown", "mixed_filter")
ANCHORS: tuple[Any, ...] = (
    None, None, None, None, None, "like", "page_view", "any",
    EventCondition(("like", "purchase")),
    EventCondition(None, (Filter(property="device.platform", value="web"),)),
)  # fmt: skip


@st.composite
def path_queries(draw: DrawFn, world: World) -> Query:
    """A question about paths, with options that go together."""
    query = draw(queries(world, metrics=("actions",)))
    unit = draw(st.sampled_from((None, "session", "user", "user")))
    options = {
        "unit": unit,
        "view": draw(st.sampled_from((None, None, "matrix"))),
        "gap": draw(st.sampled_from((None, 1, 1800, 3 * 86_400, 60 * 86_400))) if unit == "user" else None,
        "node": draw(st.sampled_from((None, None, "geo.country", "category", "device.platform", "event.action"))),
        "collapse": draw(st.sampled_from((None, False))),
        "from_event": draw(st.sampled_from(ANCHORS)),
        "to_event": draw(st.sampled_from(ANCHORS)),
        "steps": draw(st.sampled_from((None, 2, 3, 20))),
        "top": draw(st.sampled_from((None, 1, 2))),
    }
    given_ones = {name: value for name, value in options.items() if value is not None}
    # Most questions are about most of the events: what few of them pass shows little of a path.
    is_wide = draw(st.sampled_from((True, True, False)))
    asked = (
        Range(date(2018, 1, 1)) if is_wide else msgspec.structs.replace(query.range, grain="day", every=1, anchor=None)
    )
    return msgspec.structs.replace(
        query,
        metric="paths",
        range=asked,
        activity=draw(st.sampled_from(("core", "core", "any", "any", "premium"))),
        filters=() if is_wide and draw(st.booleans()) else query.filters,
        population="all" if is_wide else query.population,
        as_of=None if is_wide else query.as_of,
        options=given_ones,
    )


def asked_of(query: Query) -> Query:
    """The same question with a pause as the product takes it."""
    gap = query.options.get("gap")
    more = {} if gap is None else {"gap": f"{gap // 86_400} days" if gap >= 86_400 else f"{gap} seconds"}
    return msgspec.structs.replace(query, options={**query.options, **more})


def paths_agree(ws: Workspace, world: World, query: Query) -> None:
    """Whatever the unit, node, anchors, filters, breakdown and rules for sessions; each row lists its people."""
    try:
        expected = paths(world, query)
    except RefusedError:
        assume(False)
    asked = asked_of(query)
    for source, rows in rows_of_each(ws, asked, REFUSED_BY_DESIGN):
        event(f"from {source}, {'some' if rows else 'no'} rows")
        assert comparable(rows) == comparable([row.values for row in expected])
    result = ws.query(asked)
    for place in range(0, len(expected), max(1, len(expected) // 5)):
        assert set(result.users(place)) == expected[place].people


@given(data=st.data())
@settings(FEWER, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_a_slice_is_the_question_filtered_to_its_value(data: st.DataObject) -> None:
    """For any property, whose other values then do not matter."""
    world = data.draw(worlds())
    query = asked_of(data.draw(path_queries(world)))
    assume(world.events)
    name = st.sampled_from([one for one in names(world) if resolve(world, one).level != "time"])
    query = msgspec.structs.replace(query, breakdown=query.breakdown or (data.draw(name),))
    with workspace_of(world) as ws:
        try:
            rows = ws.query(query).rows
        except QueryError:
            assume(False)
        named = {tuple(row[name] for name in query.breakdown) for row in rows if "other" not in row["flags"]}
        for values in sorted(named)[:2]:
            conditions = tuple(
                Filter(property=name, op="is_not_set") if value == "(none)" else Filter(property=name, value=value)
                for name, value in zip(query.breakdown, values, strict=True)
            )
            one = msgspec.structs.replace(query, breakdown=(), filters=(*query.filters, *conditions))
            mine = [row for row in rows if tuple(row[name] for name in query.breakdown) == values]
            bare = [{name: row[name] for name in row if name not in query.breakdown} for row in mine]
            assert comparable(bare) == comparable(ws.query(one).rows)
