"""An interval that stays valid however often one looks: the asymptotic confidence sequence.

A fixed interval is right once, at the planned end. Whoever looks every day and stops at the first significant look is
wrong far more often than alpha says. This one is wider, and is right at all looks together.

Source: I. Waudby-Smith et al., Time-uniform central limit theory and asymptotic confidence sequences, Annals of
Statistics 52 (2024); with the tuning of GrowthBook.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from regulars.domain.inference.effects import Effect, with_error
from regulars.domain.inference.normal import check_alpha
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError

if TYPE_CHECKING:
    from regulars.domain.inference.moments import Estimate

# The number of users at which the interval is tightest, compared with others: GrowthBook's default.
TUNED_FOR = 5_000


def rho(alpha: float = 0.05, tuned_for: float = TUNED_FOR) -> float:
    """The parameter that makes the sequence tightest around a number of users.

    sqrt((-2 ln alpha + ln(1 - 2 ln alpha)) / N)

    >>> round(rho(0.05, 5000), 6)
    0.03984
    """
    if tuned_for <= 0:
        raise QueryError(f"tuned_for is a number of users above 0, not {tuned_for!r}", code="bad_tuning")
    surprise = -2 * math.log(check_alpha(alpha))
    return math.sqrt((surprise + math.log1p(surprise)) / tuned_for)


def half_width(variance: float, n: float, *, alpha: float = 0.05, tuned_for: float = TUNED_FOR) -> float:
    """Half the width of the interval of a mean over ``n`` users, each with this variance.

    With v = n rho^2: sqrt(variance) x sqrt(2 (v + 1) / (n v) x ln(sqrt(v + 1) / alpha))

    >>> round(half_width(1, 5000), 4)
    0.0429
    """
    scaled = n * rho(alpha, tuned_for) ** 2
    return math.sqrt(variance * 2 * (scaled + 1) / (n * scaled) * (math.log1p(scaled) / 2 - math.log(alpha)))


def p_value(
    difference: float, variance: float, n: float, *, alpha: float = 0.05, tuned_for: float = TUNED_FOR
) -> float:
    """The smallest level at which the sequence leaves out zero, with its tuning for ``alpha`` kept; at most 1."""
    scaled = n * rho(alpha, tuned_for) ** 2
    exponent = math.log1p(scaled) / 2 - scaled / (scaled + 1) * n * difference**2 / (2 * variance)
    return math.exp(min(exponent, 0.0))


def margin(n: float, *, alpha: float = 0.05, tuned_for: float = TUNED_FOR) -> float:
    """How many standard errors away the bounds are that hold at every look, after ``n`` users.

    >>> [round(margin(n), 2) for n in (100, 5_000, 1_000_000)]
    [6.69, 3.04, 3.66]
    """
    return half_width(1.0, n, alpha=alpha, tuned_for=tuned_for) * math.sqrt(n)


def always_valid(
    control: Estimate, variant: Estimate, effect: Effect, *, alpha: float = 0.05, tuned_for: float = TUNED_FOR
) -> Effect:
    """An effect with the interval and the p-value that hold at every look.

    ``effect`` is a difference, or a lift by ``delta``: something with a standard error. Both arms count as one
    sequence of users whose variance is n x error^2.

    >>> from regulars.domain.inference.effects import difference
    >>> from regulars.domain.inference.moments import Moments, estimate
    >>> control, variant = estimate(Moments.share(200, 4000)), estimate(Moments.share(250, 4100))
    >>> fixed = difference(control, variant)
    >>> looked = always_valid(control, variant, fixed)
    >>> round(fixed.p_value, 3), round(looked.p_value, 3), round(looked.low, 4), round(looked.high, 4)
    (0.031, 0.428, -0.0045, 0.0265)
    """
    known = with_error(effect)
    if isinstance(known, Reason):
        return Effect(effect.value, reason=known)
    value, error = known
    n = control.n + variant.n
    half = half_width(n * error**2, n, alpha=alpha, tuned_for=tuned_for)
    chance = p_value(value, n * error**2, n, alpha=alpha, tuned_for=tuned_for)
    return Effect(value, value - half, value + half, chance, error)
