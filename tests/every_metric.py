"""Every metric as drawn worlds are asked about it: how a question is drawn, and what each answer has to be.

To load a world takes longer than to answer a question about it, so one world is asked many.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from regulars.domain.metrics import METRICS
from tests.application import test_paths_agreement as of_paths
from tests.application import test_retention_agreement as of_retention
from tests.application.conversion_questions import conversion_agrees, conversion_queries
from tests.application.depth_questions import depth_agrees, depth_queries
from tests.application.funnel_questions import crowded_worlds, funnels, funnels_agree, time_queries
from tests.application.test_agreement import rows_and_lists_agree, slices_agree
from tests.application.test_churn_agreement import churn_agrees, churn_queries
from tests.application.test_cohort_agreement import cohort_queries, followed_cohort_agrees
from tests.application.test_habits_agreement import (
    active_days_agree,
    active_days_queries,
    ruled_worlds,
    tiers_agree,
    tiers_queries,
    transition_queries,
    transitions_agree,
)
from tests.application.test_survival_agreement import curves_agree, intervals_agree, lives
from tests.application.test_value_agreement import adoption_queries, onboarding_queries, revenue_queries, value_agrees
from tests.strategies import queries, sliced_queries, worlds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypothesis.strategies import SearchStrategy

    from regulars.domain.query import Query
    from regulars.workspace import Workspace
    from tests.oracle.world import World


def as_drawn(query: Query) -> Query:
    """The question as the product takes it."""
    return query


@dataclass(frozen=True)
class Asked:
    """How questions are drawn for a world, what has to hold for each, and how the product is asked it."""

    questions: Callable[[World], SearchStrategy[Query]]
    holds: Callable[[Workspace, World, Query], None]
    said: Callable[[Query], Query] = as_drawn

    def as_said(self, world: World) -> SearchStrategy[Query]:
        """Questions as the product takes them."""
        return self.questions(world).map(self.said)


@dataclass(frozen=True)
class Part:
    """What is asked about one world."""

    worlds: Callable[[], SearchStrategy[World]]
    asked: Mapping[str, Asked]


def _worlds_of_sessions() -> SearchStrategy[World]:
    return worlds() | ruled_worlds().map(lambda ruled: ruled[0])


def _of_metric(metric: str) -> Asked:
    return Asked(partial(queries, metrics=(metric,)), rows_and_lists_agree)


ACTIVITY = {
    **{name: _of_metric(name) for name in ("active_users", "new_vs_returning", "stickiness", "actions", "lifecycle")},
    "slices": Asked(sliced_queries, slices_agree),
    "stickiness_by_cohort": Asked(cohort_queries, followed_cohort_agrees),
    "conversion_rate": Asked(conversion_queries, conversion_agrees),
}
RETURN = {
    "retention": Asked(of_retention.retention_queries, of_retention.retention_agrees, of_retention.asked_of),
    "churn_risk": Asked(churn_queries, churn_agrees),
    "usage_interval": Asked(partial(lives, metric="usage_interval"), intervals_agree),
    "survival": Asked(partial(lives, metric="survival"), curves_agree),
    "active_days": Asked(active_days_queries, active_days_agree),
    "tiers": Asked(tiers_queries, tiers_agree),
    "tier_transitions": Asked(transition_queries, transitions_agree),
}
VALUE = {
    "feature_adoption": Asked(adoption_queries, value_agrees),
    "onboarding": Asked(onboarding_queries, value_agrees),
    "revenue": Asked(revenue_queries, value_agrees),
}
DEPTH = {
    "depth": Asked(depth_queries, depth_agrees),
    "paths": Asked(of_paths.path_queries, of_paths.paths_agree, of_paths.asked_of),
}
FUNNELS = {
    "funnel": Asked(funnels, funnels_agree),
    "funnel, plain": Asked(partial(funnels, is_plain=True), funnels_agree),
    "funnel, strict": Asked(partial(funnels, order="strict"), funnels_agree),
    "funnel, any order": Asked(partial(funnels, order="any"), funnels_agree),
    "funnel_trend": Asked(partial(funnels, metric="funnel_trend"), funnels_agree),
    "time_to_convert": Asked(time_queries, funnels_agree),
}
PARTS = {
    "activity": Part(worlds, ACTIVITY),
    "return": Part(worlds, {**RETURN, **VALUE}),
    "depth": Part(_worlds_of_sessions, DEPTH),
    "funnels": Part(crowded_worlds, FUNNELS),
}
# Those with worlds of their own.
BESIDE = {"sessions", "cohort_size", "nps", "experiment"}
assert {name.partition(",")[0] for part in PARTS.values() for name in part.asked} | BESIDE == {*METRICS, "slices"}
