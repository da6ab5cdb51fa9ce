"""``regulars import``: files into the workspace, every row accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from regulars.application.ports import Table
from regulars.domain.report import ImportPreview, ImportReport
from regulars.errors import RegularsError, SourceError
from regulars.infrastructure.importers.formats import TOOLS
from regulars.interfaces.cli.account import as_json, describe, totals
from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import FILE, WORDS, quiet_option, workspace_option
from regulars.interfaces.cli.progress import ProgressLine
from regulars.interfaces.cli.sources import find_sources, read_mapping
from regulars.interfaces.cli.stopping import was_interrupted
from regulars.interfaces.cli.words import count, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from regulars.workspace import Workspace

_FORMATS = ("auto", "csv", "jsonl", "parquet", *TOOLS)
_KINDS = ("auto", "events", "users")


@dataclass(frozen=True)
class Outcome:
    """What became of one source: an account of its rows, or the reason why there is none."""

    source: str
    account: ImportReport | ImportPreview | None = None
    error: RegularsError | None = None


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=WORDS, metavar="PATH...")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="auto",
    show_default=True,
    help="Format of the files, or the tool that exported them.",
)
@click.option("--kind", type=click.Choice(_KINDS), default="auto", show_default=True, help="What a row is.")
@click.option(
    "--map",
    "mapping",
    multiple=True,
    type=WORDS,
    metavar="ROLE=COLUMN|FILE",
    help="Which column is what, e.g. user_id=member; or a TOML file with such lines.",
)
@click.option("--timezone", type=WORDS, metavar="TZ", help="IANA name of the zone of times that name none.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
@click.option("--rejects", type=FILE, metavar="FILE", help="Write all rejected rows to a CSV file.")
@click.option("--json", "json_report", is_flag=True, help="Print the report as JSON.")
@workspace_option
@quiet_option
def import_(**given: Any) -> int:
    """Load events and users from CSV, JSON Lines and Parquet files, also gzipped.

    Exports of Segment, PostHog, Amplitude, Mixpanel, Google Analytics 4 (BigQuery) and Snowplow are recognised by
    their keys; --dry-run shows what would become what.

    PATH is a file, a folder, or a pattern in quotes; of a folder within a folder, the exports of these tools are
    taken. Users are loaded before events. Importing a file again changes nothing. A row that cannot be loaded is kept
    with its line and the reason, and counted.

    \b
    Examples:
      regulars import users.csv events.csv
      regulars import data/raw --rejects rejected.csv
      regulars import 'export-*.jsonl.gz' --map user_id=member --timezone Europe/Berlin
      regulars import amplitude-export/ --dry-run
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    if given["dry_run"] and given["rejects"]:
        raise click.UsageError("--rejects writes what an import rejected; leave out --dry-run")
    files, missing = find_sources(given["paths"], given["form"])
    mapping = read_mapping(given["mapping"])
    outcomes = [Outcome(str(exc.fields.get("path", "")), error=exc) for exc in missing]
    with open_workspace(given["workspace"], read_only=False) as ws:
        for file in files:
            outcomes.append(_one(ws, file, mapping, given))
            _say(outcomes[-1], given)
        if given["rejects"]:
            write_rejects(ws, outcomes, given["rejects"])
    return _close(outcomes, given)


def _one(ws: Workspace, file: Path, mapping: dict[str, str] | None, given: dict[str, Any]) -> Outcome:
    how: dict[str, Any] = {
        "kind": given["kind"], "format": given["form"], "timezone": given["timezone"], "mapping": mapping,
    }  # fmt: skip
    line = ProgressLine(file.name, quiet=given["quiet"] or given["json_report"])
    try:
        if given["dry_run"]:
            return Outcome(str(file), ws.preview(str(file), **how))
        return Outcome(str(file), ws.load(str(file), progress=line, **how))
    except RegularsError as exc:
        if was_interrupted(exc):
            raise
        return Outcome(str(file), error=exc)
    finally:
        line.clear()


def _say(outcome: Outcome, given: dict[str, Any]) -> None:
    if outcome.account and not given["quiet"] and not given["json_report"]:
        click.echo("\n".join(describe(outcome.account)))


def _close(outcomes: Sequence[Outcome], given: dict[str, Any]) -> int:
    accounts = [outcome.account for outcome in outcomes if outcome.account]
    if given["json_report"]:
        click.echo(as_json([(outcome.source, outcome.account, outcome.error) for outcome in outcomes]))
    elif len(accounts) > 1 and not given["quiet"]:
        click.echo(totals(accounts))
    rejected = sum(account.rejected for account in accounts)
    if rejected and not given["dry_run"]:
        where = given["rejects"] or "the table dead_letter; --rejects FILE.csv writes them out"
        click.echo(f"note: {count(rejected, 'row')} rejected, kept in {printable(str(where))}", err=True)
    errors = [outcome.error for outcome in outcomes if outcome.error]
    for error in errors:
        click.echo(f"error: {printable(error.message)}", err=True)
    refused = any(isinstance(account, ImportPreview) and account.problem for account in accounts)
    return max((error.exit_code for error in errors), default=SourceError.exit_code if refused else 0)


def write_rejects(ws: Workspace, outcomes: Sequence[Outcome], path: Path) -> None:
    """All rejected rows of these loads as CSV, also when there are none."""
    from regulars.interfaces.cli.writing import to_csv  # noqa: PLC0415 -- only this option needs it

    rows: list[tuple[Any, ...]] = []
    for outcome in outcomes:
        if isinstance(outcome.account, ImportReport):
            kept = ws.sql(
                "SELECT line, reason, detail, raw FROM dead_letter "
                f"WHERE load_id = {outcome.account.load_id} ORDER BY line"
            )
            rows += [(outcome.source, *row) for row in kept.rows]
    path.write_bytes(to_csv(Table(("source", "line", "reason", "detail", "raw"), rows)))
