"""What an answer's numbers look like: units, marks, trends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.interfaces.cli.words import sparkline

if TYPE_CHECKING:
    from regulars.domain.metrics.record import ResultColumn
    from regulars.domain.result import Result

Row = dict[str, Any]
NONE = "-"
MARKS = {
    "incomplete": ("*", "not over yet, so the number can still grow"),
    "warming_up": ("^", "its window begins before the first day of data"),
    "truncated": ("<", "it looks at days whose events were dropped"),
    "low_n": ("?", "too few people to read much into it"),
}
BAR = 24


def value_columns(result: Result) -> list[ResultColumn]:
    """The columns that hold numbers."""
    return [column for column in result.columns if column.type in ("integer", "number")]


def main_column(result: Result) -> ResultColumn:
    """The column to draw: the one whose name the metric's begins with, else the first."""
    values = value_columns(result)
    return next((column for column in values if result.query.metric.startswith(column.name)), values[0])


def head(column: ResultColumn) -> str:
    """A column's name in words."""
    return column.name.replace("_", " ")


def drawn_head(result: Result) -> str:
    """What a bar or trend shows, where there is a choice."""
    return head(main_column(result)) if len(value_columns(result)) > 1 else ""


def number(value: float | None, column: ResultColumn) -> str:
    """A value in its column's unit: counts with thousands, shares in percent."""
    if value is None:
        return NONE
    if column.unit in ("ratio", "share"):
        return f"{value:.1%}"
    if column.unit == "score":
        return f"{value:.1f}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def cell(row: Row, column: ResultColumn) -> str:
    """Any cell: numbers in their unit, everything else as text; an empty breakdown value is the rest."""
    value = row[column.name]
    if column.type in ("integer", "number"):
        return number(value, column)
    return "other (all the rest)" if value is None else str(value)


def marks(row: Row) -> str:
    """The marks of a row's flags."""
    return "".join(MARKS[flag][0] for flag in row["flags"] if flag in MARKS)


def complete(rows: list[Row]) -> list[Row]:
    """Rows whose bucket is over."""
    return [row for row in rows if "incomplete" not in row["flags"]]


def last_row(rows: list[Row]) -> Row:
    """The last complete bucket, else the last one."""
    return (complete(rows) or rows)[-1]


def trend(rows: list[Row], column: ResultColumn, width: int) -> str:
    """A sparkline over the last complete buckets, as many as fit."""
    return sparkline([row[column.name] for row in complete(rows)[-width:]])
