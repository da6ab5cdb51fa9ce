"""Whatever happens to a workspace, in whatever order: stored rows are those of a rebuild, answers are the oracle's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given, note
from hypothesis import strategies as st

from regulars.domain.query import Query, Range
from regulars.errors import QueryError
from tests.application.test_agreement import REFUSED_BY_DESIGN, comparable
from tests.application.test_refresh import derived
from tests.histories import histories, live, opened
from tests.oracle import RefusedError, answer
from tests.oracle.clock import local_day
from tests.oracle.cohort import cohort_rows
from tests.oracle.daily import active_days_rows
from tests.oracle.session_metric import session_rows
from tests.oracle.tiers import tiers_rows
from tests.session_strategies import session_worlds
from tests.strategies import FEWER, queries, worlds

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.workspace import Workspace
    from tests.oracle.world import World

    Oracle = Callable[[World, Query], list[dict[str, Any]]]

WEEKLY = Range(grain="week")


@given(data=st.data())
@FEWER
def test_any_history_leaves_the_rows_of_a_rebuild_and_the_answers_of_the_oracle(data: st.DataObject) -> None:
    """Late, repeated, merged, erased, flagged and corrected, in any order and in any parts."""
    world = data.draw(worlds(conflicts=False) | session_worlds())
    steps = data.draw(histories(world))
    ws, clock = opened(world)
    with ws:
        outcome = live(ws, clock, world, steps)
        stored = derived(ws)
        if outcome.events:
            for query, oracle in questions(data, outcome):
                compare(ws, outcome, query, oracle)
        ws.rebuild()
        assert derived(ws) == stored


def questions(data: st.DataObject, outcome: World) -> list[tuple[Query, Oracle]]:
    """Two drawn questions, and one of each metric that has an oracle of its own."""
    first = local_day(min(event.at for event in outcome.events), outcome.settings.timezone)
    return [
        (data.draw(queries(outcome)), answer),
        (data.draw(queries(outcome, metrics=("depth",))), answer),
        (Query(metric="active_days", window=7, breakdown=("plan",)), active_days_rows),
        (Query(metric="tiers", range=WEEKLY, breakdown=("country",), options={"with_risk": True}), tiers_rows),
        (Query(metric="sessions", range=WEEKLY, breakdown=("plan",)), session_rows),
        (Query(metric="stickiness_by_cohort", range=Range(start=first), window=7), cohort_rows),
    ]


def compare(ws: Workspace, outcome: World, query: Query, oracle: Oracle) -> None:
    """The rows of one question, unless it is one that oracle or product refuse."""
    note(msgspec.json.encode(query).decode())
    try:
        expected, rows = oracle(outcome, query), ws.query(query).rows
    except RefusedError:
        return
    except QueryError as exc:
        if exc.code not in REFUSED_BY_DESIGN:
            raise
        return
    assert comparable(rows) == comparable(expected)
