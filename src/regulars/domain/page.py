"""A result as a table of HTML, for notebooks: plain, escaped, and with what the rows mean below them."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from regulars.domain.metrics import find_metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from regulars.domain.metrics.record import ResultColumn
    from regulars.domain.result import Result

_MOST_ROWS = 60
_RIGHT = ' style="text-align:right"'


def as_html(result: Result) -> str:
    """The table: a caption that says what was asked, at most 60 rows, and the warnings."""
    head = "".join(f'<th scope="col"{_side(column)}>{escape(column.name)}</th>' for column in result.columns)
    body = "".join(f"<tr>{''.join(_cells(result, row))}</tr>" for row in result.rows[:_MOST_ROWS])
    notes = [f"{len(result.rows) - _MOST_ROWS:,} more rows"] if len(result.rows) > _MOST_ROWS else []
    below = "".join(f"<p><small>{escape(note)}</small></p>" for note in [*notes, *result.warnings])
    return (
        f"<table><caption>{escape(_asked(result))}</caption>"
        f'<thead><tr>{head}<th scope="col">flags</th></tr></thead><tbody>{body}</tbody></table>{below}'
    )


def _asked(result: Result) -> str:
    query = result.query
    parts = [find_metric(query.metric).title]
    parts += [f"{query.window}-day window"] if query.window else []
    parts += [f"by {', '.join(query.breakdown)}"] if query.breakdown else []
    return " · ".join([*parts, result.timezone])


def _cells(result: Result, row: Mapping[str, Any]) -> Iterator[str]:
    for column in result.columns:
        yield f"<td{_side(column)}>{escape(_text(row.get(column.name), column))}</td>"
    yield f"<td>{escape(', '.join(row['flags']))}</td>"


def _side(column: ResultColumn) -> str:
    return _RIGHT if column.type in ("integer", "number") else ""


def _text(value: object, column: ResultColumn) -> str:
    if value is None:
        return "-"
    if isinstance(value, int | float):
        if column.unit in ("ratio", "share"):
            return f"{value:.1%}"
        return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
    return str(value)
