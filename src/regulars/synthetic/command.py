"""What the commands of this package share: types of options, and how an error is said when one runs by itself."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from regulars.errors import RegularsError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Date(click.ParamType[dt.date]):
    """A calendar day, as 2025-01-31."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Read the text of an option."""
        try:
            return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date; write it as 2025-01-31", param, ctx)


def run_command(command: click.Command, arguments: Sequence[str] | None) -> int:
    """Run a command by itself and return its exit code; what is wrong is said in one line."""
    try:
        command.main(arguments, prog_name=f"regulars {command.name}", standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"error: {printable(error.format_message())}", err=True)
        return 2
    except RegularsError as error:
        click.echo(f"error: {printable(str(error))}", err=True)
        return error.exit_code
    except OSError as error:
        click.echo(f"error: {printable(str(error))}", err=True)
        return 3
    return 0


def printable(text: str) -> str:
    r"""Text on one line in which nothing steers the terminal: names and values come from other people's data.

    >>> printable("a\x1b[31mb\nc")
    'a?[31mb c'
    """
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)
