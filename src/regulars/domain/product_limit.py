"""Survival of people who are followed for different lengths of time: Kaplan-Meier, and the log-rank test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.chi_square import upper_tail
from regulars.domain.intervals import Z_95

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Step:
    """One day of a curve: who is still followed when it begins, who leaves, whose follow-up ends, and who stays."""

    day: int
    at_risk: int
    churned: int
    censored: int
    survival: float
    low: float | None
    high: float | None


def product_limit(ends: Mapping[int, tuple[int, int]]) -> list[Step]:
    """The Kaplan-Meier curve, day by day to the last one, with its log-log 95 % band.

    ``ends`` holds, by day, how many people left and how many were followed no longer; leaving counts first. The band
    is undefined while nobody has left, and where nobody is left.

    Source: E. L. Kaplan, P. Meier, Nonparametric estimation from incomplete observations, JASA 53 (1958); J. D.
    Kalbfleisch, R. L. Prentice, The Statistical Analysis of Failure Time Data (1980), for the band.

    >>> [(step.at_risk, step.survival) for step in product_limit({0: (1, 0), 2: (1, 2)})]
    [(4, 0.75), (3, 0.75), (3, 0.5)]
    """
    at_risk = sum(churned + censored for churned, censored in ends.values())
    found: list[Step] = []
    survival, spread = 1.0, 0.0
    for day in range(max(ends, default=-1) + 1):
        churned, censored = ends.get(day, (0, 0))
        survival *= (at_risk - churned) / at_risk
        spread += churned / (at_risk * (at_risk - churned)) if churned < at_risk else 0.0
        found.append(Step(day, at_risk, churned, censored, survival, *_band(survival, spread)))
        at_risk -= churned + censored
    return found


def _band(survival: float, spread: float) -> tuple[float | None, float | None]:
    if not 0 < survival < 1:
        return None, None
    reach = Z_95 * math.sqrt(spread) / abs(math.log(survival))
    return survival ** math.exp(reach), survival ** math.exp(-reach)


def median_day(steps: Sequence[Step]) -> int | None:
    """The first day after which no more than half of the people stay; None while more than half do."""
    # One in a million million is what rounding may add to a half.
    return next((step.day for step in steps if step.survival <= 0.5 + 1e-12), None)


@dataclass(frozen=True)
class LogRank:
    """Whether curves differ: how many would have left from each if they did not, and the test; None if untestable."""

    expected: tuple[float, ...]
    statistic: float | None
    degrees: int | None
    p_value: float | None


def log_rank(curves: Sequence[Sequence[Step]]) -> LogRank:
    """The log-rank test of the hypothesis that people leave alike whichever curve they belong to.

    Source: N. Mantel, Evaluation of survival data and two new rank order statistics, Cancer Chemother Rep 50 (1966).
    """
    expected, excess = [0.0] * len(curves), [0.0] * len(curves)
    covariance = [[0.0] * len(curves) for _ in curves]
    for day in range(max((len(curve) for curve in curves), default=0)):
        steps = [curve[day] if day < len(curve) else None for curve in curves]
        at_risk = [step.at_risk if step else 0 for step in steps]
        left = [step.churned if step else 0 for step in steps]
        everybody, leaving = sum(at_risk), sum(left)
        shares = [count / everybody for count in at_risk]
        weight = leaving * (everybody - leaving) / (everybody - 1) if everybody > 1 else 0.0
        for one, share in enumerate(shares):
            expected[one] += leaving * share
            excess[one] += left[one] - leaving * share
            for other, another in enumerate(shares):
                covariance[one][other] += weight * share * ((one == other) - another)
    tested = [one for one, row in enumerate(covariance) if row[one] > 0][:-1]
    if not tested:
        return LogRank(tuple(expected), None, None, None)
    solved = _solve([[covariance[i][j] for j in tested] for i in tested], [excess[i] for i in tested])
    # Rounding must not make a square negative.
    statistic = max(sum(excess[one] * part for one, part in zip(tested, solved, strict=True)), 0.0)
    return LogRank(tuple(expected), statistic, len(tested), upper_tail(statistic, len(tested)))


def _solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """The solution of a system whose matrix is symmetric and positive definite, by elimination."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for place, pivot in enumerate(rows):
        for row in rows[place + 1 :]:
            factor = row[place] / pivot[place]
            row[:] = [cell - factor * above for cell, above in zip(row, pivot, strict=True)]
    found: list[float] = []
    for place in reversed(range(len(rows))):
        known = sum(a * b for a, b in zip(rows[place][place + 1 : -1], found, strict=True))
        found.insert(0, (rows[place][-1] - known) / rows[place][place])
    return found
