"""Drawn questions of every metric on ClickHouse: the rows of the embedded engine, which others hold to the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from regulars.application.mirror import mirror
from regulars.domain.metrics import METRICS
from regulars.domain.query import Query, Range
from regulars.errors import QueryError
from tests.application.test_agreement import comparable, workspace_of
from tests.application.test_churn_agreement import churn_queries
from tests.application.test_cohort_agreement import cohort_queries
from tests.application.test_experiment_agreement import trial_worlds, trials
from tests.application.test_funnels_agreement import asked, funnels
from tests.application.test_membership_agreement import size_queries
from tests.application.test_nps_agreement import surveyed_worlds
from tests.application.test_paths_agreement import path_queries
from tests.application.test_retention_agreement import asked_of, retention_queries
from tests.application.test_survival_agreement import lives
from tests.application.test_value_agreement import conditions, value_queries
from tests.cohort_strategies import cohort_worlds
from tests.engines.test_clickhouse import COPIED, clickhouse, rows_on  # noqa: F401 -- the fixture is found by its name
from tests.strategies import perhaps, queries, some, worlds

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from regulars.infrastructure.engines.clickhouse import ClickHouseEngine
    from tests.oracle.world import World

    Asked = SearchStrategy[tuple[World, Query]]


@st.composite
def each_asked(draw: DrawFn, of: SearchStrategy[World], metric: str) -> tuple[World, Query]:
    """A world, and a question about it that goes through days, slices and filters."""
    world = draw(of)
    drawn = draw(queries(world, ("active_users",)).filter(lambda query: query.grain != "hour"))
    options = {}
    if metric == "nps":
        options = {"survey": draw(perhaps(("spring", "it's"))), "repeats": draw(perhaps(("all",)))}
    else:
        options = {"event": draw(perhaps(("like", "purchase", "any")))}
    given_ones = {name: value for name, value in options.items() if value is not None}
    window = None if metric == "nps" else drawn.window
    activity = "core" if metric == "nps" else drawn.activity
    return world, msgspec.structs.replace(drawn, metric=metric, options=given_ones, window=window, activity=activity)


@st.composite
def value_asked(draw: DrawFn, metric: str) -> tuple[World, Query]:
    """A question about the use of a feature, first steps or revenue."""
    world = draw(worlds())
    options = {
        "feature_adoption": {"window": draw(st.sampled_from((1, 7, 30)))},
        "onboarding": {"options": {"milestones": draw(st.lists(conditions(steps=True), min_size=1, max_size=3))}},
        "revenue": {"options": {"events": "any", "property": "score"}},
    }[metric]
    return world, draw(value_queries(world, metric, **options))


@st.composite
def habits_asked(draw: DrawFn, metric: str) -> tuple[World, Query]:
    """A question about tiers, active days or depth."""
    world = draw(worlds())
    if metric == "depth":
        return world, draw(queries(world, metrics=("depth",)))
    return world, Query(
        metric=metric,
        range=Range(grain=draw(st.sampled_from(("day", "week", "month")))),
        activity=draw(st.sampled_from(("core", "any", *world.settings.activity))),
        breakdown=draw(st.sampled_from(((), ("country",), ("tenure_band",)))) if metric != "tier_transitions" else (),
        limit=draw(st.sampled_from((1, 12))),
    )


@st.composite
def about(draw: DrawFn, of: SearchStrategy[World], query: str) -> tuple[World, Query]:
    """A world, and a question that is drawn for it."""
    world = draw(of)
    if query == "retention":
        return world, asked_of(draw(retention_queries(world)))
    drawn = {
        "stickiness_by_cohort": cohort_queries, "cohort_size": size_queries, "churn_risk": churn_queries,
        "paths": path_queries, "experiment": trials,
    }.get(query)  # fmt: skip
    return world, draw(lives(world, query) if drawn is None else drawn(world))


def funnels_asked(order: str) -> Asked:
    """A funnel of an order, often by people who do much at few instants."""
    return worlds().flatmap(lambda world: asked(world, order))


FAMILIES: dict[str, Asked] = {
    **{name: about(worlds(), name) for name in ("retention", "stickiness_by_cohort", "churn_risk", "paths", "survival",
                                                "usage_interval")},
    "cohort_size": about(cohort_worlds(), "cohort_size"),
    "experiment": about(trial_worlds(), "experiment"),
    "funnel": st.one_of(*[funnels_asked(order) for order in ("ordered", "strict", "any")]),
    "funnel_trend": worlds().flatmap(lambda world: st.tuples(st.just(world), funnels(world, "funnel_trend"))),
    "time_to_convert": worlds().flatmap(lambda world: st.tuples(st.just(world), funnels(world, "time_to_convert"))),
    "nps": each_asked(surveyed_worlds(), "nps"),
    "conversion_rate": each_asked(worlds(), "conversion_rate"),
    **{name: value_asked(name) for name in ("feature_adoption", "onboarding", "revenue")},
    **{name: habits_asked(name) for name in ("depth", "tiers", "tier_transitions", "active_days")},
}  # fmt: skip
ELSEWHERE = {"active_users", "new_vs_returning", "stickiness", "actions", "lifecycle", "sessions"}


def test_every_metric_is_asked_here_or_beside() -> None:
    """None is forgotten."""
    assert FAMILIES.keys() | ELSEWHERE == METRICS.keys()


@pytest.mark.parametrize("metric", FAMILIES)
@given(data=st.data())
@settings(some(3), suppress_health_check=list(HealthCheck))
def test_clickhouse_answers_drawn_questions_as_the_embedded_engine(
    clickhouse: ClickHouseEngine,  # noqa: F811 -- the fixture
    metric: str,
    data: st.DataObject,
) -> None:
    """Whatever the options, from every source."""
    world, query = data.draw(FAMILIES[metric])
    note(msgspec.json.encode(query).decode())
    with workspace_of(world) as ws:
        try:
            expected = comparable(ws.query(query).rows)
        except QueryError:
            assume(False)  # refused, which is shown elsewhere
        mirror(ws.engine, clickhouse, COPIED)
        for rows in rows_on(clickhouse, ws, query):
            assert rows == expected
