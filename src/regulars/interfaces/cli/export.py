"""``regulars export-user``: hand out what is known of a person."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import FILE, WORDS, workspace_option


@click.command("export-user")
@click.argument("user_id", type=WORDS)
@click.option(
    "--format", "form", type=click.Choice(["json"]), default="json", show_default=True, help="One JSON document."
)
@click.option("--output", type=FILE, metavar="FILE", help="Write to a file, which only its owner can read.")
@workspace_option
def export_user(user_id: str, form: str, output: Path | None, workspace: Path | None) -> None:
    """Write down everything that is known of a person, under all of their ids.

    Profile, ids, attributes with their history, every event with all it says, sessions, days, survey answers, variants
    of experiments, cohorts, and rows that could not be loaded but name the person. What was tracked a moment ago is
    included.

    \b
    Examples:
      regulars export-user user_4711 -w shop
      regulars export-user user_4711 --output user_4711.json
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    del form
    with open_workspace(workspace, read_only=False) as ws:
        if output is None:
            ws.export_user(user_id, write=lambda piece: click.echo(piece, nl=False))
            return
        # Under another name first: what has the name that was asked for is complete.
        descriptor, partial = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                ws.export_user(user_id, write=file.write)
            Path(partial).replace(output)
        except BaseException:
            Path(partial).unlink()
            raise
