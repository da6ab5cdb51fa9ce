"""Experiments: written down, started, stopped, archived; who gets which variant; what came of it.

The life of an experiment is draft, running, stopped, archived. What decides who gets which variant cannot change within
a phase: changing it opens a new one, and results are about the exposures of one phase.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from regulars.application.canonical import execute
from regulars.domain.calendar import local_day
from regulars.domain.dialect import render
from regulars.domain.experiments import (
    Design,
    Experiment,
    Phase,
    Placement,
    exposure_event,
    make_design,
    place,
    refuse,
)
from regulars.domain.inference.assignment import assign
from regulars.domain.metrics.experiment import EXPERIMENT
from regulars.domain.metrics.experiment_options import read_instant, trial_of
from regulars.domain.query import Query
from regulars.domain.relations.exposures import VARIANT, is_exposure
from regulars.domain.relations.rows import event_tables
from regulars.domain.sql import Values
from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from regulars.application.ports import Engine
    from regulars.domain.result import Result

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- stored times are naive UTC
_COLUMNS = "phase, status, design, created_at, started_at, stopped_at"


class Audit(NamedTuple):
    """How many ids were exposed in a phase, and which saw another variant than their hash gives."""

    exposed: int
    mismatches: tuple[str, ...]


@dataclass(frozen=True)
class Experiments:
    """The experiments of a workspace: ``ws.experiments``.

    Attributes:
        engine: Where they are written down.
        timezone: In which days begin, for the range of results.
        now: The present instant, naive UTC.
        record: Keeps one event.
        flush: Brings what was kept into the database.
        ask: Answers a question about a metric by name.
        may_write: Refuses, with the word for what was tried, where nothing may be changed.
    """

    engine: Engine
    timezone: str
    now: Callable[[], datetime]
    record: Callable[[Mapping[str, Any]], None]
    flush: Callable[[], None]
    ask: Callable[..., Result]
    may_write: Callable[[str], None]

    def create(self, name: str, variants: object = ("CONTROL", "VARIANT_A"), **design: Any) -> Experiment:
        """Write an experiment down, as a draft.

        Args:
            name: Letters, digits, ``_``, ``-`` and ``.``; events name the experiment like this.
            variants: Their names, or names with weights: ``{"CONTROL": 9, "VARIANT_A": 1}``; the control first.
            design: ``coverage`` (share of people that take part), ``seed``, ``namespace`` (name, start, end),
                ``forced`` (variant by user id), ``hypothesis``, ``metric`` and ``guardrails`` (options of the metric
                ``experiment``), ``planned_size`` (people in all).

        Raises:
            QueryError: ``experiment_exists``, ``bad_name``, ``bad_design``, ``bad_allocation``, ``bad_option``.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> made = ws.experiments.create("checkout", metric={"event": "purchase", "within": "7 days"})
            >>> made.status, list(made.design.variants)
            ('draft', ['CONTROL', 'VARIANT_A'])
        """
        self.may_write("create an experiment")
        made = make_design(name, {"variants": variants, **design})
        with self.engine.transaction():
            if name in self._names():
                raise QueryError(
                    f"there is an experiment {name!r} already; choose another name", code="experiment_exists"
                )
            self._keep(name, Phase(1, "draft", made, self.now()))
        return self.get(name)

    def change(self, name: str, **design: Any) -> Experiment:
        """Change the design. What deals people anew opens a new phase, if the experiment runs; the rest does not.

        Raises:
            QueryError: ``wrong_status``: it is stopped or archived; ``hash_version_is_fixed``; else as :meth:`create`.
        """
        self.may_write("change an experiment")
        with self.engine.transaction():
            found = self.get(name)
            refuse(found, "changed", ("draft", "running"))
            made = self._redesigned(found, design)
            phase = found.phase
            if found.status == "draft" or made.deals_as(phase.design):
                self._keep(name, replace(phase, design=made))
            else:
                self._next_phase(found, made)
        return self.get(name)

    def start(self, name: str, *, at: datetime | str | None = None, **design: Any) -> Experiment:
        """Begin to assign people. Starting one that was stopped opens a new phase, with changes if there are any.

        Args:
            name: The experiment.
            at: When it began, with a time zone, if that was earlier: exposures from then on count.
            design: What to change before.

        Raises:
            QueryError: ``wrong_status``: it runs, or is archived; ``bad_time``: it lies ahead, or in the phase before;
                else as :meth:`change`.
        """
        self.may_write("start an experiment")
        with self.engine.transaction():
            found = self.get(name)
            refuse(found, "started", ("draft", "stopped"))
            made = self._redesigned(found, design)
            began = self._earlier(at, found.phase.stopped_at)
            if found.status == "draft":
                self._keep(name, replace(found.phase, design=made, status="running", started_at=began))
            else:
                self._keep(name, Phase(found.phase.number + 1, "running", made, self.now(), began))
        return self.get(name)

    def stop(self, name: str, *, at: datetime | str | None = None) -> Experiment:
        """Assign nobody any more; exposures after this, or after the time ``at``, do not count.

        Raises:
            QueryError: ``wrong_status``: it does not run; ``bad_time``: it lies ahead, or before the start.
        """
        self.may_write("stop an experiment")
        with self.engine.transaction():
            found = self.get(name)
            refuse(found, "stopped", ("running",))
            ended = self._earlier(at, found.phase.started_at)
            self._keep(name, replace(found.phase, status="stopped", stopped_at=ended))
        return self.get(name)

    def archive(self, name: str) -> Experiment:
        """Put an experiment away; its results stay.

        Raises:
            QueryError: ``wrong_status``: it runs; stop it first.
        """
        self.may_write("archive an experiment")
        with self.engine.transaction():
            found = self.get(name)
            refuse(found, "archived", ("draft", "stopped"))
            self._keep(name, replace(found.phase, status="archived"))
        return self.get(name)

    def all(self) -> list[Experiment]:
        """Every experiment, by name."""
        return [self.get(name) for name in self._names()]

    def get(self, name: str) -> Experiment:
        """One experiment with its phases.

        Raises:
            UnknownNameError: ``unknown_experiment``.
        """
        values = Values()
        text = f"SELECT {_COLUMNS} FROM experiments x WHERE x.name = {values.add(name)} ORDER BY phase"
        phases = [
            Phase(number, status, msgspec.json.decode(design, type=Design), *times)
            for number, status, design, *times in self._rows(text, values)
        ]
        if not phases:
            hint = "" if self._names() else "there are none yet; make one with: regulars experiment create NAME"
            raise UnknownNameError("experiment", name, self._names(), code="unknown_experiment", hint=hint)
        return Experiment(name, tuple(phases))

    def assign(self, name: str, user_id: str | int, *, log: bool = False) -> Placement:
        """The variant of a person, the same every time, or None and why: ``not_running``, ``not_covered`` and so on.

        Args:
            name: The experiment.
            user_id: Who.
            log: Whether to record the exposure: only people who really saw something should be counted.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.experiments.create("checkout-redesign")
            >>> ws.experiments.assign("checkout-redesign", 3).reason
            'not_running'
            >>> _ = ws.experiments.start("checkout-redesign")
            >>> ws.experiments.assign("checkout-redesign", 3)
            Placement(variant='VARIANT_A', reason='assigned', bucket=0.6825)
        """
        found = place(self.get(name), user_id)
        if log and found.variant is not None:
            self.record_exposure(name, user_id, found.variant)
        return found

    def record_exposure(self, name: str, user_id: str | int, variant: str, *, timestamp: str | None = None) -> None:
        """Record that somebody saw a variant: an event ``experiment_viewed``; now, unless a time with a zone is given.

        Raises:
            UnknownNameError: ``unknown_variant``.
        """
        variants = self.get(name).design.variants
        if variant not in variants:
            raise UnknownNameError("variant", variant, variants, code="unknown_variant")
        self.record(exposure_event(name, user_id, variant, timestamp or self._moment()))

    def record_conversion(
        self,
        user_id: str | int,
        event: str,
        *,
        properties: Mapping[str, Any] | None = None,
        timestamp: str | None = None,
    ) -> None:
        """Record that somebody did what an experiment measures: an event like any other, and counted as one.

        Args:
            user_id: Who.
            event: The event type that the experiment's ``metric`` names.
            properties: Such as ``{"amount": 20}``.
            timestamp: When, with a time zone; now by default.
        """
        done = {"user_id": user_id, "event_type": event, "timestamp": timestamp or self._moment()}
        self.record({**done, "properties": dict(properties or {})})

    def results(self, name: str, *, phase: int | None = None, **question: Any) -> Result:
        """What came of a phase: the metric ``experiment`` with the design's variants, plan and measure.

        Args:
            name: The experiment.
            phase: Which phase; the present one by default.
            question: Options of the metric that differ from the design's, and keywords of
                :meth:`regulars.Workspace.question` such as ``by`` and ``where``.

        Raises:
            QueryError: ``not_started``; ``no_such_phase``.
        """
        chosen = self._started(name, phase)
        return self._asked(name, chosen, {**chosen.design.metric, **question})

    def guardrails(self, name: str, *, phase: int | None = None) -> list[Result]:
        """What came of each guardrail of a phase, in their order, as :meth:`results`."""
        chosen = self._started(name, phase)
        return [self._asked(name, chosen, options) for options in chosen.design.guardrails]

    def _asked(self, name: str, phase: Phase, options: Mapping[str, Any]) -> Result:
        ended = phase.stopped_at or self.now()
        days = {"start": self._day(phase.started_at or ended), "end": self._day(ended)}
        plan = {"planned_size": phase.design.planned_size} if phase.design.planned_size is not None else {}
        known = {"variants": phase.design.variants, **plan, **days, **_bounds(name, phase)}
        return self.ask("experiment", **known | dict(options))

    def _day(self, at: datetime) -> date:
        return local_day(at, self.timezone)

    def audit(self, name: str, *, phase: int | None = None) -> Audit:
        """Whether people saw the variant that the hash gives them: exposures are computed anew and compared.

        Where they differ, something else decides: an old design, another id, an SDK that hashes otherwise.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.experiments.create("checkout-redesign")
            >>> _ = ws.experiments.start("checkout-redesign")
            >>> for user_id in ("3", "4"):
            ...     ws.experiments.record_exposure("checkout-redesign", user_id, "VARIANT_A")
            >>> ws.experiments.audit("checkout-redesign").exposed
            2

        Raises:
            QueryError: ``not_started``; ``no_such_phase``.
        """
        chosen = self._started(name, phase)
        values = Values()
        trial = trial_of(EXPERIMENT, Query(metric="experiment", options=_bounds(name, chosen)))
        text = f"""
SELECT DISTINCT i.external_id, {VARIANT} AS variant
{event_tables("e.action_metadata", who="identities")}
WHERE {is_exposure(trial, values)} AND {VARIANT} IS NOT NULL ORDER BY i.external_id, variant"""
        self.flush()
        seen, allocation = self._rows(text, values), chosen.design.allocation()
        wrong = tuple(dict.fromkeys(u for u, variant in seen if assign(allocation, u).variant != variant))
        return Audit(len({user_id for user_id, _ in seen}), wrong)

    def _started(self, name: str, number: int | None) -> Phase:
        chosen = self._phase(self.get(name), number)
        if chosen.started_at is None:
            raise QueryError(
                f"experiment {name!r} has not been started, so there is nothing to see; run: "
                f"regulars experiment start {name}",
                code="not_started", name=name,
            )  # fmt: skip
        return chosen

    def _phase(self, found: Experiment, number: int | None) -> Phase:
        if number is None:
            return found.phase
        for phase in found.phases:
            if phase.number == number:
                return phase
        raise QueryError(
            f"experiment {found.name!r} has phases 1 to {len(found.phases)}, not {number}", code="no_such_phase"
        )

    def _redesigned(self, found: Experiment, design: Mapping[str, Any]) -> Design:
        if design.get("hash_version", found.design.hash_version) != found.design.hash_version:
            raise QueryError(
                f"hash_version of {found.name!r} is {found.design.hash_version} for ever: another one would deal "
                "everybody anew; make another experiment",
                code="hash_version_is_fixed",
            )
        return make_design(found.name, dict(design), found.design)

    def _next_phase(self, found: Experiment, design: Design) -> None:
        now, last = self.now(), found.phase
        self._keep(found.name, replace(last, status="stopped", stopped_at=now))
        self._keep(found.name, Phase(last.number + 1, "running", design, now, started_at=now))

    def _earlier(self, given: datetime | str | None, after: datetime | None) -> datetime:
        """An instant that is no later than now, and not before another; now by default."""
        now = self.now()
        if given is None:
            return now
        at = _EPOCH + timedelta(microseconds=read_instant(given))
        if at > now or (after is not None and at < after):
            bounds = f"from {after} to {now}" if after else f"no later than {now}"
            raise QueryError(f"{given} must be {bounds} UTC", code="bad_time")
        return at

    def _keep(self, name: str, phase: Phase) -> None:
        """Write a phase down, in the place of what was known of it, inside the open transaction."""
        values = Values()
        known, number = values.add(name), values.add(phase.number)
        execute(self.engine, f"DELETE FROM experiments WHERE name = {known} AND phase = {number}", values)
        times = [
            "CAST(NULL AS TIMESTAMP)" if at is None else f"CAST({values.add(at.isoformat(sep=' '))} AS TIMESTAMP)"
            for at in (phase.created_at, phase.started_at, phase.stopped_at)
        ]
        design = values.add(msgspec.json.encode(phase.design).decode())
        execute(
            self.engine,
            f"""INSERT INTO experiments (name, {_COLUMNS})
SELECT {known}, {number}, {values.add(phase.status)}, {design}, {", ".join(times)}""",
            values,
        )

    def _names(self) -> list[str]:
        return [name for (name,) in self._rows("SELECT DISTINCT name FROM experiments ORDER BY name", Values())]

    def _rows(self, text: str, values: Values) -> list[tuple[Any, ...]]:
        return self.engine.query(render(values.bind(text), self.engine.dialect)).rows

    def _moment(self) -> str:
        return f"{self.now().isoformat()}Z"


def _bounds(name: str, phase: Phase) -> dict[str, Any]:
    """The exposures of a phase, as options of the metric ``experiment``."""
    bounds = {"since": phase.started_at, "until": phase.stopped_at}
    return {"experiment": name, **{key: f"{at.isoformat()}Z" for key, at in bounds.items() if at is not None}}
