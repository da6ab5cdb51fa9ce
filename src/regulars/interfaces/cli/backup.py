"""``regulars backup`` and ``regulars restore``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import FOLDER, report_option, workspace_option
from regulars.interfaces.cli.words import count, printable

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.domain.backup import Manifest


@click.command()
@click.argument("target", type=FOLDER, metavar="DEST")
@report_option
@workspace_option
def backup(target: Path, form: str, workspace: Path | None) -> None:
    """Copy the workspace into a new folder DEST: settings, database, journal and keys, with checksums.

    Every event that was accepted before is in it. Beside a running server, the server makes the copy, and goes on
    collecting and answering meanwhile; DEST is then a folder on its machine. The folder appears when it is complete.

    \b
    Examples:
      regulars backup /backups/shop-2026-03-01 -w shop
      regulars backup "/backups/shop-$(date +%F)" -w shop --format json
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    with open_workspace(workspace, read_only=False) as ws:
        manifest = ws.backup(target)
    _show(manifest, form, f"backed up to {printable(str(target))}", "in the journal, which a restore loads")


@click.command()
@click.argument("source", type=FOLDER, metavar="SRC")
@click.argument("folder", type=FOLDER, metavar="DIR")
@report_option
def restore(source: Path, folder: Path, form: str) -> None:
    """Make a workspace in DIR, a new or empty folder, from the backup SRC.

    The checksums and the contents of every file are verified first. What was accepted and not yet in the database when
    the backup was made is loaded then.

    \b
    Example:
      regulars restore /backups/shop-2026-03-01 shop
    """  # noqa: D301 -- same
    from regulars.opening import restore as put_back  # noqa: PLC0415 -- it loads the database library
    from regulars.settings import SETTINGS_NAME, Settings  # noqa: PLC0415 -- same

    manifest = put_back(source, folder)
    moves = Settings.read(folder / SETTINGS_NAME).journal.store == "postgres"
    waiting = "in the journal, for the first command that writes" if moves else "loaded from the journal"
    _show(manifest, form, f"restored to {printable(str(folder))}", waiting)
    if form != "json":
        if moves:
            click.echo(
                f"first: [journal] in {SETTINGS_NAME} names the original's schema in PostgreSQL, where that command "
                "puts the journal; name another one unless this workspace takes its place"
            )
        click.echo(f"next: regulars doctor -w {shlex.quote(printable(str(folder)))}")


def _show(manifest: Manifest, form: str, done: str, waiting_events: str) -> None:
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        click.echo(msgspec.json.encode(manifest))
        return
    events, people = manifest.rows["fact_user_actions"], manifest.rows["dim_users"]
    click.echo(f"{done}: {count(events, 'event')}, {count(people, 'user')}, as of {manifest.made_at:%F %T} UTC")
    waiting = manifest.journal.accepted - manifest.journal.loaded if manifest.journal else 0
    if waiting:
        click.echo(f"  {count(waiting, 'more event')} {waiting_events}")
