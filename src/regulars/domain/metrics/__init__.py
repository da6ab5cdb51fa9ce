"""The metric catalogue: one record per metric, one module per family.

A record holds the words, units, options, columns and SQL of its metric. Labels, help texts, the docs page and the
checks of a query are all read from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.metrics.active import ACTIVE_USERS, NEW_VS_RETURNING
from regulars.domain.metrics.adoption import FEATURE_ADOPTION
from regulars.domain.metrics.cadence import USAGE_INTERVAL
from regulars.domain.metrics.churn import CHURN_RISK
from regulars.domain.metrics.cohort import STICKINESS_BY_COHORT
from regulars.domain.metrics.cohort_size import COHORT_SIZE
from regulars.domain.metrics.conversion import CONVERSION_RATE
from regulars.domain.metrics.depth import ACTIONS, DEPTH
from regulars.domain.metrics.experiment import EXPERIMENT
from regulars.domain.metrics.funnel_views import FUNNEL_TREND, TIME_TO_CONVERT
from regulars.domain.metrics.funnels import FUNNEL
from regulars.domain.metrics.habits import ACTIVE_DAYS
from regulars.domain.metrics.lifecycle import LIFECYCLE
from regulars.domain.metrics.nps import NPS
from regulars.domain.metrics.onboarding import ONBOARDING
from regulars.domain.metrics.paths import PATHS
from regulars.domain.metrics.retention import RETENTION
from regulars.domain.metrics.revenue import REVENUE
from regulars.domain.metrics.sessions import SESSIONS
from regulars.domain.metrics.stickiness import STICKINESS
from regulars.domain.metrics.survival import SURVIVAL
from regulars.domain.metrics.tiers import TIER_TRANSITIONS, TIERS_METRIC
from regulars.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.metrics.record import Metric

_CATALOGUE = (
    ACTIVE_USERS,
    NEW_VS_RETURNING,
    STICKINESS,
    STICKINESS_BY_COHORT,
    ACTIVE_DAYS,
    LIFECYCLE,
    RETENTION,
    TIERS_METRIC,
    TIER_TRANSITIONS,
    SESSIONS,
    ACTIONS,
    DEPTH,
    COHORT_SIZE,
    CHURN_RISK,
    USAGE_INTERVAL,
    SURVIVAL,
    FEATURE_ADOPTION,
    ONBOARDING,
    REVENUE,
    FUNNEL,
    FUNNEL_TREND,
    TIME_TO_CONVERT,
    CONVERSION_RATE,
    PATHS,
    NPS,
    EXPERIMENT,
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _CATALOGUE}
ALIASES: Mapping[str, tuple[str, int]] = {
    "dau": ("active_users", 1),
    "wau": ("active_users", 7),
    "mau": ("active_users", 30),
}


def find_metric(name: str) -> Metric:
    """The metric of that name; an unknown one is an error that suggests the nearest."""
    if name in METRICS:
        return METRICS[name]
    raise UnknownNameError("metric", name, [*METRICS, *ALIASES], code="unknown_metric", hint="see: regulars metrics")
