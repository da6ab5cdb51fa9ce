"""W12: how time grows with rows, from the stored results of several sizes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HIGHEST_EXPONENT: Final = 1.1
_FOLLOWED: Final = (
    ("W1", "regulars", "rolling actives, from question to rows"),
    ("W1.engine", "regulars", "rolling actives, engine alone"),
    ("W5", "regulars", "import"),
    ("W6", "peer", "rebuild of everything derived"),
    ("W6", "regulars", "refresh of one new day"),
)


@dataclass(frozen=True)
class Growth:
    """One work over the sizes on which it was measured: their names, rows of the log, and median seconds."""

    id: str
    what: str
    points: tuple[tuple[str, int, float], ...]

    @property
    def steps(self) -> dict[tuple[str, str], float]:
        """The exponent between neighbouring sizes."""
        return {(one[0], two[0]): _exponent(one, two) for one, two in pairwise(self.points)}

    @property
    def overall(self) -> float:
        """The exponent between the smallest and the largest size."""
        return _exponent(self.points[0], self.points[-1])

    @property
    def met(self) -> bool:
        """Whether time grows as the target allows, over all sizes."""
        return round(self.overall, 2) <= HIGHEST_EXPONENT


def growth_of(results: Sequence[dict[str, Any]]) -> Iterator[Growth]:
    """What was measured on two sizes at least; results are in the order of size."""
    for id_, side, what in _FOLLOWED:
        points = tuple(
            (result["size"], result["events"], one[side]["median"])
            for result in results
            for one in result["measurements"]
            if one["id"] == id_
        )
        if len(points) > 1:
            yield Growth(id_, what, points)


def _exponent(one: tuple[str, int, float], two: tuple[str, int, float]) -> float:
    """The slope between two points on logarithmic axes: time grows with this power of the rows."""
    return log(two[2] / one[2]) / log(two[1] / one[1])
