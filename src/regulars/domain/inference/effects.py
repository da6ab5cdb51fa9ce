"""How far two arms differ: the difference with Welch's interval and p-value, and the relative lift with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from regulars.domain.inference.normal import check_alpha
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError

if TYPE_CHECKING:
    from regulars.domain.inference.moments import Estimate

Alternative = Literal["two-sided", "greater", "less"]
LiftInterval = Literal["fieller", "log", "delta"]


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
    error, degrees = spread(control, variant)
    if not error:
        return Effect(value, reason=Reason.NO_VARIANCE)
    return _tested(value, error, degrees, alpha, alternative)


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
    if not total:
        return 0.0, 0.0
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
) -> Effect:
    """The relative difference, (variant - control) / |control|, with an interval.

    - ``fieller``: exact for normal means; leaves out 0 exactly where the p-value of the difference is below alpha.
    - ``log``: on the logarithm of the ratio, for positive means.
    - ``delta``: symmetric, as GrowthBook and PostHog have it, with a p-value of its own, which can contradict the one
      of the difference. For comparison with those tools only.

    There is none, whichever the interval, where the control is within its own margin of error of zero.

    Source: E. C. Fieller, Some problems in interval estimation, JRSS B 16 (1954).

    >>> from regulars.domain.inference.moments import Moments, estimate
    >>> found = lift(estimate(Moments.share(100, 1000)), estimate(Moments.share(120, 1000)))
    >>> round(found.value, 2), round(found.low, 4), round(found.high, 4)
    (0.2, -0.0662, 0.5524)
    """
    if interval not in _LIFTS:
        raise QueryError(f"interval is fieller, log or delta, not {interval!r}", code="bad_interval")
    error, degrees = spread(control, variant)
    if not error:
        return _certain(control, variant)
    margin = critical(degrees, alpha, alternative)
    base = control.base
    if base.value**2 <= margin**2 * base.variance or not base.value:
        return Effect(None, reason=Reason.CONTROL_NEAR_ZERO)
    pair = _Pair(variant.value - control.value, error**2, base.value, base.variance, -base.covariance)
    return _LIFTS[interval](pair, degrees, alpha, alternative)


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


def _certain(control: Estimate, variant: Estimate) -> Effect:
    """The lift where nothing varies."""
    base = control.base.value
    if not base:
        return Effect(None, reason=Reason.CONTROL_NEAR_ZERO)
    return Effect((variant.value - control.value) / abs(base), reason=Reason.NO_VARIANCE)


def _fieller(pair: _Pair, degrees: float, alpha: float, alternative: Alternative) -> Effect:
    """The lifts L that (difference - L x base) does not contradict: those between the roots of a parabola."""
    square = critical(degrees, alpha, alternative) ** 2
    leading = pair.base**2 - square * pair.base_variance
    middle = pair.difference * pair.base - square * pair.covariance
    constant = pair.difference**2 - square * pair.variance
    root = math.sqrt(max(middle**2 - leading * constant, 0.0))
    sign = math.copysign(1.0, pair.base)
    low, high = sorted((sign * (middle - root) / leading, sign * (middle + root) / leading))
    return Effect(pair.lift, *_asked(low, high, alternative), degrees=degrees)


def _log(pair: _Pair, degrees: float, alpha: float, alternative: Alternative) -> Effect:
    now = pair.base + pair.difference
    if pair.base <= 0 or now <= 0:
        return Effect(pair.lift, reason=Reason.NOT_POSITIVE)
    by_difference, by_base = 1 / now, 1 / now - 1 / pair.base
    error = math.sqrt(
        by_difference**2 * pair.variance
        + 2 * by_difference * by_base * pair.covariance
        + by_base**2 * pair.base_variance
    )
    half = critical(degrees, alpha, alternative) * error
    middle = math.log(now / pair.base)
    low, high = math.expm1(middle - half), math.expm1(middle + half)
    return Effect(pair.lift, *_asked(low, high, alternative), degrees=degrees)


def _delta(pair: _Pair, degrees: float, alpha: float, alternative: Alternative) -> Effect:
    part = pair.difference / pair.base
    variance = (pair.variance - 2 * part * pair.covariance + part**2 * pair.base_variance) / pair.base**2
    return _tested(pair.lift, math.sqrt(variance), degrees, alpha, alternative)


_LIFTS = {"fieller": _fieller, "log": _log, "delta": _delta}


def critical(degrees: float, alpha: float, alternative: Alternative = "two-sided") -> float:
    """How many standard errors a bound is away.

    Raises:
        QueryError: ``alpha`` is not between 0 and 1, or the alternative is none (``bad_alpha``, ``bad_alternative``).
    """
    from scipy.special import stdtrit  # noqa: PLC0415 -- only who asks for a t quantile pays for the import

    if alternative not in ("two-sided", "greater", "less"):
        raise QueryError(f"alternative is two-sided, greater or less, not {alternative!r}", code="bad_alternative")
    tail = check_alpha(alpha) / 2 if alternative == "two-sided" else alpha
    return -float(stdtrit(degrees, tail))


def _tested(value: float, error: float, degrees: float, alpha: float, alternative: Alternative) -> Effect:
    from scipy.special import stdtr  # noqa: PLC0415

    half = critical(degrees, alpha, alternative) * error
    distance = value / error
    if alternative == "two-sided":
        chance = 2 * float(stdtr(degrees, -abs(distance)))
    else:
        chance = float(stdtr(degrees, -distance if alternative == "greater" else distance))
    low, high = _asked(value - half, value + half, alternative)
    return Effect(value, low, high, chance, error, degrees)


def _asked(low: float, high: float, alternative: Alternative) -> tuple[float | None, float | None]:
    return None if alternative == "less" else low, None if alternative == "greater" else high
