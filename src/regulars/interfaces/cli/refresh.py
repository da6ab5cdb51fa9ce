"""``regulars plan`` and ``regulars refresh``: what a change of the settings asks for, and doing it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import quiet_option, report_option, workspace_option
from regulars.interfaces.cli.words import count, seconds

if TYPE_CHECKING:
    from pathlib import Path

STEPS = {
    "facts": "local days and action flags of events",
    "people": "people and their populations",
    "sessions": "sessions",
    "days": "daily activity",
    "arrivals": "arrivals",
    "slices": "arrivals inside event properties",
    "aggregates": "aggregates",
}
_UP_TO_DATE = "stored rows follow today's settings; nothing to do"


@click.command()
@report_option
@workspace_option
def plan(form: str, workspace: Path | None) -> None:
    """Show what a change of regulars.toml leaves to recompute; changes nothing.

    Answers follow the settings at once: until the stored rows do too, they come from the raw events, which is exact
    and slower.

    \b
    Example:
      regulars plan -w shop
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    with open_workspace(workspace, read_only=True) as ws:
        found = ws.plan()
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        click.echo(msgspec.json.encode(found))
    elif not found.steps:
        click.echo(_UP_TO_DATE)
    else:
        click.echo(f"changed since stored rows were made: {', '.join(found.changed)}")
        click.echo(f"to recompute from {count(found.events, 'event')}:")
        for step in found.steps:
            click.echo(f"  {STEPS[step]}")
        click.echo("run: regulars refresh")


@click.command()
@workspace_option
@quiet_option
def refresh(workspace: Path | None, *, quiet: bool) -> None:
    """Recompute what a change of regulars.toml asks for, and no more.

    Importing keeps everything up to date by itself; 'regulars plan' shows what a changed setting leaves to do.

    \b
    Example:
      regulars refresh -w shop
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    begun = time.perf_counter()
    with open_workspace(workspace, read_only=False) as ws:
        steps = ws.refresh()
    if not quiet:
        done = f"recomputed in {seconds(time.perf_counter() - begun)}: {', '.join(STEPS[step] for step in steps)}"
        click.echo(done if steps else _UP_TO_DATE)
