"""The one call for two arms, and the words that follow from it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import regulars
from regulars import Comparison, Moments, PairedMoments, compare
from regulars.domain import inference
from regulars.domain.inference.bayes import FLAT, SCEPTICAL, Posterior, posterior, scaled
from regulars.domain.inference.best import best_share
from regulars.domain.inference.effects import Effect, difference, lift
from regulars.domain.inference.health import sample_ratio, several_variants
from regulars.domain.inference.moments import estimate
from regulars.domain.inference.reasons import Reason
from regulars.domain.inference.sequential import always_valid, margin
from regulars.domain.inference.verdict import Conclusion, Guardrail, conclude, guardrail
from regulars.errors import QueryError
from tests.domain.inference.vectors import cases, near

SHARES = Moments.share(200, 4000), Moments.share(250, 4100)
MEANS = Moments(3407, 1396.87, 52377.9767), Moments(3461, 2422.7, 134698.29)
PAIRS = (
    PairedMoments.of_pairs([(2, 1), (3, 2), (5, 3), (4, 4)]),
    PairedMoments.of_pairs([(3, 1), (5, 2), (5, 3), (7, 4)]),
)


def test_the_names_of_the_package_are_sorted_and_exist() -> None:
    """So are the public ones of the library."""
    assert inference.__all__ == sorted(inference.__all__, key=lambda name: (not name.isupper(), name))
    assert all(getattr(inference, name).__doc__ for name in inference.__all__)
    assert regulars.compare is compare


def test_every_reason_has_words() -> None:
    """Nobody meets a bare code."""
    assert all(reason.words for reason in Reason)


@pytest.mark.parametrize(("arms", "kind"), [(SHARES, "proportion"), (MEANS, "mean"), (PAIRS, "ratio")])
def test_a_comparison_is_put_together_from_its_parts(arms: tuple[Any, Any], kind: str) -> None:
    """Each part is that of the module it comes from."""
    found = compare(*arms, kind=kind)
    both = [estimate(arm, kind) for arm in arms]
    assert found.difference == difference(*both)
    assert found.lift == lift(*both)
    assert found.always_valid == always_valid(*both, found.difference)
    assert found.always_valid_lift == lift(*both, margin=margin(sum(found.users)))
    assert found.belief == posterior(found.difference)
    assert (found.control, found.variant) == (both[0].value, both[1].value)
    assert found.users == (arms[0].n, arms[1].n)
    if kind == "proportion":
        exact = best_share(arms)
        assert (found.chance_to_win, found.expected_loss) == (exact.chances[1], exact.losses[1])
    else:
        assert (found.chance_to_win, found.expected_loss) == (found.belief.chance_to_win, found.belief.loss_of_variant)


def test_the_always_valid_interval_applies_until_the_planned_size() -> None:
    """And without a plan; then the fixed one."""
    for planned, applies, why in (
        (None, "always_valid", "no size was planned"),
        (8_101, "always_valid", "8100 of 8101 planned users"),
        (8_100, "fixed", "the planned 8100 users are reached"),
    ):
        found = compare(*SHARES, kind="proportion", planned=planned)
        assert (found.applies, found.why.startswith(why)) == (applies, True)
        assert found.effect is (found.difference if applies == "fixed" else found.always_valid)
        assert found.relative is (found.lift if applies == "fixed" else found.always_valid_lift)
        assert found.significant is (applies == "fixed")


@given(st.floats(0.5, 2), st.floats(0.001, 1), st.sampled_from(["fieller", "delta", "log"]))
def test_the_always_valid_lift_is_wider_and_agrees_about_zero(mean: float, deviation: float, interval: str) -> None:
    """It contains the fixed one; by Fieller it leaves out zero exactly where that of the difference does."""
    arms = [Moments(400, 400 * each, 400 * each**2 + 399 * deviation**2) for each in (1.0, mean)]
    found = compare(*arms, interval=interval)
    if found.always_valid_lift.low is None:
        return
    assert found.always_valid_lift.low <= found.lift.low <= found.lift.high <= found.always_valid_lift.high
    assert found.always_valid_lift.p_value is None
    edge = margin(800) * found.difference.error
    if interval == "fieller" and abs(abs(found.difference.value) - edge) > 1e-9:
        outside = found.always_valid_lift.low > 0 or found.always_valid_lift.high < 0
        assert outside is found.significant


def test_where_lower_is_better_the_chances_turn_round() -> None:
    """Exact ones and normal ones."""
    for arms, kind in ((SHARES, "proportion"), (MEANS, "mean")):
        higher, lower = (compare(*arms, kind=kind, better=better) for better in ("higher", "lower"))
        assert higher.chance_to_win + lower.chance_to_win == pytest.approx(1)
        assert lower.expected_loss - higher.expected_loss == pytest.approx(higher.difference.value, rel=0.01)
        assert higher.difference == lower.difference


def test_a_prior_on_the_lift_is_scaled_by_the_control() -> None:
    """It asks for the normal belief, also about shares, and cannot be scaled by zero."""
    found = compare(*SHARES, kind="proportion", prior=SCEPTICAL)
    assert found.best is None
    assert found.belief == posterior(found.difference, scaled(SCEPTICAL, 0.05))
    nothing = compare(Moments.of([-1, 1, 0]), Moments.of([1, 2, 3]), prior=SCEPTICAL)
    assert nothing.belief == Posterior(None, reason=Reason.CONTROL_NEAR_ZERO)
    assert compare(Moments.of([-1, 1, 0]), Moments.of([1, 2, 3]), prior=FLAT).belief.value == 2


@cases("cuped")
def test_cuped_compares_adjusted_means_and_shows_those_that_were_measured(case: dict[str, Any]) -> None:
    """The lift refers to the control as it was measured."""
    arms = [PairedMoments.of_pairs((now, before) for before, now in case[name]) for name in ("control", "treatment")]
    found = compare(*arms, cuped=True)
    assert found.theta == near(case["theta"], "cuped")
    assert (found.control, found.variant) == (arms[0].mean, arms[1].mean)
    assert (found.difference.value, found.difference.p_value) == near(
        (case["absolute"]["effect"], case["absolute"]["p"]), "cuped"
    )
    assert found.lift.value == near(case["relative_effect"], "cuped")
    assert (found.lift.low > 0) is (found.difference.p_value < 0.05)
    plain = compare(*arms)
    assert plain.theta is None
    assert plain.difference.p_value == near(case["unadjusted_absolute"]["p"], "cuped")


def test_cuped_without_differences_before_is_the_plain_comparison() -> None:
    """And it needs two values per user, of a mean or a share."""
    arms = [PairedMoments.of_pairs([(value, 7) for value in values]) for values in ([1, 2, 4], [2, 4, 5])]
    assert compare(*arms, cuped=True) == compare(*arms)
    with pytest.raises(QueryError, match="CUPED needs two values per user"):
        compare(*SHARES, cuped=True)
    with pytest.raises(QueryError, match="not for ratios"):
        compare(*PAIRS, kind="ratio", cuped=True)
    shares = [PairedMoments.of_pairs([(value, value) for value in values]) for values in ([1, 0, 1, 0], [1, 1, 1, 0])]
    assert compare(*shares, kind="proportion", cuped=True).best is None


def test_cuped_narrows_the_interval_and_still_covers_the_truth() -> None:
    """1 000 experiments of 200 users whose values before explain half of the variance: difference and lift."""
    rng = np.random.default_rng(6)
    covered, lifted, widths = [], [], []
    for _ in range(1_000):
        arms = []
        for effect in (0.0, 0.2):
            before = rng.normal(2, 1, 200)
            arms.append(PairedMoments.of_pairs(zip(before + effect + rng.normal(0, 1, 200), before, strict=True)))
        found, plain = compare(*arms, cuped=True), compare(*arms)
        covered.append(found.difference.low <= 0.2 <= found.difference.high)
        lifted.append(found.lift.low <= 0.1 <= found.lift.high)
        widths.append(found.difference.error / plain.difference.error)
    assert 0.93 <= np.mean(covered) <= 0.97
    assert 0.93 <= np.mean(lifted) <= 0.97
    assert np.mean(widths) == pytest.approx(math.sqrt(0.5), abs=0.02)


@pytest.mark.parametrize(
    ("arms", "kind", "reason"),
    [
        ((Moments(0, 0, 0), SHARES[1]), "proportion", Reason.NO_USERS),
        ((SHARES[0], Moments.share(1, 1)), "proportion", Reason.TOO_FEW_USERS),
        ((Moments.of([3, 3]), Moments.of([4, 4])), "mean", Reason.NO_VARIANCE),
        ((PairedMoments.of_pairs([(1, 0), (2, 0)]), PAIRS[1]), "ratio", Reason.ZERO_DENOMINATOR),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
def test_what_is_undefined_is_none_with_a_reason(arms: tuple[Any, Any], kind: str, reason: Reason) -> None:
    """In every part, in plain JSON, and in words."""
    found = compare(*arms, kind=kind, planned=1)
    for part in (found.difference, found.lift, found.always_valid, found.always_valid_lift, found.belief):
        assert (part.low, part.high, part.reason) == (None, None, reason)
    assert found.significant is None
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["lift"]["reason"] == reason.value
    verdict = conclude(found)
    assert verdict.conclusion is Conclusion.NOT_MEASURABLE
    assert reason.words in verdict.words


def test_a_result_is_plain_json() -> None:
    """With what follows from it."""
    plain = json.loads(json.dumps(compare(*SHARES, kind="proportion").to_dict(), allow_nan=False))
    assert plain["difference"]["p_value"] == pytest.approx(0.0308, abs=1e-4)
    assert (plain["applies"], plain["significant"]) == ("always_valid", False)


units = st.sampled_from([1e-8, 1.0, 1e8])
values = st.one_of(st.just(0.0), st.floats(-5, 5).map(lambda value: round(value, 3)))
users = st.tuples(units, st.lists(st.tuples(values, values), max_size=8)).map(
    lambda drawn: PairedMoments.of_pairs((drawn[0] * one, drawn[0] * other) for one, other in drawn[1])
)


@given(users, users, st.sampled_from(["mean", "ratio", "cuped"]), st.sampled_from(["fieller", "log", "delta"]))
def test_no_arms_make_a_number_that_is_none(control: Any, variant: Any, kind: str, interval: Any) -> None:
    """Not NaN, not infinite, no exception, and words for all: whatever is missing has a reason."""
    chosen = {"cuped": True} if kind == "cuped" else {"kind": kind}
    found = compare(control, variant, interval=interval, prior=SCEPTICAL, **chosen)
    json.dumps(found.to_dict(), allow_nan=False)
    assert conclude(found).words
    for part in (found.difference, found.lift, found.always_valid, found.always_valid_lift, found.belief):
        assert (part.low is None) is (part.reason is not None)


def test_an_unknown_direction_and_a_plan_without_users_are_refused() -> None:
    """They say what is allowed."""
    with pytest.raises(QueryError, match="above 0"):
        compare(*SHARES, planned=0)
    with pytest.raises(QueryError, match="unknown direction"):
        compare(*SHARES, better="bigger")


def planned(**options: Any) -> Comparison:
    """The shares at their planned size."""
    return compare(*SHARES, kind="proportion", planned=8_000, **options)


HOLDS = Guardrail("loading time", "holds", 0.05)


@pytest.mark.parametrize(
    ("comparison", "options", "conclusion", "words"),
    [
        (planned(), {}, Conclusion.BETTER, ": +22.0 % (1.9 % to 46.6 %), p = 0.031, at the planned size."),
        (planned(better="lower"), {}, Conclusion.WORSE, "The variant is worse: +22.0 %"),
        (planned(), {"split": sample_ratio([4000, 4500])}, Conclusion.BROKEN_SPLIT, "as planned (p = 5.9e-08)"),
        (planned(), {"split": sample_ratio([9, 9], [1, 0])}, Conclusion.BROKEN_SPLIT, "in an arm that gets none"),
        (planned(), {"split": sample_ratio([4000, 4100])}, Conclusion.BETTER, "The variant is better"),
        (planned(), {"adjusted_p": 0.06}, Conclusion.UNDECIDED, "Undecided at the planned size: +22.0 %"),
        (planned(), {"adjusted_p": 0.04}, Conclusion.BETTER, "The variant is better"),
        (planned(), {"indifference": 0.5}, Conclusion.NO_RELEVANT_DIFFERENCE, "No difference that matters: +22.0 %"),
        (planned(), {"indifference": 0.1}, Conclusion.BETTER, "The variant is better"),
        (planned(), {"guardrails": [HOLDS]}, Conclusion.BETTER, "The variant is better"),
        (
            planned(),
            {"guardrails": [HOLDS, Guardrail("refunds", "broken", 0.05)]},
            Conclusion.HARMS_GUARDRAIL,
            "The variant is better, but harms refunds: +22.0 %",
        ),
        (compare(*SHARES, kind="proportion"), {}, Conclusion.KEEP_RUNNING, "yet: +22.0 % (-7.9 % to 63.1 %), valid"),
        (
            compare(Moments.of([-2, -1, 1, 2.4] * 9), Moments.of([4, 5, 6, 7] * 9), planned=1),
            {"indifference": 0.1},
            Conclusion.BETTER,
            "The variant is better: +5.4 (4.709 to 6.091)",
        ),
    ],
)  # fmt: skip
def test_a_verdict_says_what_to_conclude(
    comparison: Comparison, options: dict[str, Any], conclusion: Conclusion, words: str
) -> None:
    """In a sentence with its numbers, and as a code."""
    found = conclude(comparison, **options)
    assert words in found.words
    assert found.conclusion is conclusion


def test_notes_say_what_else_there_is_to_know() -> None:
    """A split too small to judge, users with several variants, open guardrails, a missing lift."""
    found = conclude(
        compare(Moments.of([-2, -1, 1, 2.4] * 9), Moments.of([4, 5, 6, 7] * 9), planned=1),
        split=sample_ratio([3, 3]),
        several=several_variants(30, 970),
        guardrails=[HOLDS, Guardrail("refunds", "open", 0.05)],
    )
    assert found.notes == (
        "Whether the users are split as planned cannot be told yet.",
        "30 users (3.0 %) saw several variants and are left out.",
        "Guardrail refunds is open.",
        f"There is no relative lift: {Reason.CONTROL_NEAR_ZERO.words}.",
    )
    quiet = conclude(planned(), split=sample_ratio([4000, 4100]), several=several_variants(0, 100), guardrails=[HOLDS])
    assert quiet.notes == ()


@pytest.mark.parametrize(
    ("conversions", "options", "state"),
    [
        (3_990, {}, "holds"),
        (3_750, {}, "open"),
        (3_500, {}, "broken"),
        (3_500, {"better": "lower"}, "holds"),
        (4_600, {"better": "lower"}, "broken"),
        (3_900, {"planned": None}, "open"),
        (4_200, {"planned": None}, "holds"),
        (3_000, {"planned": 30_000}, "broken"),
    ],
    ids=str,
)
def test_a_guardrail_tolerates_a_part_of_the_control(conversions: int, options: dict[str, Any], state: str) -> None:
    """5 % of 40 %; either direction; wider before the planned size."""
    arms = Moments.share(4_000, 10_000), Moments.share(conversions, 10_000)
    found = guardrail("x", *arms, kind="proportion", tolerated=0.05, **{"planned": 20_000, **options})
    assert found == Guardrail("x", state, 0.05)


def test_a_guardrail_of_losses_tolerates_a_part_of_their_size() -> None:
    """Minus 10 may become minus 10.5, but not minus 12."""
    losses = [Moments(1_000, 1_000 * mean, 1_000 * mean**2 + 999) for mean in (-10.0, -10.2, -12.0)]
    states = [guardrail("x", losses[0], each, tolerated=0.05, planned=1).state for each in losses[1:]]
    assert states == ["holds", "broken"]


def test_a_guardrail_that_cannot_be_tested_is_open() -> None:
    """It says why, and refuses a tolerance that is none."""
    some, nobody = Moments.share(4, 10), Moments(0, 0, 0)
    assert guardrail("x", nobody, some, tolerated=0.1) == Guardrail("x", "open", 0.1, Reason.NO_USERS)
    assert guardrail("x", some, nobody, tolerated=0.1) == Guardrail("x", "open", 0.1, Reason.NO_USERS)
    assert guardrail("x", some, Moments.share(0, 9), tolerated=0.1) == Guardrail("x", "open", 0.1, Reason.NO_VARIANCE)
    with pytest.raises(QueryError, match="a part of the control"):
        guardrail("x", some, some, tolerated=-0.1)


def test_a_guardrail_lets_harm_pass_as_seldom_as_it_says() -> None:
    """3 000 experiments in which exactly the tolerated part is lost: at most 5 % hold, and 5 % are broken."""
    rng = np.random.default_rng(7)
    counts = zip(rng.binomial(2_000, 0.40, 3_000), rng.binomial(2_000, 0.38, 3_000), strict=True)
    states = [
        guardrail(
            "x",
            Moments.share(int(a), 2_000),
            Moments.share(int(b), 2_000),
            kind="proportion",
            tolerated=0.05,
            planned=1,
        ).state
        for a, b in counts
    ]
    for state in ("holds", "broken"):
        assert np.mean([each == state for each in states]) == pytest.approx(0.05, abs=0.012)


def test_without_an_interval_and_a_reason_there_is_still_no_verdict() -> None:
    """A comparison put together by hand."""
    bare = replace(planned(), difference=Effect(0.1))
    assert conclude(bare).words == "There is no verdict."
