"""``regulars users``: the people behind one cell of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from regulars.application.ports import Table
from regulars.errors import QueryError
from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import WORDS, chosen_format, output_options, quiet_option, workspace_option
from regulars.interfaces.cli.question import asked, question_options
from regulars.interfaces.cli.writing import emit, to_csv, write_parquet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.result import Result

_HELP = """List the people behind a number: as many as the number says.

NAME and the options are those of 'regulars metric'. The row is the last one, or the last one with the values
that --at names.

\b
Examples:
  regulars users mau
  regulars users mau --by country --at country=DE --at date=2026-03-31
  regulars users new_vs_returning --grain week --column new
  regulars users tiers --at tier=power
  regulars users tier_transitions --start 2026-03-01 --at from_tier=power --at to_tier=casual
"""


@click.command(help=_HELP)
@click.argument("name", type=WORDS)
@question_options
@click.option("--at", "at", multiple=True, type=WORDS, metavar="COLUMN=VALUE", help="Which row; repeat it.")
@click.option("--rest", is_flag=True, help="The row of everything beyond the limit of the breakdown.")
@click.option("--column", type=WORDS, help="Which cell of the row, where several count people.")
@output_options
@workspace_option
@quiet_option
def users(**given: Any) -> None:
    """List the people behind one cell; the text people read is ``_HELP``."""
    form = chosen_format(given["form"], given["output"])
    with open_workspace(given["workspace"], read_only=True) as ws:
        result = ws.query(asked(ws, given))
        row = find_row(result, given["at"], rest=given["rest"])
        people = result.users(row, given["column"])
    table = Table(("user_id",), [(user_id,) for user_id in people])
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        emit(msgspec.json.encode({"row": row, "column": given["column"], "users": people}) + b"\n", given["output"])
    elif form == "parquet" and given["output"] is not None:
        write_parquet(table, given["output"], ("VARCHAR",))
    elif form == "csv":
        emit(to_csv(table), given["output"])
    else:
        _print(people, row, given)


def find_row(result: Result, at: Sequence[str], *, rest: bool) -> dict[str, Any]:
    """The last row whose cells read as wanted."""
    wanted = dict(pair_of(text) for text in at)
    names = [column.name for column in result.columns]
    for name in wanted:
        if name not in names:
            raise QueryError(f"the result has no column {name!r}; columns: {', '.join(names)}", code="no_such_row")
    fitting = [
        row
        for row in result.rows
        if ("other" in row["flags"]) == rest and all(str(row[name]) == value for name, value in wanted.items())
    ]
    if not fitting:
        said = ", ".join(at) or ("the rest" if rest else "any")
        raise QueryError(f"no row has {said}; look at the rows with: regulars metric", code="no_such_row")
    return fitting[-1]


def pair_of(text: str) -> tuple[str, str]:
    """``column=value`` as its two parts."""
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} must look like column=value", param_hint="'--at'")
    return name, value


def _print(people: list[str], row: dict[str, Any], given: dict[str, Any]) -> None:
    from regulars.interfaces.cli.screen import Screen  # noqa: PLC0415 -- rich is for people only
    from regulars.interfaces.cli.words import count  # noqa: PLC0415

    with Screen(given["output"]) as screen:
        if not given["quiet"]:
            shown = ", ".join(f"{name} {value}" for name, value in row.items() if name != "flags")
            screen.line(f"{count(len(people), 'user')} behind {given['name']}: {shown}", style="bold")
        for user_id in people:
            screen.line(user_id)
