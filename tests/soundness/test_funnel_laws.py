"""Laws of funnels and of what a result says about people, checked through the workspace alone."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from regulars.domain.query import Query
from regulars.errors import QueryError
from tests.application.funnel_questions import funnels
from tests.application.test_agreement import workspace_of
from tests.oracle.questions import TIME_LEVEL, filters, queries
from tests.strategies import worlds


@given(data=st.data())
@settings(max_examples=20)
def test_nobody_gets_further_without_having_been_before(data: st.DataObject) -> None:
    """Steps only lose people, who are the same people; those who drop are the difference; more time loses nobody."""
    world = data.draw(worlds())
    query = data.draw(funnels(world, order=data.draw(st.sampled_from(("ordered", "ordered", "strict", "any")))))
    query = msgspec.structs.replace(query, breakdown=())
    with workspace_of(world) as ws:
        try:
            result = ws.query(query)
        except QueryError:
            assume(False)
        for here, further in pairwise(result.rows):
            assert here["users"] >= further["users"]
            assert here["dropped"] == here["users"] - further["users"]
        for number in range(len(result.rows) - 1):
            reached, further = (set(result.users(place, "users")) for place in (number, number + 1))
            assert further <= reached
            assert set(result.users(number, "dropped")) == reached - further
        longer = msgspec.structs.replace(query, options={**query.options, "within": "300 days"})
        if not query.options.get("exclusions"):
            assert all(
                more["users"] >= row["users"] for row, more in zip(result.rows, ws.query(longer).rows, strict=True)
            )


@given(data=st.data())
@settings(max_examples=15)
def test_the_population_of_a_result_adds_up(data: st.DataObject) -> None:
    """Who is counted and who is left out are together everybody with a qualifying event, whoever was asked for."""
    world = data.draw(worlds())
    query = data.draw(queries(world, metrics=("active_users", "lifecycle", "stickiness")))
    with workspace_of(world) as ws:
        told: dict[str, Any] = {}
        for population in ("production", "test", "bot", "all"):
            try:
                told[population] = ws.query(msgspec.structs.replace(query, population=population)).population
            except QueryError:
                assume(False)
        everybody = told["all"].get("total", 0)
        assert everybody == sum(told[name].get("total", 0) for name in ("production", "test", "bot"))
        for name in ("production", "test", "bot"):
            assert told[name].get("total", 0) + sum(told[name].get("excluded", {}).values()) == everybody


@given(data=st.data())
@settings(max_examples=15)
def test_moves_between_tiers_start_from_the_tiers_there_were(data: st.DataObject) -> None:
    """The rows of a tier add up to its size on the first day, and those into it to its size on the last.

    With a filter on what changes with time they are people of the first day, so that the last day has others.
    """
    world = data.draw(worlds())
    asked = data.draw(queries(world, metrics=("lifecycle",)))
    plain = msgspec.structs.replace(asked.range, grain="day", every=1, anchor=None)
    chosen = data.draw(st.just(()) | filters(world, TIME_LEVEL).map(lambda one: (one,)))
    query = Query(metric="tier_transitions", range=plain, activity=asked.activity, filters=chosen)
    with workspace_of(world) as ws:
        moves = ws.query(query).rows
        tiers = ws.query(msgspec.structs.replace(query, metric="tiers", options={"averages": False})).rows
    dates = sorted({row["date"] for row in tiers})
    assume(dates)
    for end, name in ((dates[0], "from_tier"), (dates[-1], "to_tier"))[: 1 if chosen else 2]:
        sizes = {row["tier"]: row["users"] for row in tiers if row["date"] == end}
        moved = {tier: sum(row["users"] for row in moves if row[name] == tier) for tier in sizes}
        assert moved == sizes
