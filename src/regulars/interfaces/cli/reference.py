"""The page ``docs/cli.md``, made from the help texts: ``python -m regulars.interfaces.cli.reference > docs/cli.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from regulars.interfaces.cli.program import COMMANDS, program

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 100
_HEAD = """# Command line

Every command explains itself with `--help`; this page is made from those texts.

Commands that need a workspace take the nearest folder from the current one upwards that has a `regulars.toml`, or
the one that `-w DIR` names. Tables are for people; `--format json|csv|parquet` is for programs, and what is wrong is
said in one line on stderr. `NO_COLOR=1` takes away bold and dim, `REGULARS_DEBUG=1` adds the traceback to an error.

| Exit code | Meaning |
|---|---|
| 0 | fine; rows that an import rejected are said on stderr |
| 1 | a check failed (`doctor`) |
| 2 | wrong usage: an unknown name, a wrong value, a question without meaning |
| 3 | a problem with the data, the workspace or the database |
| 130 | interrupted with Ctrl-C |

Completion for bash: `eval "$(_REGULARS_COMPLETE=bash_source regulars)"`; for zsh and fish likewise.
"""


def page() -> str:
    """The whole page as Markdown."""
    root = click.Context(
        program,
        info_name="regulars",
        terminal_width=_WIDTH,
        help_option_names=program.context_settings["help_option_names"],
    )
    parts = [_HEAD, _block(program.get_help(root))]
    for name in COMMANDS:
        command = program.get_command(root, name)
        if command is not None:
            context = click.Context(command, info_name=name, parent=root)
            parts += [f"## `{name}`\n", _block(command.get_help(context)), *_steps(command, context)]
    return "\n".join(parts)


def _steps(group: click.Command, parent: click.Context) -> Iterator[str]:
    """The commands within a command, where it has some."""
    for name, command in sorted(group.commands.items()) if isinstance(group, click.Group) else ():
        context = click.Context(command, info_name=name, parent=parent)
        yield from (f"### `{parent.info_name} {name}`\n", _block(command.get_help(context)))


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```\n"


if __name__ == "__main__":
    click.echo(page(), nl=False)
