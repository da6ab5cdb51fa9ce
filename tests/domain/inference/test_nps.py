"""Net promoter scores against the published adjusted-Wald interval, and at the edges of a sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.domain.inference.nps import Answers, Nps, NpsChange, adjusted_wald, answers, change, nps
from regulars.domain.inference.reasons import Reason
from regulars.errors import QueryError
from tests.domain.inference.vectors import cases, near

counts = st.builds(Answers, *[st.integers(0, 10_000)] * 3)


@cases("nps")
def test_scores_and_intervals_are_the_published_ones(case: dict[str, Any]) -> None:
    """Before they are cut at -100 and 100, and after; a difference has its error and p-value."""
    if "difference" in case:
        moved = change(*(Answers(*each) for each in case["difference"]))
        assert moved.difference == near(case["delta"], "nps")
        assert (moved.error, moved.p_value) == near((case["se"], case["p"]), "nps")
        return
    sample = Answers(case["promoters"], case["passives"], case["detractors"])
    found = nps(sample)
    assert found.score == near(case["nps"], "nps")
    assert adjusted_wald(sample) == near(tuple(case["adjusted_wald"]), "nps")
    assert (found.low, found.high) == near(tuple(np.clip(case["adjusted_wald"], -100, 100)), "nps")


def test_the_groups_are_0_to_6_and_7_to_8_and_9_to_10() -> None:
    """Every answer counts in one."""
    assert answers(range(11)) == Answers(promoters=2, passives=2, detractors=7)
    assert answers([0, 6]) == Answers(0, 0, 2)
    assert answers([7.0, 8]) == Answers(0, 2, 0)
    assert answers([9, 10]) == Answers(2, 0, 0)


@pytest.mark.parametrize("wrong", [-1, 11, 9.5, True, float("nan"), float("inf")])
def test_an_answer_off_the_scale_is_refused(wrong: float) -> None:
    """It says what is allowed."""
    with pytest.raises(QueryError, match="a whole number from 0 to 10") as caught:
        answers([5, wrong])
    assert caught.value.code == "bad_score"


def test_a_negative_count_is_refused() -> None:
    """Rather than scored."""
    with pytest.raises(QueryError, match="negative"):
        nps(Answers(1, -1, 1))


def test_nothing_has_no_score_and_one_answer_has_an_interval() -> None:
    """No division by zero."""
    nothing = Answers(0, 0, 0)
    assert nps(nothing) == Nps(nothing, None, None, None, Reason.NO_ANSWERS)
    assert change(nothing, Answers(1, 0, 0)) == NpsChange(None, None, None, None, None, Reason.NO_ANSWERS)
    one = nps(Answers(1, 0, 0))
    assert one.score == 100
    assert one.low == pytest.approx(25 - 73.4986, abs=1e-3)
    assert one.high == pytest.approx(25 + 73.4986, abs=1e-3)


def test_a_change_between_unanimous_samples_has_no_test() -> None:
    """The difference is known, its error is not."""
    assert change(Answers(0, 0, 4), Answers(9, 0, 0)) == NpsChange(200, None, None, None, None, Reason.NO_VARIANCE)


@given(counts.filter(lambda each: each.total > 1))
def test_a_score_is_the_mean_of_answers_worth_100_0_and_minus_100(sample: Answers) -> None:
    """And lies within its interval, which lies within the scale."""
    values = np.repeat([100.0, 0.0, -100.0], sample)
    found = nps(sample)
    assert found.low is not None
    assert found.high is not None
    assert found.score == pytest.approx(values.mean(), abs=1e-9)
    assert -100 <= found.low <= found.score <= found.high <= 100


@given(counts, counts)
def test_swapping_the_periods_flips_the_sign_and_keeps_the_p_value(one: Answers, other: Answers) -> None:
    """The test has no direction."""
    there, back = change(one, other), change(other, one)
    assert there.p_value == back.p_value
    assert there.error == back.error
    if there.difference is not None:
        assert there.difference == -back.difference


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """4 000 samples of 60 answers; scores of 30 and 80."""
    rng = np.random.default_rng(1)
    for shares in ((0.5, 0.3, 0.2), (0.85, 0.1, 0.05)):
        truth = 100 * (shares[0] - shares[2])
        found = [nps(Answers(*map(int, each))) for each in rng.multinomial(60, shares, size=4_000)]
        covered = np.mean([each.low <= truth <= each.high for each in found])
        assert 0.93 <= covered <= 0.97
