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


def clopper_pearson(part: int, whole: int, alpha: float = 0.05) -> tuple[float | None, float | None]:
    """The interval of a share that misses it with a chance of at most ``alpha``, whatever it is: wider than Wilson's.

    Source: C. J. Clopper, E. S. Pearson, The use of confidence or fiducial limits illustrated in the case of the
    binomial, Biometrika 26 (1934).

    >>> tuple(round(bound, 4) for bound in clopper_pearson(15, 40))
    (0.2273, 0.542)
    """
    if whole == 0:
        return None, None
    from scipy.special import betaincinv  # noqa: PLC0415 -- only who asks pays for the import

    low = 0.0 if part == 0 else float(betaincinv(part, whole - part + 1, alpha / 2))
    high = 1.0 if part == whole else float(betaincinv(part + 1, whole - part, 1 - alpha / 2))
    return low, high
