"""Which of several arms is the best, and what choosing another one costs: by integration, so that it is repeatable.

An arm is the best at x where its own density meets the chances of all others to be below x. What is lost by choosing
arm i is E max(all) - E(arm i), the integral of F_i x (1 - product of the other F).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

from regulars.domain.inference.moments import check_share
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from regulars.domain.inference.moments import Estimate, Moments

    Places = NDArray[np.float64]

UNIFORM = (1.0, 1.0)
# Below Jeffreys' prior the density has a pole on the scale of integration.
LEAST_PRIOR = 0.5
# Where beliefs change: so many standard deviations around each mean. Beyond the last there is nothing (e^-72).
_KNOTS = (-12.0, -8.0, -5.0, -3.0, -1.5, 0.0, 1.5, 3.0, 5.0, 8.0, 12.0)
_NODES = 24


@dataclass(frozen=True)
class Best:
    """The chance of each arm to be the best, and what is lost on average by choosing it; None with a reason."""

    chances: tuple[float, ...] | None
    losses: tuple[float, ...] | None
    reason: Reason | None = None


def best_share(arms: Sequence[Moments], prior: tuple[float, float] = UNIFORM) -> Best:
    """Which of several shares is the highest: Beta-Binomial beliefs, with the same Beta prior for every arm.

    The prior is uniform by default; (0.5, 0.5) is Jeffreys'. Exact, also with a handful of conversions or none.

    >>> from regulars.domain.inference.moments import Moments
    >>> found = best_share([Moments.share(100, 1000), Moments.share(120, 1000)])
    >>> round(found.chances[1], 6), round(found.losses[1], 6)
    (0.923183, 0.000485)
    """
    if not min(prior) >= LEAST_PRIOR:
        raise QueryError(f"a Beta prior has two parameters from {LEAST_PRIOR} up, not {prior}", code="bad_prior")
    for arm in arms:
        check_share(arm)
    return _best([_Share(arm.sum + prior[0], arm.n - arm.sum + prior[1]) for arm in arms])


def best_mean(arms: Sequence[Estimate]) -> Best:
    """Which of several means or ratios is the highest: independent normal beliefs with flat priors.

    >>> from regulars.domain.inference.moments import Moments, estimate
    >>> found = best_mean([estimate(Moments.share(part, 1000)) for part in (100, 110, 135)])
    >>> [round(chance, 3) for chance in found.chances]
    [0.005, 0.043, 0.952]
    """
    if not all(arm.variance for arm in arms):
        return Best(None, None, Reason.NO_VARIANCE)
    return _best([_Mean(arm.value, math.sqrt(arm.variance)) for arm in arms])


class _Belief(Protocol):
    def knots(self) -> list[float]: ...
    def density(self, places: Places) -> Places: ...
    def below(self, places: Places) -> Places: ...
    def unit(self, places: Places) -> Places: ...


class _Mean(NamedTuple):
    """A normal belief, on its own scale."""

    mean: float
    error: float

    def knots(self) -> list[float]:
        return [self.mean + knot * self.error for knot in _KNOTS]

    def density(self, places: Places) -> Places:
        import numpy as np  # noqa: PLC0415 -- only who asks pays for the import

        return np.exp(-(((places - self.mean) / self.error) ** 2) / 2) / (self.error * math.sqrt(2 * math.pi))

    def below(self, places: Places) -> Places:
        from scipy.special import ndtr  # noqa: PLC0415

        return ndtr((places - self.mean) / self.error)

    def unit(self, places: Places) -> Places:
        return places * 0 + 1


class _Share(NamedTuple):
    """A Beta belief about a share x, on the scale arcsin(sqrt(x)): smooth there, and as wide everywhere."""

    yes: float
    no: float

    def knots(self) -> list[float]:
        middle, width = math.asin(math.sqrt(self.yes / (self.yes + self.no))), 0.5 / math.sqrt(self.yes + self.no)
        inside = [min(max(middle + knot * width, 0.0), math.pi / 2) for knot in _KNOTS]
        return [0.0, *inside, math.pi / 2]

    def density(self, places: Places) -> Places:
        import numpy as np  # noqa: PLC0415
        from scipy.special import betaln  # noqa: PLC0415

        logs = (2 * self.yes - 1) * np.log(np.sin(places)) + (2 * self.no - 1) * np.log(np.cos(places))
        return 2 * np.exp(logs - betaln(self.yes, self.no))

    def below(self, places: Places) -> Places:
        import numpy as np  # noqa: PLC0415
        from scipy.special import betainc  # noqa: PLC0415

        return betainc(self.yes, self.no, np.sin(places) ** 2)

    def unit(self, places: Places) -> Places:
        import numpy as np  # noqa: PLC0415

        return np.sin(2 * places)


def _best(beliefs: Sequence[_Belief]) -> Best:
    """Integrate by Gauss and Legendre between all places where a belief changes."""
    import numpy as np  # noqa: PLC0415

    if len(beliefs) < 2:  # noqa: PLR2004 -- the best of one is no question
        raise QueryError(f"the best of {len(beliefs)} arms is no question; give two or more", code="bad_arms")
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    knots = sorted({knot for belief in beliefs for knot in belief.knots()})
    places = np.concatenate([(low + high) / 2 + (high - low) / 2 * nodes for low, high in pairwise(knots)])
    steps = np.concatenate([(high - low) / 2 * weights for low, high in pairwise(knots)])
    below = np.array([belief.below(places) for belief in beliefs])
    others = np.array([np.prod(np.delete(below, at, axis=0), axis=0) for at in range(len(beliefs))])
    densities = [steps * belief.density(places) for belief in beliefs]
    # Logarithms of very large counts lose their last digits; every density has the mass 1.
    chances = [float(np.sum(each * rest) / np.sum(each)) for each, rest in zip(densities, others, strict=True)]
    losses = np.sum(steps * beliefs[0].unit(places) * below * (1 - others), axis=1)
    return Best(tuple(chances), tuple(float(loss) for loss in losses))
