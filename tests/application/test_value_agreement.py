"""Feature adoption, onboarding and revenue: the engine against the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from regulars.domain.query import EventCondition, Filter, Query, Step
from regulars.errors import UnknownNameError
from tests.application.test_agreement import comparable, tells_its_population, tells_who_has_no_date, workspace_of
from tests.application.test_cohort_agreement import SLICES, attributes
from tests.oracle.questions import days, filters, ranges
from tests.oracle.value import (
    adoption_cells,
    adoption_rows,
    onboarding_cells,
    onboarding_rows,
    revenue_cells,
    revenue_rows,
)
from tests.strategies import worlds

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn

    from regulars.workspace import Workspace
    from tests.oracle.value import Placed
    from tests.oracle.world import World

EVENTS = ("core", "any", "like", "purchase", "payment_success", "premium")
PREMIUM = Filter(property="event.plan", op="in", value=("paid", "it's"))


@st.composite
def value_queries(draw: DrawFn, world: World, metric: str, slices: tuple[Any, ...] = SLICES, **more: Any) -> Query:
    """A question about some days near the events, by people."""
    return Query(
        metric=metric,
        activity=draw(st.sampled_from(("core", "any", "any", *world.settings.activities))),
        population=draw(st.sampled_from(("production", "all", "all"))),
        breakdown=draw(st.sampled_from(slices)),
        filters=draw(st.just(()) | st.just(()) | attributes(world)),
        limit=draw(st.sampled_from((1, 2, 12))),
        as_of=draw(st.one_of(*[st.none()] * 4, days(world))),
        **{"range": draw(ranges(world, "day", dated=False)), **more},
    )


@st.composite
def conditions(draw: DrawFn, *, steps: bool) -> str | EventCondition:
    """Which events are meant."""
    if draw(st.booleans()):
        return draw(st.sampled_from(EVENTS))
    kinds = draw(st.sampled_from((None, ("like",), ("purchase", "dance"))))
    where = draw(st.sampled_from(((), (PREMIUM,))))
    return Step(kinds, where, times=draw(st.integers(1, 3))) if steps else EventCondition(kinds, where)


@st.composite
def adoption_queries(draw: DrawFn, world: World) -> Query:
    """In buckets and in windows, of one feature and of the most used."""
    grain = draw(st.sampled_from(("day", "week", "month")))
    options = draw(st.sampled_from(({}, {}, {"top": 1}, {"feature": "editor"}, {"feature": "none of them"})))
    window = draw(st.sampled_from((None, None, 1, 3, 30)))
    more = {"range": draw(ranges(world, grain)), "options": options, "window": window}
    return draw(value_queries(world, "feature_adoption", **more))


@st.composite
def onboarding_queries(draw: DrawFn, world: World) -> Query:
    """From the registration and from the first activity, to milestones of every kind."""
    options: dict[str, Any] = {"days": draw(st.sampled_from((1, 2, 7, 40)))}
    options["cohort"] = draw(st.sampled_from(("registration", "first_activity", "first_activity")))
    options["milestones"] = tuple(draw(st.lists(conditions(steps=True), min_size=1, max_size=3)))
    return draw(value_queries(world, "onboarding", options=options))


@st.composite
def revenue_queries(draw: DrawFn, world: World) -> Query:
    """Over time and by age, of people and of events."""
    age = draw(st.sampled_from((None, None, "day", "week", "month")))
    grain = "day" if age else draw(st.sampled_from(("day", "week", "month")))
    options: dict[str, Any] = {"property": "event.score", "events": draw(conditions(steps=False))}
    options |= {"failed": draw(conditions(steps=False))} if draw(st.booleans()) else {}
    options |= {"cohort_age": age} if age else {}
    slices = (*SLICES, ("action",), ("feature", "country"), ("platform",))
    query = draw(
        value_queries(world, "revenue", slices, range=draw(ranges(world, grain, dated=not age)), options=options)
    )
    if query.breakdown:
        return query
    return msgspec.structs.replace(query, filters=draw(st.just(()) | filters(world).map(lambda f: (f,))))


ORACLES: dict[str, tuple[Callable[..., list[dict[str, Any]]], Callable[..., Placed]]] = {
    "feature_adoption": (adoption_rows, adoption_cells),
    "onboarding": (onboarding_rows, onboarding_cells),
    "revenue": (revenue_rows, revenue_cells),
}


def value_agrees(ws: Workspace, world: World, query: Query) -> None:
    """The rows are the oracle's, and every list the people it counts."""
    is_priced = any("score" in event.properties for event in world.distinct_events())
    assume(is_priced or query.metric != "revenue")
    rows, cells = (oracle(world, query) for oracle in ORACLES[query.metric])
    try:
        result = ws.query(query)
    except UnknownNameError as exc:  # a condition on a property that no event of this world has
        assume(exc.code != "unknown_property")
        raise
    found = [{name: cell for name, cell in row.items() if name != "name"} for row in result.rows]
    assert comparable(found) == comparable(rows)
    tells_its_population(world, query, result)
    tells_who_has_no_date(world, query, result, query.options.get("cohort", "none"))
    opened = list(zip(result.rows, cells, strict=True))
    for row, (_, _, cell) in opened[:: max(1, len(opened) // 4)]:
        for column in result.people_columns:
            assert result.users(row, column) == sorted(cell.people[column])


@given(world=worlds(), data=st.data())
@settings(max_examples=15)
def test_a_slice_is_the_question_filtered_to_its_value(world: World, data: st.DataObject) -> None:
    """Of people in all three, and of events in revenue."""
    metric, name = data.draw(st.sampled_from([
        ("feature_adoption", "country"), ("feature_adoption", "tenure_band"), ("onboarding", "country"),
        ("onboarding", "tenure_band"), ("revenue", "tenure_band"), ("revenue", "feature"),
    ]))  # fmt: skip
    options: dict[str, Any] = {"feature_adoption": {"feature": "editor"}, "onboarding": {"cohort": "first_activity"},
                               "revenue": {"property": "duration_seconds", "events": "like"}}  # fmt: skip
    query = Query(metric=metric, population="all", limit=1000, activity="any", options=options[metric])
    with workspace_of(world) as ws:
        sliced = comparable(ws.query(msgspec.structs.replace(query, breakdown=(name,))).rows)
        for value in {row[name] for row in sliced} - {"(none)"}:
            only = msgspec.structs.replace(query, filters=(Filter(property=name, value=value),))
            own = [{key: cell for key, cell in row.items() if key != name} for row in sliced if row[name] == value]
            assert comparable(ws.query(only).rows) == own
