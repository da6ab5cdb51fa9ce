"""``regulars keys``: what programs must show to send events or ask questions."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from regulars.application import keys as verbs
from regulars.domain.keys import ROLES, Key, Role
from regulars.interfaces.cli.opening import find_folder
from regulars.interfaces.cli.options import WORDS, report_option, workspace_option
from regulars.interfaces.cli.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from regulars.application.ports import KeyStore

_GRACE = timedelta(days=1)
_grace_option = click.option(
    "--grace-hours", type=click.FloatRange(0, 24 * 366), metavar="HOURS", help="How long the old key goes on working."
)


@click.group()
def keys() -> None:
    """Make, list, replace and revoke the keys of programs.

    As long as there is no key at all, a server takes events and questions from this machine only.

    \b
    Examples:
      regulars keys create write --name web -w shop
      regulars keys list -w shop
      regulars keys revoke 3f9a01bc -w shop
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped


@keys.command()
@click.argument("role", type=click.Choice(ROLES))
@click.option("--name", default="", type=WORDS, help="What it is for, e.g. web.")
@workspace_option
def create(role: Role, name: str, workspace: Path | None) -> None:
    """Make a key and print it, once: only a hash of it is kept.

    A write key may only send events (it can be public), a read key may only ask, an admin key may do both, import,
    export people and make backups.

    \b
    Example:
      regulars keys create write --name web -w shop
    """  # noqa: D301 -- same
    with _store(workspace) as store:
        key, secret = verbs.create(store, role, name, _now())
    _show_once(key, secret)


@keys.command()
@click.argument("key_id", metavar="ID", type=WORDS)
@_grace_option
@workspace_option
def rotate(key_id: str, grace_hours: float | None, workspace: Path | None) -> None:
    """Make a key in place of another, which goes on working for a day, or for --grace-hours."""
    grace = _GRACE if grace_hours is None else timedelta(hours=grace_hours)
    with _store(workspace) as store:
        key, secret = verbs.rotate(store, key_id, _now(), grace=grace)
    _show_once(key, secret)
    click.echo(f"the old key {printable(key_id)} works for {grace} more", err=True)


@keys.command()
@click.argument("key_id", metavar="ID", type=WORDS)
@_grace_option
@workspace_option
def revoke(key_id: str, grace_hours: float | None, workspace: Path | None) -> None:
    """End a key within a second, or after --grace-hours."""
    grace = None if grace_hours is None else timedelta(hours=grace_hours)
    with _store(workspace) as store:
        key = verbs.revoke(store, key_id, _now(), grace=grace)
    click.echo(f"{key.id} ends at {key.expires_at:%Y-%m-%d %H:%M:%S} UTC")


@keys.command("list")
@report_option
@workspace_option
def list_(form: str, workspace: Path | None) -> None:
    """Show every key: its id, role, name, the end of its secret, and until when it works."""
    now = _now()
    with _store(workspace) as store:
        found = list(store.all())
    if form == "json":
        click.echo(json.dumps([_plain(key, now) for key in found]))
        return
    if not found:
        click.echo("no keys; a server answers this machine only. Make one with: regulars keys create write")
    for key in found:
        state = "works" if key.works_at(now) else "ended"
        until = f" until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at and key.works_at(now) else ""
        click.echo(f"{key.id}  {key.role:<5}  ...{key.hint}  {state}{until}  {printable(key.name)}".rstrip())


@contextmanager
def _store(workspace: Path | None) -> Iterator[KeyStore]:
    from regulars.interfaces.http.serving.processes import operational_store  # noqa: PLC0415 -- it brings sqlite3 along

    with operational_store(find_folder(workspace)) as (store, _):
        yield store.keys


def _show_once(key: Key, secret: str) -> None:
    click.echo(secret)
    click.echo(f"this is the {key.role} key {key.id}; it is shown only now, keep it where secrets are kept", err=True)


def _plain(key: Key, now: datetime) -> dict[str, object]:
    return {
        "id": key.id, "role": key.role, "name": key.name, "hint": key.hint, "works": key.works_at(now),
        "created_at": key.created_at.isoformat(), "expires_at": key.expires_at and key.expires_at.isoformat(),
    }  # fmt: skip


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
