"""Intervals for rates."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054


def wilson(part: int, whole: int, z: float = Z_95) -> tuple[float | None, float | None]:
    """The Wilson score interval of a share, 95 % by default; (None, None) of nothing.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).

    >>> tuple(round(bound, 4) for bound in wilson(15, 40))
    (0.2422, 0.5297)
    """
    if whole == 0:
        return None, None
    share, spread = part / whole, z * z / whole
    middle = share + spread / 2
    reach = z * math.sqrt(share * (1 - share) / whole + spread / (4 * whole))
    low, high = (middle - reach) / (1 + spread), (middle + reach) / (1 + spread)
    # Rounding must not put a bound on the wrong side of nobody, or of everybody.
    return 0.0 if part == 0 else max(low, 0.0), 1.0 if part == whole else min(high, 1.0)
