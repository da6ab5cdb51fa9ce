"""Funnels: the engine against the oracle, which tries every event for every step."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import assume, given, note
from hypothesis import strategies as st

from regulars.domain.query import Query
from regulars.errors import QueryError
from tests.application.test_agreement import comparable, rows_from, workspace_of
from tests.oracle.funnels import funnel_rows, time_rows, trend_rows
from tests.oracle.questions import filters, ranges
from tests.strategies import ACTIONS, FEWER, worlds

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn, SearchStrategy

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
def asked(draw: DrawFn, world: World, order: str, *, is_plain: bool = False) -> tuple[World, Query]:
    """A question about a world, which may be a crowded one: all of it done by few people at few instants."""
    crowd = draw(st.sampled_from((0, 0, 1, 2)))
    if crowd:
        instants = sorted({event.at for event in world.events})[:: draw(st.sampled_from((1, 3)))]
        world.events = [
            replace(each, user=("u1", "U1")[n % crowd], at=instants[n % len(instants)], anonymous=False)
            for n, each in enumerate(world.events[:24])
        ]
    return world, draw(funnels(world, order=order, is_plain=is_plain))


@given(world=worlds(), data=st.data())
def test_funnels_are_those_of_the_oracle(world: World, data: st.DataObject) -> None:
    """Counts, times and flags of every step and slice, and the people behind them."""
    check(*data.draw(asked(world, "ordered")))


@given(world=worlds(), data=st.data())
@FEWER
def test_plain_funnels_are_those_of_the_oracle(world: World, data: st.DataObject) -> None:
    """Where no client counts its events and no two steps share any, ties need no search."""
    world.events = [replace(each, sequence=None) for each in world.events]
    check(*data.draw(asked(world, "ordered", is_plain=True)))


@given(world=worlds(), data=st.data())
@FEWER
def test_strict_funnels_are_those_of_the_oracle(world: World, data: st.DataObject) -> None:
    """Each step the very next event."""
    check(*data.draw(asked(world, "strict")))


@given(world=worlds(), data=st.data())
@FEWER
def test_funnels_in_any_order_are_those_of_the_oracle(world: World, data: st.DataObject) -> None:
    """As many steps as events can fill, one each."""
    world, query = data.draw(asked(world, "any"))
    try:
        check(world, query)
    except QueryError as exc:
        assume(exc.code != "bad_steps")
        raise


def check(world: World, query: Query, rows_of: RowsOf = funnel_rows) -> None:
    """The rows of the engine are the oracle's, and so are their people."""
    note(msgspec.json.encode(query).decode())
    expected = rows_of(world, query)
    with workspace_of(world) as ws:
        _, rows = rows_from(ws, query, ("events",))
        assert told(rows) == told(expected)
        result = ws.query(query)
        for row, oracle in list(zip(result.rows, expected, strict=True))[:: max(1, len(expected) // 4)]:
            for column in result.people_columns:
                assert set(result.users(row, column)) == oracle["people"][column]
                assert len(result.users(row, column)) == row[column]


@given(world=worlds(), data=st.data())
def test_trends_and_times_are_those_of_the_oracle(world: World, data: st.DataObject) -> None:
    """Once per entry bucket, and by the time from one step to another."""
    metric = data.draw(st.sampled_from(("funnel_trend", "time_to_convert")))
    query = data.draw(funnels(world, metric))
    if metric == "time_to_convert":
        last = len(query.options["steps"])
        begin = data.draw(st.integers(1, last - 1))
        more = {"from_step": begin, "to_step": data.draw(st.integers(begin + 1, last)), "bins": [0]}
        unit, value = query.options["within"]["unit"], query.options["within"]["value"]
        whole = int(timedelta(**{f"{unit}s": value}).total_seconds())
        bins = {edge for edge in data.draw(st.lists(st.sampled_from(BINS), min_size=1)) if edge < whole}
        more["bins"] = sorted(bins) or [0]
        query = msgspec.structs.replace(query, options={**query.options, **more})
    check(world, query, trend_rows if metric == "funnel_trend" else time_rows)
