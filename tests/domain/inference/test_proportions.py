"""Tests and intervals of shares against published numbers and statsmodels, and at the edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from regulars.domain.inference.moments import Moments
from regulars.domain.inference.proportions import Outcome, share_interval, share_test, shares_test
from regulars.domain.inference.reasons import Reason
from regulars.domain.intervals import clopper_pearson, wilson
from regulars.errors import QueryError
from tests.domain.inference.vectors import cases, near

CONTROL, VARIANT = Moments.share(100, 1000), Moments.share(120, 1000)
METHODS = {
    "proportions_ztest pooled": "pooled",
    "2indep score diff": "score",
    "2indep log ratio": "log_ratio",
    "fisher exact": "fisher",
    "diff agresti-caffo": "agresti_caffo",
    "diff score": "score",
}


@cases("proportion_tests")
def test_shares_are_tested_as_by_statsmodels(case: dict[str, Any]) -> None:
    """120 against 100 of 1000 by every method; the intervals of the lift are tested with the lift."""
    name = case.get("test") or case.get("ci") or "lift"
    if "chi2" in case:
        arms = [Moments.share(part, 1000) for part in (100, 110, 135)] if "3 arms" in name else [CONTROL, VARIANT]
        found = shares_test(arms)
        assert (found.statistic, found.p_value) == near((case["chi2"], case["p"]), "proportion_tests")
        assert found.degrees == case.get("df", 1)
    elif "p" in case:
        found = share_test(CONTROL, VARIANT, METHODS[name])
        assert found.p_value == near(case["p"], "proportion_tests")
        assert found.statistic == (near(case["z"], "proportion_tests") if "z" in case else None)
    elif name == "ratio log":
        half = math.log(1.2) / share_test(CONTROL, VARIANT, "log_ratio").statistic * 1.959963984540054
        assert (1.2 * math.exp(-half), 1.2 * math.exp(half)) == near(tuple(case["expected"]), "proportion_tests")
    elif name != "lift":
        found = share_interval(CONTROL, VARIANT, METHODS[name])
        expected = tuple(case["expected"])
        if name == "diff score":
            # The reference has the control's count where the formula has its size: so it is told apart from ours.
            assert expected == near(_closed_form(100), "proportion_tests")
            expected = _closed_form(1000)
        assert found == near(expected, "proportion_tests")


def _closed_form(size: float) -> tuple[float, float]:
    """Miettinen's and Nurminen's interval by the root of their cubic equation, in which ``size`` is the control's."""

    def score(shift: float) -> float:
        a, b = 2000.0, (1000 + 2 * 1000) * shift - 2000 - 220
        c, d = (size * shift - 2000 - 2 * 100) * shift + 220, 100 * shift * (1 - shift)
        cube = (b / (3 * a)) ** 3 - b * c / (6 * a**2) + d / (2 * a)
        root = math.copysign(math.sqrt((b / (3 * a)) ** 2 - c / (3 * a)), cube)
        old = 2 * root * math.cos((math.pi + math.acos(cube / root**3)) / 3) - b / (3 * a)
        new = old + shift
        variance = (old * (1 - old) + new * (1 - new)) / 1000 * 2000 / 1999
        return (0.02 - shift) / math.sqrt(variance)

    z = stats.norm.ppf(0.975)
    low = optimize.brentq(lambda shift: score(shift) - z, -0.05, 0.019, xtol=1e-12)
    return low, optimize.brentq(lambda shift: score(shift) + z, 0.021, 0.1, xtol=1e-12)


def test_the_bounds_of_the_score_interval_are_just_not_rejected() -> None:
    """With the likeliest shares under that difference, found by SciPy."""

    def unlikely(old: float, shift: float) -> float:
        new = old + shift
        return -(120 * np.log(new) + 880 * np.log(1 - new) + 100 * np.log(old) + 900 * np.log(1 - old))

    for shift, score in zip(share_interval(CONTROL, VARIANT, "score"), (1.959964, -1.959964), strict=True):
        span = (max(0.0, -shift) + 1e-9, min(1.0, 1 - shift) - 1e-9)
        old = optimize.minimize_scalar(
            unlikely, bounds=span, args=(shift,), method="bounded", options={"xatol": 1e-12}
        ).x
        new = old + shift
        error = math.sqrt((old * (1 - old) + new * (1 - new)) / 1000 * 2000 / 1999)
        assert (0.02 - shift) / error == pytest.approx(score, abs=1e-6)


@cases("newcombe_1998")
def test_intervals_of_one_share_are_the_published_ones(case: dict[str, Any]) -> None:
    """Wilson's and the exact one."""
    assert wilson(case["x"], case["n"]) == near(tuple(case["wilson"]), "newcombe_1998")
    if "clopper_pearson" in case:
        assert clopper_pearson(case["x"], case["n"]) == near(tuple(case["clopper_pearson"]), "newcombe_1998")


def test_the_difference_by_newcombe_is_the_published_one() -> None:
    """56 of 70 against 48 of 80; 120 against 100 of 1000."""
    assert share_interval(Moments.share(48, 80), Moments.share(56, 70)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert share_interval(CONTROL, VARIANT) == pytest.approx((-0.00749, 0.04755), abs=5e-6)


def test_an_exact_interval_ends_where_the_scale_ends() -> None:
    """Nobody, everybody, nothing."""
    assert clopper_pearson(0, 20)[0] == 0
    assert clopper_pearson(20, 20)[1] == 1
    assert clopper_pearson(0, 0) == (None, None)


arms = st.integers(1, 40).flatmap(lambda n: st.integers(0, n).map(lambda part: Moments.share(part, n)))


@given(arms, arms, st.sampled_from(["newcombe", "score", "agresti_caffo"]))
def test_an_interval_lies_on_the_scale_and_mirrors_when_the_arms_are_swapped(
    one: Moments, other: Moments, method: str
) -> None:
    """Also of nobody and everybody."""
    low, high = share_interval(one, other, method)
    back_low, back_high = share_interval(other, one, method)
    assert -1 - 1e-12 <= low <= high <= 1 + 1e-12
    assert (low, high) == pytest.approx((-back_high, -back_low), abs=1e-9)


@given(arms, arms)
def test_the_score_interval_leaves_out_zero_exactly_where_the_score_test_does(one: Moments, other: Moments) -> None:
    """They are one method."""
    found = share_test(one, other, "score")
    low, high = share_interval(one, other, "score")
    if found.p_value is not None and abs(found.p_value - 0.05) > 1e-6:
        assert (low > 0 or high < 0) == (found.p_value < 0.05)


def test_a_handful_of_users_is_covered() -> None:
    """All outcomes of 10 and 12 users, weighed by their chance, for shares of 20 % and 50 %."""
    ways = [
        [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
        for n, share in ((10, 0.2), (12, 0.5))
    ]
    for method in ("newcombe", "score", "agresti_caffo"):
        covered = 0.0
        for part, other in np.ndindex(11, 13):
            low, high = share_interval(Moments.share(part, 10), Moments.share(other, 12), method)
            covered += ways[0][part] * ways[1][other] * (low <= 0.3 <= high)
        assert 0.93 <= covered <= 0.98


def test_what_cannot_be_tested_has_a_reason() -> None:
    """No users, nobody or everybody converted, a logarithm of nothing."""
    nobody, none, all_ = Moments.share(0, 0), Moments.share(0, 9), Moments.share(9, 9)
    assert share_test(nobody, none) == Outcome(None, None, reason=Reason.NO_USERS)
    assert share_interval(nobody, none) is Reason.NO_USERS
    assert share_test(none, none) == Outcome(None, None, reason=Reason.NO_VARIANCE)
    assert shares_test([all_, all_, all_]) == Outcome(None, None, reason=Reason.NO_VARIANCE)
    assert share_test(none, all_, "log_ratio") == Outcome(None, None, reason=Reason.NOT_POSITIVE)
    low, high = share_interval(none, none)
    assert low == -high < 0


def test_unknown_methods_and_single_arms_are_refused() -> None:
    """They say what is allowed."""
    with pytest.raises(QueryError, match="allowed: fisher, log_ratio, pooled, score"):
        share_test(CONTROL, VARIANT, "barnard")
    with pytest.raises(QueryError, match="allowed: agresti_caffo, newcombe, score"):
        share_interval(CONTROL, VARIANT, "wald")
    with pytest.raises(QueryError, match="two or more"):
        shares_test([CONTROL])
