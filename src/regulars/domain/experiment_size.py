"""How many people an experiment needs, from what is known before it begins."""

from __future__ import annotations

import math
from dataclasses import dataclass

from regulars.domain.inference.power import days_left, users_for_means, users_for_shares
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError


@dataclass(frozen=True)
class Size:
    """How many people are needed, and how long that takes; ``days`` is None where nobody said how many come."""

    baseline: float
    target: float
    per_variant: int
    in_all: int
    days: int | None


def people_needed(
    *,
    baseline: float,
    mde: float,
    relative: bool = False,
    deviation: float | None = None,
    arms: int = 2,
    power: float = 0.8,
    alpha: float = 0.05,
    per_day: float | None = None,
) -> Size:
    """How many people are needed to find a difference: of shares, or of means where a deviation is given.

    With several variants each is compared with the control at ``alpha`` divided by their number (Bonferroni, which is
    what Holm's first step asks for).

    Args:
        baseline: The share, or the mean, of the control.
        mde: The smallest difference worth finding.
        relative: Whether ``mde`` is a part of the baseline.
        deviation: Standard deviation between people, where the measure is a mean.
        arms: Variants, the control included.
        power: The chance to find it.
        alpha: The chance to find what is not there.
        per_day: New people a day.

    >>> people_needed(baseline=0.2, mde=0.05, per_day=200)
    Size(baseline=0.2, target=0.25, per_variant=1094, in_all=2188, days=11)

    Raises:
        QueryError: ``out_of_reach``: no number of people is enough; ``bad_share`` and others: no such numbers.
    """
    target = baseline + (mde * abs(baseline) if relative else mde)
    each = alpha / (arms - 1)
    if deviation is None:
        found = users_for_shares(baseline, target, power=power, alpha=each)
    else:
        found = users_for_means(target - baseline, deviation, power=power, alpha=each)
    if isinstance(found, Reason):
        raise QueryError(f"{found.words} to tell {target:g} from {baseline:g}", code=found.value)
    per_variant = math.ceil(found)
    days = None if per_day is None else days_left(per_variant * arms, per_day)
    return Size(baseline, target, per_variant, per_variant * arms, days)
