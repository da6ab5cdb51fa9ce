"""Small pieces of text: safe to print, counted, measured, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
GAP = 3  # blanks between two columns of a table
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def printable(text: str) -> str:
    r"""The text on one line, with everything replaced that could steer a terminal.

    >>> printable("a\x1b[31mb\nc")
    'a?[31mb c'
    """
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "row"), count(2500, "row")
    ('1 row', '2,500 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def seconds(value: float) -> str:
    """A duration for people.

    >>> seconds(0.314), seconds(75.0)
    ('0.3 s', '1 min 15 s')
    """
    minutes, rest = divmod(value, 60)
    return f"{int(minutes)} min {rest:.0f} s" if minutes else f"{value:.1f} s"


def sparkline(values: Sequence[float | None]) -> str:
    """A line chart one row high, from the lowest to the highest value; a gap where there is none.

    >>> sparkline([1, 4, None, 8])
    '▁▄ █'
    """
    known = [value for value in values if value is not None]
    low, high = min(known, default=0), max(known, default=0)
    steps = len(BLOCKS) - 1
    if low == high:
        return "".join(" " if value is None else BLOCKS[steps // 2] for value in values)
    return "".join(" " if value is None else BLOCKS[round((value - low) / (high - low) * steps)] for value in values)


def bar(value: float | None, top: float, width: int) -> str:
    """A bar from zero whose full width is ``top``.

    >>> bar(3, 4, 4), bar(1, 16, 4)
    ('███', '▎')
    """
    if not value or top <= 0 or value < 0:
        return ""
    full, rest = divmod(round(min(value / top, 1) * width * 8), 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")
