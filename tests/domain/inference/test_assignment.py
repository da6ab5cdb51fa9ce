"""Assignment against the language-free cases of the SDKs whose hash it shares, and the rules that these leave open."""

from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from regulars.domain.inference.assignment import (
    Allocation,
    Assignment,
    Decision,
    Namespace,
    assign,
    bucket,
    bucket_ranges,
    choose,
    fnv1a32,
    id_text,
    in_namespace,
    is_portable,
    launchdarkly_bucket,
    md5_shard,
    variant_names,
)
from regulars.errors import QueryError, UnknownNameError
from tests.domain.inference.vectors import cases, near


@cases("gb_hash")
def test_the_hash_is_the_sdks(case: dict[str, Any]) -> None:
    """Both versions; another one has no hash."""
    assert bucket(case["seed"], case["value"], case["version"]) == case["expected"]


@cases("gb_hash_extra")
def test_ids_of_every_kind_are_hashed_alike(case: dict[str, Any]) -> None:
    """Numbers, UUIDs and mail addresses."""
    assert bucket(case["seed"], case["value"], 1) == case["v1"]
    assert bucket(case["seed"], case["value"], 2) == case["v2"]


@cases("gb_hash_non_ascii")
def test_text_is_hashed_by_its_utf16_units(case: dict[str, Any]) -> None:
    """As JavaScript does; where the SDKs disagree, the id is not portable."""
    assert bucket("exp", case["value"]) == case["utf16"]
    assert is_portable(case["value"]) == (case["utf8"] == case["utf16"])


def test_a_character_outside_the_basic_plane_is_two_units_and_half_of_one_is_hashed_too() -> None:
    """No text makes the hash fail."""
    assert fnv1a32("\N{GRINNING FACE}") == fnv1a32("\ud83d\ude00")
    assert fnv1a32("\ud83d") != fnv1a32("\ude00")


@cases("fnv1a32_raw")
def test_fnv1a_is_the_published_one(case: dict[str, Any]) -> None:
    """Over ASCII."""
    assert fnv1a32(case["value"]) == case["expected"]


@cases("gb_bucket_ranges")
def test_ranges_are_the_sdks(case: dict[str, Any]) -> None:
    """Weights that do not add up fall back to equal ones."""
    assert bucket_ranges(*case["args"]) == tuple(near(tuple(each), "gb_bucket_ranges") for each in case["expected"])


@cases("gb_choose_variation")
def test_a_range_holds_its_lower_bound_and_not_its_upper(case: dict[str, Any]) -> None:
    """-1 in the cases stands for none."""
    assert choose(case["n"], case["ranges"]) == (None if case["expected"] == -1 else case["expected"])


@cases("gb_in_namespace")
def test_namespaces_are_the_sdks(case: dict[str, Any]) -> None:
    """Alone, and in front of an experiment."""
    namespace = Namespace(*case["namespace"])
    assert in_namespace(case["user"], namespace) is case["expected"]
    decision = assign(Allocation("x", namespace=namespace), case["user"]).decision
    assert decision is (Decision.ASSIGNED if case["expected"] else Decision.NOT_IN_NAMESPACE)


@cases("gb_run_v1_default")
def test_an_experiment_of_version_1_assigns_as_the_sdks_do(case: dict[str, Any]) -> None:
    """Whom the SDKs leave out of the experiment has no variant here."""
    allocation = Allocation("my-test", coverage=case.get("coverage", 1), hash_version=1)
    found = assign(allocation, case["id"])
    inside = case.get("in_experiment", True)
    assert found.variant == (allocation.variants[case["expected"]] if inside else None)
    assert found.decision is (Decision.ASSIGNED if inside else Decision.NOT_COVERED)


@cases("launchdarkly_bucket")
def test_the_bucket_of_launchdarkly_can_be_recomputed(case: dict[str, Any]) -> None:
    """From key and salt, or from a seed."""
    found = launchdarkly_bucket(case["key"], case["salt"], case["user"], case.get("seed"))
    assert found == near(case["expected"], "launchdarkly_bucket")


@cases("md5_sharder")
def test_the_shard_by_md5_can_be_recomputed(case: dict[str, Any]) -> None:
    """As an SQL engine would."""
    assert md5_shard(case["input"]) == case["expected"]


@pytest.mark.parametrize(
    ("user_id", "text"),
    [
        (7, "7"),
        (-7, "-7"),
        (7.0, "7"),
        (7.5, "7.5"),
        (np.int64(7), "7"),
        (np.float64(7.0), "7"),
        (2**70, str(2**70)),
        ("7 ", "7 "),
        ("Jose\u0301", "Jose\u0301"),
        ("", None),
        (None, None),
        (True, None),
        (math.nan, None),
        (math.inf, None),
        (Decimal(7), None),
        (UUID(int=7), None),
        (b"7", None),
    ],
    ids=repr,
)
def test_an_id_is_hashed_as_the_text_it_is(user_id: object, text: str | None) -> None:
    """Whole numbers are decimals whatever their type; what is no id has no variant."""
    assert id_text(user_id) == text
    assert (assign(Allocation("x"), user_id) == Assignment(None, Decision.NO_ID)) == (text is None)


def test_a_forced_variant_comes_before_everything_else() -> None:
    """Also for users outside the coverage, and for numbers whose text is named."""
    allocation = Allocation("x", coverage=0, forced={"7": "VARIANT_A"})
    assert assign(allocation, 7) == Assignment("VARIANT_A", Decision.FORCED)
    assert assign(allocation, 8).decision is Decision.NOT_COVERED


def test_the_seed_and_not_the_key_decides() -> None:
    """A renamed experiment keeps its users; a new seed deals them anew."""
    users = range(200)
    old, renamed = Allocation("a"), Allocation("b", seed="a")
    dealt = [assign(old, user) for user in users]
    assert [assign(renamed, user) for user in users] == dealt
    assert [assign(Allocation("b"), user) for user in users] != dealt


@given(st.integers(0, 10**9), st.floats(0.01, 1), st.floats(0.01, 1))
def test_more_coverage_moves_nobody(user: int, one: float, other: float) -> None:
    """Whoever has a variant keeps it."""
    less, more = sorted((one, other))
    weights = (0.2, 0.3, 0.5)
    before = assign(Allocation("x", variant_names(3), weights, coverage=less), user).variant
    after = assign(Allocation("x", variant_names(3), weights, coverage=more), user).variant
    assert before in (None, after)


def test_shares_are_those_of_the_weights_and_two_experiments_are_independent() -> None:
    """By a chi-square test of 20 000 users over the cells of two experiments."""
    first, second = Allocation("first", variant_names(3), (0.2, 0.3, 0.5)), Allocation("second")
    cells = Counter((assign(first, user).variant, assign(second, user).variant) for user in range(20_000))
    names = [(one, two) for one in first.variants for two in second.variants]
    expected = [20_000 * weight / 2 for weight in (0.2, 0.3, 0.5) for _ in second.variants]
    assert stats.chisquare([cells[name] for name in names], expected).pvalue > 0.001


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": ""},
        {"seed": ""},
        {"variants": ()},
        {"variants": ("A", "A")},
        {"weights": (1.0,)},
        {"weights": (0.5, 0.6)},
        {"weights": (-0.5, 1.5)},
        {"weights": (0.5, math.nan)},
        {"weights": (0.00001, 0.99999)},
        {"coverage": 0.0001},
        {"coverage": 1.1},
        {"coverage": math.nan},
        {"forced": {7: "VARIANT_A"}},
        {"hash_version": 3},
        {"hash_version": 1, "weights": (0.0005, 0.9995)},
        {"namespace": Namespace("n", 0.5, 0.5)},
        {"namespace": Namespace("n", -0.1, 0.5)},
    ],
    ids=str,
)
def test_an_allocation_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    """Rather than shared out otherwise than it says."""
    with pytest.raises(QueryError) as caught:
        Allocation(**{"key": "x", **wrong})
    assert caught.value.code == "bad_allocation"


def test_a_forced_variant_must_exist() -> None:
    """And the message offers those that do."""
    with pytest.raises(UnknownNameError, match="allowed: CONTROL, VARIANT_A"):
        Allocation("x", forced={"7": "VARIANT_B"})


def test_variants_have_names_up_to_the_end_of_the_alphabet() -> None:
    """Then they need their own."""
    assert variant_names(1) == ("CONTROL",)
    assert variant_names(27)[-1] == "VARIANT_Z"
    for count in (0, 28):
        with pytest.raises(QueryError, match="Name them yourself"):
            variant_names(count)
