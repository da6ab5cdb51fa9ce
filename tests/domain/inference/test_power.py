"""Sample sizes and power against published calculators, their own inverses, and a simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from regulars.domain.inference.bayes import Prior
from regulars.domain.inference.effects import Effect, difference, lift
from regulars.domain.inference.moments import Estimate, estimate
from regulars.domain.inference.power import (
    Needed,
    days_left,
    detectable_difference,
    detectable_share,
    power_of_means,
    power_of_shares,
    still_needed,
    users_for_means,
    users_for_shares,
)
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError
from tests.domain.inference.vectors import GROUPS, arm, cases, near


@cases("power")
def test_sample_sizes_are_the_published_ones(case: dict[str, Any]) -> None:
    """Shares by both methods, means by the t-test, and the power of a given size; the tolerance is relative.

    Most calculators leave out the chance to be significant in the wrong direction, which is a few millionths.
    """
    tolerance = GROUPS["power"]["tolerance"]
    if "power_of" in case:
        asked = case["power_of"]
        assert power_of_shares(asked["p1"], asked["p2"], asked["n_per_arm"]) == near(case["power"], "power")
    elif "cohen_d" in case:
        assert users_for_means(case["cohen_d"], 1.0) == pytest.approx(case["n_per_arm"], rel=tolerance)
    elif "n_total" in case:
        found = 2 * users_for_shares(case["p1"], case["p2"], power=case["power"])
        assert found == pytest.approx(case["n_total"], rel=tolerance)
        assert found == pytest.approx(case["gpower_total"], rel=tolerance)
    else:
        method = "arcsine" if "arcsine" in case["method"] else "pooled"
        found = users_for_shares(case["p1"], case["p2"], method=method)
        assert found == pytest.approx(case["n_per_arm"], rel=tolerance)


@cases("mid_experiment_power")
def test_the_users_that_are_still_needed_are_growthbooks(case: dict[str, Any]) -> None:
    """For a lift of 5 %, to the four digits to which its search is carried."""
    both = [estimate(arm(case[name])) for name in ("control", "treatment")]
    effect = lift(*both, interval="delta")
    prior = Prior(0.05, 0.001)
    for name, options in (
        ("frequentist", {}),
        ("sequential_N5000", {"engine": "always_valid"}),
        ("bayes_prior_N005_var0001", {"engine": "bayes", "prior": prior}),
    ):
        found = still_needed(effect, 1_000, 0.05, **options)
        assert found.times == pytest.approx(case[name], rel=1e-4)
        assert found.users == math.ceil(found.times * 1_000)


@given(st.floats(0.02, 0.9), st.floats(0.005, 0.09), st.floats(0.5, 0.95))
def test_the_size_for_a_power_has_that_power(control: float, more: float, power: float) -> None:
    """And with it exactly that difference can be found."""
    users = users_for_shares(control, control + more, power=power)
    assert power_of_shares(control, control + more, users) == pytest.approx(power, abs=1e-9)
    assert detectable_share(control, users, power=power) == pytest.approx(control + more, abs=1e-9)


@given(st.floats(0.05, 2), st.floats(0.5, 0.95))
def test_the_size_for_means_has_its_power_and_nearly_that_of_the_normal(distance: float, power: float) -> None:
    """The normal approximation needs a few users less."""
    users = users_for_means(distance, 1.0, power=power)
    assert power_of_means(distance, 1.0, users) == pytest.approx(power, abs=1e-6)
    assert detectable_difference(1.0, users, power=power) == pytest.approx(
        distance, rel=0.25 if distance > 0.5 else 0.02
    )


def test_power_is_how_often_an_effect_is_found() -> None:
    """4 000 experiments of 100 users per arm, half a standard deviation apart."""
    rng = np.random.default_rng(5)
    one, other = rng.normal(0, 1, (4_000, 100)), rng.normal(0.4, 1, (4_000, 100))
    found = np.mean(stats.ttest_ind(one, other, axis=1).pvalue < 0.05)
    assert found == pytest.approx(power_of_means(0.4, 1.0, 100), abs=0.02)


def test_the_users_still_needed_give_the_power() -> None:
    """A difference of 0.02 between shares: as many as from the beginning."""
    both = Estimate(0.10, 0.09 / 500, 500), Estimate(0.10, 0.09 / 500, 500)
    found = still_needed(difference(*both), 1_000, 0.02)
    total = 2 * ((1.959963984540054 + 0.8416212335729143) * math.sqrt(2 * 0.09) / 0.02) ** 2
    assert 1_000 + found.users == pytest.approx(total, abs=1)


def test_what_cannot_be_found_has_a_reason() -> None:
    """No difference, no variance, nothing that any number of users would show."""
    assert users_for_shares(0.2, 0.2) is Reason.OUT_OF_REACH
    assert users_for_means(0.0, 1.0) is Reason.OUT_OF_REACH
    assert detectable_share(0.999, 50) is Reason.OUT_OF_REACH
    known = Effect(0.1, error=1.0)
    assert still_needed(known, 10, 0.0) == Needed(None, None, Reason.NO_EFFECT_SIZE)
    assert still_needed(known, 10, 1e-12) == Needed(None, None, Reason.OUT_OF_REACH)
    assert still_needed(known, 10, 100.0) == Needed(0.0, 0)
    assert still_needed(Effect(1.0, reason=Reason.NO_VARIANCE), 10, 1.0) == Needed(None, None, Reason.NO_VARIANCE)


def test_days_are_whole_and_nobody_never_comes() -> None:
    """The last day counts as one."""
    assert (days_left(100, 50), days_left(101, 50), days_left(-3, 50)) == (2, 3, 0)
    assert days_left(1, 0) is None


def test_certain_outcomes_have_power_0_or_1() -> None:
    """Nobody against everybody."""
    assert power_of_shares(0.0, 1.0, 10) == 1
    assert power_of_shares(0.0, 1.0, 1) == 0
    assert power_of_shares(0.0, 0.0, 10) == 0


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ((power_of_shares, 1.2, 0.5, 10), "bad_share"),
        ((power_of_means, 1, 0, 10), "bad_deviation"),
        ((detectable_share, -0.1, 10), "bad_share"),
        ((power_of_shares, 0.1, 0.5, 0), "bad_counts"),
        ((power_of_means, 1, 1, 1), "bad_counts"),
        ((detectable_difference, 0, 10), "bad_deviation"),
        ((detectable_difference, 1, 0), "bad_counts"),
        ((still_needed, Effect(0.1, error=1.0), 0, 1.0), "bad_counts"),
    ],
    ids=["share", "deviation", "control", "users", "one user", "no deviation", "nobody", "no users yet"],
)
def test_numbers_that_cannot_be_are_refused(call: tuple[Any, ...], code: str) -> None:
    """With a code."""
    function, *arguments = call
    with pytest.raises(QueryError) as caught:
        function(*arguments)
    assert caught.value.code == code


def test_words_that_are_unknown_are_refused() -> None:
    """They say what is allowed."""
    with pytest.raises(QueryError, match="allowed: arcsine, pooled"):
        power_of_shares(0.1, 0.2, 10, method="exact")
    with pytest.raises(QueryError, match="allowed: always_valid, bayes, fixed"):
        still_needed(Effect(0.1, error=1.0), 10, 1.0, engine="bandit")
    with pytest.raises(QueryError, match="between alpha"):
        users_for_shares(0.1, 0.2, power=0.01)
