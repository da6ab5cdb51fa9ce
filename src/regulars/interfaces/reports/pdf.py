"""A report as PDF, set by Typst from a template of ours with the fonts that Typst brings: no browser, no network.

Fonts of the machine only stand in for characters that those do not have.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from regulars import __version__
from regulars.domain.showing import all_showable
from regulars.errors import MissingExtraError
from regulars.interfaces.reports.charts import svg_of
from regulars.interfaces.reports.palette import ACCENT, INK, MUTED, RULE, SHADES, level_of, shade
from regulars.interfaces.reports.sparkline import sparkline

if TYPE_CHECKING:
    from regulars.application.reports.parts import Answered, Cell, Report, Table

FONT = "Libertinus Serif"
_STANDARD: Final = "ua-1"  # tagged, so that a screen reader can follow it


def to_pdf(report: Report, now: datetime) -> bytes:
    """The report as A4 pages; ``now`` (naive UTC) is the date of the document.

    Raises:
        MissingExtraError: typst, or what draws charts, is not installed.
    """
    try:
        import typst  # noqa: PLC0415 -- optional
    except ImportError as exc:
        raise MissingExtraError("typst", "pdf", "a report as PDF") from exc
    # Everything that is not ours travels as data, never as markup.
    content = {"report": json.dumps(all_showable(_content(report)))}
    template = files(__package__).joinpath("report.typ").read_bytes()
    moment = now.replace(tzinfo=UTC, microsecond=0)
    try:
        made: bytes = typst.compile(template, sys_inputs=content, timestamp=moment, pdf_standards=_STANDARD)
    except typst.TypstError:
        # The standard refuses a character that no font here can show; the reader would rather have the report.
        made = typst.compile(template, sys_inputs=content, timestamp=moment)
    return made


def _content(report: Report) -> dict[str, Any]:
    shades = [shade(level) for level in range(SHADES + 1)]
    return {
        "product": report.product,
        "title": f"{report.title}, {report.period}" if report.period else report.title,
        "lede": report.lede,
        "notice": report.notice,
        "figures": [
            {
                "label": each.label,
                "value": each.quote.cell.text + each.quote.cell.marks,
                "change": each.quote.change,
                "direction": each.quote.direction,
                "note": each.quote.note,
                "spark": sparkline(each.quote.trend),
            }
            for each in report.key_numbers
        ],
        "sections": [_section(section) for section in report.sections],
        "terms": [[term.name, term.words] for term in report.terms],
        "footer": f"Made with Regulars {__version__}",
        "colors": {"ink": INK, "muted": MUTED, "rule": RULE, "accent": ACCENT, "shades": shades},
    }


def _section(section: Answered) -> dict[str, Any]:
    return {
        "heading": section.heading,
        "finding": section.finding or section.reason,
        "chart": svg_of(section, FONT),
        "about": f"{section.exhibit.about}. {section.finding}",
        "table": _table(section.table) if section.table and section.table.rows else None,
        "notes": list(section.notes),
    }


def _table(table: Table) -> dict[str, Any]:
    return {
        "caption": table.caption,
        "heads": [[head.text, head.is_number] for head in table.heads],
        "rows": [[_cell(cell) for cell in row] for row in table.rows],
    }


def _cell(cell: Cell) -> list[Any]:
    level = None if cell.shade is None else level_of(cell.shade, is_over=not cell.marks)
    return [cell.text + cell.marks, level]
