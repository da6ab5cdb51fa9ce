"""An experiment as it is written down: its design, its phases, and what may become of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from regulars.domain.actions import EXPOSURES
from regulars.domain.inference.assignment import Allocation, Namespace, assign
from regulars.domain.metrics.experiment import EXPERIMENT
from regulars.domain.metrics.experiment_options import read_variants, trial_of
from regulars.domain.query import Query
from regulars.errors import QueryError

if TYPE_CHECKING:
    from datetime import datetime

Status = Literal["draft", "running", "stopped", "archived"]
NOT_RUNNING = "not_running"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
# What decides who gets which variant; a change of it deals people anew.
_DEALS = ("variants", "seed", "hash_version", "namespace")
_SET_BY_RESULTS = ("experiment", "variants", "planned_size", "since", "until")


class Design(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Who gets what, and what is measured.

    ``variants`` have weights, the control first. ``coverage`` is the share of people that take part. ``seed`` is hashed
    with the id and stays when the experiment is renamed; ``hash_version`` never changes. ``namespace`` is (name, start,
    end): experiments with parts of one namespace that do not meet share nobody. ``forced`` names people who get a
    variant whatever their hash. ``metric`` and each of the ``guardrails`` are options of the metric ``experiment``.
    """

    variants: dict[str, float]
    coverage: float = 1.0
    seed: str = ""
    hash_version: int = 2
    namespace: tuple[str, float, float] | None = None
    forced: dict[str, str] = {}
    hypothesis: str = ""
    metric: dict[str, Any] = {}
    guardrails: tuple[dict[str, Any], ...] = ()
    planned_size: int | None = None

    def allocation(self) -> Allocation:
        """How people are shared out; refuses what cannot be."""
        total = sum(self.variants.values())
        return Allocation(
            self.seed, tuple(self.variants), tuple(weight / total for weight in self.variants.values()), self.coverage,
            self.seed, None if self.namespace is None else Namespace(*self.namespace), self.forced, self.hash_version,
        )  # fmt: skip

    def deals_as(self, other: Design) -> bool:
        """Whether everybody who has a variant under the other design keeps it under this one."""
        same = all(getattr(self, name) == getattr(other, name) for name in _DEALS)
        return same and list(self.variants) == list(other.variants) and self.coverage >= other.coverage


@dataclass(frozen=True)
class Phase:
    """A time in which one design held. ``started_at`` and ``stopped_at`` are naive UTC."""

    number: int
    status: Status
    design: Design
    created_at: datetime
    started_at: datetime | None = None
    stopped_at: datetime | None = None


@dataclass(frozen=True)
class Experiment:
    """An experiment with its phases, the present one last."""

    name: str
    phases: tuple[Phase, ...]

    @property
    def phase(self) -> Phase:
        """The present phase."""
        return self.phases[-1]

    @property
    def status(self) -> Status:
        """What is the case now."""
        return self.phase.status

    @property
    def design(self) -> Design:
        """What holds now."""
        return self.phase.design


class Placement(NamedTuple):
    """The variant of a person, or None, and why; ``bucket`` is the hash from 0 to 1 that decided, where one did."""

    variant: str | None
    reason: str
    bucket: float | None = None


def place(experiment: Experiment, user_id: object) -> Placement:
    """Who gets which variant: only while the experiment runs, then by its hash alone."""
    if experiment.status != "running":
        return Placement(None, NOT_RUNNING)
    found = assign(experiment.design.allocation(), user_id)
    return Placement(found.variant, found.decision.value, found.bucket)


def exposure_event(name: str, user_id: str | int, variant: str, timestamp: str) -> dict[str, Any]:
    """The event that somebody saw a variant, as an import takes it."""
    said = {"experiment": name, "variant": variant}
    return {"user_id": user_id, "event_type": EXPOSURES[0], "timestamp": timestamp, "properties": said}


def make_design(name: str, given: dict[str, Any], before: Design | None = None) -> Design:
    """A design from its parts, all checked; parts that are not given are those of ``before``.

    >>> make_design("checkout", {"variants": "CONTROL=3, VARIANT_A=1"}).allocation().weights
    (0.75, 0.25)

    Raises:
        QueryError: ``bad_name``, ``bad_design``, ``bad_allocation``, ``bad_option``.
    """
    if not _NAME.fullmatch(name):
        raise QueryError(
            f"experiment name {name!r} must be letters, digits, '_', '-' and '.', at most 63", code="bad_name"
        )
    known = msgspec.to_builtins(before) if before is not None else {"variants": ["CONTROL", "VARIANT_A"], "seed": name}
    merged = {**known, **given}
    merged["variants"] = read_variants(merged["variants"])
    try:
        design = msgspec.convert(merged, Design)
    except msgspec.ValidationError as exc:
        raise QueryError(f"the design cannot be read: {exc}", code="bad_design", name=name) from exc
    design.allocation()
    for options in (design.metric, *design.guardrails):
        check_measure(name, options)
    return design


def check_measure(name: str, options: dict[str, Any]) -> None:
    """Refuse options that the metric does not take, and those that the design decides."""
    for key in _SET_BY_RESULTS:
        if key in options:
            raise QueryError(f"{key} follows from the experiment; leave it out of the metric", code="bad_option")
    query = Query(metric="experiment", options={"experiment": name, **options})
    EXPERIMENT.check(query)
    trial_of(EXPERIMENT, query)


def refuse(experiment: Experiment, verb: str, allowed: tuple[Status, ...]) -> None:
    """Refuse a step that the life of an experiment does not have."""
    if experiment.status not in allowed:
        raise QueryError(
            f"experiment {experiment.name!r} is {experiment.status}; only one that is {' or '.join(allowed)} can be "
            f"{verb}",
            code="wrong_status", name=experiment.name, status=experiment.status,
        )  # fmt: skip
