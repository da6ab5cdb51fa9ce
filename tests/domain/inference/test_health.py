"""The split of users and those with several variants; several p-values at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from regulars.domain.inference import health
from regulars.domain.inference.health import SeveralVariants, sample_ratio, several_variants
from regulars.domain.inference.multiple import benjamini_hochberg, bonferroni, holm
from regulars.domain.inference.reasons import Reason
from regulars.domain.inference.sequential import TUNED_FOR
from regulars.errors import QueryError
from tests.domain.inference.vectors import cases, near

if TYPE_CHECKING:
    from collections.abc import Callable


@cases("srm")
def test_the_split_is_judged_as_by_scipy(case: dict[str, Any]) -> None:
    """At a p-value of 0.001; counts of NumPy are as good as Python's."""
    assert sample_ratio(np.array(case["observed"])) == sample_ratio(case["observed"])
    found = sample_ratio(case["observed"], case["weights"])
    assert found.p_value == near(case["p"], "srm")
    assert found.mismatch == (case["p"] < 0.001)


@cases("gb_defaults")
def test_the_limits_are_growthbooks(case: dict[str, Any]) -> None:
    """Those of the split, of several variants, and of the always-valid interval."""
    assert case["srm_p"] == health.SRM_ALPHA
    assert case["srm_min_per_variation"] == health.SRM_SMALLEST
    assert case["multiple_exposure_share"] == health.SEVERAL_SHARE
    assert case["multiple_exposure_min"] == health.SEVERAL_USERS
    assert case["sequential_tuning"] == TUNED_FOR


@given(st.lists(st.integers(100, 10_000), min_size=2, max_size=6), st.data())
def test_any_split_is_judged_as_by_scipy(observed: list[int], data: st.DataObject) -> None:
    """Also in other units of weight."""
    weights = data.draw(st.lists(st.integers(1, 9), min_size=len(observed), max_size=len(observed)))
    expected = np.array(weights) / sum(weights) * sum(observed)
    if expected.min() < health.SRM_SMALLEST:
        return
    found = sample_ratio(observed, weights)
    statistic, p_value = stats.chisquare(observed, expected)
    assert found.statistic == pytest.approx(statistic)
    assert found.p_value == pytest.approx(p_value, rel=1e-6, abs=1e-12)
    assert found.expected == pytest.approx(tuple(expected))


def test_an_arm_without_weight_is_no_degree_of_freedom_and_must_be_empty() -> None:
    """Whoever is in it shows that the split is broken."""
    assert sample_ratio([500, 560, 0], [1, 1, 0]).p_value == sample_ratio([500, 560]).p_value
    broken = sample_ratio([500, 560, 1], [1, 1, 0])
    assert (broken.mismatch, broken.p_value, broken.reason) == (True, None, Reason.EMPTY_ARM_HAS_USERS)


@pytest.mark.parametrize("observed", [[], [50], [7, 8], [0, 0]], ids=str)
def test_too_few_users_are_not_judged(observed: list[int]) -> None:
    """Neither well nor badly split."""
    if observed:
        found = sample_ratio(observed)
        assert (found.mismatch, found.reason) == (None, Reason.TOO_FEW_EXPECTED)
    else:
        with pytest.raises(QueryError, match="one weight must be positive"):
            sample_ratio(observed)


@pytest.mark.parametrize(
    ("observed", "weights"), [([1, 2], [1]), ([-1, 2], [1, 1]), ([1, 2], [-1, 2]), ([1, 2], [0, 0])], ids=str
)
def test_weights_and_users_that_cannot_be_are_refused(observed: list[int], weights: list[float]) -> None:
    """They say what is allowed."""
    with pytest.raises(QueryError) as caught:
        sample_ratio(observed, weights)
    assert caught.value.code == "bad_weights"


def test_users_with_several_variants_are_a_worry_from_one_percent_and_ten_on() -> None:
    """Both, and never of nobody."""
    assert several_variants(0, 0) == SeveralVariants(0, None, warns=False)
    assert several_variants(9, 100) == SeveralVariants(9, 9 / 109, warns=False)
    assert several_variants(10, 990) == SeveralVariants(10, 0.01, warns=True)
    assert several_variants(10, 991).warns is False
    with pytest.raises(QueryError, match="negative"):
        several_variants(-1, 5)


@cases("multiple_testing")
def test_adjusted_p_values_are_the_published_ones(case: dict[str, Any]) -> None:
    """Holm, Benjamini-Hochberg and Bonferroni."""
    for name, adjust in (("holm", holm), ("bh", benjamini_hochberg), ("bonferroni", bonferroni)):
        if name in case:
            assert adjust(case["p"]) == near(case[name], "multiple_testing")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_adjusted_p_values_keep_their_order_and_only_grow(p_values: list[float]) -> None:
    """Benjamini-Hochberg as SciPy has it; Holm between it and Bonferroni."""
    gentle, strict, strictest = benjamini_hochberg(p_values), holm(p_values), bonferroni(p_values)
    assert gentle == pytest.approx(stats.false_discovery_control(p_values), abs=1e-12)
    for before, one, two, three in zip(p_values, gentle, strict, strictest, strict=True):
        assert before <= one * (1 + 1e-12) <= two * (1 + 1e-9) + 1e-15
        assert two <= three * (1 + 1e-12)
    assert np.all(np.diff(np.array(strict)[np.argsort(p_values, kind="stable")]) >= 0)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg, bonferroni])
def test_a_test_that_was_not_made_does_not_count(adjust: Callable[..., list[float | None]]) -> None:
    """It stays None; nothing has no p-values; a number that is no chance is refused."""
    assert adjust([0.01, None, 0.04]) == [*adjust([0.01, 0.04])[:1], None, *adjust([0.01, 0.04])[1:]]
    assert adjust([]) == []
    with pytest.raises(QueryError, match="from 0 to 1"):
        adjust([1.5])
