"""The net promoter score: from the counts of three groups to a score, its interval, and the test of a change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from regulars.domain.inference.normal import reach, two_sided
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterable

HIGHEST = 10
PROMOTER_FROM, PASSIVE_FROM = 9, 7
# The answers that the adjusted interval adds: three in all, of which 3/4 promote and 3/4 detract.
ADDED, ADDED_TO_EACH = 3, 0.75


class Answers(NamedTuple):
    """How many answers were 9 or 10, 7 or 8, and 0 to 6."""

    promoters: int
    passives: int
    detractors: int

    @property
    def total(self) -> int:
        """All answers."""
        return sum(self)


@dataclass(frozen=True)
class Nps:
    """A score from -100 to 100 with its interval; all None, with a reason, where nobody answered."""

    answers: Answers
    score: float | None
    low: float | None
    high: float | None
    reason: Reason | None = None


@dataclass(frozen=True)
class NpsChange:
    """How far a score moved between two samples, in points, and how often chance alone moves it so far.

    Where nobody answered everything is None; where everybody answered alike only ``difference`` is known.
    """

    difference: float | None
    error: float | None
    low: float | None
    high: float | None
    p_value: float | None
    reason: Reason | None = None


def answers(scores: Iterable[float]) -> Answers:
    """Count the groups of answers from 0 to 10.

    >>> answers([10, 9, 8, 6, 0])
    Answers(promoters=2, passives=1, detractors=2)

    Raises:
        QueryError: An answer is not a whole number from 0 to 10 (``bad_score``).
    """
    counts = [0, 0, 0]
    for score in scores:
        counts[_group(score)] += 1
    return Answers(*counts)


def _group(score: float) -> int:
    if isinstance(score, bool) or not 0 <= score <= HIGHEST or score != int(score):
        raise QueryError(f"an answer is a whole number from 0 to {HIGHEST}, not {score!r}", code="bad_score")
    return 0 if score >= PROMOTER_FROM else 1 if score >= PASSIVE_FROM else 2


def nps(counts: Answers, *, alpha: float = 0.05) -> Nps:
    """The score, 100 x (promoters - detractors) / answers, with its adjusted-Wald interval.

    The interval is that of a sample with three more answers, of which 3/4 promote and 3/4 detract, cut at -100 and
    100. Unlike the plain one it does not vanish when everybody answers alike. It is drawn towards 0: a single answer
    has its score just outside.

    Source: B. Rocks, Interval estimation for the net promoter score, The American Statistician 70 (2016).

    Args:
        counts: The answers by group; ``answers`` counts them.
        alpha: The chance that is accepted for the interval to miss the truth.

    >>> found = nps(Answers(promoters=50, passives=30, detractors=20))
    >>> found.score, round(found.low, 2), round(found.high, 2)
    (30.0, 14.05, 44.2)
    """
    check(counts)
    if not counts.total:
        return Nps(counts, None, None, None, Reason.NO_ANSWERS)
    low, high = adjusted_wald(counts, alpha=alpha)
    return Nps(counts, _score(counts), max(low, -100.0), min(high, 100.0))


def adjusted_wald(counts: Answers, *, alpha: float = 0.05) -> tuple[float, float]:
    """The interval of a score in points, before it is cut at -100 and 100."""
    total = counts.total + ADDED
    middle, variance = _trinomial(counts.promoters + ADDED_TO_EACH, counts.detractors + ADDED_TO_EACH, total)
    half = reach(alpha) * math.sqrt(variance / total)
    return 100 * (middle - half), 100 * (middle + half)


def change(before: Answers, after: Answers, *, alpha: float = 0.05) -> NpsChange:
    """The difference between two scores, its interval and its two-sided p-value.

    The samples are taken for independent. People who answered both times usually answer alike, so that among them a
    change is clearer than the p-value says.

    >>> moved = change(Answers(50, 30, 20), Answers(60, 25, 15))
    >>> moved.difference, round(moved.error, 2), round(moved.p_value, 3)
    (15.0, 10.76, 0.163)
    """
    check(before)
    check(after)
    if not before.total or not after.total:
        return NpsChange(None, None, None, None, None, Reason.NO_ANSWERS)
    difference = _score(after) - _score(before)
    error = 100 * math.sqrt(sum(_trinomial(*each[::2], each.total)[1] / each.total for each in (before, after)))
    if not error:
        return NpsChange(difference, None, None, None, None, Reason.NO_VARIANCE)
    half = reach(alpha) * error
    low, high = max(difference - half, -200.0), min(difference + half, 200.0)
    return NpsChange(difference, error, low, high, two_sided(difference / error))


def _score(counts: Answers) -> float:
    return 100 * (counts.promoters - counts.detractors) / counts.total


def check(counts: Answers) -> None:
    """Refuse counts that cannot be.

    Raises:
        QueryError: A count is negative (``bad_counts``).
    """
    if min(counts) < 0:
        raise QueryError(f"a count of answers cannot be negative: {counts}", code="bad_counts")


def _trinomial(promoters: float, detractors: float, total: float) -> tuple[float, float]:
    """Mean and variance of an answer that counts 1, 0 or -1."""
    mean = (promoters - detractors) / total
    # Rounding must not make a variance negative.
    return mean, max((promoters + detractors) / total - mean * mean, 0.0)
