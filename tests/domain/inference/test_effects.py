"""Differences and lifts against published numbers, SciPy, and what must hold of any test."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from regulars.domain.inference.bayes import Prior, posterior
from regulars.domain.inference.effects import Effect, difference, lift
from regulars.domain.inference.moments import Base, Estimate, Moments, PairedMoments, adjust, cuped_theta, estimate
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError
from tests.domain.inference.vectors import GROUPS, arm, cases, near

RUN = {
    "prop_100_1000_vs_120_1000": (Moments.share(100, 1000), Moments.share(120, 1000), "proportion"),
    "prop_200_4000_vs_250_4100": (Moments.share(200, 4000), Moments.share(250, 4100), "proportion"),
    "mean": (Moments(3407, 1396.87, 52377.9767), Moments(3461, 2422.7, 134698.29), "mean"),
}
estimates = st.builds(Estimate, st.floats(-100, 100), st.floats(1e-6, 100), st.integers(2, 10**6))
positive = st.builds(Estimate, st.floats(1, 100), st.floats(1e-6, 0.05), st.integers(2, 10**6))


def effect(case: dict[str, Any], control: Estimate, variant: Estimate, **options: Any) -> Effect:
    """The difference or the delta lift, as a case says."""
    if case.get("difference", "relative") == "absolute":
        return difference(control, variant, **options)
    return lift(control, variant, interval="delta", **options)


@cases("gb_ttest")
def test_welch_and_the_delta_lift_are_growthbooks(case: dict[str, Any]) -> None:
    """Of means and shares; one-sided with one bound."""
    kind = case["kind"].split("_")[0]
    one_sided = {"alternative": "greater"} if case["kind"].endswith("greater") else {}
    expected = case["expected"]
    found = effect(case, *(estimate(arm(case[name]), kind) for name in ("control", "treatment")), **one_sided)
    assert found.value == near(expected["effect"], "gb_ttest")
    assert found.error == near(expected["stddev"], "gb_ttest")
    assert found.p_value == near(expected["p"], "gb_ttest")
    assert found.low == near(expected["ci"][0], "gb_ttest")
    assert found.high == (None if expected["ci"][1] is None else near(expected["ci"][1], "gb_ttest"))


def ratio_arm(case: dict[str, Any]) -> PairedMoments:
    """The two values per user of a case."""
    names = ("n", "num_sum", "num_sum_squares", "den_sum", "den_sum_squares", "cross")
    return PairedMoments(*(case[name] for name in names))


@cases("posthog_ttest")
def test_the_delta_lift_is_posthogs(case: dict[str, Any]) -> None:
    """Of means, shares and ratios."""
    make = ratio_arm if case["kind"] == "ratio" else arm
    found = effect(case, *(estimate(make(case[name]), case["kind"]) for name in ("control", "treatment")))
    expected = case["expected"]
    assert (found.value, found.p_value) == near((expected["effect"], expected["p"]), "posthog_ttest")
    assert (found.low, found.high) == near(tuple(expected["ci"]), "posthog_ttest")


@cases("gbstats_run")
def test_fixed_horizon_results_are_those_of_gbstats(case: dict[str, Any]) -> None:
    """Absolute and relative, to eight digits."""
    control, variant, kind = RUN[case["case"]]
    found = effect(case, estimate(control, kind), estimate(variant, kind))
    expected = case["frequentist"]
    assert (found.value, found.p_value, found.error) == near(
        (expected["effect"], expected["p"], expected["se"]), "gbstats_run"
    )
    assert (found.low, found.high) == near(tuple(expected["ci"]), "gbstats_run")


@cases("welch_small")
def test_welch_is_scipys_in_small_samples(case: dict[str, Any]) -> None:
    """With unequal variances and ten users."""
    found = difference(*(estimate(Moments.of(case[name])) for name in ("a", "b")))
    assert found.value / found.error == near(case["t"], "welch_small")
    assert (found.p_value, found.degrees) == near((case["p"], case["df"]), "welch_small")
    assert (found.low, found.high) == near(tuple(case["ci"]), "welch_small")


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=20), st.lists(st.integers(-9, 9), min_size=2, max_size=20))
def test_welch_is_scipys_on_any_values(one: list[int], other: list[int]) -> None:
    """From sums instead of values."""
    assume(len(set(one)) > 1 < len(set(other)))
    found = difference(estimate(Moments.of(one)), estimate(Moments.of(other)))
    expected = stats.ttest_ind(other, one, equal_var=False)
    bounds = expected.confidence_interval()
    assert (found.p_value, found.degrees) == pytest.approx((expected.pvalue, expected.df))
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high))


@cases("cuped")
def test_the_difference_after_cuped_is_the_published_one(case: dict[str, Any]) -> None:
    """With its interval and p-value, and the one without."""
    arms = [PairedMoments.of_pairs((now, before) for before, now in case[name]) for name in ("control", "treatment")]
    theta = cuped_theta(arms)
    for expected, pair in (
        (case["absolute"], [adjust(each, theta) for each in arms]),
        (case["unadjusted_absolute"], [estimate(each) for each in arms]),
    ):
        found = difference(*pair)
        assert (found.value, found.error, found.p_value) == near(
            (expected["effect"], expected["se"], expected["p"]), "cuped"
        )
        assert (found.low, found.high) == near(tuple(expected["ci"]), "cuped")
    adjusted = lift(*(adjust(each, theta) for each in arms))
    assert adjusted.value == near(case["relative_effect"], "cuped")


@cases("gb_quantile")
def test_a_quantile_with_an_interval_can_be_compared_too(case: dict[str, Any]) -> None:
    """In large samples Welch's interval is the normal one."""
    both = [
        Estimate.of_interval(case[name]["q"], case[name]["lo"], case[name]["hi"], case[name]["n"])
        for name in ("control", "treatment")
    ]
    expected = case["expected"]["absolute_flat"]
    found = difference(*both)
    assert found.value == near(expected["effect"], "gb_quantile")
    half = stats.norm.ppf(0.975) * found.error
    assert (found.value - half, found.value + half) == near(tuple(expected["ci"]), "gb_quantile")
    expected = case["expected"]["relative_weak"]
    belief = posterior(lift(*both, interval="delta"), Prior(0.0, 1e6))  # the reference says weak: this is its prior
    assert (belief.value, belief.low, belief.high) == near((expected["effect"], *expected["ci"]), "gb_quantile")


def test_lift_intervals_of_a_share_are_the_published_ones() -> None:
    """100 and 120 of 1000: -6.59 % to 55.19 % by Fieller, 54.16 % by logarithm; 50.06 % by delta; normal quantiles."""
    # A million more users per degree of freedom make the t quantile the normal one.
    control, variant = (Estimate(part / 1000, part / 1000 * (1 - part / 1000) / 1000, 10**9) for part in (100, 120))
    ends = {name: lift(control, variant, interval=name) for name in ("fieller", "log", "delta")}
    assert (ends["fieller"].low, ends["fieller"].high) == pytest.approx((-0.0659, 0.5519), abs=5e-5)
    for name in ("log", "delta"):
        rows = [each for each in GROUPS["proportion_tests"]["cases"] if each.get("lift_ci", "").startswith(name)]
        for row in rows:
            assert (ends[name].low, ends[name].high) == near(tuple(row["expected"]), "proportion_tests")
        assert rows


def brute_force_fieller(control: Estimate, variant: Estimate, found: Effect) -> list[float]:
    """The t statistic of variant - (1 + lift) x control at both bounds."""
    return [
        abs(variant.value - (1 + each) * control.value)
        / math.sqrt(variant.variance + (1 + each) ** 2 * control.variance)
        for each in (found.low, found.high)
    ]


@given(positive, positive)
def test_a_fieller_bound_is_where_the_test_turns(control: Estimate, variant: Estimate) -> None:
    """The variant against the control times one plus the lift is just significant."""
    found = lift(control, variant)
    assume(found.reason is None)
    edge = stats.t.ppf(0.975, found.degrees)
    assert brute_force_fieller(control, variant, found) == pytest.approx([edge, edge], rel=1e-4)


@given(positive, positive)
def test_a_fieller_interval_leaves_out_zero_exactly_where_the_difference_is_significant(
    control: Estimate, variant: Estimate
) -> None:
    """One p-value is enough."""
    found, absolute = lift(control, variant), difference(control, variant)
    assume(found.reason is None)
    assume(abs(absolute.p_value - 0.05) > 1e-9)
    assert (found.low > 0 or found.high < 0) == (absolute.p_value < 0.05)


@given(estimates, estimates)
def test_swapping_the_arms_flips_the_sign_and_keeps_the_p_value(one: Estimate, other: Estimate) -> None:
    """The intervals are mirrored."""
    there, back = difference(one, other), difference(other, one)
    assert there.value == -back.value
    assert there.p_value == pytest.approx(back.p_value, rel=1e-12)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), rel=1e-9, abs=1e-12)


@given(positive, positive, st.sampled_from(["fieller", "log", "delta"]), st.floats(1e-3, 1e3))
def test_the_unit_of_the_values_changes_neither_lift_nor_p_value(
    control: Estimate, variant: Estimate, interval: str, factor: float
) -> None:
    """Cents or euros."""
    scaled = [Estimate(each.value * factor, each.variance * factor**2, each.n) for each in (control, variant)]
    plain, other = lift(control, variant, interval=interval), lift(*scaled, interval=interval)
    assert plain.reason == other.reason
    assume(plain.reason is None)
    assert (plain.value, plain.low, plain.high) == pytest.approx(
        (other.value, other.low, other.high), rel=1e-6, abs=1e-9
    )
    assert difference(*scaled).p_value == pytest.approx(difference(control, variant).p_value, rel=1e-6, abs=1e-300)


@given(positive, positive, st.sampled_from(["fieller", "delta"]))
def test_a_lift_over_a_negative_control_refers_to_its_size(control: Estimate, variant: Estimate, interval: str) -> None:
    """Less loss is a positive lift: mirrored means have the mirrored lift."""
    mirrored = [Estimate(-each.value, each.variance, each.n) for each in (control, variant)]
    plain, other = lift(control, variant, interval=interval), lift(*mirrored, interval=interval)
    assume(plain.reason is None)
    assert (plain.value, plain.low, plain.high) == pytest.approx(
        (-other.value, -other.high, -other.low), rel=1e-9, abs=1e-12
    )


@given(positive, positive, st.sampled_from(["fieller", "log", "delta"]))
def test_a_base_that_is_the_control_itself_changes_nothing(control: Estimate, variant: Estimate, interval: str) -> None:
    """The way of CUPED and the plain way are one."""
    explicit = Estimate(
        control.value, control.variance, control.n, Base(control.value, control.variance, control.variance)
    )
    assert lift(explicit, variant, interval=interval) == lift(control, variant, interval=interval)


def test_a_control_near_zero_has_no_lift() -> None:
    """Within its margin of error, at zero, and at zero without variance."""
    variant = Estimate(1.0, 0.01, 100)
    for control in (Estimate(0.1, 0.01, 100), Estimate(0.0, 0.0, 100), Estimate(0.0, 0.01, 100)):
        assert lift(control, variant) == Effect(None, reason=Reason.CONTROL_NEAR_ZERO)
    assert lift(Estimate(0.0, 0.0, 9), Estimate(1.0, 0.0, 9)) == Effect(None, reason=Reason.CONTROL_NEAR_ZERO)


def test_without_variance_only_the_difference_is_known() -> None:
    """No interval of width zero, no p-value of 0; one arm without is enough: nobody converted, everybody did."""
    control, variant = Estimate(2.0, 0.0, 9), Estimate(3.0, 0.0, 9)
    assert difference(control, variant) == Effect(1.0, reason=Reason.NO_VARIANCE)
    assert lift(control, variant) == Effect(0.5, reason=Reason.NO_VARIANCE)
    for one, other in ((100, 0), (100, 1000), (1000, 100)):
        arms = [estimate(Moments.share(part, 1000), "proportion") for part in (one, other)]
        assert difference(*arms) == Effect((other - one) / 1000, reason=Reason.NO_VARIANCE)
        for interval in ("fieller", "log", "delta"):
            assert lift(*arms, interval=interval) == Effect((other - one) / one, reason=Reason.NO_VARIANCE)


def test_a_logarithm_needs_positive_means() -> None:
    """The lift is known, its interval is not."""
    for control, variant in (
        (Estimate(-2.0, 0.01, 9), Estimate(1.0, 0.01, 9)),
        (Estimate(2.0, 0.01, 9), Estimate(-1.0, 0.01, 9)),
    ):
        found = lift(control, variant, interval="log")
        assert found == Effect((variant.value - control.value) / 2, reason=Reason.NOT_POSITIVE)


def test_a_logarithm_of_what_may_be_zero_is_not_taken() -> None:
    """No bound beyond all numbers."""
    found = lift(Estimate(2.0, 0.01, 90), Estimate(1e-9, 0.01, 90), interval="log")
    assert found.reason is Reason.NOT_POSITIVE


def test_a_lift_that_is_certain_by_delta_has_no_interval() -> None:
    """Of a base that moves exactly as the difference does."""
    control = Estimate(1.0, 0.01, 90, Base(1.0, 0.02, 0.02))
    assert lift(control, Estimate(0.0, 0.01, 90), interval="delta") == Effect(-1.0, reason=Reason.NO_VARIANCE)


def test_one_sided_questions_have_one_bound_and_half_the_p_value() -> None:
    """On the side that is asked for."""
    control, variant = Estimate(2.0, 0.01, 90), Estimate(2.3, 0.01, 90)
    both, more, less = (difference(control, variant, alternative=each) for each in ("two-sided", "greater", "less"))
    assert more.p_value == pytest.approx(both.p_value / 2)
    assert less.p_value == pytest.approx(1 - both.p_value / 2)
    assert (more.high, less.low) == (None, None)
    assert more.low > both.low
    assert less.high < both.high
    assert lift(control, variant, alternative="greater").high is None
    assert lift(control, variant, interval="log", alternative="less").low is None


def test_unknown_words_are_refused() -> None:
    """They say what is allowed."""
    arm = Estimate(2.0, 0.01, 90)
    with pytest.raises(QueryError, match="allowed: delta, fieller, log"):
        lift(arm, arm, interval="bootstrap")
    with pytest.raises(QueryError, match="allowed: greater, less, two-sided"):
        difference(arm, arm, alternative="upwards")
    with pytest.raises(QueryError, match="such as"):
        difference(arm, arm, alpha=5)


def sampled(rng: np.random.Generator, mean: float, runs: int, n: int) -> list[Moments]:
    """Arms of skewed values: gamma of shape 2."""
    values = rng.gamma(2, mean / 2, size=(runs, n))
    return [Moments(n, float(row.sum()), float((row**2).sum())) for row in values]


def test_p_values_of_equal_arms_are_uniform() -> None:
    """2 000 A/A tests of 200 users each; Kolmogorov-Smirnov."""
    rng = np.random.default_rng(2)
    pairs = zip(sampled(rng, 3, 2_000, 200), sampled(rng, 3, 2_000, 200), strict=True)
    found = [difference(estimate(one), estimate(other)).p_value for one, other in pairs]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """2 000 tests of 300 users per arm; a true difference of 0.3, a true lift of 10 %."""
    rng = np.random.default_rng(3)
    pairs = list(zip(sampled(rng, 3, 2_000, 300), sampled(rng, 3.3, 2_000, 300), strict=True))
    both = [(estimate(one), estimate(other)) for one, other in pairs]
    found = {
        "welch": ([difference(*each) for each in both], 0.3),
        "fieller": ([lift(*each) for each in both], 0.1),
        "log": ([lift(*each, interval="log") for each in both], 0.1),
    }
    for effects, truth in found.values():
        covered = np.mean([each.low <= truth <= each.high for each in effects])
        assert 0.93 <= covered <= 0.97
