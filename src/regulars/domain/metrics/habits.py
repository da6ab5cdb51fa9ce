"""How often people come: the power-user curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.options import Option
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, habits, slices
from regulars.domain.relations.scope import where
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

DEFAULT_WINDOW = 30


def _shape(query: Query) -> Shape:
    window = query.window or DEFAULT_WINDOW
    return Shape(
        (Measure("users", "rolling", window),),
        {"active_days": "active_days", "users": "users", "share": "share"},
        window=window,
        people={"users": ("users",)},
        dated=bool(ACTIVE_DAYS.option(query, "over_time")),
    )


def _people_by_count(statement: Statement, source: Source) -> dict[str, str]:
    """Per tick, person and slice: the number of active days or weeks."""
    query, scope, frame = statement.query, statement.scope, statement.frame
    # Slices are those that active_users shows for the same window, so that both metrics tell one story.
    named = statement.spans(source) if scope.breakdown else {}
    named |= habits.ticks(statement, source, every_bucket=bool(ACTIVE_DAYS.option(query, "over_time")))
    unit = str(ACTIVE_DAYS.option(query, "unit"))
    window = query.window or DEFAULT_WINDOW
    named["habits"] = habits.habits(scope, window, unit, 70_004 - frame.buckets.week_start)
    named["counted"] = habits.judged(scope, "habits", "h.active")
    return named


def _select(statement: Statement, source: Source) -> str:
    query, scope, frame = statement.query, statement.scope, statement.frame
    window = query.window or DEFAULT_WINDOW
    named = _people_by_count(statement, source)
    slice_, join = habits.slice_of(scope, "c")
    named["histogram"] = f"""
SELECT {slice_} AS slice, c.date, c.active, count(*) AS users
FROM counted c {join} GROUP BY {slice_ + ", " if scope.breakdown else ""}c.date, c.active"""
    most = f"{window}"
    if ACTIVE_DAYS.option(query, "unit") == "week":
        offset = 70_004 - frame.buckets.week_start
        most = f"floor((t.last_day + {offset}) / 7.0) - floor((t.last_day - {window - 1} + {offset}) / 7.0) + 1"
    reached = ">=" if ACTIVE_DAYS.option(query, "at_least") else "="
    named["curve"] = f"""
SELECT t.date, k.slice, n.epoch_day AS active_days,
  CAST(coalesce(sum(CASE WHEN h.active {reached} n.epoch_day THEN h.users END), 0) AS BIGINT) AS users,
  sum(h.users) AS everybody
FROM ticks t CROSS JOIN dim_dates n CROSS JOIN ({slices.axis(scope)}) k
LEFT JOIN histogram h ON h.date = t.date AND h.slice = k.slice
WHERE n.epoch_day >= 1 AND n.epoch_day <= {most}
GROUP BY t.date, k.slice, n.epoch_day"""
    return with_relations(
        named,
        f"""
SELECT c.date, {slices.shown_columns(scope)}c.active_days, c.users,
  CAST(c.users AS DOUBLE) / nullif(c.everybody, 0) AS share, {slices.is_other(scope)} AS is_other
FROM curve c JOIN ({slices.axis(scope)}) k ON k.slice = c.slice
ORDER BY c.date, k.slice, c.active_days""",
    )


def _people(statement: Statement, source: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    scope, values = statement.scope, statement.values
    reached = ">=" if ACTIVE_DAYS.option(statement.query, "at_least") else "="
    tests = [f"c.last_day = {cell.at}", f"c.active {reached} {values.add(int(cells.key(row, 'active_days')))}"]
    tests += cells.slice_tests(scope, cell, values)
    return with_relations(
        _people_by_count(statement, source),
        cells.ids(scope, f"SELECT c.user_key FROM counted c {cells.slice_join(scope, 'c')} {where(tests)}"),
    )


ACTIVE_DAYS = Metric(
    name="active_days",
    title="Active days",
    definition=(
        "People by the number of days (or weeks) on which they were active in the window that ends on the last day "
        "of the range, exactly or at least that many; share is of the people active at least once in the window. "
        "Also known as the power-user curve or L28. With over_time, one curve per bucket."
    ),
    source="Power-user curve (L28), as practised by product analytics",
    columns=(
        DATE,
        ResultColumn(
            "active_days", "integer", "days", "Number of active days, or of weeks with unit=week", names_row=True
        ),
        ResultColumn("users", "integer", "people", "People with that many", counts_people=True),
        ResultColumn("share", "number", "ratio", "Of the people active in the window"),
    ),
    shape=_shape,
    options=(
        Option("unit", "What is counted", "day", ("day", "week")),
        Option("at_least", "Count people with at least that many", default=False, choices=(False, True)),
        Option("over_time", "One curve per bucket of the range", default=False, choices=(False, True)),
    ),
    takes_window=True,
    composition=Composition(_select, _people, "arrivals"),
    chart="bars",
)
