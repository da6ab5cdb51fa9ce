"""An answer with a breakdown: dates down and slices across where that fits, else one line per slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from regulars.domain.properties import AGE_BANDS, TENURE_BANDS
from regulars.interfaces.cli.cells import (
    BAR,
    NONE,
    Row,
    complete,
    drawn_head,
    head,
    last_row,
    main_column,
    marks,
    number,
    trend,
    value_columns,
)
from regulars.interfaces.cli.words import GAP, bar

if TYPE_CHECKING:
    from regulars.domain.result import Result
    from regulars.interfaces.cli.screen import Screen, Side

_BAND_ORDER = {band.value: index for index, band in enumerate((*TENURE_BANDS, *AGE_BANDS))}
_PIVOT_ROWS, _NAME, _TREND = 14, 36, 16


@dataclass(frozen=True)
class Slice:
    """One slice: its name, its rows, and the row to quote from it."""

    name: str
    rows: list[Row]

    @property
    def last(self) -> Row:
        """The row that is quoted."""
        return last_row(self.rows)


def slices(result: Result) -> list[Slice]:
    """The slices: bands in their order, others by size at the end of the range, the rest last."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in result.rows:
        key = ("other" in row["flags"], *(row[part] for part in result.query.breakdown))
        found.setdefault(key, []).append(row)
    column = main_column(result).name

    def rank(one: Slice) -> tuple[bool, int, float]:
        return "other" in one.last["flags"], _BAND_ORDER.get(one.name, len(_BAND_ORDER)), -(one.last[column] or 0)

    return sorted((Slice(slice_name(rows[0], result.query.breakdown), rows) for rows in found.values()), key=rank)


def slice_name(row: Row, breakdown: tuple[str, ...]) -> str:
    """The values a slice stands for; everything beyond the limit is told from a value spelt 'other'."""
    name = " / ".join(str(row[part]) for part in breakdown)
    if "other" in row["flags"]:
        return "other (all the rest)"
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"


def show_slices(result: Result, screen: Screen) -> None:
    """Print them in the form that reads best in this width."""
    found = slices(result)
    buckets = len({row["date"] for row in result.rows})
    width = sum(max(len(one.name), 7) + GAP for one in found) + 14
    if buckets <= _PIVOT_ROWS and len(value_columns(result)) == 1 and width <= screen.width:
        _show_pivot(result, found, screen)
    else:
        _show_list(result, found, screen)


def _show_pivot(result: Result, found: list[Slice], screen: Screen) -> None:
    column = main_column(result)
    columns = [{row["date"]: number(row[column.name], column) for row in one.rows} for one in found]
    flagged = {row["date"]: marks(row) for row in result.rows}
    screen.grid(
        [("date", "left"), *((one.name, "right") for one in found), ("", "left")],
        ([str(day), *(cells.get(day, NONE) for cells in columns), mark] for day, mark in flagged.items()),
    )


def _show_list(result: Result, found: list[Slice], screen: Screen) -> None:
    column = main_column(result)
    heads: list[tuple[str, Side]] = [(" / ".join(result.query.breakdown), "left")]
    heads += [*((head(c), "right") for c in value_columns(result)), ("", "left"), (drawn_head(result), "left")]
    lines = _lines(result, found)
    taken = sum(max(len(cells[i]) for cells in [*lines, [name for name, _ in heads]]) + GAP for i in range(len(heads)))
    length = min(max(screen.width - taken, _TREND), max(len(complete(one.rows)) for one in found))
    screen.grid(
        [*heads, (f"last {length} {result.query.grain}s", "left")],
        ([*cells, trend(one.rows, column, length)] for one, cells in zip(found, lines, strict=True)),
    )
    days = dict.fromkeys(str(one.last["date"]) for one in found)
    screen.line(f"numbers of {', '.join(days)}; each trend from its own low to its own high", style="dim")


def _lines(result: Result, found: list[Slice]) -> list[list[str]]:
    """Per slice: its name, its last complete values, their marks, and a bar."""
    values, drawn = value_columns(result), main_column(result).name
    top = max(one.last[drawn] or 0 for one in found)
    return [
        [one.name, *(number(one.last[c.name], c) for c in values), marks(one.last), bar(one.last[drawn], top, BAR // 2)]
        for one in found
    ]
