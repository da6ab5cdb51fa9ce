"""The rows that sum an answer up, below its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.interfaces.cli.cells import NONE

if TYPE_CHECKING:
    from regulars.domain.result import Result
    from regulars.interfaces.cli.screen import Screen, Side


def show_averages(result: Result, screen: Screen) -> None:
    """Print them as they are, one line each; nothing where there are none."""
    if not result.averages:
        return
    names = [name for name in result.averages[0] if name != "flags"]
    heads: list[tuple[str, Side]] = [(name.replace("_", " "), _side(result, name)) for name in names]
    screen.line()
    screen.grid(heads, ([_cell(row, name) for name in names] for row in result.averages))


def _side(result: Result, name: str) -> Side:
    is_text = any(isinstance(row[name], str) for row in result.averages)
    return "left" if is_text or name in result.query.breakdown else "right"


def _cell(row: dict[str, Any], name: str) -> str:
    value = row[name]
    if value is None:
        return "other (all the rest)" if "other" in row["flags"] else NONE
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
