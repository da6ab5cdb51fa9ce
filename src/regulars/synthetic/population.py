"""Who the users are: drawn block by block, so that a block never depends on the ones before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.synthetic.options import GeneratorOptions

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BLOCK_USERS: Final = 1024
"""Users drawn from one random stream. Part of the data format: another number gives other data."""

COUNTRIES: Final = {"IN": 0.42, "US": 0.24, "UK": 0.12, "CA": 0.08, "AU": 0.08, "SG": 0.06}
SOURCES: Final = {"organic": 0.40, "referral": 0.20, "ads": 0.18, "youtube": 0.14, "community": 0.08}

PEOPLE, ACTIVITY, BILLING, TICKETS, DIRT, DIRTY_PEOPLE = range(6)  # purposes of random streams
_GROWING_SHARE = 0.6
_PAID_CHURN = 0.75
_MAX_CHURN = 0.95
_SKEW_SECONDS = (300, 6 * 3600)


@dataclass(frozen=True)
class Population:
    """One block of users, one array element each. Days count from the first day of the window."""

    user_id: Ints
    signup_day: Ints  # negative: before the window
    paid: Flags
    country: Ints
    source: Ints
    engagement: Floats
    churn_day: Ints  # first day without any event; equal to the window's length for those who stay
    test: Flags
    anonymous: Flags
    skew: Ints  # seconds added to every time this user's device reports

    def __len__(self) -> int:
        return len(self.user_id)


def stream(seed: int, purpose: int, block: int) -> np.random.Generator:
    """The random numbers of one block for one purpose; knobs of one purpose leave the others alone."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, block)))


def block_count(options: GeneratorOptions) -> int:
    """How many blocks the users fill, the last one perhaps in part."""
    return -(-options.n_users // BLOCK_USERS)


def draw_population(options: GeneratorOptions, block: int) -> Population:
    """Draw the users of one block (counted from 0).

    >>> from regulars.synthetic.options import GeneratorOptions
    >>> draw_population(GeneratorOptions(n_users=3), 0).user_id
    array([1, 2, 3])
    """
    rng = stream(options.seed, PEOPLE, block)
    first = block * BLOCK_USERS
    n = min(BLOCK_USERS, options.n_users - first)
    engagement = rng.beta(options.engagement_a, options.engagement_b, n).round(6)
    paid = rng.random(n) < options.paid_ratio
    signup_day = _signup_days(options, rng, n)
    churn_day = _churn_days(options, rng, paid, engagement, signup_day)
    dirty = stream(options.seed, DIRTY_PEOPLE, block)
    return Population(
        user_id=np.arange(first + 1, first + n + 1, dtype=np.int64),
        signup_day=signup_day,
        paid=paid,
        country=pick(rng, list(COUNTRIES.values()), n),
        source=pick(rng, list(SOURCES.values()), n),
        engagement=engagement,
        churn_day=churn_day,
        test=dirty.random(n) < options.test_accounts,
        anonymous=dirty.random(n) < options.anonymous,
        skew=_clock_skew(options, dirty, n),
    )


def pick(rng: np.random.Generator, weights: Sequence[float], n: int) -> Ints:
    """Draw n positions, each as often as its weight says. The weights need not add up to 1."""
    edges = np.cumsum(weights)
    picked: Ints = np.searchsorted(edges[:-1], rng.random(n) * edges[-1], side="right").astype(np.int64)
    return picked


def _signup_days(options: GeneratorOptions, rng: np.random.Generator, n: int) -> Ints:
    before: Ints = -rng.integers(0, options.signup_spread_days, n)
    if options.signups == "before":
        return before
    inside = rng.integers(0, options.days, n)
    return np.where(rng.random(n) < _GROWING_SHARE, inside, before)


def _churn_days(
    options: GeneratorOptions, rng: np.random.Generator, paid: Flags, engagement: Floats, signup_day: Ints
) -> Ints:
    """Churners stop after at least a quarter of the days they could have lived through."""
    base = np.where(paid, options.churn_base_rate * _PAID_CHURN, options.churn_base_rate)
    chance = np.minimum(_MAX_CHURN, base * (0.4 + 1.4 * (1 - engagement) ** 1.6))
    start = np.maximum(signup_day, 0)
    earliest = start + (options.days - start) // 4
    stop = earliest + np.floor(rng.random(len(paid)) * (options.days - earliest)).astype(np.int64)
    return np.where(rng.random(len(paid)) < chance, stop, options.days)


def _clock_skew(options: GeneratorOptions, rng: np.random.Generator, n: int) -> Ints:
    size = rng.integers(*_SKEW_SECONDS, n)
    sign = np.where(rng.random(n) < 0.5, -1, 1)  # noqa: PLR2004 -- as many slow clocks as fast ones
    return np.where(rng.random(n) < options.clock_skew, size * sign, 0)
