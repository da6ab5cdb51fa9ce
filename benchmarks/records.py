"""What a benchmark gives: timings, and measurements with their targets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Unit = Literal["s", "MiB", "requests/s", "events/s"]
Sense = Literal["at least", "at most"]
FEWEST_FOR_P95: Final = 20


@dataclass(frozen=True)
class Sample:
    """Values of one contender over its runs; ``p95`` is the least that 95 % of them do not exceed.

    Fewer than 20 runs have no ``p95``: it would be their maximum under another name.
    """

    name: str
    median: float
    min: float
    max: float
    runs: int
    p95: float | None = None

    @classmethod
    def of(cls, name: str, values: Sequence[float]) -> Sample:
        """Summarise the values of all runs."""
        count, ordered = len(values), [round(value, 6) for value in sorted(values)]
        p95 = ordered[ceil(0.95 * count) - 1] if count >= FEWEST_FOR_P95 else None
        return cls(name, round(median(values), 6), ordered[0], ordered[-1], count, p95)


@dataclass(frozen=True)
class Target:
    """What the figure has to be: a ratio where there is a peer, else a value in the measurement's unit.

    ``figure`` says which value is meant where there is no peer. A ratio of very short times says little, so a target
    is also met when the median of Regulars is at most ``or_at_most``.
    """

    sense: Sense
    limit: float
    figure: Literal["median", "p95"] = "median"
    or_at_most: float | None = None

    def met_by(self, figure: float) -> bool:
        """Whether a figure is on the right side of the limit."""
        return figure >= self.limit if self.sense == "at least" else figure <= self.limit


@dataclass(frozen=True)
class Part:
    """One of the things that a measurement does one after another, and where its answer came from."""

    name: str
    source: str
    median: float
    p95: float | None


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
    parts: tuple[Part, ...] | None = None

    @property
    def ratio(self) -> float | None:
        """The quotient of the medians; None without a peer."""
        if self.peer is None:
            return None
        ours, theirs = self.regulars.median, self.peer.median
        above, below = (theirs, ours) if self.sense == "at least" else (ours, theirs)
        return float(f"{above / below:.4g}") if below else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        target, own = self.target, self.regulars
        if target is None:
            return None
        if target.or_at_most is not None and own.median <= target.or_at_most:
            return True
        alone = own.p95 if target.figure == "p95" else own.median
        figure = alone if self.peer is None else self.ratio
        return None if figure is None else target.met_by(figure)

    def as_json(self) -> dict[str, Any]:
        """The measurement as it stands in the file of a run."""
        own = asdict(self)
        own["ratio_means"] = None if self.peer is None else _MEANINGS[own.pop("sense")]
        own.pop("sense", None)
        own["parts"] = None if self.parts is None else [asdict(part) for part in self.parts]
        return {**own, "ratio": self.ratio, "met": self.met}


_MEANINGS = {"at least": "peer / regulars", "at most": "regulars / peer"}


def measurement_of(stored: dict[str, Any]) -> Measurement:
    """A measurement from its JSON form; keys that came later may be missing."""
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
        parts=tuple(Part(**part) for part in stored["parts"]) if stored.get("parts") else None,
    )
