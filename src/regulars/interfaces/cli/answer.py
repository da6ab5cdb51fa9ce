"""An answer as people read it: what was asked, how complete it is, the numbers, and what the marks mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from regulars.domain.metrics import METRICS
from regulars.domain.properties import AGE_BANDS, TENURE_BANDS
from regulars.interfaces.cli.words import GAP, bar, sparkline

if TYPE_CHECKING:
    from regulars.domain.metrics.record import ResultColumn
    from regulars.domain.result import Result
    from regulars.interfaces.cli.screen import Screen, Side

Row = dict[str, Any]
NONE = "-"
MARKS = {
    "incomplete": ("*", "not over yet, so the number can still grow"),
    "warming_up": ("^", "its window begins before the first day of data"),
    "low_n": ("?", "too few people to read much into it"),
}
_BAND_ORDER = {band.value: index for index, band in enumerate((*TENURE_BANDS, *AGE_BANDS))}
_ROWS_SHOWN = 31
_PIVOT_ROWS = 14
_BAR, _NAME = 24, 36


def show(result: Result, screen: Screen, *, every_row: bool = False, quiet: bool = False) -> None:
    """Print an answer; ``quiet`` leaves out everything around the numbers."""
    if not quiet:
        for line in heading(result):
            screen.line(line)
        screen.line()
    if not result.rows:
        screen.line("no rows: " + ("; ".join(result.warnings) or "nothing lies in this range"))
        return
    if result.query.breakdown:
        _show_slices(result, screen)
    else:
        _show_series(result, screen, every_row=every_row)
    if not quiet:
        for line in footing(result):
            screen.line(line, style="dim")


def heading(result: Result) -> list[str]:
    """What was asked, and how complete the answer is."""
    query, rows = result.query, result.rows
    parts = [METRICS[query.metric].title]
    if query.window:
        parts.append(f"{query.window}-day window")
    if query.calendar:
        parts.append(f"calendar {query.calendar}")
    if query.breakdown:
        parts.append(f"by {', '.join(query.breakdown)}")
    parts.append(f"per {query.grain}")
    if rows:
        parts.append(f"{rows[0]['date']} to {rows[-1]['date']}")
    return [" · ".join(parts), f"Days are calendar days in {result.timezone}; {completeness(result)}."]


def completeness(result: Result) -> str:
    """Up to which day the numbers are final."""
    if result.watermark is None:
        return "no data yet"
    if result.complete_through == result.watermark:
        return f"complete through {result.complete_through}"
    return f"complete through {result.complete_through}; {result.watermark} is not over yet"


def footing(result: Result) -> list[str]:
    """What the marks mean, who is left out, and why cells are empty."""
    seen = {flag for row in result.rows for flag in row["flags"]}
    lines = [f"{mark} {flag.replace('_', ' ')}: {words}" for flag, (mark, words) in MARKS.items() if flag in seen]
    excluded = {name: number for name, number in result.population.get("excluded", {}).items() if number}
    if excluded:
        lines.append("not counted: " + ", ".join(f"{number:,} {name}" for name, number in excluded.items()))
    return [*lines, *result.warnings]


def value_columns(result: Result) -> list[ResultColumn]:
    """The columns that hold numbers."""
    return [column for column in result.columns if column.type in ("integer", "number")]


def main_column(result: Result) -> ResultColumn:
    """The column to draw: the one named like the metric, else the first."""
    values = value_columns(result)
    return next((column for column in values if column.name == result.query.metric), values[0])


def number(value: float | None, column: ResultColumn) -> str:
    """A value in its column's unit: counts with thousands, shares in percent."""
    if value is None:
        return NONE
    if column.unit in ("ratio", "share"):
        return f"{value:.1%}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def marks(row: Row) -> str:
    """The marks of a row's flags."""
    return "".join(MARKS[flag][0] for flag in row["flags"] if flag in MARKS)


def slice_name(row: Row, breakdown: tuple[str, ...]) -> str:
    """The values a slice stands for; everything beyond the limit is told from a value spelt 'other'."""
    name = " / ".join(str(row[part]) for part in breakdown)
    return "other (all the rest)" if "other" in row["flags"] else name


def trend(rows: list[Row], column: ResultColumn, width: int) -> str:
    """A sparkline over the last complete buckets, as many as fit."""
    return sparkline([row[column.name] for row in complete(rows)[-width:]])


def complete(rows: list[Row]) -> list[Row]:
    """Rows whose bucket is over."""
    return [row for row in rows if "incomplete" not in row["flags"]]


def _show_series(result: Result, screen: Screen, *, every_row: bool) -> None:
    column, rows = main_column(result), result.rows
    known = [row[column.name] for row in complete(rows) if row[column.name] is not None]
    if len(known) > 1:
        low, high = (number(value, column) for value in (min(known), max(known)))
        screen.line(f"{trend(rows, column, screen.width - 34)}  low {low}, high {high}")
        screen.line()
    shown = rows if every_row else rows[-_ROWS_SHOWN:]
    values = value_columns(result)
    top = max((row[column.name] or 0 for row in shown), default=0)
    heads: list[tuple[str, Side]] = [
        ("date", "left"),
        *((_head(c), "right") for c in values),
        ("", "left"),
        ("", "left"),
    ]
    screen.grid(
        heads,
        ([str(row["date"]), *(number(row[c.name], c) for c in values), marks(row), bar(row[column.name], top, _BAR)]
         for row in shown),
    )  # fmt: skip
    if len(shown) < len(rows):
        screen.line(f"the last {len(shown)} of {len(rows)} rows; --all shows every row", style="dim")


def _head(column: ResultColumn) -> str:
    return column.name.replace("_", " ")


@dataclass(frozen=True)
class Slice:
    """One line of a breakdown: its name, its rows, and the row to quote from it."""

    name: str
    rows: list[Row]

    @property
    def last(self) -> Row:
        """The last complete bucket, else the last one."""
        return (complete(self.rows) or self.rows)[-1]


def slices(result: Result) -> list[Slice]:
    """The slices: bands in their order, others by size at the end of the range, the rest last."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in result.rows:
        found.setdefault(_slice_key(row, result.query.breakdown), []).append(row)
    name = main_column(result).name

    def rank(one: Slice) -> tuple[bool, int, float]:
        return "other" in one.last["flags"], _BAND_ORDER.get(one.name, len(_BAND_ORDER)), -(one.last[name] or 0)

    return sorted((Slice(slice_name(rows[0], result.query.breakdown), rows) for rows in found.values()), key=rank)


def _slice_key(row: Row, breakdown: tuple[str, ...]) -> tuple[Any, ...]:
    return ("other" in row["flags"], *(row[part] for part in breakdown))


def _show_slices(result: Result, screen: Screen) -> None:
    found = slices(result)
    buckets = len({row["date"] for row in result.rows})
    width = sum(max(len(one.name), 7) + 2 for one in found) + 14
    if buckets <= _PIVOT_ROWS and len(value_columns(result)) == 1 and width <= screen.width:
        _show_pivot(result, found, screen)
    else:
        _show_slice_list(result, found, screen)


def _show_pivot(result: Result, found: list[Slice], screen: Screen) -> None:
    column = main_column(result)
    columns = [{row["date"]: number(row[column.name], column) for row in one.rows} for one in found]
    flagged = {row["date"]: marks(row) for row in result.rows}
    screen.grid(
        [("date", "left"), *((one.name, "right") for one in found), ("", "left")],
        ([str(day), *(cells.get(day, NONE) for cells in columns), mark] for day, mark in flagged.items()),
    )


def _show_slice_list(result: Result, found: list[Slice], screen: Screen) -> None:
    """One line per slice: its last complete values, a bar, and how it came there."""
    values, column = value_columns(result), main_column(result)
    top = max(one.last[column.name] or 0 for one in found)
    heads: list[tuple[str, Side]] = [(" / ".join(result.query.breakdown), "left")]
    heads += [*((_head(c), "right") for c in values), ("", "left"), ("", "left")]
    lines = []
    for one in found:
        drawn = bar(one.last[column.name], top, _BAR // 2)
        lines.append([_short(one.name), *(number(one.last[c.name], c) for c in values), marks(one.last), drawn])
    taken = sum(max(len(cells[i]) for cells in [*lines, [head for head, _ in heads]]) + GAP for i in range(len(heads)))
    length = min(max(screen.width - taken, 8), max(len(complete(one.rows)) for one in found))
    screen.grid(
        [*heads, (f"last {length} {result.query.grain}s", "left")],
        ([*cells, trend(one.rows, column, length)] for one, cells in zip(found, lines, strict=True)),
    )
    days = dict.fromkeys(str(one.last["date"]) for one in found)
    screen.line(f"numbers of {', '.join(days)}; each trend from its own low to its own high", style="dim")


def _short(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"
