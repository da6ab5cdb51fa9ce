"""Cohorts and segments as filter and breakdown: the engine against the oracle, from every source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import assume, event, given, note
from hypothesis import strategies as st

from regulars.domain.relations.scope import SOURCES
from regulars.errors import QueryError
from tests.application.test_agreement import REFUSED_BY_DESIGN, comparable, rows_from, workspace_of
from tests.cohort_strategies import cohort_queries, cohort_worlds
from tests.oracle import RefusedError, answer, people

if TYPE_CHECKING:
    from tests.oracle.world import World


@given(world=cohort_worlds(), data=st.data())
def test_a_question_about_cohorts_is_answered_as_the_oracle_answers_it(world: World, data: st.DataObject) -> None:
    """Whoever belongs on a bucket's day counts, whatever the metric and the source; lists are the people counted."""
    query = data.draw(cohort_queries(world))
    note(msgspec.json.encode(query).decode())
    try:
        expected, behind = comparable(answer(world, query)), people(world, query)
    except RefusedError:
        assume(False)
    with workspace_of(world) as ws:
        for number in range(len(SOURCES)):
            try:
                source, rows = rows_from(ws, query, SOURCES[number:])
            except QueryError as exc:
                assume(exc.code not in REFUSED_BY_DESIGN)
                raise
            event(f"{query.metric} from {source}")
            assert comparable(rows) == expected
        result = ws.query(query)
        for row in result.rows[:: max(1, len(result.rows) // 4)]:
            place = tuple(row[name] for name in query.breakdown)
            for column in result.people_columns:
                if row[column] is not None:
                    listed = result.users(row, column)
                    assert len(listed) == row[column]
                    assert set(listed) == behind[row["date"], place].get(column, set(listed))
