"""What an experiment is asked: which one, what is measured of each person, how long, and how it is made comparable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, cast

from regulars.domain.metrics.options import (
    EVENTS_FORM,
    SECONDS,
    Events,
    Option,
    read_events,
    read_name,
    read_seconds,
)
from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from regulars.domain.inference.comparison import Better
    from regulars.domain.inference.moments import Kind
    from regulars.domain.metrics.record import Metric
    from regulars.domain.query import Query

Measured = Literal["proportion", "count", "sum", "ratio", "retention", "active_days"]
MEASURES: tuple[Measured, ...] = ("proportion", "count", "sum", "ratio", "retention", "active_days")
# By which statistics each is compared.
KINDS: Mapping[Measured, Kind] = {
    "proportion": "proportion", "count": "mean", "sum": "mean", "ratio": "ratio", "retention": "proportion",
    "active_days": "mean",
}  # fmt: skip
DEFAULT_WITHIN = "14 days"
VARIANTS_FORM = 'the planned variants with their weights, the control first, e.g. "CONTROL=1, VARIANT_A=1"'
INSTANT_FORM = "a time with its zone, e.g. 2026-03-31T10:00:00Z"
MOST_VARIANTS = 27


@dataclass(frozen=True)
class Trial:
    """What is asked of one experiment.

    ``number`` is the property that is added up, if events are not counted. ``planned`` are the variants with their
    weights, the control first; empty where nobody said. ``within`` is the conversion window in seconds, ``day`` the day
    of retention, ``before`` how many days before the exposure CUPED looks at, ``percentile`` where values are cut.
    ``since`` and ``until`` bound the exposures that count, in µs UTC.
    """

    experiment: str
    measure: Measured
    event: Events
    number: str | None
    per_event: Events | None
    per_number: str | None
    within: int
    day: int
    before: int | None
    percentile: int | None
    planned: Mapping[str, float]
    control: str | None
    better: Better
    size: int | None
    tolerated: int | None
    only_complete: bool
    since: int | None
    until: int | None

    @property
    def kind(self) -> Kind:
        """By which statistics arms are compared."""
        return KINDS[self.measure]

    @property
    def ahead_days(self) -> int:
        """How many days after an exposure can still matter."""
        return self.day if self.measure == "retention" else self.within // SECONDS["day"] + 1


def read_variants(given: object) -> dict[str, float]:
    """Variants with their weights, from ``a=1, b=1``, a mapping, or a list of names with equal weights.

    >>> read_variants("CONTROL=0.9, VARIANT_A=0.1"), read_variants(["a", "b"])
    ({'CONTROL': 0.9, 'VARIANT_A': 0.1}, {'a': 1.0, 'b': 1.0})
    """
    pairs: list[tuple[Any, Any]]
    if isinstance(given, str):
        parts = [text.rpartition("=") for text in given.split(",")]
        pairs = [(name.strip(), weight) if sign else (weight.strip(), "1") for name, sign, weight in parts]
    elif isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        pairs = [(name, 1) for name in given] if isinstance(given, list | tuple) else []
    names = [name for name, _ in pairs]
    if len(names) < 2 or len(set(names)) < len(names) or len(names) > MOST_VARIANTS:  # noqa: PLR2004 -- something to compare
        raise _unreadable(given)
    found = {read_name(name): _weight(weight, given) for name, weight in pairs}
    if not sum(found.values()):
        raise _unreadable(given)
    return found


def _weight(given: object, whole: object) -> float:
    try:
        weight = float(cast("str", given))
    except (TypeError, ValueError):
        raise _unreadable(whole) from None
    if not 0 <= weight < float("inf") or isinstance(given, bool):
        raise _unreadable(whole)
    return weight


def _unreadable(given: object) -> QueryError:
    return QueryError(f"variants {given!r} cannot be read; allowed: {VARIANTS_FORM}", code="bad_option")


def read_instant(given: object) -> int:
    """An instant that names its zone, as µs since 1970.

    >>> read_instant("1970-01-01T01:00:01+01:00")
    1000000
    """
    try:
        at = given if isinstance(given, datetime) else datetime.fromisoformat(cast("str", given))
    except (TypeError, ValueError):
        at = None
    if at is None or at.tzinfo is None:
        raise QueryError(f"{given!r} cannot be read; allowed: {INSTANT_FORM}", code="bad_option")
    since = at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * SECONDS["day"] + since.seconds) * 1_000_000 + since.microseconds


OPTIONS = (
    Option("experiment", "Which experiment", None, read=read_name, form="the name of an experiment"),
    Option("measure", "What is measured of each person", "proportion", MEASURES),
    Option(
        "event", "Which events count: conversions, or core actions for retention and active_days", None,
        read=read_events, form=EVENTS_FORM,
    ),
    Option(
        "property", "The number of each event that is added up (sum, ratio)", None, read=read_name,
        form="a property", names_property=True,
    ),
    Option("per_event", "Which events are the denominator (ratio)", None, read=read_events, form=EVENTS_FORM),
    Option(
        "per_property", "The number of each of those that is added up (ratio); without it they are counted", None,
        read=read_name, form="a property", names_property=True,
    ),
    Option("within", "How long after the exposure events count", DEFAULT_WITHIN, read=read_seconds, form="a time"),
    Option("day", "How many days after the exposure people must be active (retention)", 7, largest=366),
    Option("cuped", "Days before the exposure in which the same is measured, to compare alike", None,
           largest=366),
    Option("winsorize", "Percentile of all values but zeros at which values are cut", None, largest=100),
    Option("variants", "The planned variants with their weights, the control first", None, read=read_variants,
           form=VARIANTS_FORM),
    Option("control", "The variant that the others are compared with", None, read=read_name, form="a variant"),
    Option("better", "Which direction is good", "higher", ("higher", "lower")),
    Option("planned_size", "People in all at which the experiment is over, as it was planned", None, largest=2**31),
    Option("tolerated", "Percent of the control's mean that a guardrail may lose", None, smallest=0, largest=99),
    Option("only_complete", "Leave out people whose window is not over", default=False, choices=(False, True)),
    Option("since", "First instant of exposures that count", None, read=read_instant, form=INSTANT_FORM),
    Option("until", "Last instant of exposures that count", None, read=read_instant, form=INSTANT_FORM),
)  # fmt: skip


def trial_of(metric: Metric, query: Query) -> Trial:
    """The options of a question, checked against each other."""
    found = {option.name: metric.option(query, option.name) for option in OPTIONS}
    if found["experiment"] is None:
        raise QueryError(
            "experiment needs a name, e.g. experiment='checkout'; regulars experiment list shows them",
            code="no_experiment",
        )
    measure = cast("Measured", found["measure"])
    _check_fit(measure, found)
    by_day = measure in ("retention", "active_days")
    trial = Trial(
        experiment=str(found["experiment"]), measure=measure,
        event=cast("Events", found["event"] or ("core" if by_day else "conversion")),
        number=cast("str | None", found["property"]),
        per_event=cast("Events | None", found["per_event"]), per_number=cast("str | None", found["per_property"]),
        within=cast("int", found["within"]), day=cast("int", found["day"]), before=cast("int | None", found["cuped"]),
        percentile=cast("int | None", found["winsorize"]),
        planned=cast("dict[str, float]", found["variants"] or {}), control=cast("str | None", found["control"]),
        better=cast("Better", found["better"]), size=cast("int | None", found["planned_size"]),
        tolerated=cast("int | None", found["tolerated"]), only_complete=bool(found["only_complete"]),
        since=cast("int | None", found["since"]), until=cast("int | None", found["until"]),
    )  # fmt: skip
    if trial.planned and trial.control is not None and trial.control not in trial.planned:
        raise UnknownNameError("variant", trial.control, trial.planned, code="unknown_variant")
    return trial


def _check_fit(measure: Measured, found: Mapping[str, object]) -> None:
    """Refuse options that say nothing about a measure, or contradict it."""
    fits = {
        "property": ("sum", "ratio"), "per_event": ("ratio",), "per_property": ("ratio",),
        "cuped": tuple(each for each in MEASURES if each != "ratio"), "winsorize": ("count", "sum"),
    }  # fmt: skip
    for name, measures in fits.items():
        if found[name] is not None and measure not in measures:
            raise QueryError(
                f"{name} is for measure={' or '.join(measures)}, not {measure}; leave it out", code="bad_option"
            )
    if measure == "sum" and found["property"] is None:
        raise QueryError("a sum needs property, the number to add up, e.g. property='amount'", code="bad_option")
    if measure == "ratio" and found["per_event"] is None:
        raise QueryError("a ratio needs per_event, the events of its denominator", code="bad_option")
    if any(early > late for early, late in pairwise(i for i in (found["since"], found["until"]) if isinstance(i, int))):
        raise QueryError("since lies after until; swap them", code="bad_option")
