"""The always-valid interval against GrowthBook's numbers, and under somebody who looks all the time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from regulars.domain.inference.effects import Effect, difference, lift
from regulars.domain.inference.moments import Estimate, estimate
from regulars.domain.inference.reasons import Reason
from regulars.domain.inference.sequential import always_valid, half_width, p_value, rho
from regulars.errors import QueryError
from tests.domain.inference.test_effects import RUN
from tests.domain.inference.vectors import arm, cases, near


@cases("asymptotic_cs")
def test_the_sequence_is_growthbooks(case: dict[str, Any]) -> None:
    """Its parameter, its width for a variance of 1, and a whole test."""
    if "rho" in case:
        assert rho(case["rho"]["alpha"], case["rho"]["N"]) == near(case["expected"], "asymptotic_cs")
    elif "halfwidth_n" in case:
        assert half_width(1, case["halfwidth_n"]) == near(case["expected"], "asymptotic_cs")
    else:
        control, variant = (estimate(arm(case[name]), "proportion") for name in ("control", "treatment"))
        found = always_valid(control, variant, lift(control, variant, interval="delta"))
        assert (found.low, found.high) == near(tuple(case["expected"]["ci"]), "asymptotic_cs")
        assert (found.value, found.p_value) == near(
            (case["expected"]["effect"], case["expected"]["p"]), "asymptotic_cs"
        )


@cases("gbstats_run")
def test_sequential_results_are_those_of_gbstats(case: dict[str, Any]) -> None:
    """Absolute and relative, to eight digits."""
    control, variant, kind = RUN[case["case"]]
    both = estimate(control, kind), estimate(variant, kind)
    effect = difference(*both) if case["difference"] == "absolute" else lift(*both, interval="delta")
    found = always_valid(*both, effect)
    assert (found.low, found.high) == near(tuple(case["sequential_N5000"]["ci"]), "gbstats_run")
    assert found.p_value == near(case["sequential_N5000"]["p"], "gbstats_run")


@pytest.mark.parametrize("n", [50, 5_000, 500_000])
def test_the_p_value_is_alpha_where_the_interval_touches_zero(n: int) -> None:
    """For any number of users."""
    assert p_value(half_width(2.5, n), 2.5, n) == pytest.approx(0.05, rel=1e-9)


def test_what_has_no_error_has_no_sequence() -> None:
    """The reason stays; an interval that is not symmetric is refused."""
    arms = Estimate(2.0, 0.0, 9), Estimate(3.0, 0.0, 9)
    assert always_valid(*arms, difference(*arms)) == Effect(1.0, reason=Reason.NO_VARIANCE)
    arms = Estimate(2.0, 0.01, 9), Estimate(3.0, 0.01, 9)
    for interval in ("fieller", "log"):
        with pytest.raises(QueryError, match="no standard error"):
            always_valid(*arms, lift(*arms, interval=interval))
    with pytest.raises(QueryError, match="above 0"):
        rho(0.05, 0)


@cases("peeking_fpr")
def test_looking_repeatedly_at_a_fixed_interval_is_wrong_as_often_as_published(case: dict[str, Any]) -> None:
    """And hardly ever at the sequence: 40 000 runs in which nothing happens, judged at equally spaced looks."""
    looks = case["looks"]
    steps = np.random.default_rng(looks).normal(size=(40_000, looks))
    totals = np.cumsum(steps, axis=1)
    at = np.arange(1, looks + 1)
    fixed = np.abs(totals) / np.sqrt(at) > stats.norm.ppf(0.975)
    assert fixed.any(axis=1).mean() == near(case["published"], "peeking_fpr")
    # Each step stands for 5 000 / looks users of variance 1.
    users = at * 5_000 / looks
    widths = np.array([half_width(1, each) for each in users])
    means = totals * math.sqrt(5_000 / looks) / users
    assert (np.abs(means) > widths).any(axis=1).mean() <= 0.05


def test_looking_after_every_fiftieth_user_is_wrong_in_less_than_alpha() -> None:
    """1 000 A/A tests of skewed values, looked at 80 times with estimated variances."""
    runs, looks = 1_000, 80
    rng = np.random.default_rng(4)
    arms = [rng.exponential(size=(runs, looks, 50)) for _ in range(2)]
    users = 50 * np.arange(1, looks + 1)
    means, variances = [], []
    for values in arms:
        total, squares = values.sum(axis=2).cumsum(axis=1), (values**2).sum(axis=2).cumsum(axis=1)
        means.append(total / users)
        variances.append((squares - total**2 / users) / (users - 1) / users)
    effects, errors = means[1] - means[0], np.sqrt(variances[0] + variances[1])
    widths = np.array([half_width(1, 2 * each) * math.sqrt(2 * each) for each in users])
    assert (np.abs(effects) > widths * errors).any(axis=1).mean() <= 0.05
    assert (np.abs(effects) > 1.96 * errors).any(axis=1).mean() > 0.25
