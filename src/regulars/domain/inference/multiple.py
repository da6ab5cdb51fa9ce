"""Several p-values at once: what each is worth when one looks at all of them."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

Chances = list[float | None]


def holm(p_values: Sequence[float | None]) -> Chances:
    """P-values so adjusted that one false alarm among all tests happens with a chance of at most alpha.

    For primary metrics. Tests that could not be made (None) stay None and do not count.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6
    (1979).

    >>> [round(value, 3) for value in holm([0.01, 0.04, 0.03, 0.005])]
    [0.03, 0.06, 0.06, 0.02]
    """
    ranked = _ranked(p_values)
    count = len(ranked)
    stepped = accumulate(((count - rank) * value for rank, (value, _) in enumerate(ranked)), max)
    return _placed(ranked, [min(value, 1.0) for value in stepped], len(p_values))


def benjamini_hochberg(p_values: Sequence[float | None]) -> Chances:
    """P-values so adjusted that of the tests called significant at most a share of alpha is so by chance.

    For secondary metrics, segments and other questions asked by the dozen. None stays None and does not count.

    Source: Y. Benjamini, Y. Hochberg, Controlling the false discovery rate, JRSS B 57 (1995).

    >>> [round(value, 3) for value in benjamini_hochberg([0.01, 0.04, None, 0.03, 0.005])[:2]]
    [0.02, 0.04]
    """
    ranked = _ranked(p_values)[::-1]
    count = len(ranked)
    stepped = accumulate((count / (count - rank) * value for rank, (value, _) in enumerate(ranked)), min)
    return _placed(ranked, list(stepped), len(p_values))


def bonferroni(p_values: Sequence[float | None]) -> Chances:
    """P-values multiplied by their number, at most 1: simpler than Holm's and never better."""
    ranked = _ranked(p_values)
    return _placed(ranked, [min(len(ranked) * value, 1.0) for value, _ in ranked], len(p_values))


def _ranked(p_values: Sequence[float | None]) -> list[tuple[float, int]]:
    known = sorted((value, at) for at, value in enumerate(p_values) if value is not None)
    for value, _ in known:
        if not 0 <= value <= 1:
            raise QueryError(f"a p-value is a number from 0 to 1, not {value!r}", code="bad_p_value")
    return known


def _placed(ranked: list[tuple[float, int]], adjusted: list[float], count: int) -> Chances:
    found: Chances = [None] * count
    for (_, at), value in zip(ranked, adjusted, strict=True):
        found[at] = value
    return found
