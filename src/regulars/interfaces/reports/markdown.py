"""A report as Markdown: headings, sentences, sparklines and tables that read well in a terminal too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from regulars import __version__
from regulars.application.reports.words import number
from regulars.interfaces.cli.words import sparkline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from regulars.application.reports.parts import Answered, KeyNumber, Report, Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!$&])")
_LONGEST = 60
_ARROWS = {"up": "\N{BLACK UP-POINTING TRIANGLE} ", "down": "\N{BLACK DOWN-POINTING TRIANGLE} ", "flat": "", "none": ""}


def to_markdown(report: Report) -> str:
    """The report as Markdown, as GitHub reads it."""
    return "\n\n".join(part for part in _parts(report) if part) + "\n"


def _parts(report: Report) -> Iterator[str]:
    name = f"{report.title}, {report.period}" if report.period else report.title
    yield f"# {plain(report.product)}: {plain(name)}"
    yield plain(report.lede)
    yield plain(report.notice)
    if report.key_numbers:
        yield "## Key numbers"
        yield _grid(
            ["", "number", "change", "trend", "compared"],
            [_key_line(each) for each in report.key_numbers],
            ["left", "right", "right", "left", "left"],
        )
    for section in report.sections:
        yield from _section(section)
    if report.terms:
        yield "## How to read this"
        yield "\n".join(f"- **{plain(term.name)}**: {plain(term.words)}" for term in report.terms)
    yield f"Made with Regulars {__version__}."


def _key_line(each: KeyNumber) -> list[str]:
    quote = each.quote
    shown = quote.trend[-_LONGEST // 2 :]
    change = f"{_ARROWS[quote.direction]}{quote.change}"
    return [plain(each.label), plain(quote.cell.text + quote.cell.marks), change, sparkline(shown), plain(quote.note)]


def _section(section: Answered) -> Iterator[str]:
    yield f"## {plain(section.heading)}"
    yield plain(section.reason or section.finding)
    yield _drawn(section)
    if section.table and section.table.rows:
        yield f"*{plain(section.table.caption)}:*"
        yield _table(section.table)
    yield "\n\n".join(plain(note) for note in section.notes)


def _drawn(section: Answered) -> str:
    """Lines as sparklines, each from its own low to its own high; other charts are the tables below them."""
    if section.exhibit.form != "lines":
        return ""
    lines = []
    for line in section.exhibit.lines:
        result = section.answers[line.answer]
        unit = next(each.unit for each in result.columns if each.name == line.column)
        over = [row[line.column] for row in result.rows if not {"incomplete", "warming_up"} & set(row["flags"])]
        known = [value for value in over if value is not None]
        if len(known) > 1:
            step = -(-len(over) // _LONGEST)  # a long line shows every second or third day, the last one always
            drawn = sparkline(over[::-1][::step][::-1])
            lines.append([line.label, drawn, f"low {number(min(known), unit)}", f"high {number(max(known), unit)}"])
    return _grid(["", "trend", "", ""], lines, ["left", "left", "right", "right"]) if lines else ""


def _table(table: Table) -> str:
    sides = ["right" if head.is_number else "left" for head in table.heads]
    cells = [[plain(cell.text + cell.marks) for cell in row] for row in table.rows]
    return _grid([plain(head.text) for head in table.heads], cells, sides)


def _grid(heads: Sequence[str], lines: Sequence[Sequence[str]], sides: Sequence[str]) -> str:
    """A table whose columns also align as plain text."""
    widths = [max(3, *(len(line[i]) for line in [heads, *lines])) for i in range(len(heads))]
    rule = [f"{'-' * (w - 1)}:" if side == "right" else "-" * w for w, side in zip(widths, sides, strict=True)]
    rows = [[_padded(*each) for each in zip(line, widths, sides, strict=True)] for line in [heads, *lines]]
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]])


def _padded(text: str, width: int, side: str) -> str:
    return text.rjust(width) if side == "right" else text.ljust(width)


def plain(text: str) -> str:
    r"""Text that Markdown shows as it is, on one line.

    >>> plain("a|b *c* <script>")
    'a\\|b \\*c\\* \\<script\\>'
    """
    one_line = "".join(c if c.isprintable() else " " for c in text)
    return _SPECIAL.sub(r"\\\1", one_line)
