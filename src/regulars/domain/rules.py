"""Bounds that practice has settled, in one place: pure data and functions, no SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_WINDOW = 366
"""The longest rolling window, in days."""
SESSION_GAP_MINUTES = 30
"""A session ends when its user is silent for longer."""
TIER_WINDOW = 30
RISK_DAYS = 7
TIERS_BY_DAYS = (("casual", 1), ("regular", 6), ("core", 16), ("power", 20))
"""The engagement tiers with the active days of the window from which on a person belongs to them."""


def tier_of(active_days: int, *, at_risk: bool = False, bounds: Sequence[tuple[str, int]] = TIERS_BY_DAYS) -> str:
    """The tier of somebody seen before, by active days in the window; ``at_risk`` replaces all but dormant.

    >>> [tier_of(days) for days in (0, 5, 6, 16, 20)], tier_of(20, at_risk=True)
    (['dormant', 'casual', 'regular', 'core', 'power'], 'at_risk')
    """
    if active_days == 0:
        return "dormant"
    return "at_risk" if at_risk else [tier for tier, least in bounds if active_days >= least][-1]


CHURN_WINDOW = 30
CHURN_POPULATION_WINDOW = 90
CHURN_WEEK = 7
CHURN_RECENCY = ((7, 4), (3, 2))
"""More than so many days since the last active day add so many tenths to the churn risk; the first that fits counts."""
CHURN_ACTIVE_DAYS = ((3, 3), (6, 1))
"""Fewer than so many active days of the last 30 add so many tenths."""
CHURN_SESSIONS = ((1, 2), (2, 1))
"""Fewer than so many sessions in two days, on average, add so many tenths."""
CHURN_TREND_BOUNDS = {"increasing": (6, 5), "declining": (4, 5)}
"""More than 6/5 of the active days of the week before are increasing, less than 4/5 declining; else stable."""
CHURN_TREND = {"declining": 2, "increasing": -1, "stable": 0}
CHURN_LEVELS = (("high", 6), ("medium", 3), ("low", 0))
"""Levels of churn risk with the tenths from which on a person belongs to them."""


def trend_of(this_week: float, last_week: float) -> str:
    """Where somebody's activity goes: active days of the last seven days against the seven before.

    >>> trend_of(7, 6), trend_of(6, 5), trend_of(1, 0), trend_of(4, 5), trend_of(0, 1)
    ('stable', 'stable', 'increasing', 'stable', 'declining')
    """
    (rise, of_rise), (fall, of_fall) = CHURN_TREND_BOUNDS["increasing"], CHURN_TREND_BOUNDS["declining"]
    if of_rise * this_week > rise * last_week:
        return "increasing"
    return "declining" if of_fall * this_week < fall * last_week else "stable"


def churn_parts(days_since_last: float, active_days: float, sessions_per_day: float, trend: str) -> tuple[int, ...]:
    """What recency, active days of the last 30, sessions per day and trend add to the churn risk, in tenths.

    >>> churn_parts(10, 2, 0.2, "declining"), churn_parts(0, 25, 3.5, "increasing")
    ((4, 3, 2, 2), (0, 0, 0, -1))
    """
    return (
        next((tenths for days, tenths in CHURN_RECENCY if days_since_last > days), 0),
        next((tenths for days, tenths in CHURN_ACTIVE_DAYS if active_days < days), 0),
        next((tenths for pace, tenths in CHURN_SESSIONS if 2 * sessions_per_day < pace), 0),
        CHURN_TREND[trend],
    )


def churn_score(days_since_last: float, active_days: float, sessions_per_day: float, trend: str) -> float:
    """The churn risk: the parts added up, then cut to 0..1.

    >>> churn_score(10, 2, 0.2, "declining"), churn_score(0, 0, 0, "stable"), churn_score(0, 9, 1, "increasing")
    (1.0, 0.5, 0.0)
    """
    return max(0, min(10, sum(churn_parts(days_since_last, active_days, sessions_per_day, trend)))) / 10
