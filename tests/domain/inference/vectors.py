"""Published and independently computed numbers, by group; each group names its source and its tolerance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from regulars.domain.inference.moments import Moments

GROUPS = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))


def cases(group: str) -> Any:
    """The cases of a group as parameters of a test."""
    return pytest.mark.parametrize("case", GROUPS[group]["cases"], ids=str)


def near(expected: Any, group: str) -> Any:
    """What is equal to an expected number within the tolerance of its group."""
    return pytest.approx(expected, abs=GROUPS[group]["tolerance"], rel=0)


def arm(case: dict[str, Any]) -> Moments:
    """An arm of a case: a share where it has no sum of squares."""
    return Moments(case["n"], case["sum"], case.get("sum_squares", case["sum"]))
