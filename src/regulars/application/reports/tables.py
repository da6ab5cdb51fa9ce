"""Answers as tables: which rows and columns of them a reader wants to see."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from regulars.application.reports.comparison import pair
from regulars.application.reports.parts import MARKS, Cell, Head, Origin, Table
from regulars.application.reports.words import DASH, SHARES, day, days, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regulars.application.reports.parts import Answers
    from regulars.domain.result import Result

Row = dict[str, Any]
OTHER = "other (all the rest)"
_WEEK, _PALEST = 7, 0.1
_SIX_DAYS = timedelta(days=6)


def marks(row: Mapping[str, Any]) -> str:
    """The marks of a row's flags."""
    return "".join(MARKS[flag][0] for flag in row.get("flags", ()) if flag in MARKS)


def number_cell(name: str, result: Result, index: int, column: str, *, part: str = "rows", unit: str = "") -> Cell:
    """A number of an answer as a cell that says where it comes from."""
    row = (result.rows if part == "rows" else result.averages)[index]
    unit = unit or unit_of(result, column)
    return Cell(number(row[column], unit), row[column], Origin(name, part, index, column))


def unit_of(result: Result, column: str) -> str:
    """The unit of a column, that of an average too."""
    return next((each.unit for each in result.columns if each.name == column), "")


def by_week(name: str, result: Result, columns: Mapping[str, str], caption: str) -> Table:
    """Weeks down, ``columns`` (with their heads) across."""
    lines = [
        (
            Cell(days(row["date"], row["date"] + _SIX_DAYS), marks=marks(row)),
            *(number_cell(name, result, index, c) for c in columns),
        )
        for index, row in enumerate(result.rows)
    ]
    return Table((Head("week", is_number=False), *map(Head, columns.values())), tuple(lines), caption)


def every_week(answers: Answers, columns: Sequence[tuple[str, str, str]], caption: str) -> Table:
    """Answers by day beside each other, on every seventh day back from the last; newest last.

    Each of ``columns`` is an answer, the column of it, and the head over it.
    """
    first = answers[columns[0][0]]
    picked = sorted(range(len(first.rows) - 1, -1, -_WEEK))
    lines = [
        (
            Cell(day(first.rows[index]["date"], year=True)),
            *(_marked(number_cell(name, answers[name], index, c), answers[name].rows[index]) for name, c, _ in columns),
        )
        for index in picked
    ]
    return Table((Head("day", is_number=False), *(Head(text) for *_, text in columns)), tuple(lines), caption)


def by_name(
    name: str,
    result: Result,
    key: str,
    columns: Mapping[str, str],
    *,
    caption: str,
    head: str = "",
    rows: Sequence[int] | None = None,
) -> Table:
    """One row per value of ``key``, such as a tier, a step or a number of days; ``rows`` chooses some of them."""
    lines = [
        (
            Cell(row_name(result, result.rows[i], key), marks=marks(result.rows[i])),
            *(number_cell(name, result, i, c) for c in columns),
        )
        for i in (range(len(result.rows)) if rows is None else rows)
    ]
    return Table((Head(head or key.replace("_", " "), is_number=False), *map(Head, columns.values())), tuple(lines),
                 caption)  # fmt: skip


def averages(name: str, result: Result, key: str, columns: Mapping[str, tuple[str, str]], caption: str) -> Table:
    """The rows that sum an answer up; ``columns`` maps each column to its head and unit."""
    lines = [
        (
            Cell(f"{row[key]}"),
            *(number_cell(name, result, i, c, part="averages", unit=unit) for c, (_, unit) in columns.items()),
        )
        for i, row in enumerate(result.averages)
    ]
    return Table((Head(key, is_number=False), *(Head(text) for text, _ in columns.values())), tuple(lines), caption)


def averages_by_slice(name: str, result: Result, across: str, column: str, caption: str) -> Table:
    """Slices down and ``across`` (such as periods) across, of the rows that sum an answer up; shaded."""
    by = result.query.breakdown
    found: dict[str, dict[int, int]] = {}
    for index, row in enumerate(result.averages):
        label = OTHER if row["is_other"] else " / ".join(str(row[part]) for part in by)
        found.setdefault(label, {})[row[across]] = index
    places = sorted({row[across] for row in result.averages})
    lines = []
    for label, cells in found.items():
        shown = [_average_cell(name, result, cells[place], column) for place in places]
        size = number_cell(name, result, next(iter(cells.values())), "cohort_size", part="averages", unit="people")
        lines.append((Cell(label), size, *shown))
    heads = (Head(" / ".join(by), is_number=False), Head("people"), *(Head(str(place)) for place in places))
    return Table(heads, _spread(lines), caption)


def two_dates(name: str, result: Result, column: str, back: int, caption: str) -> Table:
    """Slices down; across their value on the last settled day, the one ``back`` days before, and the change."""
    last, before = quoted_days(result, back)
    found = slice_rows(result)
    heads = (Head(" / ".join(result.query.breakdown), is_number=False), Head(day(last)), Head(day(before)))
    unit, lines = unit_of(result, column), []
    for slice_name, rows in sorted(found.items(), key=lambda one: _rank(result, one[1], last, column)):
        now, earlier = (_cell_on(name, result, rows, when, column) for when in (last, before))
        comparable = not (now.marks or earlier.marks)
        change = pair(now.value, earlier.value, unit) if comparable else pair(None, None, unit)
        lines.append((Cell(slice_name), now, earlier, Cell(change.signed or DASH)))
    return Table((*heads, Head("change")), tuple(lines), caption)


def triangle(name: str, result: Result, column: str, caption: str) -> Table:
    """Cohorts down, periods across, the average on top; cells shaded by their share."""
    periods = sorted({row["period"] for row in result.rows})
    found: dict[date, dict[int, int]] = {}
    for index, row in enumerate(result.rows):
        found.setdefault(row["date"], {})[row["period"]] = index
    heads = (Head("cohort", is_number=False), Head("people"), *(Head(str(period)) for period in periods))
    lines: list[tuple[Cell, ...]] = [_average_line(name, result, column, periods)]
    for cohort, cells in found.items():
        shown = [_shaded(name, result, cells[p], column) if p in cells else Cell("") for p in periods]
        size = number_cell(name, result, next(iter(cells.values())), "cohort_size")
        lines.append((Cell(day(cohort, year=True)), size, *shown))
    return Table(heads, _spread(lines), caption)


def matrix(name: str, result: Result, across: tuple[str, str], column: str, caption: str) -> Table:
    """A table of two texts: where people come from down, where they are now across; shaded by the share of a row."""
    rows, (before, after) = result.rows, across
    index = {(row[before], row[after]): i for i, row in enumerate(rows)}
    columns = list(dict.fromkeys(row[after] for row in rows))
    lines = []
    for start in dict.fromkeys(row[before] for row in rows):
        total = sum(row[column] for row in rows if row[before] == start)
        cells = [
            replace(number_cell(name, result, index[start, end], column),
                    shade=rows[index[start, end]][column] / total if total else None)
            if (start, end) in index else Cell("0")
            for end in columns
        ]  # fmt: skip
        lines.append((Cell(_words(start)), *cells))
    return Table((Head("from / to", is_number=False), *(Head(_words(one)) for one in columns)), tuple(lines), caption)


def slice_rows(result: Result) -> dict[str, list[int]]:
    """The rows of each slice, by its name."""
    found: dict[str, list[int]] = {}
    for index, row in enumerate(result.rows):
        found.setdefault(slice_name(result, row), []).append(index)
    return found


def slice_name(result: Result, row: Mapping[str, Any]) -> str:
    """The values a slice stands for; everything beyond the limit is told from a value spelt 'other'."""
    return OTHER if "other" in row["flags"] else " / ".join(str(row[part]) for part in result.query.breakdown)


def quoted_days(result: Result, back: int) -> tuple[date, date]:
    """The last settled day of an answer, and the one that many days before."""
    over = [row["date"] for row in result.rows if "incomplete" not in row["flags"]]
    last: date = max(over or [row["date"] for row in result.rows])
    return last, last - timedelta(days=back)


def row_name(result: Result, row: Mapping[str, Any], key: str) -> str:
    """What a row is about."""
    column = next(each for each in result.columns if each.name == key)
    if column.type in ("integer", "number"):
        return f"{row[key]:g}"
    return _words(row[key]) if column.unit in ("tier", "level") else str(row[key])


def _marked(cell: Cell, row: Mapping[str, Any]) -> Cell:
    return replace(cell, marks=marks(row))


def _cell_on(name: str, result: Result, rows: Sequence[int], when: date, column: str) -> Cell:
    index = next((index for index in rows if result.rows[index]["date"] == when), None)
    return Cell(DASH) if index is None else _marked(number_cell(name, result, index, column), result.rows[index])


def _rank(result: Result, rows: Sequence[int], last: date, column: str) -> tuple[bool, float, str]:
    quoted = next((result.rows[i] for i in rows if result.rows[i]["date"] == last), result.rows[rows[-1]])
    return "other" in quoted["flags"], -(quoted[column] or 0), slice_name(result, quoted)


def _shaded(name: str, result: Result, index: int, column: str) -> Cell:
    row = result.rows[index]
    cell = number_cell(name, result, index, column)
    return replace(cell, text=_short(row[column], cell.text, result, column), marks=marks(row), shade=row[column])


def _average_line(name: str, result: Result, column: str, periods: Sequence[int]) -> tuple[Cell, ...]:
    known = {row["period"]: index for index, row in enumerate(result.averages)}
    cells = [_average_cell(name, result, known[period], column) for period in periods]
    size = number_cell(name, result, known[periods[0]], "cohort_size", part="averages", unit="people")
    return (Cell("all, over"), size, *cells)


def _spread(lines: Sequence[tuple[Cell, ...]]) -> tuple[tuple[Cell, ...], ...]:
    """Shades from the lowest to the highest, so that small differences can be seen."""
    known = [cell.shade for line in lines for cell in line if cell.shade is not None]
    low, span = min(known, default=0.0), max(known, default=0.0) - min(known, default=0.0)

    def shaded(cell: Cell) -> Cell:
        if cell.shade is None:
            return cell
        return replace(cell, shade=_PALEST + (1 - _PALEST) * ((cell.shade - low) / span if span else 1.0))

    return tuple(tuple(shaded(cell) for cell in line) for line in lines)


def _average_cell(name: str, result: Result, index: int, column: str) -> Cell:
    cell = number_cell(name, result, index, column, part="averages", unit=unit_of(result, column))
    return replace(cell, text=_short(cell.value, cell.text, result, column), shade=cell.value)


def _short(value: float | None, text: str, result: Result, column: str) -> str:
    return f"{value:.0%}" if value is not None and unit_of(result, column) in SHARES else text


def _words(text: str) -> str:
    return text.replace("_", " ")
