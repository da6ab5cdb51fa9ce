"""Attempts at a funnel: who began one when, how far it led, and which of a person's attempts counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.activity import chosen_events
from regulars.domain.calendar import epoch_day
from regulars.domain.metrics.funnel_options import condition_of
from regulars.domain.relations import cells, counts, moments, slices
from regulars.domain.relations.any_order import AnyWays, groups_of, sharing
from regulars.domain.relations.chains import Ways
from regulars.domain.relations.line import line_of
from regulars.domain.relations.occurrences import at_entry, occurrences
from regulars.domain.relations.scope import listed
from regulars.domain.relations.strict_order import StrictWays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.metrics.funnel_options import Funnel
    from regulars.domain.relations.line import Line
    from regulars.domain.relations.scope import Scope
    from regulars.domain.statement import Statement

_BEYOND = 2**53  # µs since 1970 that no event reaches; the steps of the longest funnel fit above it into 63 bits


@dataclass(frozen=True)
class Attempts:
    """The attempts behind one question; ``by_date`` keeps those of different entry buckets apart."""

    statement: Statement
    funnel: Funnel
    by_date: bool = False

    @property
    def scope(self) -> Scope:
        """The scope of the question."""
        return self.statement.scope

    @property
    def keys(self) -> list[str]:
        """The columns within which an attempt must stay: its person, and values that all of its steps share."""
        if self._line:
            return ["line"]
        return ["user_key", *(self._of_events() if self.funnel.attribution.kind == "all" else [])]

    @property
    def _steps(self) -> list[int]:
        return [number for number, _ in enumerate(self.funnel.steps, 1)]

    def _of_events(self) -> list[str]:
        pairs = zip(self.scope.segments, self.scope.breakdown, strict=True)
        return [name for name, found in pairs if found.scope == "event"]

    def relations(self) -> dict[str, str]:
        """Named relations up to ``best``: per person, slice (and entry bucket) the attempt that counts.

        Columns: ``user_key``, ``slice``, ``day`` (and ``date``) of the entry, ``at``, ``depth`` (steps reached), and
        ``taken_1`` and so on, the µs at which each step was reached: since 1970, or on a line of all people.
        """
        scope, statement = self.scope, self.statement
        named = moments.validities(scope, statement.frame)
        named["marks"] = self._marks()
        named |= self._ways().relations()
        taken = listed(self._taken, "h").removesuffix(", ")
        named["entered"] = at_entry(scope, "tried", f"h.at, h.depth, {taken}")
        table = "entered"
        if self.by_date:
            named["days"] = counts.days(statement.frame, statement.values)
            named["dated"] = "SELECT r.*, d.date FROM entered r JOIN days d ON d.day = r.day"
            table = "dated"
        if self._of_events() and self.funnel.attribution.kind in ("last", "step"):
            steady = [name for name in scope.segments if name not in self._of_events()]
            named["unlabelled"] = self._best(table, steady)
            named["labelled"] = self._labelled(steady)
            table = "labelled"
        if scope.breakdown:
            named["slices"] = slices.ranked(scope, "count(DISTINCT user_key)", "1", table)
        slice_ = "k.slice" if scope.breakdown else "1"
        columns = listed(["user_key", "day", *self._date], "r")
        taken = listed(self._taken, "r").removesuffix(", ")
        named["placed"] = f"""
SELECT {columns}{slice_} AS slice, r.at, r.depth, {taken}
FROM {table} r {cells.segment_join(scope, "r")}"""
        named["best"] = self._best("placed", ["slice"])
        return named

    @property
    def _date(self) -> list[str]:
        return ["date"] if self.by_date else []

    def _ways(self) -> Ways | StrictWays | AnyWays:
        """The ways of the funnel, which end in the relation ``tried``."""
        segments = list(dict(self.scope.stored_segments()))
        given = (self.funnel, self.keys, segments, epoch_day(self.statement.frame.last))
        if self.funnel.order == "strict":
            return StrictWays(*given)
        if self.funnel.order == "any":
            return AnyWays(*given, sharing(self.funnel.steps, self.statement.context))
        return Ways(*given, has_ladders=self._has_ladders())

    def _has_ladders(self) -> bool:
        """Whether it has to be searched for which of several events at one instant takes which step.

        Where no event has a sequence and each can take one step only, all of them take theirs, or, when ties do not
        count, one of them does.
        """
        funnel, context = self.funnel, self.statement.context
        if funnel.ties == "strict" or (funnel.ties == "sequence" and not context.has_sequences):
            return False
        is_plain = len(groups_of(funnel.steps, context)) == len(funnel.slots)
        return context.has_sequences or not is_plain

    def _marks(self) -> str:
        statement = self.statement
        said = [condition_of(step) for step in self.funnel.steps]
        tests = {f"step_{number}": each for number, each in enumerate(said, 1)}
        tests |= {f"x_{number}": condition_of(each.event) for number, each in enumerate(self.funnel.exclusions, 1)}
        marks = {name: chosen_events(each, statement.context, statement.values) for name, each in tests.items()}
        if self.funnel.order == "strict":
            marks["counts"] = "NOT a.is_marker"
        return occurrences(statement, marks, first=statement.values.add(statement.frame.first), line=self._line)

    def _best(self, table: str, within: Sequence[str]) -> str:
        """Of a person's attempts the one that led furthest, of equals the earliest.

        Its ``taken_`` times are those of the steps it reached; what stands in those beyond means nothing.
        """
        own = ["user_key", *self._date, *within]
        if self._has_twins:
            later = "".join(f", taken_{step}" for step in self._steps[1:])
            return f"""
SELECT * FROM (
  SELECT r.*, row_number() OVER (PARTITION BY {", ".join(own)} ORDER BY depth DESC, at{later}) AS rank FROM {table} r
) ranked
WHERE rank = 1"""
        # One number to compare, which is far cheaper than to put all attempts of a person in order.
        place = f"r.at - r.depth * {self._line.length if self._line else _BEYOND}"
        values = ", ".join(f"arg_min(r.{name}, {place}) AS {name}" for name in ("day", "at", *self._taken))
        return f"""
SELECT {listed(own, "r")}max(r.depth) AS depth, {values}
FROM {table} r
GROUP BY {listed(own, "r").removesuffix(", ")}"""

    @property
    def _line(self) -> Line | None:
        """The line of all people, where nothing but time decides which event takes the next step."""
        if self._has_twins or not self.scope.is_about_users:
            return None
        statement = self.statement
        return line_of(statement.frame, self.funnel.within * 1_000_000, statement.context.greatest_user_key)

    @property
    def _taken(self) -> list[str]:
        return [f"taken_{step}" for step in self._steps]

    @property
    def _has_twins(self) -> bool:
        """Whether attempts that begin at one instant and lead equally far may differ in what came between."""
        return self.funnel.order != "ordered" or self.funnel.attribution.kind == "all" or self._has_ladders()

    def _labelled(self, steady: Sequence[str]) -> str:
        """Attempts with the value of a step they reached; those that did not reach it have none."""
        chosen = self.funnel.attribution
        steps = [chosen.step] if chosen.kind == "step" else self._steps
        when = ">=" if chosen.kind == "step" else "="
        # Without an order, the n-th step to be done may be any of them.
        done = {step: [step] if self.funnel.order != "any" else self._steps for step in steps}
        tests = {step: " OR ".join(f"s.step_{each} = 1" for each in done[step]) for step in steps}
        taken = " OR ".join(f"(b.depth {when} {n} AND s.at = b.taken_{n} AND ({tests[n]}))" for n in steps)
        columns = listed(["user_key", "day", *self._date, *steady], "b")
        values = "".join(f"coalesce(s.{name}, '(none)') AS {name}, " for name in self._of_events())
        times = listed(self._taken, "b").removesuffix(", ")
        partition = ", ".join(["b.user_key", *(f"b.{name}" for name in (*self._date, *steady))])
        return f"""
SELECT * FROM (
  SELECT {columns}{values}b.at, b.depth, {times},
    row_number() OVER (PARTITION BY {partition} ORDER BY s.event_id) AS choice
  FROM unlabelled b LEFT JOIN marks s ON s.user_key = b.user_key AND ({taken})
) named
WHERE choice = 1"""
