"""Key numbers, and how each is quoted from its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.application.reports.comparison import compare
from regulars.application.reports.parts import Cell, Figure, Origin, Quote
from regulars.application.reports.tables import marks, number_cell
from regulars.application.reports.words import days, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from regulars.application.reports.scope import Scope
    from regulars.domain.query import Query
    from regulars.domain.result import Result

MONTH, WEEK, DAY = 30, 7, 1
_SHORTEST_TREND = 3


def dated(
    column: str,
    back: int,
    only: Callable[[Mapping[str, Any]], bool] = lambda _: True,
    *,
    window: int | None = None,
) -> Callable[[Scope, Result], Quote]:
    """Quote the last settled row, compare it with the one ``back`` rows before, and draw those that are over.

    ``window``: as in :func:`compare`.
    """

    def quote(scope: Scope, result: Result) -> Quote:
        found = compare(scope, result, column, back, only, window=window)
        cell = Cell(
            number(found.value, found.unit),
            found.value,
            Origin("", "rows", found.row, column),
            marks(result.rows[found.row]),
        )
        over = [row for row in result.rows if only(row) and not {"incomplete", "warming_up"} & set(row["flags"])]
        trend = tuple(row[column] for row in over) if len(over) >= _SHORTEST_TREND else ()
        return Quote(cell, found.signed, found.direction, found.note, trend)

    return quote


def pooled(period: int) -> Callable[[Scope, Result], Quote]:
    """Quote the retention of a period, over all cohorts for which it is over."""

    def quote(_: Scope, result: Result) -> Quote:
        own = [row for row in result.rows if row["period"] == period and "incomplete" not in row["flags"]]
        index = next((i for i, row in enumerate(result.averages) if row["period"] == period), None)
        if index is None or not own:
            return Quote(Cell(number(None, "ratio")), note=f"no week {period} is over yet")
        cell = number_cell("", result, index, "retention", part="averages", unit="ratio")
        trend = tuple(row["retention"] for row in own) if len(own) >= _SHORTEST_TREND else ()
        people = result.averages[index]["cohort_size"]
        words = f"{people:,} people who came first in the weeks of {days(own[0]['date'], own[-1]['date'])}"
        return Quote(cell, note=words, trend=trend)

    return quote


def average(column: str, unit: str, note: str) -> Callable[[Scope, Result], Quote]:
    """Quote a number that sums an answer up."""

    def quote(_: Scope, result: Result) -> Quote:
        return Quote(number_cell("", result, 0, column, part="averages", unit=unit), note=note)

    return quote


def last_row(column: str, note: str) -> Callable[[Scope, Result], Quote]:
    """Quote the last row of an answer without dates, such as the last step of a funnel."""

    def quote(_: Scope, result: Result) -> Quote:
        index = len(result.rows) - 1
        cell = number_cell("", result, index, column)
        return Quote(Cell(cell.text, cell.value, cell.origin, marks(result.rows[index])), note=note)

    return quote


def actives(label: str, window: int) -> Figure:
    """People active in a window, beside those of the window before; a single day beside that of a week before."""
    return Figure(label, actives_question(window), dated("active_users", max(window, WEEK)))


def actives_question(window: int) -> Callable[[Scope], Query]:
    """People active in a window, day by day."""
    return lambda scope: scope.query("active_users", scope.context_first, window=window)


def stickiness_question(scope: Scope) -> Query:
    """The mean share of 30 days on which those active in them were active, day by day."""
    return scope.query("stickiness", scope.context_first, window=MONTH, options={"method": "mean"})


STICKINESS = Figure("Stickiness (mean DAU / MAU)", stickiness_question, dated("stickiness", MONTH))


def of_period(label: str, metric: str, column: str, **fields: Any) -> Figure:
    """A number of the whole period, beside the period of equal length before."""
    return Figure(label, lambda scope: scope.periods(metric, scope.whole_periods(), **fields), dated(column, 1))
