"""The conversion rate: the engine against the oracle, from stored arrivals and from raw events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import assume, given, note
from hypothesis import strategies as st

from regulars.errors import QueryError
from tests.application.test_agreement import REFUSED_BY_DESIGN, comparable, rows_from, workspace_of
from tests.oracle import RefusedError
from tests.oracle.conversion import conversion_rows
from tests.oracle.questions import queries
from tests.strategies import worlds

if TYPE_CHECKING:
    from regulars.domain.relations.scope import Source
    from tests.oracle.world import World

EVENTS: tuple[Any, ...] = (
    None, "conversion", "like", "payment_success", "premium",
    {"events": ["purchase", "dance"], "where": [{"property": "platform", "op": "=", "value": "web"}]},
)  # fmt: skip
SOURCES: tuple[tuple[Source, ...], ...] = (("arrivals",), ("events",))


@given(world=worlds(), data=st.data())
def test_conversion_rates_are_those_of_the_oracle(world: World, data: st.DataObject) -> None:
    """By any window, calendar, slice and filter, and the people on both sides of the rate."""
    drawn = data.draw(queries(world, ("active_users",)).filter(lambda each: each.grain != "hour"))
    event = data.draw(st.sampled_from(EVENTS))
    options = {} if event is None else {"event": event}
    query = msgspec.structs.replace(drawn, metric="conversion_rate", options=options)
    note(msgspec.json.encode(query).decode())
    try:
        expected = conversion_rows(world, query)
    except RefusedError:
        assume(False)
    with workspace_of(world) as ws:
        for sources in SOURCES:
            try:
                source, rows = rows_from(ws, query, sources)
            except QueryError as exc:
                assume(exc.code not in REFUSED_BY_DESIGN)
                raise
            note(source)
            assert told(rows) == told(expected)
        found = list(zip(ws.query(query).rows, expected, strict=True))
        for row, oracle in found[:: max(1, len(found) // 4)]:
            for column in ("converted", "active_users"):
                listed = ws.query(query).users(row, column)
                assert set(listed) == oracle["people"][column]
                assert len(listed) == row[column]


def told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the oracle tells of rows: no bounds."""
    hidden = ("low", "high", "people")
    return comparable([{name: value for name, value in row.items() if name not in hidden} for row in rows])
