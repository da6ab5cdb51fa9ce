"""Whether an experiment's numbers may be trusted at all: the split of users, and users who saw several variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.chi_square import upper_tail
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Strict, because it is looked at every day and a true mismatch shows soon.
SRM_ALPHA = 0.001
# Fewer expected users in an arm make the chi-square distribution a bad approximation.
SRM_SMALLEST = 8
SEVERAL_SHARE, SEVERAL_USERS = 0.01, 10


@dataclass(frozen=True)
class SampleRatio:
    """The split of users between the arms, against the one that was planned.

    Attributes:
        observed: Users of each arm.
        expected: How many the weights would give of the same total.
        statistic: Chi-square; None where it cannot be computed.
        p_value: How often chance alone splits so badly.
        mismatch: Whether the split is broken, so that no verdict is possible; None where that cannot be told.
        reason: Why it cannot.
    """

    observed: tuple[int, ...]
    expected: tuple[float, ...]
    statistic: float | None
    p_value: float | None
    mismatch: bool | None
    reason: Reason | None = None


def sample_ratio(
    observed: Sequence[int], weights: Sequence[float] | None = None, *, alpha: float = SRM_ALPHA
) -> SampleRatio:
    """Test for a sample ratio mismatch (SRM): whether the users are split as the weights say.

    Chi-square with one degree of freedom less than there are arms with a positive weight. A mismatch means that users
    got lost, or were counted twice, in one arm rather than another: its cause is a fault, not chance, and every
    difference between the arms may be its work.

    Args:
        observed: Users of each arm, those with several variants left out.
        weights: Planned shares, in any unit; equal by default.
        alpha: The p-value below which the split is called broken.

    >>> split = sample_ratio([1000, 1200])
    >>> split.mismatch, f"{split.p_value:.1e}"
    (True, '2.0e-05')
    """
    shares = _shares(observed, weights)
    observed = tuple(map(int, observed))
    total = sum(observed)
    expected = tuple(total * share for share in shares)
    if any(count and not share for count, share in zip(observed, shares, strict=True)):
        return SampleRatio(observed, expected, None, None, True, Reason.EMPTY_ARM_HAS_USERS)  # noqa: FBT003
    planned = [(count, wanted) for count, wanted in zip(observed, expected, strict=True) if wanted]
    if len(planned) < 2 or min(wanted for _, wanted in planned) < SRM_SMALLEST:  # noqa: PLR2004 -- a split has two sides
        return SampleRatio(observed, expected, None, None, None, Reason.TOO_FEW_EXPECTED)
    statistic = sum((count - wanted) ** 2 / wanted for count, wanted in planned)
    chance = upper_tail(statistic, len(planned) - 1)
    return SampleRatio(observed, expected, statistic, chance, chance < alpha)


def _shares(observed: Sequence[int], weights: Sequence[float] | None) -> list[float]:
    used = [1.0] * len(observed) if weights is None else list(weights)
    if len(used) != len(observed):
        raise QueryError(f"{len(observed)} arms have {len(used)} weights; give each one", code="bad_weights")
    if min(observed, default=0) < 0 or min(used, default=0) < 0 or not 0 < sum(used) < float("inf"):
        raise QueryError(
            f"users and weights cannot be negative, and one weight must be positive: {list(observed)}, {used}",
            code="bad_weights",
        )
    return [weight / sum(used) for weight in used]


@dataclass(frozen=True)
class SeveralVariants:
    """Users who saw more than one variant, and are left out of all: how many, their share, and whether to worry."""

    users: int
    share: float | None
    warns: bool


def several_variants(several: int, single: int) -> SeveralVariants:
    """Judge how many users saw several variants, beside those who saw one.

    From 1 % and ten users on, something re-assigns people: an id that changes at login, weights that were edited, two
    places that decide differently. Leaving them out is no cure, it changes who is compared.

    >>> several_variants(30, 970)
    SeveralVariants(users=30, share=0.03, warns=True)
    """
    if min(several, single) < 0:
        raise QueryError(f"users cannot be negative: {several}, {single}", code="bad_counts")
    share = several / (several + single) if several + single else None
    return SeveralVariants(several, share, share is not None and share >= SEVERAL_SHARE and several >= SEVERAL_USERS)
