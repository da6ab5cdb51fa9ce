"""Beliefs about effects and about the best arm, against published numbers, SciPy's integration, and each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from regulars.domain.inference.bayes import FLAT, SCEPTICAL, Posterior, Prior, expected_losses, posterior, scaled
from regulars.domain.inference.best import Best, best_mean, best_share
from regulars.domain.inference.effects import Effect, difference, lift
from regulars.domain.inference.moments import Estimate, Moments, estimate
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError
from tests.domain.inference.test_effects import RUN
from tests.domain.inference.vectors import arm, cases, near

PRIORS = {"flat": FLAT, "N(0.1, var 0.1)": Prior(0.1, 0.1)}


@cases("gb_bayes")
def test_the_belief_about_a_lift_is_growthbooks(case: dict[str, Any]) -> None:
    """With and without a prior; without data it is the prior."""
    if case["kind"] == "no_data":
        found = posterior(None, SCEPTICAL)
        assert (found.value, found.chance_to_win) == (case["expected"]["effect"], case["expected"]["chance_to_win"])
    elif case["kind"] == "risk":
        assert expected_losses(case["mu"], case["sigma"]) == near(tuple(case["expected_risk"]), "gb_bayes")
    else:
        both = [estimate(arm(case[name])) for name in ("control", "treatment")]
        found = posterior(lift(*both, interval="delta"), PRIORS[case["prior"]])
        expected = case["expected"]
        assert (found.value, found.chance_to_win) == near((expected["effect"], expected["chance_to_win"]), "gb_bayes")
        assert (found.low, found.high) == near(tuple(expected["ci"]), "gb_bayes")
        assert (found.loss_of_control, found.loss_of_variant) == near(tuple(expected["risk"]), "gb_bayes")


@cases("gbstats_run")
def test_beliefs_are_those_of_gbstats(case: dict[str, Any]) -> None:
    """A prior on the lift is scaled by the control where the difference is absolute."""
    control, variant, kind = RUN[case["case"]]
    both = estimate(control, kind), estimate(variant, kind)
    absolute = case["difference"] == "absolute"
    effect = difference(*both) if absolute else lift(*both, interval="delta")
    prior = scaled(SCEPTICAL, both[0].value) if absolute else SCEPTICAL
    for expected, found in (
        (case["bayes_flat"], posterior(effect)),
        (case["bayes_prior_N0_var009"], posterior(effect, prior)),
    ):
        assert found.chance_to_win == near(expected["chance_to_win"], "gbstats_run")
        assert (found.low, found.high) == near(tuple(expected["ci"]), "gbstats_run")
        risks = tuple(expected["risk_control_treatment"])
        assert (found.loss_of_control, found.loss_of_variant) == near(risks, "gbstats_run")
        assert found.value == near(expected.get("effect", effect.value), "gbstats_run")


def test_the_interval_follows_alpha() -> None:
    """A belief of 80 %."""
    found = posterior(Effect(0.1, error=0.05), alpha=0.2)
    assert (found.low, found.high) == pytest.approx(stats.norm.interval(0.8, 0.1, 0.05))


@given(st.floats(-5, 5), st.floats(0.01, 5))
def test_with_a_flat_prior_the_chance_to_win_is_the_one_sided_normal(value: float, error: float) -> None:
    """And the losses are the means of what is on either side of zero."""
    found = posterior(Effect(value, error=error))
    assert found.chance_to_win == pytest.approx(stats.norm.sf(-value / error), rel=1e-9, abs=1e-300)
    assert found.loss_of_control - found.loss_of_variant == pytest.approx(value, abs=1e-9)
    sampled = np.linspace(-12, 12, 40_001) * error + value
    weights = stats.norm.pdf(sampled, value, error) * (sampled[1] - sampled[0])
    assert found.loss_of_variant == pytest.approx(np.sum(np.maximum(-sampled, 0) * weights), abs=1e-6)


def test_without_data_or_variance_nothing_is_believed() -> None:
    """The reason says which; a prior needs a variance."""
    assert posterior(None) == Posterior(None, reason=Reason.NO_USERS)
    assert posterior(Effect(1.0, reason=Reason.NO_VARIANCE)) == Posterior(None, reason=Reason.NO_VARIANCE)
    with pytest.raises(QueryError, match="above 0"):
        posterior(None, Prior(0.0, 0.0))


def shares(case: dict[str, Any]) -> list[Moments]:
    """The arms of a case."""
    names = ("arms",) if "arms" in case else ("a", "b")
    counts = case["arms"] if names == ("arms",) else [case["a"], case["b"]]
    return [Moments.share(*each) for each in counts]


@cases("beta_binomial_exact")
def test_the_best_share_is_exact(case: dict[str, Any]) -> None:
    """Two arms with their losses, three arms, and Jeffreys' prior."""
    found = best_share(shares(case), (0.5, 0.5) if "prior" in case else (1.0, 1.0))
    expected = case.get("p_best") or [1 - case["p_b_gt_a"], case["p_b_gt_a"]]
    assert found.chances == near(tuple(expected), "beta_binomial_exact")
    if "loss_if_ship_b" in case:
        losses = (case["loss_if_keep_a"], case["loss_if_ship_b"])
        assert found.losses == near(losses, "beta_binomial_exact")


@pytest.mark.parametrize(
    "counts",
    [
        [(0, 5), (0, 5)],
        [(0, 3), (900_000, 10_000_000)],
        [(5, 5), (4, 5), (0, 0)],
        [(1, 100_000), (3, 100_000), (2, 50)],
        [(500_000, 1_000_000), (501_000, 1_000_000)],
    ],
    ids=str,
)
def test_the_best_share_holds_at_the_edges(counts: list[tuple[int, int]]) -> None:
    """No conversion, all of them, no users, and arms of very different size; against adaptive integration by SciPy."""
    arms = [Moments.share(*each) for each in counts]
    for prior in ((1.0, 1.0), (0.5, 0.5)):
        found = best_share(arms, prior)
        beliefs = [stats.beta(part + prior[0], whole - part + prior[1]) for part, whole in counts]
        assert sum(found.chances) == pytest.approx(1, abs=1e-9)
        knots = sorted({float(belief.ppf(level)) for belief in beliefs for level in (1e-9, 0.01, 0.5, 0.99, 1 - 1e-9)})
        for at, belief in enumerate(beliefs):
            others = [each for each in beliefs if each is not belief]
            loss, _ = integrate.quad(
                lambda x, own=belief, rest=others: own.cdf(x) * (1 - math.prod(each.cdf(x) for each in rest)),
                0,
                1,
                points=knots,
                limit=500,
                epsabs=1e-11,
            )
            assert found.losses[at] == pytest.approx(loss, abs=1e-8)


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(0.001, 3)), min_size=2, max_size=2))
def test_two_means_are_judged_as_their_difference(values: list[Any]) -> None:
    """The best of two is the one whose difference is positive."""
    one, other = (Estimate(mean, error**2, 100) for mean, error in values)
    found = best_mean([one, other])
    belief = posterior(difference(one, other))
    assert found.chances == pytest.approx((1 - belief.chance_to_win, belief.chance_to_win), abs=1e-9)
    assert found.losses == pytest.approx((belief.loss_of_control, belief.loss_of_variant), abs=1e-9)


@given(st.permutations([0.1, 0.2, 0.25, 0.3]))
def test_the_order_of_the_arms_means_nothing(means: list[float]) -> None:
    """Each keeps its own chance and loss, the chances add up to 1."""
    found = best_mean([Estimate(mean, 0.01, 100) for mean in means])
    ordered = best_mean([Estimate(mean, 0.01, 100) for mean in sorted(means)])
    assert sum(found.chances) == pytest.approx(1, abs=1e-12)
    for mean, chance, loss in zip(means, found.chances, found.losses, strict=True):
        at = sorted(means).index(mean)
        assert (chance, loss) == pytest.approx((ordered.chances[at], ordered.losses[at]), abs=1e-12)


def test_questions_about_the_best_that_mean_nothing_are_refused() -> None:
    """One arm, values that are no shares, a prior with a pole; means without variance have a reason."""
    with pytest.raises(QueryError, match="two or more"):
        best_share([Moments.share(1, 2)])
    with pytest.raises(QueryError, match="0 and 1"):
        best_share([Moments.of([1, 2]), Moments.share(1, 2)])
    with pytest.raises(QueryError, match="parameters from"):
        best_share([Moments.share(1, 2)] * 2, (0.1, 1.0))
    assert best_mean([Estimate(1.0, 0.0, 9), Estimate(1.0, 0.1, 9)]) == Best(None, None, Reason.NO_VARIANCE)
