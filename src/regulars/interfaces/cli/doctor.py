"""``regulars doctor``: is everything as it should be?"""

from __future__ import annotations

import json
import os
import platform
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from regulars.domain.definitions import changed_parts
from regulars.errors import RegularsError
from regulars.infrastructure.files import ARCHIVE_NAME, DATABASE_NAME
from regulars.interfaces.cli.archive_findings import Finding, archive_findings
from regulars.interfaces.cli.opening import find_folder, open_workspace
from regulars.interfaces.cli.options import quiet_option, report_option, workspace_option
from regulars.interfaces.cli.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from regulars.settings import JournalSettings
    from regulars.workspace import Workspace


@click.command()
@workspace_option
@report_option
@quiet_option
def doctor(workspace: Path | None, form: str, *, quiet: bool) -> int:
    """Check the workspace: versions, settings, lock, counts, how fresh and complete the data is.

    Exits with 1 when something is wrong.

    \b
    Example:
      regulars doctor -w shop
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    folder = find_folder(workspace)
    findings = [*_versions(), *_workspace(folder)]
    wrong = [finding for finding in findings if finding.state == "wrong"]
    if form == "json":
        click.echo(json.dumps([vars(finding) for finding in findings]))
    else:
        signs = {"ok": " ok  ", "note": " note", "wrong": "WRONG"}
        width = max(len(finding.name) for finding in findings)
        for finding in wrong if quiet else findings:
            click.echo(f"{signs[finding.state]}  {finding.name:<{width}}  {printable(finding.text)}")
    return int(bool(wrong))


def _versions() -> Iterator[Finding]:
    import duckdb  # noqa: PLC0415 -- loaded when the command runs

    from regulars import __version__  # noqa: PLC0415

    yield Finding(
        "versions", "ok", f"regulars {__version__}, Python {platform.python_version()}, DuckDB {duckdb.__version__}"
    )


def _workspace(folder: Path) -> Iterator[Finding]:
    yield Finding("folder", "ok", str(folder.resolve()))
    try:
        with open_workspace(folder, read_only=True) as ws:
            settings = ws.settings
            yield Finding("settings", "ok", f"days in {settings.timezone}, weeks from {settings.week_start}")
            server = getattr(ws, "server", None)
            yield Finding("lock", "ok", f"held by the server at {server.address}" if server else "nobody is writing")
            yield _journal(folder, settings.journal)
            yield from _contents(ws)
            yield from archive_findings(ws)
            yield _access(folder)
    except RegularsError as exc:
        names = {"bad_settings": "settings", "unknown_timezone": "settings", "workspace_locked": "lock"}
        yield Finding(names.get(exc.code, "workspace"), "wrong", exc.message)


def _access(folder: Path) -> Finding:
    """Who may read the files past all keys. DuckDB makes its log as the umask says, so the folder has to guard it."""
    from regulars.infrastructure.operational.sqlite import JOURNAL_NAME  # noqa: PLC0415 -- it brings sqlite3 along

    if not folder.stat().st_mode & stat.S_IXOTH:
        return Finding("access", "ok", "other users of this machine cannot enter the folder")
    kept = (DATABASE_NAME, JOURNAL_NAME, ARCHIVE_NAME)
    with os.scandir(folder) as entries:
        readable = [entry.name for entry in entries if entry.name.startswith(kept) and _others_read(entry)]
    what = ", ".join(sorted(readable)) or "the log that DuckDB keeps beside an open database"
    return Finding("access", "note", f"other users of this machine can read {what}; chmod -R go= {folder}")


def _others_read(entry: os.DirEntry[str]) -> bool:
    with suppress(FileNotFoundError):  # a log goes when the last one has closed its file
        return bool(entry.stat().st_mode & stat.S_IROTH)
    return False


def _journal(folder: Path, settings: JournalSettings) -> Finding:
    from regulars.infrastructure.operational.opening import described  # noqa: PLC0415 -- it brings sqlite3 along

    try:
        return Finding("journal", "ok", described(folder, settings))
    except RegularsError as exc:
        return Finding("journal", "wrong", exc.message)


def _contents(ws: Workspace) -> Iterator[Finding]:
    events, people = _one(ws, "count(*)", "fact_user_actions"), _one(ws, "count(*)", "dim_users")
    days, first = _one(ws, "count(*)", "event_days"), _one(ws, "min(day)", "event_days")
    floor = _one(ws, "max(CASE WHEN name = 'raw_floor' THEN value END)", "workspace_state")
    dropped = f"; raw events from {floor} on, older ones are archived" if floor else ""
    yield Finding("contents", "ok", f"{events:,} events of {people:,} people on {days:,} days{dropped}")
    result = ws.metric("dau")
    if result.watermark is None:
        yield Finding("data", "note", "none yet; load some with: regulars import FILE")
    else:
        through = f"complete through {result.complete_through}"
        yield Finding("data", "ok", f"from {first} to {result.watermark}, {through}")
    yield _definitions(ws)
    yield _rejected(ws)
    yield _conservation(ws, events, floor)


def _one(ws: Workspace, expression: str, table: str) -> Any:
    return ws.sql(f"SELECT {expression} FROM {table}").rows[0][0]


def _definitions(ws: Workspace) -> Finding:
    rows = ws.sql("SELECT value FROM workspace_state WHERE name = 'definitions'").rows
    stale = changed_parts(json.loads(rows[0][0]), ws.settings.definitions()) if rows else ()
    if stale:
        changed = ", ".join(stale)
        return Finding(
            "stored rows",
            "note",
            f"settings changed since: {changed}; answers are right, slower until: regulars refresh",
        )
    return Finding("stored rows", "ok", "as the settings say")


def _rejected(ws: Workspace) -> Finding:
    rows = ws.sql("SELECT reason, count(*) FROM dead_letter GROUP BY reason ORDER BY 2 DESC, 1").rows
    if not rows:
        return Finding("rejected rows", "ok", "none")
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in rows)
    return Finding("rejected rows", "note", f"{reasons}; kept in the table dead_letter")


def _conservation(ws: Workspace, events: int, floor: str | None) -> Finding:
    kept = f"event_days WHERE day >= DATE '{floor}'" if floor else "event_days"
    counted = _one(ws, "coalesce(sum(events), 0)", kept)
    if counted != events:
        text = f"the days hold {counted:,} events, the facts {events:,}; run: regulars rebuild"
        return Finding("counts", "wrong", text)
    ((unequal,),) = ws.sql("SELECT count(*) FROM loads WHERE rows_read != rows_loaded + duplicates + rejected").rows
    if unequal:
        return Finding("counts", "wrong", f"{unequal:,} loads do not add up; see the table loads")
    return Finding("counts", "ok", "every row that was read is loaded, known already, or rejected")
