"""Whatever happens to a workspace, in whatever order: stored rows are those of a rebuild, answers are the oracle's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given, note
from hypothesis import strategies as st

from regulars.domain.query import Query, Range
from tests.application.test_agreement import comparable
from tests.application.test_refresh import derived
from tests.histories import histories, live, opened
from tests.oracle import RefusedError, answer
from tests.oracle.daily import active_days_rows
from tests.oracle.session_metric import session_rows
from tests.oracle.tiers import tiers_rows
from tests.session_strategies import session_worlds
from tests.strategies import queries, worlds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.oracle.world import World

WEEKLY = Range(grain="week")
HABITS: tuple[tuple[Query, Callable[[World, Query], list[dict[str, Any]]]], ...] = (
    (Query(metric="active_days", window=7, breakdown=("plan",)), active_days_rows),
    (Query(metric="tiers", range=WEEKLY, breakdown=("country",), options={"with_risk": True}), tiers_rows),
    (Query(metric="sessions", range=WEEKLY, breakdown=("plan",)), session_rows),
)


@given(data=st.data())
def test_any_history_leaves_the_rows_of_a_rebuild_and_the_answers_of_the_oracle(data: st.DataObject) -> None:
    """Late, repeated, merged, erased, flagged and corrected, in any order and in any parts."""
    world = data.draw(worlds(conflicts=False) | session_worlds())
    steps = data.draw(histories(world))
    ws, clock = opened(world)
    with ws:
        outcome = live(ws, clock, world, steps)
        stored = derived(ws)
        for query, expected in questions(data, outcome):
            note(msgspec.json.encode(query).decode())
            assert comparable(ws.query(query).rows) == comparable(expected)
        ws.rebuild()
        assert derived(ws) == stored


def questions(data: st.DataObject, outcome: World) -> list[tuple[Query, list[dict[str, Any]]]]:
    """A drawn question and one of each habit, with the oracle's answers."""
    if not outcome.events:
        return []
    asked = [(query, oracle(outcome, query)) for query, oracle in HABITS]
    drawn = data.draw(queries(outcome))
    try:
        asked.append((drawn, answer(outcome, drawn)))
    except RefusedError:
        return asked
    return asked
