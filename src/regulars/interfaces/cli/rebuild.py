"""``regulars rebuild``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import quiet_option, workspace_option
from regulars.interfaces.cli.words import count, seconds

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@workspace_option
@quiet_option
def rebuild(workspace: Path | None, quiet: bool) -> None:  # noqa: FBT001 -- click passes it
    """Compute everything derived from the events anew.

    Needed after a change of regulars.toml only to make questions fast again: the answers follow the settings at
    once. Events are never touched.

    \b
    Example:
      regulars rebuild -w shop
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    begun = time.perf_counter()
    with open_workspace(workspace, read_only=False) as ws:
        ws.rebuild()
        ((events,),) = ws.sql("SELECT count(*) FROM fact_user_actions").rows
    if not quiet:
        click.echo(f"rebuilt from {count(events, 'event')} in {seconds(time.perf_counter() - begun)}")
