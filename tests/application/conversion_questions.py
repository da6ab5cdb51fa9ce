"""Questions about the conversion rate, and what the oracle says of their answers, from arrivals and from events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import assume, note
from hypothesis import strategies as st

from tests.application.test_agreement import REFUSED_BY_DESIGN, comparable, rows_from, tells_its_population
from tests.oracle import RefusedError
from tests.oracle.conversion import conversion_rows
from tests.oracle.questions import queries

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from regulars.domain.query import Query
    from regulars.domain.relations.scope import Source
    from regulars.workspace import Workspace
    from tests.oracle.world import World

EVENTS: tuple[Any, ...] = (
    None, "conversion", "like", "payment_success", "premium",
    {"events": ["purchase", "dance"], "where": [{"property": "platform", "op": "=", "value": "web"}]},
)  # fmt: skip
SOURCES: tuple[tuple[Source, ...], ...] = (("arrivals",), ("events",))


@st.composite
def conversion_queries(draw: DrawFn, world: World) -> Query:
    """By any window, calendar, slice and filter."""
    drawn = draw(queries(world, ("active_users",)).filter(lambda each: each.grain != "hour"))
    event = draw(st.sampled_from(EVENTS))
    return msgspec.structs.replace(drawn, metric="conversion_rate", options={} if event is None else {"event": event})


def conversion_agrees(ws: Workspace, world: World, query: Query) -> None:
    """The rows of both sources are the oracle's, and so are the people on both sides of the rate."""
    try:
        expected = conversion_rows(world, query)
    except RefusedError:
        assume(False)
    for sources in SOURCES:
        source, rows = rows_from(ws, query, sources, REFUSED_BY_DESIGN)
        note(source)
        assert told(rows) == told(expected)
    result = ws.query(query)
    tells_its_population(world, query, result)
    found = list(zip(result.rows, expected, strict=True))
    for row, oracle in found[:: max(1, len(found) // 4)]:
        for column in ("converted", "active_users"):
            listed = result.users(row, column)
            assert set(listed) == oracle["people"][column]
            assert len(listed) == row[column]


def told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the oracle tells of rows: no bounds."""
    hidden = ("low", "high", "people")
    return comparable([{name: value for name, value in row.items() if name not in hidden} for row in rows])
