"""``regulars erase``: take a person out, and certify it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from regulars.errors import QueryError
from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import WORDS, report_option, workspace_option
from regulars.interfaces.cli.words import count

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.domain.report import Erasure
    from regulars.workspace import Workspace


@click.command()
@click.argument("user_id", type=WORDS)
@click.option("--yes", is_flag=True, help="Do not ask.")
@report_option
@workspace_option
def erase(user_id: str, form: str, workspace: Path | None, *, yes: bool) -> None:
    """Erase a person for good: every event and attribute of all their ids, and whatever follows from them.

    The database file is written anew, and so are the journal and the archive, so that nothing of the person can be read
    from them, and a certificate is printed. Numbers of their active days change. Old events of theirs that are imported
    again are rejected. Beside a running server, the server does it. Copies elsewhere, such as backups and the files you
    imported, are yours to look after.

    \b
    Example:
      regulars erase user_4711 -w shop
      regulars erase user_4711 --yes --format json > certificate.json
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    with open_workspace(workspace, read_only=False) as ws:
        if not yes:
            click.confirm(f"erase {_known_as(ws, user_id)} for good?", abort=True, err=True)
        certificate = ws.erase(user_id)
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        click.echo(msgspec.json.encode(certificate))
    else:
        _print(certificate)


def _known_as(ws: Workspace, user_id: str) -> str:
    """Whom an id names, and how much there is of them, in a way that a server can be asked too."""
    ws.flush()
    quoted = user_id.replace("'", "''")
    rows = ws.sql(
        f"""SELECT own.external_id, count(DISTINCT i.identity_key), count(a.event_id)
FROM (SELECT user_key FROM dim_identities WHERE external_id = '{quoted}' ORDER BY kind DESC LIMIT 1) AS p
JOIN dim_identities AS own ON own.identity_key = p.user_key
JOIN dim_identities AS i ON i.user_key = p.user_key
LEFT JOIN fact_user_actions AS a ON a.identity_key = i.identity_key
GROUP BY own.external_id"""
    ).rows
    if not rows:
        raise QueryError(
            f"no user {user_id!r} in this workspace; ids are compared letter by letter, as they were imported",
            code="unknown_user", user_id=user_id,
        )  # fmt: skip
    ((name, ids, actions),) = rows
    return f"{name!r} ({count(ids, 'id')}, {count(actions, 'action')})"


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
