"""An answer as people read it: what was asked, how complete it is, the numbers, and what the marks mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.frame import DEFAULT_DAYS
from regulars.domain.metrics import METRICS
from regulars.interfaces.cli.averages import show_averages
from regulars.interfaces.cli.cells import (
    BAR,
    MARKS,
    Row,
    cell,
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
from regulars.interfaces.cli.flows import show_flows
from regulars.interfaces.cli.slices import show_slices
from regulars.interfaces.cli.triangle import show_triangle
from regulars.interfaces.cli.words import bar

if TYPE_CHECKING:
    from regulars.domain.result import Result
    from regulars.interfaces.cli.screen import Screen, Side

_ROWS_SHOWN = 31


def show(result: Result, screen: Screen, *, every_row: bool = False, quiet: bool = False) -> None:
    """Print an answer; ``quiet`` leaves out everything around the numbers."""
    if not quiet:
        for line in heading(result):
            screen.line(line)
        screen.line()
    if not result.rows:
        screen.line("no rows: " + ("; ".join(result.warnings) or "nothing lies in this range"))
        return
    _show_rows_as_they_read_best(result, screen, every_row=every_row)
    if not quiet:
        for line in footing(result):
            screen.line(line, style="dim")


def _show_rows_as_they_read_best(result: Result, screen: Screen, *, every_row: bool) -> None:
    form = METRICS[result.query.metric].chart
    if form == "triangle":
        show_triangle(result, screen, every_row=every_row)
        return
    if form == "paths":
        show_flows(result, screen, every_row=every_row)
    elif not is_series(result):
        show_rows(result, screen, every_row=every_row)
    elif result.query.breakdown:
        show_slices(result, screen)
    else:
        show_series(result, screen, every_row=every_row)
    show_averages(result, screen)


def heading(result: Result) -> list[str]:
    """What was asked, and how complete the answer is."""
    query, rows = result.query, result.rows
    parts = [METRICS[query.metric].title]
    if query.window:
        parts.append(f"{query.window}-day window")
    if query.calendar:
        parts.append(f"calendar {query.calendar}")
    if query.actor != "user":
        parts.append(f"counting {query.actor}")
    if query.breakdown:
        parts.append(f"by {', '.join(query.breakdown)}")
    if not result.rows or "date" in result.rows[0]:
        parts.append(f"per {query.bucket}")
    if rows:
        parts.append(f"{rows[0]['date']} to {rows[-1]['date']}" if "date" in rows[0] else _asked_days(result))
    return [" · ".join(parts), f"Days are calendar days in {result.timezone}; {completeness(result)}."]


def _asked_days(result: Result) -> str:
    """The range of a result without a time axis, as it was asked."""
    asked = result.query.range
    end = asked.end or result.watermark
    return f"{asked.start} to {end}" if asked.start else f"the {DEFAULT_DAYS} days to {end}"


def completeness(result: Result) -> str:
    """Up to which day the numbers are final."""
    if result.watermark is None:
        return "no data yet"
    if result.complete_through is None:
        return f"the data end on {result.watermark}"
    if result.complete_through == result.watermark:
        return f"complete through {result.complete_through}"
    return f"complete through {result.complete_through}; {result.watermark} is not over yet"


def footing(result: Result) -> list[str]:
    """What the marks mean, who is left out, and what else to know."""
    seen = {flag for row in result.rows for flag in row["flags"]}
    lines = [f"{mark} {flag.replace('_', ' ')}: {words}" for flag, (mark, words) in MARKS.items() if flag in seen]
    excluded = {name: people for name, people in result.population.get("excluded", {}).items() if people}
    if excluded:
        lines.append("not counted: " + ", ".join(f"{people:,} {name}" for name, people in excluded.items()))
    return [*lines, *result.warnings]


def is_series(result: Result) -> bool:
    """Whether each slice has one row per date."""
    own = [column.name for column in result.columns if column.type == "text"]
    names = ["date", *result.query.breakdown]
    if "date" not in result.rows[0] or set(own) - set(names):
        return False
    return len({tuple(row[name] for name in names) for row in result.rows}) == len(result.rows)


def show_rows(result: Result, screen: Screen, *, every_row: bool) -> None:
    """Every column as it is, with a bar for the people, or the reasons, at the end; of many dates the last one."""
    shown = result.rows
    if "date" in shown[0] and not every_row:
        shown = [row for row in shown if row["date"] == last_row(shown)["date"]]
    columns = [column for column in result.columns if column.unit != "reasons"]
    heads: list[tuple[str, Side]] = [(head(c), "left" if c.type in ("date", "text") else "right") for c in columns]
    lines = [[*(cell(row, c) for c in columns), marks(row)] for row in shown]
    # Where a line is too wide, the screen does without its end, which only repeats the numbers.
    name, ends = _ends(result, shown)
    screen.grid([*heads, ("", "left"), (name, "left")], ([*line, end] for line, end in zip(lines, ends, strict=True)))
    if len(shown) < len(result.rows):
        screen.line(f"the last {len(shown)} of {len(result.rows)} rows; --all shows every row", style="dim")


def _ends(result: Result, shown: list[Row]) -> tuple[str, list[str]]:
    """What stands at the end of each line: a bar for its people, else its reasons if it has any."""
    if not result.people_columns:
        reasons = next((column.name for column in result.columns if column.unit == "reasons"), "")
        return reasons, [str(row.get(reasons, "")) for row in shown]
    drawn = result.people_columns[0]
    top = max(row[drawn] or 0 for row in shown)
    return drawn, [bar(row[drawn], top, BAR) for row in shown]


def show_series(result: Result, screen: Screen, *, every_row: bool) -> None:
    """Dates down, values across, a bar beside each; a long series shows its end."""
    column, values = main_column(result), value_columns(result)
    _show_trend(result, screen)
    shown = result.rows if every_row else result.rows[-_ROWS_SHOWN:]
    top = max((row[column.name] or 0 for row in shown), default=0)
    heads: list[tuple[str, Side]] = [("date", "left"), *((head(c), "right") for c in values)]
    screen.grid(
        [*heads, ("", "left"), (drawn_head(result), "left")],
        (
            [str(row["date"]), *(number(row[c.name], c) for c in values), marks(row), bar(row[column.name], top, BAR)]
            for row in shown
        ),
    )
    if len(shown) < len(result.rows):
        screen.line(f"the last {len(shown)} of {len(result.rows)} rows; --all shows every row", style="dim")


def _show_trend(result: Result, screen: Screen) -> None:
    column, done = main_column(result), complete(result.rows)
    known = [row[column.name] for row in done if row[column.name] is not None]
    if len(known) < 2:  # noqa: PLR2004 -- one point is no line
        return
    name = f"{drawn_head(result)} " if drawn_head(result) else ""
    text = f"low {number(min(known), column)}, high {number(max(known), column)}"
    room = max(screen.width - len(name) - len(text) - 2, 8)
    screen.line(f"{name}{trend(done, column, room)}  {text}")
    screen.line()
