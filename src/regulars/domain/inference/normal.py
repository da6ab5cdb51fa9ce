"""The normal distribution, without a library that takes half a second to import."""

from __future__ import annotations

import math
from statistics import NormalDist

from regulars.errors import QueryError

_STANDARD = NormalDist()


def quantile(chance: float) -> float:
    """The value that a standard normal variable stays below with this chance.

    >>> round(quantile(0.975), 6)
    1.959964
    """
    return _STANDARD.inv_cdf(chance)


def below(value: float) -> float:
    """The chance that a standard normal variable stays below a value; exact far out in the lower tail."""
    return math.erfc(-value / math.sqrt(2)) / 2


def density(value: float) -> float:
    """The density of a standard normal variable."""
    return math.exp(-value * value / 2) / math.sqrt(2 * math.pi)


def two_sided(value: float) -> float:
    """The chance that a standard normal variable is at least as far from zero, to either side."""
    return math.erfc(abs(value) / math.sqrt(2))


def reach(alpha: float) -> float:
    """Half the width, in standard errors, of an interval that leaves out ``alpha``.

    Raises:
        QueryError: ``alpha`` is not between 0 and 1 (``bad_alpha``).
    """
    return quantile(1 - check_alpha(alpha) / 2)


def check_alpha(alpha: float) -> float:
    """The share of false alarms that is accepted, if it can be one."""
    if not 0 < alpha < 1:
        raise QueryError(f"alpha is a chance between 0 and 1, such as 0.05, not {alpha!r}", code="bad_alpha")
    return alpha
