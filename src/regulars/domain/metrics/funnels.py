"""Funnels: how many people get from step to step, how long it takes them, and when they began."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from regulars.domain.activity import chosen_events
from regulars.domain.intervals import wilson
from regulars.domain.metrics.funnel_options import FUNNEL_OPTIONS, Funnel, condition_of, funnel_of
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, slices
from regulars.domain.relations.attempts import Attempts
from regulars.domain.relations.scope import where
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.frame import Frame
    from regulars.domain.metrics.record import Row, Rows
    from regulars.domain.plan import Plan
    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

_COLUMNS = ("step", "name", "users", "dropped", "seconds_mean", "seconds_median", "seconds_p90")
_US = 1_000_000.0
EMPTY_VALUES = "the first step has no time before it, and where nobody was there is nothing to divide: both are empty"


def funnel_shape(funnel: Funnel, columns: tuple[str, ...], people: tuple[str, ...], note: str, *, dated: bool) -> Shape:
    """The shape of a metric about attempts; a clock that is set forward can put the end of a window a day later."""
    return Shape(
        (Measure("users", "period"),),
        {name: name for name in columns},
        ahead_days=funnel.ahead_days + 1,
        notes=(note,),
        people={name: (name,) for name in people},
        dated=dated,
        many_entries=True,
    )


def unfinished(plan: Plan, row: Row) -> list[str]:
    """A row is final when the windows of the last attempts it may hold are over."""
    frame = cast("Frame", plan.frame)  # where there are rows, there is a time axis
    start = row.get("date", frame.bucket_start(frame.asked_end))
    ahead = timedelta(days=plan.shape.ahead_days - 1)
    return ["incomplete"] if frame.bucket_end(start) + ahead > frame.complete_through else []


def _funnel(statement: Statement) -> Funnel:
    return funnel_of(statement.metric, statement.query)


def takes_a_step(statement: Statement) -> list[str]:
    """The conditions on an event that it is one of a step."""
    context, values = statement.context, statement.values
    return [chosen_events(condition_of(step), context, values) for step in _funnel(statement).steps]


def _shape(query: Query) -> Shape:
    names = (*_COLUMNS, "conversion_from_first", "conversion_from_previous", "low", "high")
    return funnel_shape(funnel_of(FUNNEL, query), names, ("users", "dropped"), EMPTY_VALUES, dated=False)


def _select(statement: Statement, _: Source) -> str:
    scope, values, funnel = statement.scope, statement.values, _funnel(statement)
    named = Attempts(statement, funnel).relations()
    named["steps"] = " UNION ALL ".join(
        f"SELECT {step} AS step, {values.add(name)} AS name" for step, name in enumerate(funnel.names, 1)
    )
    last = len(funnel.steps)
    named["measured"] = "\nUNION ALL\n".join(_reached(step, is_last=step == last) for step in range(1, last + 1))
    return with_relations(
        named,
        f"""
SELECT {slices.shown_columns(scope)}s.step, s.name, coalesce(m.users, 0) AS users,
  CAST(coalesce(m.dropped, 0) AS BIGINT) AS dropped, m.seconds_mean, m.seconds_median, m.seconds_p90,
  {slices.is_other(scope)} AS is_other
FROM ({slices.axis(scope)}) k CROSS JOIN steps s LEFT JOIN measured m ON m.slice = k.slice AND m.step = s.step
ORDER BY k.slice, s.step""",
    )


def _reached(step: int, *, is_last: bool) -> str:
    """Who reached a step, who of them went no further, and the seconds from the beginning to it."""
    dropped = "0" if is_last else f"sum(CASE WHEN depth = {step} THEN 1 ELSE 0 END)"
    taken = f"(taken_{step} - at) / {_US}" if step > 1 else "CAST(NULL AS DOUBLE)"
    return f"""
SELECT slice, {step} AS step, count(*) AS users, {dropped} AS dropped, avg(seconds) AS seconds_mean,
  rg_quantile(seconds, 0.5) AS seconds_median, rg_quantile(seconds, 0.9) AS seconds_p90
FROM (SELECT slice, depth, {taken} AS seconds FROM best WHERE depth >= {step}) reached
GROUP BY slice"""


def _people(statement: Statement, _: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    step = statement.values.add(int(cells.key(row, "step")))
    if cell.measure == "users":
        reached = f"b.depth >= {step}"
    else:
        reached = f"b.depth = {step} AND b.depth < {len(_funnel(statement).steps)}"
    return people_where(statement, Attempts(statement, _funnel(statement)), cell, reached)


def people_where(statement: Statement, attempts: Attempts, cell: Cell, *tests: str) -> str:
    """Ids of the people of a slice whose attempt (``b``) is as the tests say."""
    scope = statement.scope
    join = ""
    if scope.breakdown:
        shown = ", ".join(f"shown_{name}" for name in scope.segments)
        join = f"JOIN (SELECT DISTINCT slice, {shown} FROM slices) k ON k.slice = b.slice"
    listed = where([*tests, *cells.slice_tests(scope, cell, statement.values)])
    return with_relations(
        attempts.relations(),
        cells.ids(scope, f"SELECT b.user_key FROM best b {join} {listed}"),
    )


def with_share(row: Row, part: int, whole: int, name: str) -> Row:
    """A row with a share and its Wilson interval."""
    low, high = wilson(part, whole)
    return {**row, name: part / whole if whole else None, "low": low, "high": high}


def _finish(_: Plan, rows: Rows) -> Rows:
    """Conversion from the first step and from the one before; the rows of a slice follow one another."""
    found: Rows = []
    first = previous = 0
    for row in rows:
        if row["step"] == 1:
            first = previous = row["users"]
        share = row["users"] / previous if previous else None
        found.append(
            {**with_share(row, row["users"], first, "conversion_from_first"), "conversion_from_previous": share}
        )
        previous = row["users"]
    return found


def every_time(_: Statement) -> bool:
    """Single events decide every question about attempts."""
    return True


RULES = (
    "An attempt begins with an event of the first step in the range; the steps follow until its window (14 days, "
    "closed) is over, also past the end of the range, one event for one step, as early as each can be taken. Of a "
    "person's attempts the one that leads furthest counts, of equals the earliest. An exclusion, strictly after one "
    "step and before another, ends an attempt but keeps the steps it had reached. Breakdowns show the values of the "
    "entry: a person counts in every slice in which they began an attempt."
)

FUNNEL = Metric(
    name="funnel",
    title="Funnel",
    definition=(
        f"People by the steps they reach, in their order. {RULES} Times are from the beginning of the attempt to the "
        "step, over the people who reached it. low and high are the 95 % Wilson interval of conversion_from_first."
    ),
    source="Funnel analysis as in Mixpanel, Amplitude and PostHog, which differ in the rules stated here",
    columns=(
        ResultColumn("step", "integer", "number", "Number of the step, from 1", names_row=True),
        ResultColumn("name", "text", "events", "Which events take the step"),
        ResultColumn("users", "integer", "people", "People who reached the step", counts_people=True),
        ResultColumn(
            "dropped", "integer", "people", "Those of them who did not reach the next one", counts_people=True
        ),
        ResultColumn("conversion_from_first", "number", "ratio", "users / users of the first step", is_derived=True),
        ResultColumn(
            "conversion_from_previous", "number", "ratio", "users / users of the step before", is_derived=True
        ),
        ResultColumn("low", "number", "ratio", "Lower bound of conversion_from_first", is_derived=True),
        ResultColumn("high", "number", "ratio", "Upper bound of conversion_from_first", is_derived=True),
        ResultColumn("seconds_mean", "number", "seconds", "Mean time to the step"),
        ResultColumn("seconds_median", "number", "seconds", "Median time to the step"),
        ResultColumn("seconds_p90", "number", "seconds", "90th percentile of the time to the step"),
    ),
    chart="funnel",
    shape=_shape,
    grains=("day",),
    options=FUNNEL_OPTIONS,
    takes_activity=False,
    composition=Composition(
        _select,
        _people,
        "events",
        needs_events=every_time,
        finish=_finish,
        flags=unfinished,
        qualifies=takes_a_step,
    ),
)
