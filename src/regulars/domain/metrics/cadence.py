"""Cadence: how many days people let pass between two visits, and which grain suits a product like that."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

from regulars.domain.calendar import epoch_day
from regulars.domain.metrics.by_slice import by_slice, slice_flags, slice_values
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, habits, slices
from regulars.domain.relations.scope import listed, where
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.metrics.record import Row, Rows
    from regulars.domain.plan import Plan
    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

_COLUMNS = ("days_between", "users", "share", "cumulative_share")
_GRAINS = (("day", 1), ("week", 7))
"""The grain that suits people who come back within so many days; longer ones suit a month."""


def _shape(_: Query) -> Shape:
    return Shape(
        (Measure("users", "period"),),
        {name: name for name in _COLUMNS},
        people={"users": ("users",)},
        dated=False,
    )


def _intervals(statement: Statement, source: Source) -> dict[str, str]:
    """Everybody with two active days in the range, with the median number of days between them."""
    scope, own = statement.scope, listed(habits.own_columns(statement.scope), "c")
    named = habits.ticks(statement, source, every_bucket=False)
    named["typical"] = f"""
SELECT t.date, t.last_day, c.user_key, {own}rg_quantile(c.gap, 0.5) AS days_between
FROM chain c CROSS JOIN ticks t
WHERE c.gap IS NOT NULL AND c.day - c.gap >= {epoch_day(statement.frame.first)} AND c.day <= t.last_day
GROUP BY {own}t.date, t.last_day, c.user_key"""
    named["intervals"] = habits.judged(scope, "typical", "h.days_between")
    return named | habits.rank(scope, "intervals")


def _select(statement: Statement, source: Source) -> str:
    scope = statement.scope
    named = _intervals(statement, source)
    slice_, join = habits.slice_of(scope, "i")
    named["sized"] = f"""
SELECT {slice_} AS slice, i.days_between, count(*) AS users
FROM intervals i {join} GROUP BY {slice_ + ", " if scope.breakdown else ""}i.days_between"""
    return with_relations(
        named,
        f"""
SELECT {slices.shown_columns(scope)}s.days_between, s.users, {slices.is_other(scope)} AS is_other
FROM sized s JOIN ({slices.axis(scope)}) k ON k.slice = s.slice
ORDER BY s.slice, s.days_between""",
    )


def _people(statement: Statement, source: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    scope, values = statement.scope, statement.values
    tests = [f"i.days_between = {values.add(float(cells.key(row, 'days_between')))}"]
    tests += cells.slice_tests(scope, cell, values)
    return with_relations(
        _intervals(statement, source),
        cells.ids(scope, f"SELECT i.user_key FROM intervals i {cells.slice_join(scope, 'i')} {where(tests)}"),
    )


def _with_shares(plan: Plan, rows: Rows) -> Rows:
    found = []
    for own in by_slice(plan, rows):
        everybody = sum(row["users"] for row in own)
        for row, so_far in zip(own, accumulate(row["users"] for row in own), strict=True):
            shares = {"share": row["users"] / everybody, "cumulative_share": so_far / everybody}
            found.append({**row, **shares})
    return found


def _summaries(plan: Plan, rows: Rows) -> Rows:
    return [_summary(plan, own) for own in by_slice(plan, rows)]


def _summary(plan: Plan, rows: Rows) -> Row:
    """The middle of the distribution, the interval of four people in five, and the grain that it suggests."""
    counts = [(row["days_between"], row["users"]) for row in rows]
    everybody = sum(users for _, users in counts)
    most = _nth(counts, -(-4 * everybody // 5))
    middle = (_nth(counts, (everybody + 1) // 2) + _nth(counts, everybody // 2 + 1)) / 2
    return {
        **slice_values(plan, rows[0]),
        "users": everybody,
        "median_days": middle,
        "days_of_four_in_five": most,
        "suggested_grain": next((grain for grain, days in _GRAINS if most <= days), "month"),
        "flags": slice_flags(rows[0]),
    }


def _nth(counts: list[tuple[float, int]], place: int) -> float:
    """The value of the person at a place, counted from 1, of values with their people in order."""
    reached = accumulate(users for _, users in counts)
    return next(value for (value, _), so_far in zip(counts, reached, strict=True) if so_far >= place)


USAGE_INTERVAL = Metric(
    name="usage_interval",
    title="Usage interval",
    definition=(
        "People with at least two active days in the range, by the median number of days from one of their active "
        "days to the next; a median between two whole numbers is their mean, so halves occur. The averages hold, per "
        "slice, the median of these people, the days within which four in five of them come back, and the grain that "
        "suits: day where that is 1 day, week up to 7 days, else month."
    ),
    source="Usage interval, as product analytics finds the natural frequency of a product",
    columns=(
        ResultColumn("days_between", "number", "days", "Median days from one active day of a person to the next"),
        ResultColumn("users", "integer", "people", "People with that median", counts_people=True),
        ResultColumn("share", "number", "ratio", "Of the people with two active days", is_derived=True),
        ResultColumn("cumulative_share", "number", "ratio", "Of them, with that median or less", is_derived=True),
    ),
    chart="bars",
    shape=_shape,
    grains=("day",),
    composition=Composition(_select, _people, "arrivals", finish=_with_shares, averages=_summaries),
)
