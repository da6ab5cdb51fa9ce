"""What is believed about the effect of one variant after the data: a normal distribution, as GrowthBook has it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from regulars.domain.inference.effects import with_error
from regulars.domain.inference.normal import below, density, reach
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError

if TYPE_CHECKING:
    from regulars.domain.inference.effects import Effect


class Prior(NamedTuple):
    """What is believed of an effect beforehand: a normal distribution, or nothing at all (``FLAT``)."""

    mean: float = 0.0
    variance: float = math.inf


FLAT = Prior()
# Most changes move a metric by less than 30 %: GrowthBook's proper prior on the relative lift.
SCEPTICAL = Prior(0.0, 0.3**2)


@dataclass(frozen=True)
class Posterior:
    """What is believed of the difference between two arms; None with a reason where nothing can be.

    Attributes:
        value: The mean of the belief.
        low: The lower bound of the interval that holds the effect with a chance of 1 - alpha.
        high: The upper bound.
        chance_to_win: The chance that the variant is higher, which is to win where higher is better.
        loss_of_control: What is lost on average by keeping the control, counting 0 where that is right.
        loss_of_variant: What is lost on average by shipping the variant.
        reason: Why all of it is None.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    chance_to_win: float | None = None
    loss_of_control: float | None = None
    loss_of_variant: float | None = None
    reason: Reason | None = None


def posterior(effect: Effect | None, prior: Prior = FLAT, *, alpha: float = 0.05) -> Posterior:
    """The normal belief about an effect, from its value and standard error, and a prior on the same scale.

    ``effect`` is a difference, or a lift by ``delta``. With a flat prior the chance to win is one minus the one-sided
    normal p-value. Without data (None) the belief is the prior.

    A prior on the lift becomes one on the difference when it is scaled by the control: ``scaled(prior, mean)``.

    >>> from regulars.domain.inference.effects import lift
    >>> from regulars.domain.inference.moments import Moments, estimate
    >>> found = lift(estimate(Moments.share(200, 4000)), estimate(Moments.share(250, 4100)), interval="delta")
    >>> belief = posterior(found, SCEPTICAL)
    >>> round(belief.chance_to_win, 3), round(belief.value, 3), round(belief.loss_of_variant, 4)
    (0.966, 0.192, 0.0014)
    """
    if not prior.variance > 0:
        raise QueryError(f"the variance of a prior is above 0, not {prior.variance!r}", code="bad_prior")
    if effect is None:
        return Posterior(None, reason=Reason.NO_USERS) if math.isinf(prior.variance) else _belief(*prior, alpha)
    known = with_error(effect)
    if isinstance(known, Reason):
        return Posterior(None, reason=known)
    value, error = known
    precision = 1 / prior.variance + 1 / error**2
    return _belief((prior.mean / prior.variance + value / error**2) / precision, 1 / precision, alpha)


def scaled(prior: Prior, control: float) -> Prior:
    """A prior on the relative lift as one on the absolute difference, given the control's mean."""
    return Prior(prior.mean * abs(control), prior.variance * control * control)


def _belief(mean: float, variance: float, alpha: float) -> Posterior:
    error = math.sqrt(variance)
    half = reach(alpha) * error
    gain, loss = expected_losses(mean, error)
    return Posterior(mean, mean - half, mean + half, below(mean / error), gain, loss)


def expected_losses(mean: float, error: float) -> tuple[float, float]:
    """What is lost on average by keeping the control, and by shipping the variant, under a normal effect.

    E max(0, effect) and E max(0, -effect).

    >>> expected_losses(0.0, 1.0)[0] == expected_losses(0.0, 1.0)[1]
    True
    """
    distance = mean / error
    spread = error * density(distance)
    return max(spread + mean * below(distance), 0.0), max(spread - mean * below(-distance), 0.0)
