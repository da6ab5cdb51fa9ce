"""How many users an experiment needs, what it can find with those it has, and how long it still takes.

Power is the chance to call an effect significant, two-sided, if it is there and as large as assumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from regulars.domain.inference.bayes import FLAT, Prior
from regulars.domain.inference.choices import check_choice
from regulars.domain.inference.effects import Effect, with_error
from regulars.domain.inference.normal import below, check_alpha, quantile, reach
from regulars.domain.inference.reasons import Reason
from regulars.domain.inference.sequential import TUNED_FOR, half_width
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable

ShareMethod = Literal["pooled", "arcsine"]
Engine = Literal["fixed", "always_valid", "bayes"]

POWER = 0.8
# More than two thousand million users per arm, or a hundred million times those there are, is never.
MOST_USERS, MOST_TIMES = 2.0**31, 2.0**27


def power_of_shares(
    control: float, variant: float, users: float, *, alpha: float = 0.05, method: ShareMethod = "pooled"
) -> float:
    """The power to tell two shares apart with so many users per arm.

    ``pooled`` uses the variance of both arms together where nothing is to be found, and their own where it is;
    ``arcsine`` the distance of arcsin(sqrt(share)).

    >>> round(power_of_shares(0.10, 0.12, 1000), 3)
    0.298
    """
    check_choice("method", method, ShareMethod)
    _check_shares(control, variant)
    _check_users(users)
    if method == "arcsine":
        distance = 2 * abs(math.asin(math.sqrt(variant)) - math.asin(math.sqrt(control)))
        return _normal_power(distance, math.sqrt(2 / users), math.sqrt(2 / users), alpha)
    middle = (control + variant) / 2
    null = math.sqrt(2 * middle * (1 - middle) / users)
    real = math.sqrt((control * (1 - control) + variant * (1 - variant)) / users)
    return _normal_power(abs(variant - control), null, real, alpha)


def users_for_shares(
    control: float, variant: float, *, power: float = POWER, alpha: float = 0.05, method: ShareMethod = "pooled"
) -> float | Reason:
    """The users per arm with which two shares are told apart with this power; not rounded.

    >>> round(users_for_shares(0.20, 0.25))
    1094
    """
    return _users(lambda users: power_of_shares(control, variant, users, alpha=alpha, method=method), power, alpha)


def power_of_means(difference: float, deviation: float, users: float, *, alpha: float = 0.05) -> float:
    """The power of a t-test to find a difference of means between users with this standard deviation.

    Exact, by the non-central t distribution.

    >>> round(power_of_means(0.5, 1.0, 64), 3)
    0.801
    """
    from scipy.special import nctdtr, stdtrit  # noqa: PLC0415 -- only who asks pays for the import

    _check_deviation(deviation)
    _check_users(users, more_than=1)
    degrees, distance = 2 * users - 2, abs(difference) / deviation * math.sqrt(users / 2)
    edge = -float(stdtrit(degrees, check_alpha(alpha) / 2))
    return 1 - float(nctdtr(degrees, distance, edge)) + float(nctdtr(degrees, distance, -edge))


def users_for_means(
    difference: float, deviation: float, *, power: float = POWER, alpha: float = 0.05
) -> float | Reason:
    """The users per arm with which a t-test finds a difference with this power; not rounded.

    >>> round(users_for_means(0.5, 1.0), 1)
    63.8
    """
    return _users(lambda users: power_of_means(difference, deviation, users, alpha=alpha), power, alpha)


def detectable_difference(deviation: float, users: float, *, power: float = POWER, alpha: float = 0.05) -> float:
    """The smallest difference of means that is found with this power (the MDE), with so many users per arm.

    (z of alpha / 2 + z of power) x deviation x sqrt(2 / users). Divided by the control's mean it is the smallest
    relative lift.

    >>> round(detectable_difference(1.0, 393.41), 3)
    0.2
    """
    _check_power(power, alpha)
    _check_deviation(deviation)
    _check_users(users)
    return (reach(alpha) + quantile(power)) * deviation * math.sqrt(2 / users)


def detectable_share(control: float, users: float, *, power: float = POWER, alpha: float = 0.05) -> float | Reason:
    """The smallest share above the control's that is told apart with this power, with so many users per arm.

    >>> round(detectable_share(0.20, 1093.74), 3)
    0.25
    """
    _check_power(power, alpha)
    _check_shares(control, control)

    def lacking(share: float) -> bool:
        return power_of_shares(control, share, users, alpha=alpha) < power

    return Reason.OUT_OF_REACH if lacking(1.0) else _first(lacking, control, 1.0)


@dataclass(frozen=True)
class Needed:
    """How many users more an experiment needs: as a multiple of those it has, and as a number; or why not."""

    times: float | None
    users: int | None
    reason: Reason | None = None


def still_needed(
    effect: Effect,
    users: int,
    target: float,
    *,
    engine: Engine = "fixed",
    power: float = POWER,
    alpha: float = 0.05,
    tuned_for: float = TUNED_FOR,
    prior: Prior = FLAT,
) -> Needed:
    """How many users more are needed to find an effect of size ``target`` with this power, as noisy as it is so far.

    The variance measured so far is taken to fall with the number of users; the effect measured so far does not count.

    Args:
        effect: A difference, or a lift by ``delta``; ``target`` is on the same scale.
        users: Users of both arms so far.
        target: The size of the effect that must not be missed.
        engine: ``fixed`` and ``always_valid`` intervals, or the interval of a ``bayes`` belief with a ``prior``, that
            is to leave out zero.
        power: The chance to find it.
        alpha: The chance that is accepted to find what is not there.
        tuned_for: Where the always-valid interval is tightest.
        prior: On the same scale as the effect.

    >>> from regulars.domain.inference.effects import difference
    >>> from regulars.domain.inference.moments import Moments, estimate
    >>> both = estimate(Moments.share(100, 1000)), estimate(Moments.share(104, 1000))
    >>> still_needed(difference(*both), 2000, target=0.02).users
    5197
    """
    check_choice("engine", engine, Engine)
    _check_power(power, alpha)
    _check_users(users)
    known = with_error(effect)
    if isinstance(known, Reason):
        return Needed(None, None, known)
    _, error = known
    if not target:
        return Needed(None, None, Reason.NO_EFFECT_SIZE)

    def lacking(times: float) -> bool:
        smaller = error / math.sqrt(1 + times)
        if engine == "bayes":
            return _bayes_power(abs(target), smaller, prior, alpha) < power
        if engine == "always_valid":
            half = half_width(users * error**2, users * (1 + times), alpha=alpha, tuned_for=tuned_for)
        else:
            half = reach(alpha) * smaller
        return below((abs(target) - half) / smaller) + below((-abs(target) - half) / smaller) < power

    if not lacking(0.0):
        return Needed(0.0, 0)
    if lacking(MOST_TIMES):
        return Needed(None, None, Reason.OUT_OF_REACH)
    times = _first(lacking, 0.0, MOST_TIMES)
    return Needed(times, math.ceil(times * users))


def days_left(users_needed: float, users_per_day: float) -> int | None:
    """The days until so many users more have come, at this pace; None if nobody comes.

    >>> days_left(5197, 400), days_left(0, 0), days_left(1, 0)
    (13, 0, None)
    """
    if users_needed <= 0:
        return 0
    return math.ceil(users_needed / users_per_day) if users_per_day > 0 else None


def _bayes_power(target: float, error: float, prior: Prior, alpha: float) -> float:
    """The chance that the interval of the belief leaves out zero."""
    edge = reach(alpha) * math.sqrt(1 / prior.variance + 1 / error**2) * error
    pull = error * prior.mean / prior.variance
    return below(target / error + pull - edge) + below(-target / error - pull - edge)


def _normal_power(distance: float, null: float, real: float, alpha: float) -> float:
    half = reach(alpha) * null
    if not real:
        return 1.0 if distance > half else 0.0
    return below((distance - half) / real) + below((-distance - half) / real)


def _users(power_with: Callable[[float], float], power: float, alpha: float) -> float | Reason:
    _check_power(power, alpha)

    def lacking(users: float) -> bool:
        return power_with(users) < power

    return Reason.OUT_OF_REACH if lacking(MOST_USERS) else _first(lacking, 2.0, MOST_USERS)


def _first(lacking: Callable[[float], bool], low: float, high: float) -> float:
    """Where something stops to be lacking."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if lacking(middle) else (low, middle)
    return high


def _check_shares(*shares: float) -> None:
    for share in shares:
        if not 0 <= share <= 1:
            raise QueryError(f"a share is a number from 0 to 1, not {share!r}", code="bad_share")


def _check_users(users: float, more_than: int = 0) -> None:
    if not users > more_than:
        raise QueryError(f"this needs more than {more_than} users, not {users!r}", code="bad_counts")


def _check_deviation(deviation: float) -> None:
    if not deviation > 0:
        raise QueryError(f"a standard deviation is above 0, not {deviation!r}", code="bad_deviation")


def _check_power(power: float, alpha: float) -> None:
    if not check_alpha(alpha) < power < 1:
        raise QueryError(f"power is a chance between alpha ({alpha}) and 1, not {power!r}", code="bad_power")
