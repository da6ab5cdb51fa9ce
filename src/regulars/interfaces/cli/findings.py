"""A report of checks: for people, what failed first and what to do; for programs, as JSON or CSV."""

from __future__ import annotations

import re
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from regulars.application.ports import Table
from regulars.interfaces.cli.screen import Screen
from regulars.interfaces.cli.words import printable
from regulars.interfaces.cli.writing import emit, to_csv

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from regulars.domain.quality.report import CheckResult, QualityReport
    from regulars.workspace import Workspace

_ROWS_SHOWN = 3
_CELL = 60
_COLORS = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}
_INDENT = "  "
_CSV = ("check", "severity", "status", "count", "whole", "share", "judge", "threshold", "reason", "title", "fix")


def write_report(ws: Workspace, report: QualityReport, form: str, output: Path | None, *, quiet: bool) -> None:
    """Print a report, or write it to a file."""
    if form == "json":
        emit(_as_json(report), output)
    elif form == "csv":
        rows = [tuple(getattr(result, name) for name in _CSV) for result in report.results]
        emit(to_csv(Table(_CSV, rows)), output)
    else:
        with Screen(output) as screen:
            _show(ws, report, screen, quiet=quiet)


def _as_json(report: QualityReport) -> bytes:
    import msgspec  # noqa: PLC0415 -- only this form needs it

    results = [
        {
            **{name: getattr(each, name) for name in (*_CSV, "noun", "words")},
            "sample": [dict(zip(each.columns, row, strict=True)) for row in each.sample],
        }
        for each in report.results
    ]
    whole = {"checked_at": report.checked_at, "run_id": report.run_id, "summary": report.summary(), "results": results}
    return msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode(whole) + b"\n"


def _show(ws: Workspace, report: QualityReport, screen: Screen, *, quiet: bool) -> None:
    if not quiet:
        screen.line(_extent(ws), "dim")
    for result in report.failed:
        screen.line()
        _show_failed(result, screen)
    if not quiet:
        screen.line()
        _show_names("passed ", [result.check for result in report.passed], screen)
        for reason, names in _by_reason(report.skipped).items():
            _show_names("skipped", names, screen, because=reason)
    screen.line()
    screen.line(report.summary(), "bold")


def _extent(ws: Workspace) -> str:
    ((events, first, last),) = ws.engine.query("SELECT sum(events), min(day), max(day) FROM event_days").rows
    ((people,),) = ws.engine.query("SELECT count(*) FROM dim_users").rows
    return f"{events:,} events of {people:,} people, {first} to {last}" if events else f"no events; {people:,} people"


def _show_failed(result: CheckResult, screen: Screen) -> None:
    screen.line(f"{result.severity.upper():<8}{result.check}: {result.title}", _COLORS[result.severity])
    screen.line(f"{_INDENT}{_how_many(result)}")
    if result.sample:
        shown = result.sample[:_ROWS_SHOWN]
        heads = [(name, _side(result, i)) for i, name in enumerate(result.columns)]
        screen.grid(heads, [[_cell(value) for value in row] for row in shown])
    for number, line in enumerate(wrap(f"next: {result.fix}", screen.width - 2 * len(_INDENT))):
        screen.line(f"{_INDENT}{line}" if number == 0 else f"{_INDENT}      {line}", "green")


def _how_many(result: CheckResult) -> str:
    if result.count is None:
        return result.reason or ""
    of = "" if result.whole is None else f" of {result.whole:,}"
    share = f" ({_percent(result.share)})" if result.judge == "share" and result.share is not None else ""
    most = _percent(result.threshold) if result.judge == "share" else f"{result.threshold:,g}"
    allowed = f"; allowed: {most}" if result.threshold else ""
    of = of if result.judge == "share" else ""
    noun = re.sub(r"^(\w+)s\b", r"\1", result.noun) if result.count == 1 and not of else result.noun
    return f"{result.count:,}{of} {noun}{share}{allowed}"


def _percent(share: float | None) -> str:
    """A share in percent, with as many decimals as it takes.

    >>> _percent(0.05), _percent(0.0012), _percent(0.0000004)
    ('5 %', '0.12 %', 'under 0.001 %')
    """
    value = 100 * (share or 0)
    return "under 0.001 %" if 0 < value < 0.001 else f"{float(f'{value:.2g}'):g} %"  # noqa: PLR2004 -- as it says


def _side(result: CheckResult, column: int) -> Any:
    return "right" if all(isinstance(row[column], int | float) for row in result.sample) else "left"


def _cell(value: object) -> str:
    text = (
        "" if value is None else f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    )
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _by_reason(results: Iterable[CheckResult]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for result in results:
        found.setdefault(result.reason or "", []).append(result.check)
    return found


def _show_names(head: str, names: list[str], screen: Screen, *, because: str = "") -> None:
    text = printable(", ".join(names) + (f" -- {because}" if because else ""))
    lines = wrap(text, screen.width - len(head) - 2, break_long_words=False) or ["none"]
    for number, line in enumerate(lines):
        screen.line(f"{head if number == 0 else ' ' * len(head)}  {line}", "dim")
