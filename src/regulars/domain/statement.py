"""One SQL statement for a question: the relations it needs, and the SELECT over them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from regulars.domain import hours
from regulars.domain.calendar import epoch_day
from regulars.domain.properties import resolve
from regulars.domain.relations import cells, counts, moments, rows, slices, spans
from regulars.domain.relations.day_sets import DaySets
from regulars.domain.schema import GAP_CAP, MISSING
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.context import Context
    from regulars.domain.frame import Frame
    from regulars.domain.metrics.record import Metric, Shape
    from regulars.domain.properties import Property
    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Scope, Source
    from regulars.domain.sql import Values


@dataclass(frozen=True)
class Statement:
    """The SQL of one question: its relations put together for one source of rows."""

    query: Query
    metric: Metric
    shape: Shape
    frame: Frame
    scope: Scope
    values: Values
    context: Context

    @property
    def registered(self) -> bool:
        """Whether a measure compares with the registration date."""
        return any(measure.rule in ("registered", "joined") for measure in self.shape.measures)

    @property
    def whole_history(self) -> bool:
        """Whether a measure asks for the first day ever, so that days before the range matter."""
        return self.shape.needs_history or any(measure.rule == "new" for measure in self.shape.measures)

    def can_read(self, source: Source) -> bool:
        """Whether a source gives exact rows for this question."""
        scope = self.scope
        if source == "events" or self.hourly or self._needs_events or not scope.is_about_users:
            return source == "events"
        if source == "sessions" or self._reads_sessions:
            return source == "sessions" and self._reads_sessions and self.context.fresh_sessions
        rules = {measure.rule for measure in self.shape.measures}
        if not self._rows_are_fresh() or "weight" in rules:
            return False
        if source == "arrivals":
            return self._arrivals_are_exact()
        if self.metric.composition:
            is_stored = self.metric.composition.is_stored
            return is_stored is not None and self._arrivals_are_exact() and is_stored(self)
        # Gaps are capped in the aggregates, so "first in the range" is only certain within the cap.
        single_people = rules & {"actions", "registered", "joined"} or scope.per_person
        # So is "in the bucket before", when both lie within it.
        is_certain = self.frame.days <= GAP_CAP and 2 * self.shape.lead_days <= GAP_CAP
        return not single_people and is_certain and self.stored_slice() is not None

    @property
    def _needs_events(self) -> bool:
        composition = self.metric.composition
        return composition is not None and composition.needs_events is not None and composition.needs_events(self)

    def _rows_are_fresh(self) -> bool:
        """Whether the stored rows of the activity were made with the present definitions."""
        return not self.context.stale and self.scope.activity in self.context.fresh_activities

    def _arrivals_are_exact(self) -> bool:
        """Whether the stored active days are those of this question."""
        return self._days_are_stored() and not self.scope.by_event

    def _days_are_stored(self) -> bool:
        """Whether people are active on the stored days, whatever else they are sliced by."""
        is_about_activity = self.metric.qualifies is None
        return is_about_activity and self._rows_are_fresh() and not self.scope.event_conditions

    @property
    def _reads_sessions(self) -> bool:
        return self.metric.composition is not None and self.metric.composition.reads == "sessions"

    def reading(self, source: Source) -> Statement:
        """The statement for a chosen source: in the aggregates, slices of events are sums like any other."""
        return replace(self, scope=replace(self.scope, is_summed=source == "aggregates"))

    def waits_for_rebuild(self) -> bool:
        """Whether the aggregates would answer, were the slices stored that the settings ask for."""
        missing = self.context.missing_dimensions
        wanted = replace(self.context, dimensions=self.context.dimensions | missing)
        return bool(missing) and replace(self, context=wanted).can_read("aggregates")

    def stored_slice(self) -> rows.StoredSlice | None:
        """The part of the aggregates that answers the question; None when none does exactly."""
        leaves = [leaf for filter_ in self.query.filters for leaf in filter_.leaves()]
        read = [*self.scope.breakdown, *(resolve(f.property or "", self.context.names, self.values) for f in leaves)]
        columns = dict(zip(sorted({found.stored_name for found in read}), ("value", "second_value"), strict=False))
        name = ",".join(columns) or "overall"
        if read and (name not in self.context.dimensions or not all(found.stored_name in columns for found in read)):
            return None
        if any(found.scope == "event" for found in read) and not self._has_every_slice(name):
            return None
        return rows.StoredSlice(
            name, self._on_stored(read, columns), tuple(columns[found.stored_name] for found in self.scope.breakdown)
        )

    def _has_every_slice(self, name: str) -> bool:
        """Whether a question about an event property is about single slices of it: slices of events do not add up."""
        one = [f.op == "=" and isinstance(f.value, str | bool) and f.value != MISSING for f in self.query.filters]
        shown = not self.scope.breakdown or self.context.slice_values.get(name, 0) <= self.scope.limit
        return all(one) and (bool(one) or shown)

    def _on_stored(self, read: list[Property], columns: dict[str, str]) -> str | None:
        """The conditions of the question, on the columns that hold the values in the aggregates."""
        tests = " AND ".join((*self.scope.user_conditions, *self.scope.event_conditions))
        for found in read:
            tests = tests.replace(found.expression, f"nullif({columns[found.stored_name]}, '{MISSING}')")
        return tests or None

    @property
    def hourly(self) -> bool:
        """Whether the time axis has hours, which only raw events know."""
        return self.metric.has_hours(self.query)

    def select(self, source: Source) -> str:
        """The whole SELECT for the rows of the result."""
        if self.metric.composition:
            return self.metric.composition.select(self, source)
        if self.hourly:
            return hours.statement(self.scope, self.shape, self.frame, self.values, self.context)
        scope, shape, frame = self.scope, self.shape, self.frame
        named = self.spans(source)
        named["changes"] = counts.changes(scope, shape, frame)
        named["counts"] = counts.counts(scope, shape)
        named["daily"] = self._daily()
        return with_relations(named, self._rows())

    def people(self, source: Source, cell: Cell, row: Mapping[str, Any]) -> str:
        """The SELECT for the ids of the people whom one cell counts; the scope must keep people."""
        if self.metric.composition:
            # Aggregates know no people; where they answer, so do the arrivals they were made of.
            own = self.metric.composition.reads if source == "aggregates" else source
            return self.metric.composition.people(self, own, cell, row)
        if self.hourly:
            return hours.people(self.scope, self.frame, self.values, self.context, cell)
        return with_relations(self.spans(source), cells.people(self.scope, cell, self.values))

    def spans(self, source: Source) -> dict[str, str]:
        """The relations up to the days on which each active day counts."""
        scope, shape, frame = self.scope, self.shape, self.frame
        named = moments.validities(scope, frame, self.query.as_of if shape.judged_once else None)
        named |= self.chain(source)
        if scope.breakdown and not scope.by_event and not scope.moments:
            named["slices"] = slices.slices(scope, shape, frame, "chain")
        named["days"] = counts.days(frame, self.values)
        named["spans"] = spans.spans(scope, shape, frame)
        if scope.moments:
            named["held"] = moments.held(scope)
            if scope.breakdown and not scope.by_event:
                named["slices"] = slices.slices(scope, shape, frame, "held")
        return named

    def chain(self, source: Source) -> dict[str, str]:
        """Active days with their gaps, from the chosen source."""
        scope, shape, frame = self.scope, self.shape, self.frame
        stored = self.stored_slice() if source == "aggregates" else None
        if stored is not None:
            return {"chain": rows.chain_from_aggregates(scope, frame, self.values, stored)}
        if source == "arrivals":
            return {
                "chain": rows.chain_from_arrivals(
                    scope, frame, self.values, registered=self.registered, firsts=self.shape.needs_history
                )
            }
        if scope.by_event and self._days_are_sets:
            return DaySets(scope, frame, self.values).relations()
        first = "" if self.whole_history else self.values.add(frame.scan_from)
        last = self.values.add(frame.scan_to)
        named = {"user_days": rows.user_days(scope, first, last, registered=self.registered)}
        if scope.by_event:
            named["slices"] = slices.slices(scope, shape, frame, "user_days")
            if self._days_stand_alone:
                return named | {"chain": rows.chain_of_single_days(scope, frame)}
            named["sliced_days"] = rows.sliced_days(scope, registered=self.registered)
        named["chain"] = rows.chain_from_events(
            scope, frame, registered=self.registered, firsts=self.shape.needs_history
        )
        return named

    def visits(self) -> str:
        """The stored active days of whoever it may be, with their gaps."""
        anybody = replace(self.scope, population="all", breakdown=(), user_conditions=(), moments=())
        return rows.chain_from_arrivals(anybody, self.frame, self.values)

    @property
    def _days_stand_alone(self) -> bool:
        """Whether no measure asks what a person did on another day than the one it counts."""
        own_bucket = ("period", "actions", "weight") if self.frame.buckets.days == 1 else ()
        is_own = [m.rule in own_bucket or (m.rule == "rolling" and m.window == 1) for m in self.shape.measures]
        return all(is_own) and not self.scope.per_person

    @property
    def _days_are_sets(self) -> bool:
        """Whether nothing but the days themselves matters, neither what was done on them nor how often."""
        sums = any(measure.rule in ("actions", "weight") for measure in self.shape.measures)
        is_often = self.scope.min_events > 1 or self.scope.max_events is not None
        beyond = self.shape.lookback or self.shape.ahead_days
        return self._days_stand_alone and not sums and not is_often and not beyond

    def ledger(self, source: Source) -> str:
        """People with a qualifying event in the range, by population."""
        if source in ("sessions", "events"):
            # Which slices people are shown in does not matter here.
            source = "arrivals" if self.scope.is_about_users and self._days_are_stored() else "events"
        own = self.metric.composition.qualifies if self.metric.composition else None
        tests = own(self) if own else [self.scope.qualifies]
        if tests != [self.scope.qualifies]:
            return rows.ledger_of(self.scope, self.frame, self.values, source, tests)
        stored = self.stored_slice() if source == "aggregates" else None
        return rows.ledger(self.scope, self.frame, self.values, source, stored or rows.StoredSlice())

    def _daily(self) -> str:
        columns = ",\n  ".join(f"{self._text(text)} AS {name}" for name, text in self.shape.columns.items())
        return f"SELECT slice, day, date, last_day,\n  {columns}\nFROM counts"

    def _text(self, text: str) -> str:
        return text.replace(":last_seen", str(epoch_day(self.frame.scan_to)))

    def _rows(self) -> str:
        scope = self.scope
        shown, other = slices.shown_columns(scope), slices.is_other(scope)
        body = "FROM daily r"
        if scope.breakdown:
            body += f" JOIN ({slices.axis(scope)}) k ON k.slice = r.slice"
        first = epoch_day(self.frame.first)
        if self.shape.summary is not None:
            return self._summary(f"r.date, {shown}", other, f"{body}\nWHERE r.day >= {first}", self.shape.summary)
        columns = ", ".join(f"r.{name}" for name in self.shape.columns)
        return f"""
SELECT r.date, {shown}{columns}, {other} AS is_other
{body}
WHERE r.day = r.last_day AND r.day >= {first}
ORDER BY r.date, r.slice"""

    def _summary(self, shown: str, other: str, body: str, summary: str) -> str:
        final = epoch_day(self.frame.complete_through) - self.shape.ahead_days
        ratio = f"CASE WHEN r.day <= {final} THEN r.stickiness END"
        keys = ["r.date", "r.slice"]
        if self.scope.breakdown:
            keys += ["k.slice", *(f"k.shown_{name}" for name in self.scope.segments)]
        return f"""
SELECT {shown}CAST(NULL AS BIGINT) AS numerator, CAST(NULL AS BIGINT) AS denominator,
  {summary.format(ratio)} AS stickiness, {other} AS is_other
{body}
GROUP BY {", ".join(keys)}
ORDER BY r.date, r.slice"""
