"""A report as one HTML file that needs nothing else: no script, no font, no network; charts are inline SVG."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

from regulars import __version__
from regulars.application.reports.words import DASH
from regulars.interfaces.reports.charts import svg_of
from regulars.interfaces.reports.markup import Markup, element, group
from regulars.interfaces.reports.palette import ACCENT, DARK, INK, MUTED, PAPER, RULE, SHADES, level_of, shade
from regulars.interfaces.reports.sparkline import sparkline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.application.reports.parts import Answered, Cell, KeyNumber, Report, Table

FONT = "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"
_ARROWS = {"up": "\N{BLACK UP-POINTING TRIANGLE}", "down": "\N{BLACK DOWN-POINTING TRIANGLE}", "flat": "", "none": ""}
_MARKED = ("lines", "stack", "flows", "columns", "bars", "funnel")
_FAINT = "faded, dotted or hollow: not over yet, or from before there were enough days"
_NAMES = {"ink": INK, "muted": MUTED, "rule": RULE, "paper": PAPER, "accent": ACCENT}


def to_html(report: Report) -> str:
    """The report as one HTML file; it is well-formed XML too.

    Raises:
        MissingExtraError: The library that draws charts is not installed.
    """
    style = _style()
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element(
            "title", f"{report.product} {DASH} {report.title}{f' {DASH} {report.period}' if report.period else ''}"
        ),
        Markup(f"<style>{style}</style>"),
    )
    questions = {name: msgspec.to_builtins(query) for name, query in report.questions.items()}
    asked = msgspec.json.encode(questions).decode()
    body = element("body", element("main", *_parts(report), data_questions=asked))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en').text}\n"


def _style() -> str:
    """The style sheet, with the colors of the palette."""
    text = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    light = ";".join(f"--{name}:{color}" for name, color in _NAMES.items())
    dark = ";".join(f"--{name}:{DARK[color]}" for name, color in _NAMES.items())
    drawn = "".join(
        f'svg [fill="{ours}"]{{fill:{theirs}}}svg [stroke="{ours}"]{{stroke:{theirs}}}' for ours, theirs in DARK.items()
    )
    shades = "".join(f".s{n}{{background:{shade(n)[0]};color:{shade(n)[1]}}}" for n in range(SHADES + 1))
    return f":root{{{light}}}{text}{shades}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}{drawn}}}"


def _parts(report: Report) -> Iterator[Markup]:
    yield element(
        "header",
        element("p", report.product, class_="product"),
        element("h1", f"{report.title}, {report.period}" if report.period else report.title),
        element("p", report.lede, class_="lede") if report.lede else None,
    )
    if report.notice:
        yield element("p", report.notice, class_="finding")
    if report.key_numbers:
        tiles = [_tile(number) for number in report.key_numbers]
        yield element("section", element("h2", "Key numbers", class_="quiet"), element("dl", *tiles), class_="key")
    for section in report.sections:
        yield _section(section)
    if report.terms:
        yield _how_to_read(report)
    yield element("footer", f"Made with Regulars {__version__}.")


def _tile(number: KeyNumber) -> Markup:
    quote = number.quote
    change = f"{_ARROWS[quote.direction]} {quote.change}".strip()
    return element(
        "div",
        element("dt", number.label),
        element("dd", _value("span", quote.cell, "value"), class_="number"),
        element("dd", change, class_=f"change {quote.direction}") if change else None,
        element("dd", Markup(sparkline(quote.trend)), class_="spark") if quote.trend else None,
        element("dd", quote.note, class_="note") if quote.note else None,
    )


def _section(section: Answered) -> Markup:
    head = element("h2", section.heading, id=f"{section.key}-heading")
    if section.reason:
        inside = [element("p", section.reason, class_="reason")]
    else:
        inside = [
            element("p", section.finding, class_="finding"),
            _figure(section),
            _table(section.table, section.key) if section.table and section.table.rows else group(),
            *(element("p", note, class_="note") for note in section.notes),
        ]
    return element("section", head, *inside, id=section.key, aria_labelledby=f"{section.key}-heading")


def _figure(section: Answered) -> Markup:
    drawn = svg_of(section, FONT)
    if not drawn:
        return group()
    name = f"{section.key}-chart"
    about = f"{section.exhibit.about}. {section.finding} The table below has the numbers."
    said = group(element("title", section.exhibit.about, id=name), element("desc", about, id=f"{name}-about"))
    opening, rest = drawn.split(">", 1)
    opening = opening.replace(
        'role="presentation"', f'role="img" aria-labelledby="{name}" aria-describedby="{name}-about"'
    )
    drawn_rows = [row for line in section.exhibit.lines for row in section.answers[line.answer].rows]
    flags = {flag for row in drawn_rows for flag in row["flags"]} if section.exhibit.form in _MARKED else set()
    faint = f"; {_FAINT}" if flags & {"incomplete", "warming_up"} else ""
    caption = element("figcaption", f"{section.exhibit.about}{faint}.")
    drawing = element("div", Markup(f"{opening}>{said.text}{rest}"), class_="drawing")
    return element("figure", drawing, caption)


def _table(table: Table, key: str) -> Markup:
    side = [None if head.is_number else "text" for head in table.heads]
    heads = [element("th", head.text, scope="col", class_=own) for head, own in zip(table.heads, side, strict=True)]
    lines = [
        element(
            "tr", element("th", _value("span", row[0]), scope="row"), *(_value("td", cell, key=key) for cell in row[1:])
        )
        for row in table.rows
    ]
    # Beside what scrolls, or a wide table would take its name along; the table and its tab stop are called by it.
    name = f"{key}-table"
    rows = element("table", element("thead", element("tr", *heads)), element("tbody", *lines), aria_labelledby=name)
    return group(
        element("p", table.caption, class_="caption", id=name),
        element("div", rows, class_="scroll", role="region", tabindex="0", aria_labelledby=name),
    )


def _value(name: str, cell: Cell, class_: str | None = None, *, key: str = "") -> Markup:
    """A cell with its exact value, and the cell of the answer that it comes from."""
    origin, shaded = cell.origin, None
    if cell.shade is not None:
        shaded = f"s{level_of(cell.shade, is_over=not cell.marks)}"
    source = f"{key}.{origin.answer}" if origin and key else origin.answer if origin else ""
    return element(
        name,
        cell.text,
        element("sup", cell.marks) if cell.marks else None,
        class_=class_ or shaded,
        data_value=None if cell.value is None else repr(cell.value),
        data_from=f"{source}:{origin.part}:{origin.row}:{origin.column}" if origin else None,
    )


def _how_to_read(report: Report) -> Markup:
    terms = [group(element("dt", term.name), element("dd", term.words)) for term in report.terms]
    heading = element("h2", "How to read this", id="how-heading")
    return element("section", heading, element("dl", *terms), class_="how", aria_labelledby="how-heading")
