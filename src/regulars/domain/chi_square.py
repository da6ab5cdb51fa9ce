"""The chi-square distribution."""

from __future__ import annotations

import math


def upper_tail(value: float, degrees: int) -> float:
    """The chance that a chi-square variable exceeds a value.

    For whole degrees of freedom the incomplete gamma function ends after a few terms, so nothing is approximated.

    >>> round(upper_tail(3.841458820694124, 1), 6), round(upper_tail(5.991464547107979, 2), 6)
    (0.05, 0.05)
    """
    half, place = value / 2, degrees % 2 / 2
    chance = math.erfc(math.sqrt(half)) if degrees % 2 else 0.0
    term = math.exp(-half) * half**place / math.gamma(place + 1)
    while place < degrees / 2:
        chance += term
        place += 1
        term *= half / place
    return min(chance, 1.0)
