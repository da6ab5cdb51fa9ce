"""Options that commands share, and the types of their values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., Any])

FORMATS = ("table", "json", "csv", "parquet")
_BY_SUFFIX = {".json": "json", ".csv": "csv", ".parquet": "parquet"}


class Words(click.ParamType[str]):
    """Text that can be stored and sent on: what the shell passed must be UTF-8."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse bytes that are no text."""
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(f"{text!a} is not UTF-8 text", param, ctx)
        return text


WORDS = Words()
FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


def workspace_option(command: Command) -> Command:
    """``--workspace``: which folder."""
    return click.option(
        "-w", "--workspace", type=FOLDER, metavar="DIR",
        help="Folder of the workspace; without it the nearest one from here upwards.",
    )(command)  # fmt: skip


def report_option(command: Command) -> Command:
    """``--format`` of a command that prints one report."""
    return click.option(
        "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
        help="Text for people, JSON for programs.",
    )(command)  # fmt: skip


def quiet_option(command: Command) -> Command:
    """``--quiet``: only what was asked for."""
    return click.option("-q", "--quiet", is_flag=True, help="Print results and errors only.")(command)


def output_options(command: Command) -> Command:
    """``--format`` and ``--output``: how rows are printed, and where."""
    for option in (
        click.option(
            "--output", type=FILE, metavar="FILE",
            help="Write to a file; its ending (.csv, .json, .parquet) chooses the format.",
        ),
        click.option(
            "--format", "form", type=click.Choice(FORMATS),
            help="Table for people, the rest for programs.  [default: table]",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def chosen_format(form: str | None, output: Path | None) -> str:
    """The format that was asked for, else the one the file's ending names, else a table."""
    found = form or (_BY_SUFFIX.get(output.suffix.lower()) if output else None) or "table"
    if found == "parquet" and output is None:
        raise click.UsageError("Parquet is not for the screen; add --output FILE.parquet")
    return found
