"""The reports there are, as data: which numbers lead, and which sections follow in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.application.reports.actives import ACTIVE, GROWTH, NEW, STICKY, slices_of
from regulars.application.reports.conversion import (
    FUNNEL,
    RATE,
    REVENUE,
    SPEED,
    TREND,
    funnel_of,
    payments_question,
)
from regulars.application.reports.figures import (
    DAY,
    MONTH,
    STICKINESS,
    WEEK,
    actives,
    average,
    dated,
    last_row,
    of_period,
    pooled,
)
from regulars.application.reports.habits import DEPTH, FEATURES, MOVERS, POWER, RISK, SESSIONS, TIERS
from regulars.application.reports.parts import Declaration, Figure
from regulars.application.reports.returning import (
    CURVE,
    INTERVAL,
    SURVIVAL,
    TRIANGLE,
    retention_of,
    weekly_retention,
)
from regulars.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.application.reports.parts import Section
    from regulars.application.reports.scope import Scope

_USUAL = ("country", "plan")


def _sliced(scope: Scope, section: Callable[[str], Section]) -> tuple[Section, ...]:
    """One section per property: those that were chosen, else those that most products have."""
    return tuple(section(name) for name in scope.chosen.by or _USUAL)


_AT_RISK = Figure(
    "At risk (silent for 7 days)",
    lambda scope: scope.query(
        "tiers", max(scope.settled.fromordinal(scope.settled.toordinal() - MONTH), scope.coverage.first_day),
        scope.settled, options={"with_risk": True, "averages": False},
    ),
    # A tier is about the 30 days that end on its day: a window like the others, and no single day.
    dated("users", MONTH, lambda row: row["tier"] == "at_risk", window=MONTH),
)  # fmt: skip
_NEW = of_period("New in the period", "new_vs_returning", "new")

SUMMARY = Declaration(
    "summary", "Summary",
    (actives("Monthly active users", MONTH), actives("Weekly active users", WEEK), actives("Daily active users", DAY),
     STICKINESS, _NEW, _AT_RISK),
    lambda scope: (ACTIVE, NEW, GROWTH, CURVE, TIERS, RISK, *_sliced(scope, slices_of)),
)  # fmt: skip

ENGAGEMENT = Declaration(
    "engagement", "Engagement",
    (actives("Monthly active users", MONTH), STICKINESS,
     of_period("Sessions per person", "sessions", "sessions_per_user"),
     of_period("Median session", "sessions", "duration_median"),
     of_period("Actions per person", "depth", "actions_per_user"), _AT_RISK),
    lambda scope: (ACTIVE, STICKY, POWER, TIERS, MOVERS, SESSIONS, DEPTH, FEATURES,
                   *(_sliced(scope, slices_of) if scope.chosen.by else ())),
)  # fmt: skip

CONVERSION = Declaration(
    "conversion", "Conversion",
    (
        Figure("Funnel conversion", lambda scope: FUNNEL.ask(scope)["funnel"],
               last_row("conversion_from_first", "from the first step to the last")),
        Figure("Conversion rate (30 days)", lambda scope: RATE.ask(scope)["rate"], dated("conversion_rate", MONTH)),
        Figure("Revenue", payments_question, dated("revenue", 1)),
        Figure("Paying people", payments_question, dated("paying_users", 1)),
        Figure("Revenue per active person", payments_question, dated("revenue_per_active_user", 1)),
        Figure("Failed payments", payments_question, dated("failed_payment_rate", 1)),
    ),
    lambda scope: (FUNNEL, TREND, SPEED, RATE, REVENUE, *_sliced(scope, funnel_of)),
)  # fmt: skip

RETENTION = Declaration(
    "retention", "Retention",
    (
        Figure("Back in the week after", weekly_retention, pooled(1)),
        Figure("Back in week 4", weekly_retention, pooled(4)),
        Figure("Back in week 8", weekly_retention, pooled(8)),
        of_period("Fell silent in the period", "lifecycle", "churned"),
        of_period("Came back after a break", "lifecycle", "resurrected"),
        Figure("Days between visits (median)", lambda scope: INTERVAL.ask(scope)["interval"],
               average("median_days", "days", "of the people active on two days or more")),
    ),
    lambda scope: (TRIANGLE, CURVE, GROWTH, INTERVAL, SURVIVAL, *(_sliced(scope, retention_of))),
)  # fmt: skip

DECLARATIONS = {each.name: each for each in (SUMMARY, ENGAGEMENT, CONVERSION, RETENTION)}


def declaration(name: str) -> Declaration:
    """A report by its name.

    Raises:
        UnknownNameError: ``unknown_report``.
    """
    if name not in DECLARATIONS:
        raise UnknownNameError("report", name, DECLARATIONS, code="unknown_report")
    return DECLARATIONS[name]
