"""``regulars retain``: let raw events go that are older than the settings allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import report_option, workspace_option
from regulars.interfaces.cli.words import count

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.domain.report import Retention


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would go; change nothing.")
@report_option
@workspace_option
def retain(form: str, workspace: Path | None, *, dry_run: bool) -> None:
    """Archive and drop raw events that are older than [retention] events_days in regulars.toml.

    Numbers stay: sessions, active days and sums of those days are kept. What only single events know has no answer
    for them any more, and says so. The events are in archive/events of the workspace, as Parquet by day. A running
    server does this once a day by itself.

    \b
    Examples:
      regulars retain --dry-run -w shop
      regulars retain -w shop
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    with open_workspace(workspace, read_only=False) as ws:
        report = ws.retain(dry_run=dry_run)
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        click.echo(msgspec.json.encode(report))
    else:
        _print(report)


def _print(report: Retention) -> None:
    if report.events_days is None:
        click.echo("no limit is set, every event stays; for example: [retention] events_days = 365 in regulars.toml")
    elif report.events:
        done = "would be archived and dropped" if report.is_dry_run else "archived in archive/events and dropped"
        what = f"{count(report.events, 'event')} of {count(report.days, 'day')}, from {report.first_day} on"
        click.echo(f"{what}: {done}")
    else:
        click.echo(f"no raw event is older than {count(report.events_days, 'day')}; nothing to do")
    if report.floor is not None:
        then = "would begin" if report.events and report.is_dry_run else "begin"
        click.echo(f"  raw events {then} on {report.floor}")
    if report.is_rewritten:
        click.echo("  the database file was written anew, to give the space back")
