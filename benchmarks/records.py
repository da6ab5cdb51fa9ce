"""What a benchmark gives: timings, measurements with their targets, and the file of one run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Unit = Literal["s", "MiB"]
Sense = Literal["at least", "at most"]


@dataclass(frozen=True)
class Sample:
    """Values of one contender over its runs."""

    name: str
    median: float
    min: float
    max: float
    runs: int

    @classmethod
    def of(cls, name: str, values: Sequence[float]) -> Sample:
        """Summarise the values of all runs."""
        return cls(name, round(median(values), 6), round(min(values), 6), round(max(values), 6), len(values))


@dataclass(frozen=True)
class Target:
    """What the figure has to be: a ratio where there is a peer, else a value in the measurement's unit."""

    sense: Sense
    limit: float

    def met_by(self, figure: float) -> bool:
        """Whether a figure is on the right side of the limit."""
        return figure >= self.limit if self.sense == "at least" else figure <= self.limit


@dataclass(frozen=True)
class Measurement:
    """Regulars and, where there is one, a peer that did the same work in turns with it.

    With a target of ``at least`` the ratio is peer / regulars (times faster), with ``at most`` it is
    regulars / peer (times the peer's).
    """

    id: str
    workload: str
    what: str
    unit: Unit
    regulars: Sample
    peer: Sample | None = None
    target: Target | None = None
    sense: Sense = "at least"
    rows_compared: int | None = None

    @property
    def ratio(self) -> float | None:
        """The quotient of the medians; None without a peer."""
        if self.peer is None:
            return None
        ours, theirs = self.regulars.median, self.peer.median
        above, below = (theirs, ours) if self.sense == "at least" else (ours, theirs)
        return round(above / below, 2) if below else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        figure = self.regulars.median if self.peer is None else self.ratio
        return None if self.target is None or figure is None else self.target.met_by(figure)

    def as_json(self) -> dict[str, Any]:
        """The measurement as it stands in the file of a run."""
        own = asdict(self)
        own["ratio_means"] = None if self.peer is None else _MEANINGS[own.pop("sense")]
        own.pop("sense", None)
        return {**own, "ratio": self.ratio, "met": self.met}


_MEANINGS = {"at least": "peer / regulars", "at most": "regulars / peer"}


def measurement_of(stored: dict[str, Any]) -> Measurement:
    """A measurement from its JSON form."""
    sense: Sense = "at most" if stored["ratio_means"] == _MEANINGS["at most"] else "at least"
    return Measurement(
        id=stored["id"],
        workload=stored["workload"],
        what=stored["what"],
        unit=stored["unit"],
        regulars=Sample(**stored["regulars"]),
        peer=Sample(**stored["peer"]) if stored["peer"] else None,
        target=Target(**stored["target"]) if stored["target"] else None,
        sense=sense,
        rows_compared=stored["rows_compared"],
    )
