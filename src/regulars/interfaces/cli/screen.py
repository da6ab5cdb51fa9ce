"""Tables for people, through rich: plain text, no markup from data, as wide as the terminal."""

from __future__ import annotations

import os
import shutil
import sys
from textwrap import fill
from typing import TYPE_CHECKING, Literal, Self

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from regulars.interfaces.cli.words import GAP, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from regulars.application.ports import Table

_WIDTH = 100  # of a file or a pipe
_ROWS_SHOWN, _RECORDS_SHOWN, _CELL = 100, 20, 48
_WORD = 8  # a folded head is at least as wide as this
Side = Literal["left", "right"]


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the program end as it does for every reader that goes away."""
        raise  # noqa: PLE0704 -- rich calls this while it handles the error


class Screen:
    """Where people read: the terminal, a pipe, or a file."""

    def __init__(self, output: Path | None = None) -> None:
        terminal = output is None and sys.stdout.isatty()
        self.width = shutil.get_terminal_size().columns if terminal or "COLUMNS" in os.environ else _WIDTH
        self._file = output.open("w", encoding="utf-8") if output else None
        self._console = _Console(
            file=self._file, width=self.width, highlight=False, markup=False, emoji=False, legacy_windows=False
        )

    def line(self, text: str = "", style: str = "") -> None:
        """One line; what does not fit goes on below it."""
        self._console.print(Text(printable(text), style=style), soft_wrap=True)

    def grid(self, heads: Sequence[tuple[str, Side]], rows: Iterable[Sequence[str]]) -> None:
        """Rows under their heads, each column to its side; a column without head and cells is left out.

        What is too wide folds its heads first, and then does without the last column, the drawing.
        """
        lines = [[printable(cell) for cell in row] for row in rows]
        heads = [(printable(head), side) for head, side in heads]
        used = [i for i, (head, _) in enumerate(heads) if head or any(line[i] for line in lines)]
        room = {i: max((len(line[i]) for line in lines), default=0) for i in used}
        if _width(heads, room) > self.width:
            heads = [
                (fill(head, max(room.get(i, 1), _WORD), break_long_words=False), side)
                for i, (head, side) in enumerate(heads)
            ]
        if _width(heads, room) > self.width:
            used = used[:-1]
        air = 2 if _width(heads, {i: room[i] for i in used}) <= self.width else 1
        table = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim", padding=(0, air, 0, 0))
        for head, side in (heads[i] for i in used):
            table.add_column(Text(head), justify=side, no_wrap=True, overflow="ellipsis")
        for line in lines:
            table.add_row(*(Text(line[i]) for i in used))
        self._console.print(table)

    def close(self) -> None:
        """Finish the file."""
        if self._file:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _width(heads: Sequence[tuple[str, Side]], room: dict[int, int]) -> int:
    lines = {i: max((len(line) for line in heads[i][0].splitlines()), default=0) for i in room}
    return sum(max(room[i], lines[i]) + GAP for i in room)


def show_table(table: Table, screen: Screen, *, quiet: bool = False) -> None:
    """Any rows: beside each other where they fit, else one column per line. A long table is cut, and says so."""
    cells = [["" if value is None else _short(str(value)) for value in row] for row in table.rows[:_ROWS_SHOWN]]
    lines = [[_short(name) for name in table.columns], *cells]
    if sum(max(map(len, column)) + GAP for column in zip(*lines, strict=True)) <= screen.width:
        shown = len(cells)
        screen.grid([(head, _side(table, i)) for i, head in enumerate(lines[0])], cells)
    else:
        shown = min(len(cells), _RECORDS_SHOWN)
        _show_records(table, shown, screen)
    if shown < len(table.rows) and not quiet:
        screen.line(f"{len(table.rows) - shown:,} more rows; --format csv prints all of them", style="dim")


def _show_records(table: Table, shown: int, screen: Screen) -> None:
    width = max(map(len, table.columns))
    for number, row in enumerate(table.rows[:shown], 1):
        screen.line(f"row {number}", style="dim")
        for name, value in zip(table.columns, row, strict=True):
            screen.line(f"  {name:<{width}}  {'' if value is None else value}")


def _side(table: Table, column: int) -> Side:
    numeric = all(row[column] is None or isinstance(row[column], int | float) for row in table.rows)
    return "right" if numeric else "left"


def _short(text: str) -> str:
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"
