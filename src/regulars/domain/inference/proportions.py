"""Shares compared as shares: classical tests and intervals, for few users and few conversions.

``compare`` treats a share like any mean; these stand beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from regulars.domain.chi_square import upper_tail
from regulars.domain.inference.choices import check_choice
from regulars.domain.inference.moments import check_share
from regulars.domain.inference.normal import reach, two_sided
from regulars.domain.inference.reasons import Reason
from regulars.domain.intervals import wilson
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from regulars.domain.inference.moments import Moments

ShareTest = Literal["pooled", "score", "log_ratio", "fisher"]
ShareInterval = Literal["newcombe", "score", "agresti_caffo"]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a test; None with a reason where it could not be made.

    ``statistic`` is a z-score, or chi-square where there are ``degrees``; an exact test has none.
    """

    statistic: float | None
    p_value: float | None
    degrees: int | None = None
    reason: Reason | None = None


def share_test(control: Moments, variant: Moments, method: ShareTest = "pooled") -> Outcome:
    """Whether two shares differ, two-sided.

    - ``pooled``: z with the variance of both arms together, the square root of chi-square without correction;
    - ``score``: the same by Miettinen and Nurminen, with N / (N - 1);
    - ``log_ratio``: z of the logarithm of the ratio;
    - ``fisher``: exact given the totals, and cautious.

    >>> from regulars.domain.inference.moments import Moments
    >>> round(share_test(Moments.share(100, 1000), Moments.share(120, 1000)).p_value, 4)
    0.1529
    """
    check_choice("method", method, ShareTest)
    reason = _untestable((control, variant))
    return Outcome(None, None, reason=reason) if reason else _TESTS[method](control, variant)


def shares_test(arms: Sequence[Moments]) -> Outcome:
    """Whether the shares of several arms differ at all: chi-square with one degree less than arms.

    >>> from regulars.domain.inference.moments import Moments
    >>> found = shares_test([Moments.share(part, 1000) for part in (100, 110, 135)])
    >>> round(found.statistic, 3), found.degrees, round(found.p_value, 3)
    (6.387, 2, 0.041)
    """
    reason = _untestable(arms)
    if reason:
        return Outcome(None, None, reason=reason)
    share = sum(arm.sum for arm in arms) / sum(arm.n for arm in arms)
    statistic = sum((arm.sum - arm.n * share) ** 2 / (arm.n * share * (1 - share)) for arm in arms)
    return Outcome(statistic, upper_tail(statistic, len(arms) - 1), len(arms) - 1)


def share_interval(
    control: Moments, variant: Moments, method: ShareInterval = "newcombe", *, alpha: float = 0.05
) -> tuple[float, float] | Reason:
    """An interval for the difference of two shares, variant minus control; a reason where an arm has no users.

    - ``newcombe``: from the Wilson intervals of both arms (R. G. Newcombe, Statistics in Medicine 17, 1998);
    - ``score``: all differences that the score test does not reject (O. Miettinen, M. Nurminen, Statistics in
      Medicine 4, 1985);
    - ``agresti_caffo``: with one conversion and one failure more in each arm (A. Agresti, B. Caffo, The American
      Statistician 54, 2000).

    >>> from regulars.domain.inference.moments import Moments
    >>> low, high = share_interval(Moments.share(48, 80), Moments.share(56, 70))
    >>> round(low, 4), round(high, 4)
    (0.0524, 0.3339)
    """
    check_choice("method", method, ShareInterval)
    reason = _untestable((control, variant))
    return Reason.NO_USERS if reason is Reason.NO_USERS else _INTERVALS[method](control, variant, reach(alpha))


def _untestable(arms: Sequence[Moments]) -> Reason | None:
    for arm in arms:
        check_share(arm)
    if len(arms) < 2:  # noqa: PLR2004 -- one share differs from nothing
        raise QueryError(f"{len(arms)} arms cannot differ; give two or more", code="bad_arms")
    if not all(arm.n for arm in arms):
        return Reason.NO_USERS
    yes, users = sum(arm.sum for arm in arms), sum(arm.n for arm in arms)
    return Reason.NO_VARIANCE if yes in (0, users) else None


def _pooled(control: Moments, variant: Moments) -> Outcome:
    share = (control.sum + variant.sum) / (control.n + variant.n)
    error = math.sqrt(share * (1 - share) * (1 / control.n + 1 / variant.n))
    return _by_score((variant.sum / variant.n - control.sum / control.n) / error)


def _score(control: Moments, variant: Moments) -> Outcome:
    return _by_score(_score_at(0.0, control, variant))


def _log_ratio(control: Moments, variant: Moments) -> Outcome:
    if not control.sum or not variant.sum:
        return Outcome(None, None, reason=Reason.NOT_POSITIVE)
    error = math.sqrt(1 / variant.sum - 1 / variant.n + 1 / control.sum - 1 / control.n)
    return _by_score(math.log(variant.sum / variant.n * control.n / control.sum) / error)


def _fisher(control: Moments, variant: Moments) -> Outcome:
    import numpy as np  # noqa: PLC0415 -- only who asks pays for the import
    from scipy.stats import fisher_exact  # noqa: PLC0415

    table = np.array([[int(arm.sum), arm.n - int(arm.sum)] for arm in (variant, control)])
    return Outcome(None, float(fisher_exact(table).pvalue))


def _by_score(score: float) -> Outcome:
    return Outcome(score, two_sided(score))


_TESTS: dict[str, Callable[[Moments, Moments], Outcome]] = {
    "pooled": _pooled,
    "score": _score,
    "log_ratio": _log_ratio,
    "fisher": _fisher,
}


def _newcombe(control: Moments, variant: Moments, z: float) -> tuple[float, float]:
    old, new = control.sum / control.n, variant.sum / variant.n
    old_low, old_high = (bound or 0.0 for bound in wilson(int(control.sum), control.n, z))
    new_low, new_high = (bound or 0.0 for bound in wilson(int(variant.sum), variant.n, z))
    return new - old - math.hypot(new - new_low, old_high - old), new - old + math.hypot(new_high - new, old - old_low)


def _agresti_caffo(control: Moments, variant: Moments, z: float) -> tuple[float, float]:
    old, new = ((arm.sum + 1) / (arm.n + 2) for arm in (control, variant))
    half = z * math.sqrt(old * (1 - old) / (control.n + 2) + new * (1 - new) / (variant.n + 2))
    return max(new - old - half, -1.0), min(new - old + half, 1.0)


def _score_interval(control: Moments, variant: Moments, z: float) -> tuple[float, float]:
    found = variant.sum / variant.n - control.sum / control.n
    low = _falls_to_zero(lambda shift: _score_at(shift, control, variant) - z, -1.0, found)
    high = _falls_to_zero(lambda shift: _score_at(shift, control, variant) + z, found, 1.0)
    return low, high


def _score_at(shift: float, control: Moments, variant: Moments) -> float:
    """The z-score of the data if the shares differed by ``shift``."""
    old = _likeliest(shift, control, variant)
    new = old + shift
    users = control.n + variant.n
    variance = (old * (1 - old) / control.n + new * (1 - new) / variant.n) * users / (users - 1)
    distance = variant.sum / variant.n - control.sum / control.n - shift
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)


def _likeliest(shift: float, control: Moments, variant: Moments) -> float:
    """The control's share that makes the data likeliest if the variant's is higher by ``shift``."""

    def slope(old: float) -> float:
        # The derivative of the log-likelihood times what keeps it finite; its sign is all that counts.
        new = old + shift
        return (variant.sum - variant.n * new) * old * (1 - old) + (control.sum - control.n * old) * new * (1 - new)

    return _falls_to_zero(slope, max(0.0, -shift), min(1.0, 1.0 - shift))


def _falls_to_zero(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that is first positive, then negative, passes zero."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return middle


_INTERVALS: dict[str, Callable[[Moments, Moments, float], tuple[float, float]]] = {
    "newcombe": _newcombe,
    "score": _score_interval,
    "agresti_caffo": _agresti_caffo,
}
