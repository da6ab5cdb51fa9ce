"""A funnel as people read it: a bar per step, what is left of the first and of the one before, and how long it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.frame import DEFAULT_DAYS
from regulars.domain.metrics.funnels import EMPTY_VALUES
from regulars.domain.metrics.options import SECONDS
from regulars.interfaces.cli.answer import completeness, footing
from regulars.interfaces.cli.cells import NONE, marks
from regulars.interfaces.cli.slices import slice_name
from regulars.interfaces.cli.words import bar

if TYPE_CHECKING:
    from regulars.domain.result import Result
    from regulars.interfaces.cli.screen import Screen, Side

Row = dict[str, Any]
_NAME, _BAR = 28, 16
_ORDERS = {"strict": "each step the very next event", "any": "in any order"}


def show_steps(result: Result, screen: Screen, *, quiet: bool = False) -> None:
    """Print a funnel; ``quiet`` leaves out everything around the numbers."""
    if not quiet:
        for line in _heading(result):
            screen.line(line)
        screen.line()
    if not result.rows:
        screen.line("no rows: " + ("; ".join(result.warnings) or "nobody began this way in this range"))
        return
    _show_grid(result, screen)
    if not quiet:
        for group in _slices(result):
            screen.line(_where_most_drop(group, result.query.breakdown))
        for line in footing(result):
            if line != EMPTY_VALUES:
                screen.line(line, style="dim")


def _heading(result: Result) -> list[str]:
    options, days = result.query.options, result.query.range
    parts = ["Funnel", f"within {options['within']}"]
    parts += [_ORDERS[options["order"]]] if options["order"] in _ORDERS else []
    parts += [f"by {', '.join(result.query.breakdown)}"] if result.query.breakdown else []
    last = days.end or result.watermark
    begun = f"begun {days.start} to {last}" if days.start else f"begun in the {DEFAULT_DAYS} days to {last}"
    return [
        " · ".join([*parts, begun]),
        f"Days are calendar days in {result.timezone}; {completeness(result)}.",
    ]


def _slices(result: Result) -> list[list[Row]]:
    """The rows of one slice after another."""
    last = max(row["step"] for row in result.rows)
    return [result.rows[start : start + last] for start in range(0, len(result.rows), last)]


def _show_grid(result: Result, screen: Screen) -> None:
    by = result.query.breakdown
    heads: list[tuple[str, Side]] = [
        (" / ".join(by), "left"), ("step", "left"), ("users", "right"), ("of first", "right"), ("95 %", "right"),
        ("of previous", "right"), ("median time", "right"), ("", "left"), ("users", "left"),
    ]  # fmt: skip
    lines = []
    for group in _slices(result):
        top = group[0]["users"]
        for row in group:
            name = slice_name(row, by) if by and row["step"] == 1 else ""
            lines.append([name, f"{row['step']} {_short(row['name'])}", f"{row['users']:,}", *_shares(row), marks(row),
                          bar(row["users"], top, _BAR)])  # fmt: skip
    screen.grid(heads, lines)


def _shares(row: Row) -> list[str]:
    low, high, is_first = row["low"], row["high"], row["step"] == 1
    return [
        _percent(row["conversion_from_first"]),
        NONE if is_first or low is None else f"{low * 100:.0f}-{high:.0%}",
        NONE if is_first else _percent(row["conversion_from_previous"]),
        NONE if row["seconds_median"] is None else duration(row["seconds_median"]),
    ]


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{share:.1%}"


def _short(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"


def duration(seconds: float) -> str:
    """A time in its two largest units.

    >>> duration(93_784), duration(75.2), duration(0.25)
    ('1 d 2 h', '1 min 15 s', '0.2 s')
    """
    units = [("d", SECONDS["day"]), ("h", SECONDS["hour"]), ("min", SECONDS["minute"])]
    for place, (name, size) in enumerate(units):
        if seconds >= size:
            smaller, part = ("s", 1) if place + 1 == len(units) else units[place + 1]
            whole, rest = divmod(int(seconds), size)
            return f"{whole} {name} {rest // part} {smaller}"
    return f"{seconds:.0f} s" if float(seconds).is_integer() else f"{seconds:.1f} s"


def _where_most_drop(group: list[Row], by: tuple[str, ...]) -> str:
    """The step after which most people of a slice are lost."""
    worst = max(group[:-1], key=lambda row: row["dropped"])
    where = f"{slice_name(worst, by)}: " if by else ""
    if not worst["dropped"]:
        return f"{where}nobody drops out" if worst["users"] else f"{where}nobody began this way"
    after = f"step {worst['step']}, {_short(worst['name'])}"
    share = worst["dropped"] / worst["users"]
    return f"{where}most people drop out after {after}: {worst['dropped']:,} of {worst['users']:,} ({share:.1%})"
