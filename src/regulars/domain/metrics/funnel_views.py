"""A funnel over time, and how long people take from one of its steps to another."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.funnel_options import FUNNEL_OPTIONS, MAX_STEPS, Funnel, funnel_of
from regulars.domain.metrics.funnels import (
    RULES,
    every_time,
    funnel_shape,
    people_where,
    takes_a_step,
    unfinished,
    with_share,
)
from regulars.domain.metrics.options import Option, read_numbers
from regulars.domain.metrics.record import Composition, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, slices
from regulars.domain.relations.attempts import Attempts
from regulars.domain.sql import with_relations
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.metrics.record import Rows
    from regulars.domain.plan import Plan
    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

MAX_BINS = 200
_US = 1_000_000
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_EDGES = (
    10, 30, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 3 * _DAY,
    5 * _DAY, 7 * _DAY, 10 * _DAY, 14 * _DAY, 21 * _DAY, 30 * _DAY, 60 * _DAY, 90 * _DAY, 180 * _DAY, 270 * _DAY,
)  # fmt: skip


# --- over time --------------------------------------------------------------------------------------------


def _trend_shape(query: Query) -> Shape:
    note = "where nobody entered there is nothing to divide: such values are empty"
    names = ("entered", "converted", "conversion", "low", "high")
    return funnel_shape(funnel_of(FUNNEL_TREND, query), names, ("entered", "converted"), note, dated=True)


def _trend(statement: Statement, _: Source) -> str:
    scope, funnel = statement.scope, funnel_of(FUNNEL_TREND, statement.query)
    named = Attempts(statement, funnel, by_date=True).relations()
    named["measured"] = f"""
SELECT slice, date, count(*) AS entered, sum(CASE WHEN depth = {len(funnel.steps)} THEN 1 ELSE 0 END) AS converted
FROM best GROUP BY slice, date"""
    return with_relations(
        named,
        f"""
SELECT d.date, {slices.shown_columns(scope)}coalesce(m.entered, 0) AS entered,
  CAST(coalesce(m.converted, 0) AS BIGINT) AS converted, {slices.is_other(scope)} AS is_other
FROM (SELECT DISTINCT date FROM days) d CROSS JOIN ({slices.axis(scope)}) k
LEFT JOIN measured m ON m.date = d.date AND m.slice = k.slice
ORDER BY d.date, k.slice""",
    )


def _trend_people(statement: Statement, _: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    funnel = funnel_of(FUNNEL_TREND, statement.query)
    day = cells.key(row, "date")
    here = f"b.date = {statement.values.add(day if isinstance(day, date) else date.fromisoformat(str(day)))}"
    done = [f"b.depth = {len(funnel.steps)}"] if cell.measure == "converted" else []
    return people_where(statement, Attempts(statement, funnel, by_date=True), cell, here, *done)


def _trend_shares(_: Plan, rows: Rows) -> Rows:
    return [with_share(row, row["converted"], row["entered"], "conversion") for row in rows]


FUNNEL_TREND = Metric(
    name="funnel_trend",
    title="Funnel over time",
    definition=(
        "People by the bucket in which they began an attempt at a funnel, and those of them whose attempt of that "
        f"bucket went through all steps, whenever they did. A person counts once in every bucket. {RULES} low and high "
        "are the 95 % Wilson interval of conversion."
    ),
    source="Conversion over time by the day of entry, as in Mixpanel and PostHog",
    columns=(
        DATE,
        ResultColumn("entered", "integer", "people", "People who began an attempt in the bucket", counts_people=True),
        ResultColumn("converted", "integer", "people", "Those of them who reached the last step", counts_people=True),
        ResultColumn("conversion", "number", "ratio", "converted / entered", is_derived=True),
        ResultColumn("low", "number", "ratio", "Lower bound of conversion", is_derived=True),
        ResultColumn("high", "number", "ratio", "Upper bound of conversion", is_derived=True),
    ),
    shape=_trend_shape,
    options=FUNNEL_OPTIONS,
    takes_activity=False,
    composition=Composition(
        _trend,
        _trend_people,
        "events",
        needs_events=every_time,
        finish=_trend_shares,
        flags=unfinished,
        qualifies=takes_a_step,
    ),
)


# --- time to convert --------------------------------------------------------------------------------------


def _steps(query: Query, funnel: Funnel) -> tuple[int, int]:
    """The steps between which time is taken."""
    last = len(funnel.steps)
    begin, end = TIME_TO_CONVERT.option(query, "from_step"), TIME_TO_CONVERT.option(query, "to_step") or last
    if not begin < end <= last:
        raise QueryError(
            f"from_step {begin} and to_step {end} are no two steps of this funnel; 1 <= from_step < to_step <= {last}",
            code="bad_steps",
        )
    return begin, end


def _bins(query: Query, funnel: Funnel) -> list[tuple[int, int]]:
    """Neighbouring bins that hold every time there can be: from 0 to the window."""
    given = TIME_TO_CONVERT.option(query, "bins")
    edges = given or tuple(edge for edge in _EDGES if edge < funnel.within)
    if edges[-1:] and edges[-1] >= funnel.within:
        raise QueryError(
            f"bins must begin within the window of {funnel.within} seconds, so none begins at {edges[-1]}",
            code="bad_bins",
        )
    if len(edges) > MAX_BINS:
        raise QueryError(f"at most {MAX_BINS} bins, not {len(edges)}", code="bad_bins")
    return list(pairwise([*([] if edges[:1] == (0,) else [0]), *edges, funnel.within]))


def _time_shape(query: Query) -> Shape:
    funnel = funnel_of(TIME_TO_CONVERT, query)
    _steps(query, funnel)
    _bins(query, funnel)
    return funnel_shape(funnel, ("lower_seconds", "upper_seconds", "users"), ("users",), "", dated=False)


def _spent(query: Query, funnel: Funnel) -> tuple[str, str]:
    """The time that an attempt (``b``) took, in µs, and the test whether it came so far."""
    begin, end = _steps(query, funnel)
    return f"b.taken_{end} - b.taken_{begin}", f"b.depth >= {end}"


def _below(funnel: Funnel, high: int) -> int:
    """The µs that a time of a bin is below; the last bin holds its upper bound too."""
    return high * _US + (high == funnel.within)


def _times(statement: Statement, _: Source) -> str:
    scope, query = statement.scope, statement.query
    funnel = funnel_of(TIME_TO_CONVERT, query)
    named = Attempts(statement, funnel).relations()
    spent, came = _spent(query, funnel)
    named["bins"] = " UNION ALL ".join(
        f"SELECT {low} AS low, {high} AS high, {_below(funnel, high)} AS below" for low, high in _bins(query, funnel)
    )
    named["measured"] = f"""
SELECT t.slice, n.low, count(*) AS users
FROM (SELECT b.slice, {spent} AS spent FROM best b WHERE {came}) t
CROSS JOIN bins n WHERE t.spent >= n.low * CAST({_US} AS BIGINT) AND t.spent < n.below
GROUP BY t.slice, n.low"""
    return with_relations(
        named,
        f"""
SELECT {slices.shown_columns(scope)}n.low AS lower_seconds, n.high AS upper_seconds, coalesce(m.users, 0) AS users,
  {slices.is_other(scope)} AS is_other
FROM ({slices.axis(scope)}) k CROSS JOIN bins n LEFT JOIN measured m ON m.slice = k.slice AND m.low = n.low
ORDER BY k.slice, n.low""",
    )


def _times_people(statement: Statement, _: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    funnel = funnel_of(TIME_TO_CONVERT, statement.query)
    low, high = (int(cells.key(row, name)) for name in ("lower_seconds", "upper_seconds"))
    if (low, high) not in _bins(statement.query, funnel):
        raise QueryError(f"no row of this result is from {low} to {high} seconds", code="no_such_row")
    spent, came = _spent(statement.query, funnel)
    tests = [came, f"{spent} >= {low * _US}", f"{spent} < {_below(funnel, high)}"]
    return people_where(statement, Attempts(statement, funnel), cell, *tests)


TIME_TO_CONVERT = Metric(
    name="time_to_convert",
    title="Time to convert",
    definition=(
        "People who reached the last step of a funnel (to_step) by the time they took to it from the first one "
        f"(from_step), in bins from 0 seconds to the window. {RULES} The median, mean and 90th percentile are in the "
        "rows of the metric funnel."
    ),
    source="Time to convert as in Mixpanel and PostHog",
    columns=(
        ResultColumn(
            "lower_seconds", "integer", "seconds", "Lower bound of the bin, which it includes", names_row=True
        ),
        ResultColumn(
            "upper_seconds", "integer", "seconds", "Upper bound, which only the last bin includes", names_row=True
        ),
        ResultColumn("users", "integer", "people", "People who took that long", counts_people=True),
    ),
    chart="bars",
    shape=_time_shape,
    grains=("day",),
    options=(
        *FUNNEL_OPTIONS,
        Option("from_step", "The step from which time is taken", 1, largest=MAX_STEPS),
        Option("to_step", "The step to which time is taken; the last one by default", None, largest=MAX_STEPS),
        Option(
            "bins",
            "Where the bins begin, in seconds; from seconds to months by default",
            None,
            read=read_numbers,
            form="e.g. 0,60,3600",
        ),
    ),
    takes_activity=False,
    composition=Composition(
        _times, _times_people, "events", needs_events=every_time, flags=unfinished, qualifies=takes_a_step
    ),
)
