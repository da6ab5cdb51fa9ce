"""What an import did or would do: for people, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from regulars.domain.report import ImportPreview, ImportReport
from regulars.interfaces.cli.words import count, printable, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regulars.errors import RegularsError

    Account = ImportReport | ImportPreview

_REJECTS_SHOWN = 5
_RAW_SHOWN = 70
_WORTH_A_RATE = 0.2


def describe(account: Account) -> list[str]:
    """The rows of one source: read = loaded + duplicates + rejected, and why some were rejected."""
    lines = [f"{printable(account.source)}: {_sum(account)}"]
    lines += _preview(account) if isinstance(account, ImportPreview) else _details(account)
    if account.first_time and account.last_time:
        lines.append(f"  times from {account.first_time:%Y-%m-%d %H:%M} to {account.last_time:%Y-%m-%d %H:%M} UTC")
    if account.rejected:
        lines.append(f"  rejected: {_reasons(account.reasons)}")
        lines += [_reject(*reject) for reject in account.rejects[:_REJECTS_SHOWN]]
    return lines


def _sum(account: Account) -> str:
    return (
        f"{account.rows_read:,} {account.kind} read = {account.loaded:,} loaded + {account.duplicates:,} known already"
        f" + {account.rejected:,} rejected"
    )


def _details(report: ImportReport) -> list[str]:
    rate = f", {report.rows_read / report.seconds:,.0f} rows/s" if report.seconds >= _WORTH_A_RATE else ""
    lines = [f"  in {seconds(report.seconds)}{rate}"]
    if report.is_repeated:
        lines = [f"  the same file was imported before (load {report.load_id}), so it was not read again"]
    if report.conflicts:
        lines.append(
            f"  {count(report.conflicts, 'row')} with a known id but another user, type or time; the first one counts"
        )
    wrong = [each for each in report.checks if each.status == "failed" and each.severity != "info"]
    if wrong:
        names = ", ".join(f"{each.check} ({each.severity}, {each.count:,})" for each in wrong)
        lines.append(f"  checks failed: {names}; more with: regulars check")
    if report.future:
        lines.append(f"  {count(report.future, 'row')} in the future; they count when their day comes")
    return lines


def _preview(preview: ImportPreview) -> list[str]:
    columns = ", ".join(f"{role} = {printable(column)}" for role, column in preview.columns.items())
    lines = [f"  nothing was changed; read as {preview.format}", f"  columns: {columns or 'none recognised'}"]
    if preview.properties:
        lines.append(f"  kept as properties: {', '.join(map(printable, preview.properties))}")
    if preview.problem:
        lines.append(f"  would be refused: {printable(preview.problem)}")
    return lines


def _reasons(reasons: Mapping[str, int]) -> str:
    ordered = sorted(reasons.items(), key=lambda item: -item[1])
    return ", ".join(f"{number:,} {reason}" for reason, number in ordered)


def _reject(line: int | None, reason: str, detail: str | None, raw: str | None) -> str:
    where = f"line {line}" if line is not None else "a row"
    shown = printable((raw or "")[:_RAW_SHOWN]) + ("…" if raw and len(raw) > _RAW_SHOWN else "")
    return f"    {where}: {printable(detail or reason)}" + (f"  in  {shown}" if shown else "")


def totals(accounts: Sequence[Account]) -> str:
    """All sources together."""
    read, loaded, duplicates, rejected = (
        sum(getattr(account, name) for account in accounts)
        for name in ("rows_read", "loaded", "duplicates", "rejected")
    )
    files = count(len(accounts), "file")
    return f"{files}: {read:,} rows read = {loaded:,} loaded + {duplicates:,} known already + {rejected:,} rejected"


def as_json(outcomes: Sequence[tuple[str, Account | None, RegularsError | None]]) -> bytes:
    """The accounts as one JSON object."""
    import msgspec  # noqa: PLC0415 -- only this form needs it

    files = [_file(*outcome) for outcome in outcomes]
    names = ("rows_read", "loaded", "duplicates", "rejected")
    whole = {name: sum(file.get(name) or 0 for file in files) for name in names}
    return msgspec.json.encode({"files": files, "total": whole})


def _file(source: str, account: Account | None, error: RegularsError | None) -> dict[str, Any]:
    found: dict[str, Any] = {**asdict(account)} if account else {}
    found["source"] = source
    if isinstance(account, ImportReport):
        shown = ("check", "severity", "status", "count", "whole")
        found["checks"] = [{name: getattr(each, name) for name in shown} for each in account.checks]
    found["rejects"] = [reject._asdict() for reject in account.rejects] if account else []
    found["error"] = {"code": error.code, "message": error.message} if error else None
    return found
