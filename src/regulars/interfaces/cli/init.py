"""``regulars init``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from regulars.interfaces.cli.options import FOLDER, WORDS, quiet_option
from regulars.interfaces.cli.words import printable
from regulars.settings import WEEKDAYS

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option(
    "--timezone",
    type=WORDS,
    default="UTC",
    show_default=True,
    metavar="TZ",
    help="IANA name of the zone in which days begin and end, e.g. Europe/Berlin.",
)
@click.option(
    "--week-start",
    type=click.Choice(WEEKDAYS, case_sensitive=False),
    default="monday",
    show_default=True,
    metavar="DAY",
    help="First day of a week.",
)
@quiet_option
def init(folder: Path, timezone: str, week_start: str, quiet: bool) -> None:  # noqa: FBT001 -- click passes it
    """Make a workspace: a folder for one product's events.

    It holds a settings file, regulars.toml, and a database. The time zone decides on which day an event at night
    counts.

    \b
    Example:
      regulars init shop --timezone Europe/Berlin
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    from regulars.opening import init as make_workspace  # noqa: PLC0415 -- it loads the database library

    made = make_workspace(folder, timezone=timezone, week_start=week_start)
    if not quiet:
        click.echo(f"made the workspace {printable(str(made))}: days in {timezone}, weeks from {week_start}")
        click.echo(f"next: regulars import events.csv -w {shlex.quote(printable(str(made)))}")
