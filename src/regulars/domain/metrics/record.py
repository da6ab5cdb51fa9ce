"""What one metric is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from regulars.domain.query import EventCondition
from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from regulars.domain.metrics.options import Option
    from regulars.domain.plan import Plan
    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.sql import Values
    from regulars.domain.statement import Statement

Chart = Literal["line", "curve", "bars", "funnel", "flows", "triangle", "matrix", "paths", "effects"]
Row = dict[str, Any]
Rows = list[Row]
Rule = Literal[
    "rolling", "period", "new", "registered", "joined", "retained", "previous", "next_day", "actions", "weight"
]


@dataclass(frozen=True)
class ResultColumn:
    """A column of a result.

    ``counts_people`` cells can be opened into the people they count. ``is_derived`` ones follow from the other cells of
    the rows, and no statement selects them; ``is_hidden`` ones are selected for that only, and not shown. ``names_row``
    numbers say, beside dates and texts, which row it is.
    """

    name: str
    type: Literal["date", "text", "integer", "number"]
    unit: str
    description: str
    counts_people: bool = False
    is_derived: bool = False
    is_hidden: bool = False
    names_row: bool = False


@dataclass(frozen=True)
class Measure:
    """One count on the time axis: which days an arrival counts on.

    - ``rolling``: from the arrival to the end of its ``window``, less what the arrival before covers already
    - ``period``: on the first arrival within a bucket
    - ``new``: on the first arrival ever; ``registered``: within the bucket of the registration date
    - ``joined``: like ``registered``, unless the person was active in the bucket before
    - ``retained``: on the first arrival within a bucket, when the one before lies in the bucket before
    - ``previous``: in the bucket after that of the arrival
    - ``next_day``: on the day before an arrival that follows directly
    - ``actions``, ``weight``: sums over active days instead of people
    """

    name: str
    rule: Rule
    window: int = 1

    @property
    def sql_type(self) -> str:
        """People and actions are whole numbers, weights are not."""
        return "DOUBLE" if self.rule == "weight" else "BIGINT"

    @property
    def lookback(self) -> int:
        """How many days before a bucket an arrival can still count in it."""
        return self.window - 1 if self.rule == "rolling" else 0


@dataclass(frozen=True)
class Shape:
    """How a query on a metric is computed: its measures, and the SELECT list over their daily counts.

    ``people`` names, per column that counts people, the measure whose people they are and those to leave out.
    ``needs_history`` asks for first days before the range too; a result that is not ``dated`` has no time axis.
    ``from_start``: its people are chosen on the first day of the range, and no window begins before that day.
    ``judged_once``: it compares buckets, so attributes that change with time are judged on one day for all of them.
    ``compares_ends``: it compares the first day of the range with the last, of people chosen on the first.
    ``many_entries``: a person can begin more than once in a row, each time with what changes with time as it is then.
    """

    measures: tuple[Measure, ...]
    columns: Mapping[str, str]
    lead_days: int = 0
    ahead_days: int = 0
    summary: str | None = None
    window: int | None = None
    notes: tuple[str, ...] = ()
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dated: bool = True
    needs_history: bool = False
    from_start: bool = False
    judged_once: bool = False
    compares_ends: bool = False
    many_entries: bool = False

    @property
    def lookback(self) -> int:
        """How many days before a bucket an arrival can still count in it."""
        if self.from_start:
            return 0
        longest = max(measure.lookback for measure in self.measures)
        # With a lead, only the first measure is read on the days before the bucket.
        return max(longest, self.measures[0].lookback + self.lead_days)

    @property
    def counted(self) -> tuple[str, ...]:
        """The measures that say whether a person is in a bucket at all."""
        before = tuple(measure.name for measure in self.measures if measure.rule == "previous")
        if self.measures[0].name in ("new", "numerator"):
            return (self.measures[-1].name, *before)
        return (next(measure.name for measure in self.measures if measure.rule not in ("actions", "weight")),)

    def check_steps(self, query: Query) -> None:
        """Refuse steps of a time axis where there is none: they would only widen the range."""
        if not self.dated and (query.range.every > 1 or query.range.anchor is not None):
            raise QueryError(
                f"{query.metric} has no time axis here, so it takes neither every nor anchor; give start and end",
                code="bad_every",
            )

    @property
    def summarised(self) -> bool:
        """Whether a row sums up the daily values of its bucket."""
        return self.summary is not None


@dataclass(frozen=True)
class Composition:
    """How a metric that is no running count is put together.

    ``select`` gives the SELECT for the rows of the result: its columns, then ``is_other``. ``people`` gives the one
    for the ids of the people behind a row's cell. ``reads`` names the stored rows it needs, ``shows_sessions`` says
    that sessions are among its numbers. ``is_stored`` says whether a question's rows follow from the aggregates alone,
    ``needs_events`` whether single events matter to it, so that stored days cannot answer it.

    ``qualifies`` gives the conditions on events of which a person in the range of a question has met one, where that is
    not the activity alone; the activity itself (``scope.qualifies``) may be one of them.

    ``left_out`` gives the SELECT for what the rows leave out: a reason, and how many; ``reasons`` puts them in words.
    A question that leaves out nothing has None.

    ``finish`` adds the derived columns to the rows, ``flags`` says what is to be known about a row where that does not
    follow from its date, and ``averages`` sums the rows up.
    """

    select: Callable[[Statement, Source], str]
    people: Callable[[Statement, Source, Cell, Mapping[str, Any]], str]
    reads: Source
    shows_sessions: bool = False
    is_stored: Callable[[Statement], bool] | None = None
    needs_events: Callable[[Statement], bool] | None = None
    finish: Callable[[Plan, Rows], Rows] | None = None
    flags: Callable[[Plan, Row], list[str]] | None = None
    averages: Callable[[Plan, Rows], Rows] | None = None
    qualifies: Callable[[Statement], list[str]] | None = None
    left_out: Callable[[Statement], str | None] | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """One metric: name, words, unit, options, columns, how it is computed and in which form it is drawn.

    ``qualifies`` gives the condition on the events it is about, where no activity says that.
    """

    name: str
    title: str
    definition: str
    source: str
    columns: tuple[ResultColumn, ...]
    shape: Callable[[Query], Shape]
    grains: tuple[str, ...] = ("day", "week", "month")
    options: tuple[Option, ...] = ()
    takes_window: bool = False
    takes_calendar: bool = False
    takes_activity: bool = True
    takes_actor: bool = True
    scopes: tuple[str, ...] = ("user", "moment", "event")
    composition: Composition | None = None
    chart: Chart = "line"
    qualifies: Callable[[Query, Values], str] | None = None

    def check(self, query: Query) -> None:
        """Refuse what this metric cannot answer, with what it can."""
        if query.grain not in self.grains:
            raise QueryError(
                f"{self.name} has no {query.grain} grain; allowed: {', '.join(self.grains)}", code="bad_grain"
            )
        if query.window is not None and not self.takes_window:
            raise QueryError(f"{self.name} takes no window", code="bad_window")
        if query.calendar is not None and not self.takes_calendar:
            raise QueryError(f"{self.name} takes no calendar; use a grain instead", code="bad_calendar")
        if query.activity != "core" and not self.takes_activity:
            raise QueryError(f"{self.name} takes no activity; leave it out", code="bad_activity")
        if query.actor != "user" and not self.takes_actor:
            raise QueryError(f"{self.name} is about users; leave actor out", code="bad_actor")
        for name, value in query.options.items():
            self._find_option(name).check(value)

    def has_hours(self, query: Query) -> bool:
        """Whether the time axis of a query has hours; a composition has days at the finest."""
        return query.grain == "hour" and query.calendar is None and self.composition is None

    def option(self, query: Query, name: str) -> Any:
        """The value of an option in a query, or its default, as the option reads it."""
        option = self._find_option(name)
        return option.value(query.options.get(name, option.default))

    def events(self, query: Query) -> list[str | EventCondition]:
        """Which events the options of a query name: activities, event types, conditions."""
        return [
            one
            for option in self.options
            if option.names_events
            for one in _leaves_of(self.option(query, option.name))
            if isinstance(one, str | EventCondition)
        ]

    def conditions(self, query: Query) -> list[EventCondition]:
        """The conditions on events among the options of a query."""
        given = [self.option(query, option.name) for option in self.options if option.read]
        return [one for value in given for one in _leaves_of(value) if isinstance(one, EventCondition)]

    def property_names(self, query: Query) -> list[str]:
        """The properties that the options of a query name."""
        names = [self.option(query, option.name) for option in self.options if option.names_property]
        leaves = (leaf for one in self.conditions(query) for each in one.where for leaf in each.leaves())
        return [*(name for name in names if name), *(leaf.property or "" for leaf in leaves)]

    def _find_option(self, name: str) -> Option:
        for option in self.options:
            if option.name == name:
                return option
        allowed = [option.name for option in self.options]
        raise UnknownNameError(f"option of {self.name}", name, allowed, code="unknown_option")


def _leaves_of(value: object) -> list[object]:
    """What is not a tuple, however deep it stands in one."""
    return [one for each in value for one in _leaves_of(each)] if isinstance(value, tuple) else [value]
