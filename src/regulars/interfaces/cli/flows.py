"""Paths as people read them: per step the ways most taken, or a table of nodes by steps."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from regulars.interfaces.cli.cells import BAR
from regulars.interfaces.cli.slices import slice_name
from regulars.interfaces.cli.words import BLOCKS, bar

if TYPE_CHECKING:
    from regulars.domain.result import Result
    from regulars.interfaces.cli.cells import Row
    from regulars.interfaces.cli.screen import Screen, Side

_WAYS, _NAME = 8, 24


def show_flows(result: Result, screen: Screen, *, every_row: bool) -> None:
    """Each slice by itself."""
    breakdown = result.query.breakdown
    is_matrix = "node" in result.rows[0]
    hidden = 0
    for _, found in groupby(result.rows, key=lambda row: _slice_of(row, breakdown)):
        rows = list(found)
        if breakdown:
            screen.line(slice_name(rows[0], breakdown), style="bold")
        if is_matrix:
            _show_matrix(rows, screen)
        else:
            hidden += _show_ways(rows, screen, every_row=every_row)
    if hidden:
        screen.line(f"the {_WAYS} ways most taken of each step, {hidden} more with --all", style="dim")


def _slice_of(row: Row, breakdown: tuple[str, ...]) -> tuple[Any, ...]:
    return "other" in row["flags"], *(row[name] for name in breakdown)


def _show_ways(rows: list[Row], screen: Screen, *, every_row: bool) -> int:
    """The ways of each step in one table; how many are left out."""
    heads: list[tuple[str, Side]] = [
        ("step", "right"), ("from", "left"), ("to", "left"), ("paths", "right"), ("people", "right"),
        ("share", "right"), ("", "left"),
    ]  # fmt: skip
    lines: list[list[str]] = []
    hidden, top = 0, max(row["paths"] for row in rows)
    for step, found in groupby(rows, key=lambda row: row["step"]):
        ways = list(found)
        shown = ways if every_row else ways[:_WAYS]
        hidden += len(ways) - len(shown)
        if lines:
            lines.append([""] * len(heads))
        lines += [
            [str(step) if number == 0 else "", _named(row, "from_node"), _named(row, "to_node"), f"{row['paths']:,}",
             f"{row['users']:,}", f"{row['share']:.1%}", bar(row["paths"], top, BAR)]
            for number, row in enumerate(shown)
        ]  # fmt: skip
    screen.grid(heads, lines)
    return hidden


def _show_matrix(rows: list[Row], screen: Screen) -> None:
    """Nodes down, those with most paths first, what is over last; steps across."""
    steps = sorted({row["step"] for row in rows})
    cells: dict[str, dict[int, Row]] = {}
    for row in rows:
        cells.setdefault(_named(row, "node"), {})[row["step"]] = row
    ordered = sorted(cells, key=lambda name: (_place(cells[name]), -sum(r["paths"] for r in cells[name].values())))
    heads: list[tuple[str, Side]] = [("node", "left"), *((f"step {step}", "right") for step in steps)]
    screen.grid(heads, [[name, *(_share(cells[name].get(step)) for step in steps)] for name in ordered])


def _place(row: dict[int, Row]) -> int:
    flags = next(iter(row.values()))["flags"]
    return 2 if {"end", "start"} & set(flags) else int("node_other" in flags)


def _share(row: Row | None) -> str:
    if row is None:
        return ""
    return f"{row['share']:.0%} {BLOCKS[min(int(row['share'] * len(BLOCKS)), len(BLOCKS) - 1)]}"


def _named(row: Row, column: str) -> str:
    """A node by its name, or in brackets what stands in its place."""
    name = row[column]
    if name is not None:
        return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
    if f"{column}_other" in row["flags"]:
        return "(all other nodes)"
    return "(start)" if "start" in row["flags"] else "(end)"
