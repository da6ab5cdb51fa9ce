"""Retention against the oracle: the same cells from sums, active days and events, the same people behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import assume, event
from hypothesis import strategies as st

from regulars.domain.query import EventCondition, Filter
from tests.application.test_agreement import comparable, rows_of_each, tells_its_population, tells_who_has_no_date
from tests.oracle.conditions import RefusedError
from tests.oracle.questions import queries
from tests.oracle.retention import averages, retention

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from regulars.domain.query import Query
    from regulars.workspace import Workspace
    from tests.oracle.world import World

REFUSED_BY_DESIGN = ("mixed_breakdown", "mixed_filter", "bad_events", "wrong_scope")
EVENTS: tuple[Any, ...] = (
    None, None, None, "like", "any", "core", "dance", "nothing",
    EventCondition(("like", "purchase")),
    EventCondition(None, (Filter(property="device.platform", value="web"),)),
)  # fmt: skip
WHERE: tuple[Any, ...] = (None, None, None, (Filter(property="geo.country", op="!=", value="DE"),))


@st.composite
def retention_queries(draw: DrawFn, world: World) -> Query:
    """A question about retention, with options that go together."""
    query = draw(queries(world, metrics=("lifecycle",)))
    cohort = draw(st.sampled_from(
        ("first_time", "first_time", "first_matching", "first_in_range", "recurring", "registration")
    ))  # fmt: skip
    clock = draw(st.sampled_from(("calendar", "calendar", "anchored", "rolling")))
    clock = "anchored" if cohort == "registration" and clock == "rolling" else clock
    grain = "hour" if clock == "rolling" and draw(st.integers(0, 4)) == 0 else query.range.grain
    kind = draw(st.sampled_from(("on", "on", "on_or_after", "bracket")))
    options: dict[str, Any] = {
        "cohort": cohort,
        "clock": clock,
        "kind": kind,
        "return_event": draw(st.sampled_from(EVENTS)),
        "return_where": draw(st.sampled_from(WHERE)),
        "min_occurrences": draw(st.sampled_from((1, 1, 2))),
        "average": draw(st.sampled_from((None, None, "simple"))),
    }
    if kind == "bracket":
        options["brackets"] = draw(st.sampled_from((((0, 0), (1, 3)), ((0, 2), (3, 9)), ((1, 1), (2, 5)))))
    else:
        options["horizon"] = draw(st.sampled_from((1, 3, 8)))
    if cohort != "registration":
        options["start_event"] = draw(st.sampled_from((*EVENTS, options["return_event"], options["return_event"])))
        options["start_where"] = draw(st.sampled_from((*WHERE, options["return_where"])))
    if query.breakdown:
        options["match_breakdown"] = draw(st.booleans())
    given_ones = {name: value for name, value in options.items() if value is not None}
    steps = {"every": 1, "anchor": None} if grain == "hour" else {}
    asked = msgspec.structs.replace(query.range, grain=grain, **steps)
    return msgspec.structs.replace(query, metric="retention", range=asked, options=given_ones)


def asked_of(query: Query) -> Query:
    """The same question with conditions where the product takes them."""
    texts = {
        name: EventCondition(None, value) if name in ("start_where", "return_where") else value
        for name, value in query.options.items()
    }
    return msgspec.structs.replace(query, options=texts)


def retention_agrees(ws: Workspace, world: World, query: Query) -> None:
    """Whatever the kind, clock, cohort, events and filters; averages too; and each cell lists the oracle's people."""
    try:
        expected = retention(world, query)
    except RefusedError:
        assume(False)
    asked = asked_of(query)
    for source, rows in rows_of_each(ws, asked, REFUSED_BY_DESIGN):
        event(f"from {source}")
        assert comparable(rows) == comparable([row.values for row in expected])
    result = ws.query(asked)
    tells_its_population(world, query, result)
    tells_who_has_no_date(world, query, result, query.options.get("cohort", "first_time"))
    assert averaged(result.averages) == averaged(averages(world, query))
    for place in range(0, len(expected), max(1, len(expected) // 5)):
        row = expected[place]
        assert set(result.users(place, "cohort_size")) == row.cohort
        assert set(result.users(place, "retention_users")) == row.back


def averaged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Averages that can be compared; sums of rates in another order differ in their last place."""
    return comparable([{**row, "flags": []} for row in rows])
