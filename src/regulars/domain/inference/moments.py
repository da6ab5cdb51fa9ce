"""What is kept of an arm: the number of its users, sums, sums of squares and of products, from one pass over the data.

Everything that experiments need follows from these few numbers, and they add up: over days, segments and shards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from regulars.domain.inference.choices import check_choice
from regulars.domain.inference.normal import reach
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Kind = Literal["mean", "proportion", "ratio"]
Interpolation = Literal["linear", "higher"]

# A sum of squared deviations below this part of the sum of squares is what rounding makes of equal values. So
# values that differ by less than a millionth of their size count as equal.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Moments:
    """The values of ``n`` users, one each: their sum and their sum of squares.

    Users without an event count too: with the value 0.

    >>> arm = Moments.of([2, 4, 4, 6]) + Moments.of([5, 9])
    >>> arm, arm.mean, arm.variance
    (Moments(n=6, sum=30.0, sum_squares=178.0), 5.0, 5.6)
    """

    n: int
    sum: float
    sum_squares: float

    def __post_init__(self) -> None:
        """Turn numbers of any kind into Python's own, and refuse sums that no users have.

        Raises:
            QueryError: They are no numbers, or contradict each other (``bad_moments``).
        """
        for name, value in vars(self).items():
            object.__setattr__(self, name, _number(name, value))
        _check(self.n, self.sum, self.sum_squares)

    @classmethod
    def of(cls, values: Iterable[float]) -> Moments:
        """The moments of single values."""
        kept = [float(value) for value in values]
        return Moments(len(kept), sum(kept), sum(value * value for value in kept))

    @classmethod
    def share(cls, part: int, whole: int) -> Moments:
        """The moments of ``whole`` users of whom ``part`` did it.

        >>> Moments.share(120, 1000).mean
        0.12
        """
        if not 0 <= part <= whole:
            raise QueryError(f"{part} of {whole} users cannot have done it", code="bad_moments")
        return Moments(whole, part, part)

    def __add__(self, other: Self) -> Self:
        mine, theirs = vars(self), vars(other)
        if type(self) is not type(other):
            raise QueryError("moments of one value and of two cannot be added", code="bad_moments")
        return type(self)(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def mean(self) -> float | None:
        """The mean per user; None of nobody."""
        return self.sum / self.n if self.n else None

    @property
    def variance(self) -> float | None:
        """The sample variance between users (divided by n - 1); None of fewer than two."""
        return _covariance(self.n, self.sum, self.sum, self.sum_squares) if self.n > 1 else None


@dataclass(frozen=True)
class PairedMoments(Moments):
    """Two values per user: the one that is measured, and a second one that goes with it.

    The second is the denominator of a ratio (sessions under clicks per session), or what the same user did before the
    experiment (for CUPED).

    >>> arm = PairedMoments.of_pairs([(2, 4), (1, 1), (3, 5)])
    >>> arm.sum, arm.other_sum, arm.sum_products, arm.ratio
    (6.0, 10.0, 24.0, 0.6)
    """

    other_sum: float
    other_squares: float
    sum_products: float

    def __post_init__(self) -> None:
        """Refuse sums that no users have."""
        super().__post_init__()
        _check(self.n, self.other_sum, self.other_squares)
        if self.sum_products**2 > self.sum_squares * self.other_squares * (1 + 1e-9):
            raise QueryError(f"no users have this sum of products: {self}", code="bad_moments")

    @classmethod
    def of_pairs(cls, pairs: Iterable[tuple[float, float]]) -> PairedMoments:
        """The moments of single pairs (value, second value)."""
        kept = [(float(one), float(two)) for one, two in pairs]
        first, second = Moments.of(one for one, _ in kept), Moments.of(two for _, two in kept)
        products = sum(one * two for one, two in kept)
        return PairedMoments(first.n, first.sum, first.sum_squares, second.sum, second.sum_squares, products)

    @property
    def other(self) -> Moments:
        """The moments of the second value alone."""
        return Moments(self.n, self.other_sum, self.other_squares)

    @property
    def covariance(self) -> float | None:
        """The sample covariance of the two values; None of fewer than two users."""
        return _covariance(self.n, self.sum, self.other_sum, self.sum_products) if self.n > 1 else None

    @property
    def ratio(self) -> float | None:
        """The sum of the first values over the sum of the second; None where that is zero."""
        return self.sum / self.other_sum if self.other_sum else None


def _number(name: str, value: Any) -> float:
    # Databases and frames give decimals and fixed-width integers, which overflow when they are squared.
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or (name == "n" and not number.is_integer()):
        raise QueryError(f"{name} of an arm is a {'whole ' * (name == 'n')}number, not {value!r}", code="bad_moments")
    return int(number) if name == "n" else number


def _check(n: int, total: float, squares: float) -> None:
    # The mean of squares is at least the square of the mean.
    if n < 0 or squares < 0 or total * total > squares * n * (1 + 1e-9) or (not n and squares):
        raise QueryError(
            f"no {n} values have the sum {total} and the sum of squares {squares}; n counts all users, also those "
            "whose value is 0",
            code="bad_moments",
        )


def _covariance(n: int, one: float, two: float, products: float) -> float:
    scatter = products - one * two / n
    return 0.0 if abs(scatter) <= ROUNDING * abs(products) else scatter / (n - 1)


@dataclass(frozen=True)
class Base:
    """What a relative change refers to, where it is not the estimate itself: its variance and covariance with it."""

    value: float
    variance: float
    covariance: float


@dataclass(frozen=True)
class Estimate:
    """What an arm says about the number in question: its value, the variance of that value, and the users behind it.

    ``adjusted_from`` is the mean that was measured where CUPED shifted it; relative changes refer to that.
    """

    value: float
    variance: float
    n: int
    adjusted_from: Base | None = None

    def __post_init__(self) -> None:
        """Refuse what no users say.

        Raises:
            QueryError: Fewer than two users, or a variance that is none (``bad_moments``).
        """
        if self.n < 2 or not 0 <= self.variance < math.inf or not math.isfinite(self.value):  # noqa: PLR2004
            raise QueryError(f"an estimate needs two users, a value and a variance: {self}", code="bad_moments")

    @property
    def base(self) -> Base:
        """What changes relative to this arm refer to."""
        return self.adjusted_from or Base(self.value, self.variance, self.variance)

    @classmethod
    def of_interval(cls, value: float, low: float, high: float, n: int, *, alpha: float = 0.05) -> Estimate:
        """The estimate of a number that comes with an interval of its own, such as a quantile.

        The variance is corrected by (n - 1) / n, as GrowthBook does.
        """
        return cls(value, ((high - low) / 2 / reach(alpha)) ** 2 * (n - 1) / n, n)


def estimate(arm: Moments, kind: Kind = "mean") -> Estimate | Reason:
    """The mean, the share or the ratio of an arm, with its variance; a reason where there is none.

    - ``mean``: variance s^2 / n, with s^2 the sample variance between users;
    - ``proportion``: p (1 - p) / n;
    - ``ratio`` of sums R = sum(Y) / sum(X): the delta method with the user as the unit,
      (var Y - 2 R cov(X, Y) + R^2 var X) / (n mean(X)^2). Users whose denominator is 0 are kept.

    >>> estimate(PairedMoments.of_pairs([(1, 10), (2, 12), (0, 5), (3, 20)]), "ratio").value
    0.1276595744680851
    """
    check_choice("kind", kind, Kind)
    if arm.n < 2:  # noqa: PLR2004 -- one value has no variance
        return Reason.TOO_FEW_USERS if arm.n else Reason.NO_USERS
    if kind == "ratio":
        return _ratio(paired(arm, "a ratio"))
    mean = arm.sum / arm.n
    if kind == "mean":
        return Estimate(mean, (arm.variance or 0.0) / arm.n, arm.n)
    check_share(arm)
    return Estimate(mean, mean * (1 - mean) / arm.n, arm.n)


def check_share(arm: Moments) -> None:
    """Refuse an arm whose values are not all 0 or 1."""
    if arm.sum_squares != arm.sum or not 0 <= arm.sum <= arm.n:
        raise QueryError(f"the values of a share are 0 and 1; those of {arm} are not", code="bad_moments")


def paired(arm: Moments, purpose: str) -> PairedMoments:
    """The arm, if it has two values per user."""
    if isinstance(arm, PairedMoments):
        return arm
    raise QueryError(f"{purpose} needs two values per user: give PairedMoments, not Moments", code="bad_moments")


def _ratio(arm: PairedMoments) -> Estimate | Reason:
    ratio = arm.ratio
    if ratio is None:
        return Reason.ZERO_DENOMINATOR
    parts = (arm.variance or 0.0, -2 * ratio * (arm.covariance or 0.0), ratio**2 * (arm.other.variance or 0.0))
    return Estimate(ratio, _scatter(*parts) * arm.n / arm.other_sum**2, arm.n)


def cuped_theta(arms: Sequence[PairedMoments]) -> float | None:
    """How much of the value before goes with one of the value now: one slope for the users of all arms together.

    theta = cov(now, before) / var(before); None where nobody differed before.
    """
    pooled = sum(arms[1:], start=arms[0])
    before = pooled.other.variance
    return (pooled.covariance or 0.0) / before if before else None


def adjust(arm: PairedMoments, theta: float, before: float = 0.0) -> Estimate | Reason:
    """The mean of an arm as if its users had all started alike: mean - theta x (mean before - ``before``).

    Only the difference between two arms adjusted by the same theta means something; relative changes still refer to
    the mean that was measured.

    Source: A. Deng et al., Improving the sensitivity of online controlled experiments, WSDM (2013).
    """
    plain = estimate(arm)
    if isinstance(plain, Reason):
        return plain
    covariance = arm.covariance or 0.0
    variance = _scatter(arm.variance or 0.0, -2 * theta * covariance, theta**2 * (arm.other.variance or 0.0)) / arm.n
    measured = Base(plain.value, plain.variance, plain.variance - theta * covariance / arm.n)
    return Estimate(plain.value - theta * (arm.other_sum / arm.n - before), variance, arm.n, measured)


def _scatter(*parts: float) -> float:
    """A variance of which rounding left nothing below zero, and nothing where there is none."""
    total = math.fsum(parts)
    return 0.0 if total <= ROUNDING * sum(map(abs, parts)) else total


def percentile_cap(
    values: Iterable[float], percentile: float, *, ignore_zeros: bool = False, interpolation: Interpolation = "linear"
) -> float | None:
    """The value at a percentile of all arms' users together, to cap with; None of nobody.

    Between two values it lies where the percentile lies between their ranks (``linear``, as ``quantile_cont`` of SQL
    has it), or is the ``higher`` one. ``ignore_zeros`` looks only at users with a value: where most spend nothing, the
    99th percentile of all is 0.

    >>> percentile_cap([0, 0, 0, 10, 20], 50), percentile_cap([0, 0, 0, 10, 20], 50, ignore_zeros=True)
    (0.0, 15.0)
    """
    if not 0 <= percentile <= 100:  # noqa: PLR2004 -- what a percentile is
        raise QueryError(f"a percentile is a number from 0 to 100, not {percentile!r}", code="bad_percentile")
    check_choice("interpolation", interpolation, Interpolation)
    ranked = sorted(float(value) for value in values if value or not ignore_zeros)
    if not ranked:
        return None
    place = percentile / 100 * (len(ranked) - 1)
    below, above = ranked[math.floor(place)], ranked[math.ceil(place)]
    return above if interpolation == "higher" else below + (place - math.floor(place)) * (above - below)


def capped(values: Iterable[float], cap: float) -> list[float]:
    """The values, none greater than the cap; the same cap belongs to all arms, or it makes a difference itself.

    >>> capped([3, 50], 10)
    [3, 10]
    """
    return [min(value, cap) for value in values]
