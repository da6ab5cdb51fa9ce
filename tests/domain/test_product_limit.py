"""Kaplan-Meier, the log-rank test and the chi-square distribution against published and independent values."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.domain.chi_square import upper_tail
from regulars.domain.product_limit import Step, log_rank, median_day, product_limit

if TYPE_CHECKING:
    from collections.abc import Sequence

# Remission in weeks of children with leukaemia, under 6-mercaptopurine and placebo.
# Source: E. J. Freireich et al., Blood 21 (1963); in D. R. Cox, D. Oakes, Analysis of Survival Data (1984).
RELAPSED = (6, 6, 6, 7, 10, 13, 16, 22, 23)
CENSORED = (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)
PLACEBO = (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)


def curve(left: Sequence[int], censored: Sequence[int] = ()) -> list[Step]:
    """The curve of single ends."""
    leaving, ending = Counter(left), Counter(censored)
    return product_limit({day: (leaving[day], ending[day]) for day in {*left, *censored}})


def test_a_curve_is_the_published_one() -> None:
    """Estimates and log-log bands of the treated, to the digits in which they are printed."""
    steps = {step.day: step for step in curve(RELAPSED, CENSORED)}
    printed = {6: (0.857, 0.620, 0.952), 7: (0.807, 0.563, 0.923), 10: (0.753, 0.503, 0.889), 13: (0.690, 0.432, 0.849),
               16: (0.627, 0.368, 0.805), 22: (0.538, 0.268, 0.747), 23: (0.448, 0.188, 0.680)}  # fmt: skip
    for day, values in printed.items():
        step = steps[day]
        assert step.low is not None
        assert step.high is not None
        assert tuple(round(value, 3) for value in (step.survival, step.low, step.high)) == values
    assert [steps[day].at_risk for day in printed] == [21, 17, 15, 12, 11, 7, 6]
    assert (steps[5].low, steps[5].high) == (None, None)
    assert median_day(list(steps.values())) == 23
    assert median_day(curve(PLACEBO)) == 8
    assert median_day(curve((1,), (2, 2))) is None
    assert median_day(curve((0, 3))) == 0


def test_the_log_rank_test_is_the_published_one() -> None:
    """Chi-square 16.79 on 1 degree of freedom; 19.25 of the treated and 10.75 of the others were to be expected."""
    test = log_rank([curve(RELAPSED, CENSORED), curve(PLACEBO)])
    assert test.statistic is not None
    assert test.p_value is not None
    assert round(test.statistic, 2) == 16.79
    assert [round(count, 2) for count in test.expected] == [19.25, 10.75]
    assert test.degrees == 1
    assert f"{test.p_value:.2e}" == "4.17e-05"


@pytest.mark.parametrize(
    "curves", [[], [curve(RELAPSED)], [curve((), (3, 4)), curve((), (5,))], [curve((2, 2)), curve((2,))]]
)
def test_curves_that_cannot_be_compared_have_no_test(curves: list[list[Step]]) -> None:
    """One alone, nobody who left, everybody at once."""
    test = log_rank(curves)
    assert (test.statistic, test.degrees, test.p_value) == (None, None, None)


def test_who_is_followed_no_longer_when_the_first_leave_is_not_compared() -> None:
    """The third group ends before anybody has left."""
    two = [curve((3, 5), (6,)), curve((4,), (4, 7))]
    assert log_rank([*two, curve((), (1, 2))]).degrees == log_rank(two).degrees == 1


ends = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=12)


@given(st.lists(ends, min_size=2, max_size=5))
def test_any_number_of_curves_is_compared_as_linear_algebra_would(groups: list[list[tuple[int, bool]]]) -> None:
    """The quadratic form with a pseudo-inverse, from lists of single people."""
    size, excess = len(groups), np.zeros(len(groups))
    covariance = np.zeros((size, size))
    for day in sorted({day for group in groups for day, has_left in group if has_left}):
        at_risk = np.array([sum(end >= day for end, _ in group) for group in groups], float)
        left = np.array([sum(end == day and has_left for end, has_left in group) for group in groups], float)
        n, d = at_risk.sum(), left.sum()
        excess += left - d * at_risk / n
        if n > 1:
            share = at_risk / n
            covariance += d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
    test = log_rank([curve([d for d, left in g if left], [d for d, left in g if not left]) for g in groups])
    if test.statistic is None:
        assert not covariance.any()
    else:
        assert test.statistic == pytest.approx(excess @ np.linalg.pinv(covariance) @ excess, abs=1e-9)
        assert test.degrees == np.linalg.matrix_rank(covariance)


@pytest.mark.parametrize(
    ("value", "degrees", "chance"),
    [(3.841458820694124, 1, 0.05), (6.634896601021213, 1, 0.01), (5.991464547107979, 2, 0.05),
     (7.814727903251179, 3, 0.05), (18.307038053275146, 10, 0.05), (37.56623475, 20, 0.01), (0.0, 1, 1.0),
     (0.0, 4, 1.0), (2.705543454, 1, 0.10), (10.827566170, 1, 0.001), (24.99579014, 15, 0.05)],
)  # fmt: skip
def test_the_chi_square_tail_is_that_of_the_tables(value: float, degrees: int, chance: float) -> None:
    """Even and odd degrees of freedom, small and large chances."""
    assert upper_tail(value, degrees) == pytest.approx(chance, rel=1e-6)
    assert upper_tail(5000.0, degrees) == 0.0
