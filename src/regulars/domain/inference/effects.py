"""How far two arms differ: the difference with Welch's interval and p-value, and the relative lift with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from regulars.domain.inference.choices import check_choice
from regulars.domain.inference.normal import check_alpha
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.domain.inference.moments import Estimate

Alternative = Literal["two-sided", "greater", "less"]
LiftInterval = Literal["fieller", "log", "delta"]

# A logarithm that may be off by a factor of e^100 comes from a mean that may as well be zero.
WIDEST_LOG = 100.0


@dataclass(frozen=True)
class Effect:
    """A difference, and how well it is known; None with a reason where it is not.

    Attributes:
        value: The difference, absolute or relative.
        low: The lower bound; None also where the question is one-sided.
        high: The upper bound; likewise.
        p_value: How often chance alone makes a difference so large; only the absolute one, and ``delta``, have it.
        error: The standard error; only the absolute one, and ``delta``, have it.
        degrees: Degrees of freedom, by Welch and Satterthwaite.
        reason: Why something is None that need not be.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    error: float | None = None
    degrees: float | None = None
    reason: Reason | None = None


def difference(
    control: Estimate, variant: Estimate, *, alpha: float = 0.05, alternative: Alternative = "two-sided"
) -> Effect:
    """The absolute difference, variant minus control, by Welch's t-test.

    The error is sqrt(variance of control + variance of variant). A one-sided question has one bound.

    Source: B. L. Welch, The generalization of Student's problem ..., Biometrika 34 (1947).

    >>> from regulars.domain.inference.moments import Moments, estimate
    >>> found = difference(estimate(Moments.share(100, 1000)), estimate(Moments.share(120, 1000)))
    >>> round(found.value, 3), round(found.low, 4), round(found.high, 4), round(found.p_value, 3)
    (0.02, -0.0074, 0.0474, 0.153)
    """
    value = variant.value - control.value
    if not control.variance or not variant.variance:
        return Effect(value, reason=Reason.NO_VARIANCE)
    error, degrees = spread(control, variant)
    half = critical(degrees, alpha, alternative) * error
    low, high = _asked(value - half, value + half, alternative)
    return Effect(value, low, high, _chance(value / error, degrees, alternative), error, degrees)


def with_error(effect: Effect) -> tuple[float, float] | Reason:
    """The value of an effect and its standard error, or why there is none.

    Raises:
        QueryError: The effect is a lift by ``fieller`` or ``log``, which is not symmetric (``no_error``).
    """
    if effect.value is not None and effect.error is not None:
        return effect.value, effect.error
    if effect.reason is None:
        raise QueryError("this interval has no standard error; use the difference, or a lift by delta", code="no_error")
    return effect.reason


def spread(control: Estimate, variant: Estimate) -> tuple[float, float]:
    """The standard error of the difference and its degrees of freedom."""
    total = control.variance + variant.variance
    # As parts of the total, so that tiny variances do not vanish when they are squared.
    shares = ((arm.variance / total, arm.n) for arm in (control, variant))
    return math.sqrt(total), 1 / sum(share**2 / (n - 1) for share, n in shares)


def lift(
    control: Estimate,
    variant: Estimate,
    *,
    interval: LiftInterval = "fieller",
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    margin: float | None = None,
) -> Effect:
    """The relative difference, (variant - control) / |control|, with an interval.

    - ``fieller``: exact for normal means; leaves out 0 exactly where the p-value of the difference is below alpha.
    - ``log``: on the logarithm of the ratio, for positive means.
    - ``delta``: symmetric, as GrowthBook and PostHog have it, with a p-value of its own, which can contradict the one
      of the difference. For comparison with those tools only.

    There is none, whichever the interval, where the control is within its own margin of error of zero. ``margin`` is
    how many standard errors a bound is away, where that is not for Student's t to say.

    Source: E. C. Fieller, Some problems in interval estimation, JRSS B 16 (1954).

    >>> from regulars.domain.inference.moments import Moments, estimate
    >>> found = lift(estimate(Moments.share(100, 1000)), estimate(Moments.share(120, 1000)))
    >>> round(found.value, 2), round(found.low, 4), round(found.high, 4)
    (0.2, -0.0662, 0.5524)
    """
    check_choice("interval", interval, LiftInterval)
    base, value = control.base, variant.value - control.value
    if not base.value:
        return Effect(None, reason=Reason.CONTROL_NEAR_ZERO)
    if not control.variance or not variant.variance:
        return Effect(value / abs(base.value), reason=Reason.NO_VARIANCE)
    error, degrees = spread(control, variant)
    reach = critical(degrees, alpha, alternative) if margin is None else margin
    if base.value**2 <= reach**2 * base.variance:
        return Effect(None, reason=Reason.CONTROL_NEAR_ZERO)
    pair = _Pair(value, error**2, base.value, base.variance, -base.covariance)
    bounds = _BOUNDS[interval](pair, reach)
    if isinstance(bounds, Reason):
        return Effect(pair.lift, reason=bounds)
    low, high = _asked(*bounds, alternative)
    if interval != "delta":
        return Effect(pair.lift, low, high, degrees=degrees)
    p_value = _chance(pair.lift / pair.error, degrees, alternative) if margin is None else None
    return Effect(pair.lift, low, high, p_value, pair.error, degrees)


@dataclass(frozen=True)
class _Pair:
    """A difference, the base it is divided by, and their variances and covariance."""

    difference: float
    variance: float
    base: float
    base_variance: float
    covariance: float

    @property
    def lift(self) -> float:
        return self.difference / abs(self.base)

    @property
    def error(self) -> float:
        """The standard error of the lift by the delta method."""
        part = self.difference / self.base
        variance = self.variance - 2 * part * self.covariance + part**2 * self.base_variance
        return math.sqrt(max(variance, 0.0)) / abs(self.base)


_Bounds = tuple[float, float]


def _fieller(pair: _Pair, reach: float) -> _Bounds:
    """The lifts L that (difference - L x base) does not contradict: those between the roots of a parabola."""
    leading = pair.base**2 - reach**2 * pair.base_variance
    middle = pair.difference * pair.base - reach**2 * pair.covariance
    constant = pair.difference**2 - reach**2 * pair.variance
    root = math.sqrt(max(middle**2 - leading * constant, 0.0))
    bounds = (middle - root) / leading, (middle + root) / leading
    return bounds if pair.base > 0 else (-bounds[1], -bounds[0])


def _log(pair: _Pair, reach: float) -> _Bounds | Reason:
    now = pair.base + pair.difference
    if pair.base <= 0 or now <= 0:
        return Reason.NOT_POSITIVE
    by_difference, by_base = 1 / now, 1 / now - 1 / pair.base
    own = by_difference**2 * pair.variance + by_base**2 * pair.base_variance
    half = reach * math.sqrt(max(own + 2 * by_difference * by_base * pair.covariance, 0.0))
    if half > WIDEST_LOG:
        return Reason.NOT_POSITIVE
    middle = math.log(now / pair.base)
    return math.expm1(middle - half), math.expm1(middle + half)


def _delta(pair: _Pair, reach: float) -> _Bounds | Reason:
    if not pair.error:
        return Reason.NO_VARIANCE
    return pair.lift - reach * pair.error, pair.lift + reach * pair.error


_BOUNDS: dict[str, Callable[[_Pair, float], _Bounds | Reason]] = {"fieller": _fieller, "log": _log, "delta": _delta}


def critical(degrees: float, alpha: float, alternative: Alternative = "two-sided") -> float:
    """How many standard errors a bound is away.

    Raises:
        QueryError: ``alpha`` is not between 0 and 1 (``bad_alpha``).
        UnknownNameError: The alternative does not exist.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 -- only who asks for a t quantile pays for the import

    check_choice("alternative", alternative, Alternative)
    tail = check_alpha(alpha) / 2 if alternative == "two-sided" else alpha
    return -float(stdtrit(degrees, tail))


def _chance(distance: float, degrees: float, alternative: Alternative) -> float:
    """How often chance alone goes so many standard errors in the direction that is asked for."""
    from scipy.special import stdtr  # noqa: PLC0415

    if alternative == "two-sided":
        return 2 * float(stdtr(degrees, -abs(distance)))
    return float(stdtr(degrees, -distance if alternative == "greater" else distance))


def _asked(low: float, high: float, alternative: Alternative) -> tuple[float | None, float | None]:
    return None if alternative == "less" else low, None if alternative == "greater" else high
