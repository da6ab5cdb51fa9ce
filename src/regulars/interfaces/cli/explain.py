"""``regulars explain``: one number in words, down to the people and events behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import WORDS, workspace_option
from regulars.interfaces.cli.question import asked, question_options
from regulars.interfaces.cli.users import find_row

if TYPE_CHECKING:
    from regulars.domain.result import Result

_HELP = """Explain a number: its definition, window, time zone, population, completeness and source, some of the
people behind one cell with the events that made them count, and the SQL.

NAME and the options are those of 'regulars metric'. The cell is in the last row, or the last one with the values that
--at names.

\b
Examples:
  regulars explain mau
  regulars explain lifecycle --grain week --column churned
  regulars explain retention --grain week --at period=1 --column retention_users
"""


@click.command(help=_HELP)
@click.argument("name", type=WORDS)
@question_options
@click.option("--at", "at", multiple=True, type=WORDS, metavar="COLUMN=VALUE", help="Which row; repeat it.")
@click.option("--rest", is_flag=True, help="The row of everything beyond the limit of the breakdown.")
@click.option("--column", type=WORDS, help="Which cell of the row, where several count people.")
@workspace_option
def explain(**given: Any) -> None:
    """Explain one number; the text people read is ``_HELP``."""
    from regulars.interfaces.cli.screen import Screen  # noqa: PLC0415 -- rich is for people only

    with open_workspace(given["workspace"], read_only=True) as ws, Screen() as screen:
        result = ws.query(asked(ws, given))
        for line in _lines(result, given).splitlines():
            screen.line(line)


def _lines(result: Result, given: dict[str, Any]) -> str:
    if not result.rows or not result.people_columns:
        return result.explain()
    row = find_row(result, given["at"], rest=given["rest"])
    countable = [name for name in result.people_columns if row.get(name) is not None]
    column = given["column"] or (countable[0] if countable else None)
    return result.explain(row, column) if column else result.explain()
