"""Retention as a triangle: cohorts down, periods across, each cell shaded by how many came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.interfaces.cli.cells import MARKS, NONE
from regulars.interfaces.cli.slices import slice_name
from regulars.interfaces.cli.words import BLOCKS, GAP

if TYPE_CHECKING:
    from regulars.domain.result import Result
    from regulars.interfaces.cli.cells import Row
    from regulars.interfaces.cli.screen import Screen, Side

_COHORTS, _LEFT, _CELL = 14, 20, 5


def show_triangle(result: Result, screen: Screen, *, every_row: bool) -> None:
    """One triangle per slice, the newest cohorts of it, and the average of all cohorts above them."""
    breakdown = result.query.breakdown
    slices: dict[tuple[Any, ...], list[Row]] = {}
    for row in result.rows:
        slices.setdefault(("other" in row["flags"], *(row[name] for name in breakdown)), []).append(row)
    for key, rows in slices.items():
        if breakdown:
            screen.line(slice_name(rows[0], breakdown), style="bold")
        averages = {
            one["period"]: one for one in result.averages if (one.get("is_other"), *(one[n] for n in breakdown)) == key
        }
        _show_one(rows, averages, screen, every_row=every_row)
    shown, last = _fitting(rows, screen.width), max(row["period"] for row in rows)
    if max(shown) < last:
        screen.line(f"periods up to {max(shown)} of {last}: a wider terminal, or --format csv, shows more", style="dim")
    hidden = max(len({row["date"] for row in rows}) for rows in slices.values()) - _COHORTS
    if hidden > 0 and not every_row:
        screen.line(f"the newest {_COHORTS} cohorts, {hidden} more with --all", style="dim")


def _show_one(rows: list[Row], averages: dict[int, Row], screen: Screen, *, every_row: bool) -> None:
    dates = list(dict.fromkeys(row["date"] for row in rows))
    periods = _fitting(rows, screen.width)
    cells = {(row["date"], row["period"]): row for row in rows}
    sizes = {row["date"]: row["cohort_size"] for row in rows}
    warming = {row["date"]: MARKS["warming_up"][0] for row in rows if "warming_up" in row["flags"]}
    heads: list[tuple[str, Side]] = [("cohort", "left"), ("people", "right")]
    heads += [(name, "right") for name in periods.values()]
    people = f"{max((one['cohort_size'] for one in averages.values()), default=0):,}"
    lines = [["average", people, *(_share(averages.get(period)) for period in periods)]]
    lines += [
        [f"{day}{warming.get(day, '')}", f"{sizes[day]:,}", *(_share(cells.get((day, period))) for period in periods)]
        for day in (dates if every_row else dates[-_COHORTS:])
    ]
    screen.grid(heads, lines)


def _fitting(rows: list[Row], width: int) -> dict[int, str]:
    """The periods that fit beside each other: the first ones, each with its head."""
    names = {row["period"]: _head(row) for row in rows}
    room = (width - _LEFT) // (_CELL + GAP)
    return {period: names[period] for period in sorted(names)[: max(room, 1)]}


def _head(row: Row) -> str:
    last = row.get("period_end", row["period"])
    return str(row["period"]) if last == row["period"] else f"{row['period']}-{last}"


def _share(row: Row | None) -> str:
    """A share with its shade, darker for more; nothing for a cell that has not begun."""
    if row is None:
        return ""
    if row["retention"] is None:
        return NONE
    shade = BLOCKS[min(int(row["retention"] * len(BLOCKS)), len(BLOCKS) - 1)] if row["retention"] else " "
    mark = MARKS["incomplete"][0] if "incomplete" in row.get("flags", ()) else ""
    return f"{row['retention']:.0%}{mark}{shade}"
