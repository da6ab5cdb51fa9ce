"""Sums of arms against NumPy, and what follows from them: ratios, caps, CUPED."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.domain.inference.moments import (
    Estimate,
    Moments,
    PairedMoments,
    adjust,
    capped,
    cuped_theta,
    estimate,
    percentile_cap,
)
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError
from tests.domain.inference.vectors import cases, near

numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
samples = st.lists(numbers, min_size=2, max_size=30)
pairs = st.lists(st.tuples(numbers, numbers), min_size=2, max_size=30)


@given(samples, samples)
def test_sums_add_up_and_give_means_and_variances(one: list[Any], other: list[Any]) -> None:
    """Those of NumPy over all values."""
    both = Moments.of(one) + Moments.of(other)
    values = np.array(one + other)
    scale = float(np.abs(values).max())
    assert both.n == len(values)
    assert both.mean == pytest.approx(values.mean(), rel=1e-9, abs=1e-9 * scale)
    assert both.variance == pytest.approx(values.var(ddof=1), rel=1e-6, abs=1e-9 * scale**2)


def test_numbers_of_databases_and_frames_become_pythons_own() -> None:
    """A square of a 64-bit sum does not overflow."""
    found = Moments(np.int64(3), np.int64(9_000_000_000), Decimal("27e18"))
    assert found == Moments(3, 9e9, 2.7e19)
    assert [type(value) for value in vars(found).values()] == [int, float, float]


@given(pairs, pairs)
def test_pairs_have_a_covariance_too(one: list[Any], other: list[Any]) -> None:
    """That of NumPy; the second values are moments of their own."""
    both = PairedMoments.of_pairs(one) + PairedMoments.of_pairs(other)
    values = np.array(one + other)
    scale = float(np.abs(values).max())
    assert both.covariance == pytest.approx(np.cov(values.T)[0, 1], rel=1e-6, abs=1e-9 * scale**2)
    assert both.other == Moments(both.n, both.other_sum, both.other_squares)
    assert both.other.n == len(values)


@cases("ratio_delta_method")
def test_a_ratio_has_the_variance_of_its_users(case: dict[str, Any]) -> None:
    """By the delta method; ``var`` in the cases is that of one user."""
    for name in ("a", "b"):
        arm = PairedMoments.of_pairs(case[name])
        found = estimate(arm, "ratio")
        assert isinstance(found, Estimate)
        assert found.value == near(case[f"ratio_{name}"], "ratio_delta_method")
        assert found.variance * arm.n == near(case[f"var_{name}"], "ratio_delta_method")
    both = [estimate(PairedMoments.of_pairs(case[name]), "ratio") for name in ("a", "b")]
    assert math.sqrt(sum(each.variance for each in both)) == near(case["se"], "ratio_delta_method")
    if "diff" in case:
        assert both[1].value - both[0].value == near(case["diff"], "ratio_delta_method")


def test_a_ratio_of_the_same_values_has_no_variance_left_by_rounding() -> None:
    """Everybody has the ratio 3."""
    found = estimate(PairedMoments.of_pairs([(3 * each, each) for each in (0.1, 0.7, 1.1, 2.3)]), "ratio")
    assert found.variance == 0
    assert found.value == pytest.approx(3)


def test_equal_values_have_no_variance_left_by_rounding() -> None:
    """A tenth is no binary fraction."""
    assert Moments.of([0.1] * 7).variance == 0


@cases("cuped")
def test_cuped_is_the_published_one(case: dict[str, Any]) -> None:
    """theta, and the adjusted difference with its error; relative changes refer to the mean that was measured."""
    arms = [PairedMoments.of_pairs((now, before) for before, now in case[name]) for name in ("control", "treatment")]
    theta = cuped_theta(arms)
    assert theta == near(case["theta"], "cuped")
    control, variant = (adjust(arm, theta) for arm in arms)
    assert variant.value - control.value == near(case["absolute"]["effect"], "cuped")
    assert math.sqrt(control.variance + variant.variance) == near(case["absolute"]["se"], "cuped")
    assert (variant.value - control.value) / control.base.value == near(case["relative_effect"], "cuped")


@given(pairs)
def test_cuped_with_theta_0_changes_nothing(values: list[Any]) -> None:
    """Neither the mean nor its variance."""
    arm = PairedMoments.of_pairs(values)
    adjusted, plain = adjust(arm, 0.0), estimate(arm)
    assert adjusted.value == adjusted.base.value == plain.value
    assert adjusted.variance == plain.variance


def test_cuped_needs_users_who_differed_before() -> None:
    """And two of them."""
    alike = PairedMoments.of_pairs([(1, 5), (2, 5)])
    assert cuped_theta([alike, alike]) is None
    assert cuped_theta([PairedMoments.of_pairs([(1, 5)])]) is None
    assert adjust(PairedMoments.of_pairs([(1, 5)]), 1.0) is Reason.TOO_FEW_USERS
    perfect = adjust(PairedMoments.of_pairs([(each, each) for each in (0.1, 0.7, 1.1, 2.3)]), 1.0, before=1.05)
    assert perfect.variance == 0
    assert perfect.value == pytest.approx(1.05)


@cases("winsor")
def test_a_cap_is_the_percentile_of_numpy(case: dict[str, Any]) -> None:
    """In both ways to look between two values."""
    values = [*range(1, 100), 5000]
    cap = percentile_cap(values, 99, interpolation=case["interpolation"])
    assert cap == near(case["cap"], "winsor")
    if "capped_mean" in case:
        assert np.mean(capped(values, cap)) == near(case["capped_mean"], "winsor")
        assert np.mean(values) == near(case["raw_mean"], "winsor")


@given(samples, st.floats(0, 100), st.booleans())
def test_a_percentile_is_numpys_with_or_without_zeros(values: list[Any], percentile: float, ignore_zeros: bool) -> None:
    """Zeros are users without a value."""
    kept = [value for value in values if value or not ignore_zeros]
    found = percentile_cap(values, percentile, ignore_zeros=ignore_zeros)
    assert found == (pytest.approx(np.percentile(kept, percentile), rel=1e-9, abs=1e-6) if kept else None)


def test_nobody_has_no_mean_and_one_has_no_variance() -> None:
    """None, and a reason where an estimate was asked for."""
    nobody, one = Moments(0, 0, 0), Moments.of([3])
    assert (nobody.mean, nobody.variance, one.mean, one.variance) == (None, None, 3, None)
    assert estimate(nobody) is Reason.NO_USERS
    assert estimate(one) is Reason.TOO_FEW_USERS
    single = PairedMoments.of_pairs([(1, 0)])
    assert (single.ratio, single.covariance) == (None, None)
    assert estimate(single + single, "ratio") is Reason.ZERO_DENOMINATOR
    assert percentile_cap([0, 0], 99, ignore_zeros=True) is None


WRONG = {
    "a square below its mean's": lambda: Moments(2, 10, 5),
    "fewer than none": lambda: Moments(-1, 0, 0),
    "squares of nobody": lambda: Moments(0, 0, 1),
    "no number": lambda: Moments(2, math.nan, 5),
    "no end": lambda: Moments(2, 1, math.inf),
    "no text": lambda: Moments(2, "many", 5),
    "no sum of nobody": lambda: Moments(0, None, None),
    "half a user": lambda: Moments(2.5, 1, 5),
    "a negative square": lambda: Moments(2, 0, -1),
    "more than all": lambda: Moments.share(3, 2),
    "less than none": lambda: Moments.share(-1, 2),
    "products beyond the squares": lambda: PairedMoments(2, 2, 2, 2, 2, 9),
    "a second square below its mean's": lambda: PairedMoments(2, 2, 2, 2, 1, 1),
    "one value and two": lambda: Moments.of([1]) + PairedMoments.of_pairs([(1, 1)]),
    "a ratio of one value": lambda: estimate(Moments.of([1, 2]), "ratio"),
    "a share of numbers": lambda: estimate(Moments.of([1, 2]), "proportion"),
    "an estimate of one user": lambda: Estimate(1.0, 1.0, 1),
    "an estimate without a value": lambda: Estimate(math.nan, 1.0, 9),
    "a negative variance": lambda: Estimate(1.0, -1.0, 9),
    "a share below zero": lambda: estimate(Moments(3, -1, 1), "proportion"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_sums_that_no_users_have_are_refused(wrong: str) -> None:
    """And questions that the sums cannot answer."""
    with pytest.raises(QueryError) as caught:
        WRONG[wrong]()
    assert caught.value.code == "bad_moments"


def test_an_unknown_kind_and_an_impossible_percentile_are_refused() -> None:
    """They say what is allowed."""
    with pytest.raises(QueryError, match="unknown kind 'median'"):
        estimate(Moments.of([1, 2]), "median")
    with pytest.raises(QueryError, match="did you mean 'higher'"):
        percentile_cap([1], 50, interpolation="highest")
    with pytest.raises(QueryError, match="0 to 100"):
        percentile_cap([1], 101)
