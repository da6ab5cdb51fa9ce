"""Bounds that practice has settled, in one place: pure data and functions, no SQL."""

from __future__ import annotations

TIER_WINDOW = 30
RISK_DAYS = 7
TIERS_BY_DAYS = (("casual", 1), ("regular", 6), ("core", 16), ("power", 20))
"""The engagement tiers with the active days of the window from which on a person belongs to them."""


def tier_of(active_days: int, *, at_risk: bool = False) -> str:
    """The tier of somebody seen before, by active days in the window; ``at_risk`` replaces all but dormant.

    >>> [tier_of(days) for days in (0, 5, 6, 16, 20)], tier_of(20, at_risk=True)
    (['dormant', 'casual', 'regular', 'core', 'power'], 'at_risk')
    """
    if active_days == 0:
        return "dormant"
    return "at_risk" if at_risk else [tier for tier, least in TIERS_BY_DAYS if active_days >= least][-1]


CHURN_WINDOW = 30
CHURN_POPULATION_WINDOW = 90
CHURN_WEEK = 7
CHURN_RECENCY = ((7, 4), (3, 2))
"""More than so many days since the last active day add so many tenths to the churn risk; the first that fits counts."""
CHURN_ACTIVE_DAYS = ((3, 3), (6, 1))
"""Fewer than so many active days of the last 30 add so many tenths."""
CHURN_SESSIONS = ((1, 2), (2, 1))
"""Fewer than so many sessions in two days, on average, add so many tenths."""
CHURN_TREND = {"declining": 2, "increasing": -1, "stable": 0}
CHURN_LEVELS = (("high", 6), ("medium", 3), ("low", 0))
"""Levels of churn risk with the tenths from which on a person belongs to them."""
