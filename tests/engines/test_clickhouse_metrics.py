"""Drawn questions of every metric on ClickHouse: the rows of the embedded engine, which others hold to the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from regulars.application.mirror import mirror
from regulars.domain.metrics import METRICS
from regulars.errors import QueryError
from tests.application.test_agreement import comparable, workspace_of
from tests.application.test_experiment_agreement import trial_worlds, trials
from tests.application.test_membership_agreement import size_queries
from tests.application.test_nps_agreement import nps_queries, surveyed_worlds
from tests.cohort_strategies import cohort_worlds
from tests.engines.test_clickhouse import COPIED, clickhouse, rows_on  # noqa: F401 -- the fixture is found by its name
from tests.every_metric import BESIDE, PARTS
from tests.strategies import some

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    from regulars.domain.query import Query
    from regulars.infrastructure.engines.clickhouse import ClickHouseEngine
    from tests.oracle.world import World

    Worlds = Callable[[], SearchStrategy[World]]
    Questions = Callable[[World], SearchStrategy[Query]]


ASKED: dict[str, tuple[Worlds, dict[str, Questions]]] = {
    **{
        name: (part.worlds, {each: asked.as_said for each, asked in part.asked.items()}) for name, part in PARTS.items()
    },
    "cohort_size": (cohort_worlds, {"cohort_size": size_queries}),
    "nps": (surveyed_worlds, {"nps": nps_queries}),
    "experiment": (trial_worlds, {"experiment": trials}),
}


def test_every_metric_is_asked_here_or_beside() -> None:
    """None is forgotten; sessions have tests of their own."""
    assert BESIDE - ASKED.keys() == {"sessions"}
    assert METRICS.keys() >= BESIDE


@pytest.mark.parametrize("part", ASKED)
@given(data=st.data())
@settings(some(12), suppress_health_check=list(HealthCheck))
def test_clickhouse_answers_drawn_questions_as_the_embedded_engine(
    clickhouse: ClickHouseEngine,  # noqa: F811 -- the fixture
    part: str,
    data: st.DataObject,
) -> None:
    """Whatever the options, from every source."""
    drawn, asked = ASKED[part]
    world = data.draw(drawn())
    with workspace_of(world) as ws:
        mirror(ws.engine, clickhouse, COPIED)
        for name, questions in asked.items():
            query = data.draw(questions(world))
            note(f"{name}: {msgspec.json.encode(query).decode()}")
            try:
                expected = comparable(ws.query(query).rows)
            except QueryError:
                continue  # refused, which is shown elsewhere
            for rows in rows_on(clickhouse, ws, query):
                assert rows == expected
