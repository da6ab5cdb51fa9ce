"""Questions about funnels, and what the oracle says of their answers: it tries every event for every step."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import strategies as st

from regulars.domain.query import Query
from tests.application.test_agreement import comparable, rows_from, tells_its_population
from tests.oracle.funnels import funnel_rows, time_rows, trend_rows
from tests.oracle.questions import filters, ranges
from tests.strategies import ACTIONS, worlds

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn, SearchStrategy

    from regulars.workspace import Workspace
    from tests.oracle.world import World

    RowsOf = Callable[[World, Query], list[dict[str, Any]]]

BINS = (0, 1, 59, 60, 3600, 7200, 86_400, 2 * 86_400, 10 * 86_400)
WITHIN = ((1, "second"), (1, "minute"), (90, "minute"), (1, "day"), (2, "day"), (14, "day"), (366, "day"))
SLICES = ("country", "tenure_band", "platform", "event.country", "action", "user.device_type")


def steps(most: int = 4) -> SearchStrategy[list[Any]]:
    """Steps that often share events: activities, event types, and several types at once."""
    types = st.lists(st.sampled_from(sorted(set(ACTIONS))), min_size=1, max_size=3, unique=True)
    where = st.sampled_from(
        ([], [{"property": "platform", "op": "=", "value": "web"}], [{"property": "plan", "op": "is_set"}])
    )
    often = st.sampled_from((1, 1, 1, 2))
    condition = st.builds(
        lambda events, where, times: {"events": events, "where": where, "times": times}, st.none() | types, where, often
    )
    one = st.sampled_from(("any", "core", "conversion", "like", "like", "page_view", "purchase", "dance")) | condition
    return st.lists(one, min_size=2, max_size=most)


def plain_steps() -> SearchStrategy[list[Any]]:
    """Steps that share no events."""
    types = st.permutations(("like", "page_view", "purchase", {"events": ["dance", "search"]}))
    return st.builds(lambda order, count: order[:count], types, st.integers(2, 4))


@st.composite
def funnels(
    draw: DrawFn, world: World, metric: str = "funnel", order: str = "ordered", *, is_plain: bool = False
) -> Query:
    """A question about a funnel; no event can take two steps of a plain one."""
    chosen, (value, unit) = draw(plain_steps() if is_plain else steps()), draw(st.sampled_from(WITHIN))
    options: dict[str, Any] = {
        "steps": chosen,
        "order": order,
        "within": {"value": value, "unit": unit},
        "ties": draw(st.sampled_from(("any", "any", "sequence", "strict"))),
        "attribution": draw(st.sampled_from(("first", "first", "last", "all", "step:1", "step:2"))),
    }
    found = ranges(world, "day", dated=False)
    if metric == "funnel_trend":
        found = ranges(world, draw(st.sampled_from(("day", "week"))))
    if order == "ordered":
        options["exclusions"] = draw(st.just([]) | st.lists(exclusions(len(chosen)), max_size=2))
    return Query(
        metric=metric,
        range=draw(found),
        population=draw(st.sampled_from(("production", "production", "all", "all", "test"))),
        breakdown=draw(
            st.just(())
            | st.sampled_from([(name,) for name in SLICES])
            | st.sampled_from((("country", "platform"), ("event.country", "platform")))
        ),
        filters=draw(st.just(()) | st.just(()) | st.just(()) | st.lists(filters(world), max_size=1).map(tuple)),
        limit=draw(st.sampled_from((1, 2, 12))),
        options=options,
    )


@st.composite
def exclusions(draw: DrawFn, count: int) -> dict[str, Any]:
    """An exclusion between two of so many steps."""
    after = draw(st.integers(1, count - 1))
    events = st.sampled_from(("any", "like", "support_ticket", "purchase")) | st.just({"events": ["dance", "like"]})
    return {"event": draw(events), "after_step": after, "before_step": draw(st.integers(after + 1, count))}


def told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the oracle tells of rows: neither the words nor what follows from the counts."""
    hidden = ("name", "conversion_from_first", "conversion_from_previous", "conversion", "low", "high", "people")
    return comparable([{name: value for name, value in row.items() if name not in hidden} for row in rows])


@st.composite
def crowded_worlds(draw: DrawFn) -> World:
    """A world, mostly one where few people do all of it at few instants; sometimes no client counts its events."""
    world = draw(worlds())
    crowd = draw(st.sampled_from((0, 0, 1, 2)))
    if crowd:
        instants = sorted({event.at for event in world.events})[:: draw(st.sampled_from((1, 3)))]
        world.events = [
            replace(each, user=("u1", "U1")[n % crowd], at=instants[n % len(instants)], anonymous=False)
            for n, each in enumerate(world.events[:24])
        ]
    if draw(st.integers(0, 2)) == 0:
        world.events = [replace(each, sequence=None) for each in world.events]
    return world


@st.composite
def time_queries(draw: DrawFn, world: World) -> Query:
    """A question about the time from one step of a funnel to another."""
    query = draw(funnels(world, "time_to_convert"))
    last = len(query.options["steps"])
    begin = draw(st.integers(1, last - 1))
    unit, value = query.options["within"]["unit"], query.options["within"]["value"]
    whole = int(timedelta(**{f"{unit}s": value}).total_seconds())
    bins = {edge for edge in draw(st.lists(st.sampled_from(BINS), min_size=1)) if edge < whole}
    more = {"from_step": begin, "to_step": draw(st.integers(begin + 1, last)), "bins": sorted(bins) or [0]}
    return msgspec.structs.replace(query, options={**query.options, **more})


ORACLES: dict[str, RowsOf] = {"funnel": funnel_rows, "funnel_trend": trend_rows, "time_to_convert": time_rows}


def funnels_agree(ws: Workspace, world: World, query: Query) -> None:
    """Counts, times and flags of every step and slice are the oracle's, and so are the people behind them."""
    expected = ORACLES[query.metric](world, query)
    # In any order, steps that share events may be too many to tell apart.
    _, rows = rows_from(ws, query, ("events",), ("bad_steps",) if query.options["order"] == "any" else ())
    assert told(rows) == told(expected)
    result = ws.query(query)
    tells_its_population(world, query, result)
    for row, oracle in list(zip(result.rows, expected, strict=True))[:: max(1, len(expected) // 4)]:
        for column in result.people_columns:
            assert set(result.users(row, column)) == oracle["people"][column]
            assert len(result.users(row, column)) == row[column]
