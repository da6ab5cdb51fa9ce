"""``regulars erase``: take a person out, and certify it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import WORDS, report_option, workspace_option
from regulars.interfaces.cli.words import count

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.domain.report import Erasure


@click.command()
@click.argument("user_id", type=WORDS)
@click.option("--yes", is_flag=True, help="Do not ask.")
@report_option
@workspace_option
def erase(user_id: str, form: str, workspace: Path | None, *, yes: bool) -> None:
    """Erase a person for good: every event and attribute of all their ids, and whatever follows from them.

    The database file is written anew, so that nothing of the person can be read from it, and a certificate is printed.
    Numbers of their active days change. Old events of theirs that are imported again are rejected. Copies elsewhere,
    such as backups and the files you imported, are yours to look after.

    \b
    Example:
      regulars erase user_4711 -w shop
      regulars erase user_4711 --yes --format json > certificate.json
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    with open_workspace(workspace, read_only=False) as ws:
        profile = ws.timeline(user_id, limit=1).profile
        if not yes:
            ids = count(len(profile.ids), "id")
            click.confirm(
                f"erase {profile.user_id!r} ({ids}, {count(profile.actions, 'action')}) for good?", abort=True, err=True
            )
        certificate = ws.erase(user_id)
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        click.echo(msgspec.json.encode(certificate))
    else:
        _print(certificate)


def _print(certificate: Erasure) -> None:
    click.echo(f"erasure {certificate.erasure_id}, {certificate.erased_at:%Y-%m-%d %H:%M:%S} UTC")
    click.echo(f"  ids erased      {certificate.identities}")
    days = f"{certificate.first_day} to {certificate.last_day}, {count(certificate.active_days, 'day')} with actions"
    click.echo(f"  days affected   {days if certificate.active_days else 'none'}")
    for table, rows in sorted(certificate.removed.items()):
        if rows:
            click.echo(f"  {count(rows, 'row'):>15} removed from {table}")
    click.echo(f"  file rewritten  {'yes' if certificate.is_rewritten else 'no: the workspace is in memory'}")
    for table, rows in certificate.mentions.items():
        click.echo(f"note: {count(rows, 'row')} of other people in {table} name an erased id; they were left alone")
