"""Experiments, as programs run them: create, assign, record, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from regulars.application.services.asking import whole
from regulars.domain.metrics.options import read_events
from regulars.domain.summaries import ABTestResults, ABTestVariantResult
from regulars.domain.vocabulary import ABTestVariant
from regulars.errors import QueryError

if TYPE_CHECKING:
    from datetime import datetime

    from regulars.application.services.asking import UserId, Workspace
    from regulars.domain.experiments import Design, Experiment

CONVERSION = "ab_conversion"
DEFAULT_VARIANTS = (ABTestVariant.CONTROL, ABTestVariant.VARIANT_A)
_NUMBERS = ("variant", "users", "converted", "immature", "mean", "difference", "low", "high", "p_value", "lift",
            "chance_to_win", "verdict", "reason")  # fmt: skip


class ABTestManager:
    """Runs experiments: :attr:`regulars.Workspace.experiments` for programs that assign and record as they go.

    Example:
        >>> import regulars
        >>> tests = ABTestManager(regulars.open())
        >>> _ = tests.create_test("checkout")
        >>> tests.assign_variant("checkout", 3) is tests.assign_variant("checkout", 3)
        True
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def create_test(
        self,
        name: str,
        variants: Sequence[str] | Mapping[str, float] = DEFAULT_VARIANTS,
        *,
        metric: Mapping[str, Any] | None = None,
        start: bool = True,
        **design: Any,
    ) -> Experiment:
        """Write an experiment down and start it.

        Args:
            name: Letters, digits, ``_``, ``-`` and ``.``.
            variants: Their names, or names with weights; the control first.
            metric: Options of :meth:`regulars.Workspace.experiment`, such as ``{"event": "purchase"}``. By default the
                share of people with an event ``ab_conversion`` of this experiment, which :meth:`record_conversion`
                records.
            start: Whether it runs at once, or stays a draft until ``ws.experiments.start(name)``.
            design: Other keywords of ``ws.experiments.create``: ``coverage``, ``planned_size``, ``hypothesis`` ...

        Raises:
            QueryError: ``experiment_exists``, ``bad_name``, ``bad_design``, ``bad_allocation``, ``bad_option``.
        """
        own = {str(one): variants[one] for one in variants} if isinstance(variants, Mapping) else [*map(str, variants)]
        counted = dict(metric) if metric is not None else _own_conversions(name)
        made = self._workspace.experiments.create(name, own, metric=counted, **design)
        return self._workspace.experiments.start(name) if start else made

    def assign_variant(self, name: str, user_id: UserId, *, log_exposure: bool = True) -> ABTestVariant | None:
        """The variant of a person, the same every time; None while the test does not run, or if they take no part.

        Args:
            name: The experiment.
            user_id: Who.
            log_exposure: Whether to record that they see it: only people who do are counted.

        Raises:
            UnknownNameError: ``unknown_experiment``.
        """
        variant = self._workspace.experiments.assign(name, user_id, log=log_exposure).variant
        return None if variant is None else ABTestVariant(variant)

    def record_conversion(
        self,
        name: str,
        user_id: UserId,
        *,
        event: str | None = None,
        properties: Mapping[str, Any] | None = None,
        timestamp: datetime | str | None = None,
    ) -> None:
        """Record that somebody did what an experiment measures; before they saw a variant it does not count.

        Args:
            name: The experiment.
            user_id: Who.
            event: The event type; by default the one that the experiment's metric counts.
            properties: Such as ``{"amount": 20}``.
            timestamp: When, with a time zone; now by default.

        Raises:
            UnknownNameError: ``unknown_experiment``.
            QueryError: ``bad_option``: the metric counts no event of one name, and none was given.
        """
        found = self._workspace.experiments.get(name)
        kind = event or _event_of(name, found.design, self._workspace.settings.activities)
        said = {**(properties or {}), **({"experiment": name} if kind == CONVERSION else {})}
        self._workspace.track(user_id, kind, properties=said, timestamp=timestamp)

    def get_results(self, name: str, *, phase: int | None = None, **question: Any) -> ABTestResults:
        """What came of a phase of an experiment, the present one by default.

        Args:
            name: The experiment.
            phase: Its number.
            question: Options and keywords that differ from the design's, as for ``ws.experiments.results``.

        Raises:
            UnknownNameError: ``unknown_experiment``.
            QueryError: ``not_started``, ``no_such_phase``.
        """
        experiments = self._workspace.experiments
        found = experiments.get(name)
        result = experiments.results(name, phase=phase, **whole(question))
        shown = found.phase if phase is None else found.phases[phase - 1]
        rows = {row["variant"]: row for row in result.rows}
        split = result.averages[0]["split"] if result.averages else None
        nobody = [ABTestVariantResult(variant) for variant in shown.design.variants if variant not in rows]
        seen = [ABTestVariantResult(*(row[key] for key in _NUMBERS)) for row in result.rows]
        return ABTestResults(name, shown.status, shown.number, split, (*seen, *nobody))


def _own_conversions(name: str) -> dict[str, Any]:
    mine = {"property": "event.experiment", "op": "=", "value": name}
    return {"event": {"events": [CONVERSION], "where": [mine]}}


def _event_of(name: str, design: Design, activities: Sequence[str]) -> str:
    counted = read_events(design.metric.get("event", "conversion"))
    events = (counted,) if isinstance(counted, str) else counted.events or ()
    if len(events) != 1 or events[0] in activities:
        raise QueryError(
            f"the metric of {name!r} counts no event of one name; say which event happened: event='purchase'",
            code="bad_option", name=name,
        )  # fmt: skip
    return events[0]
