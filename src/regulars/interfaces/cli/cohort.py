"""``regulars cohort``: who belongs to a cohort or segment on a day, listed, written to a file, or fixed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from regulars.application.ports import Table
from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import WORDS, chosen_format, output_options, quiet_option, workspace_option
from regulars.interfaces.cli.words import count
from regulars.interfaces.cli.writing import emit, to_csv, write_parquet

if TYPE_CHECKING:
    from pathlib import Path

_HELP = """List who belongs to a cohort or a segment on a day.

NAME is a cohort of regulars.toml, a frozen one, or a segment. --freeze keeps the people of a declared cohort under a
name of their own, which never changes.

\b
Examples:
  regulars cohort big_spenders
  regulars cohort churned --on 2026-03-31 --output churned.csv
  regulars cohort big_spenders --on 2026-01-31 --freeze january_spenders
  regulars metric cohort_size -o cohort=big_spenders --grain week
"""


@click.command(help=_HELP)
@click.argument("name", type=WORDS)
@click.option("--on", type=WORDS, metavar="DAY", help="The day, like 2026-03-31.  [default: the last one with data]")
@click.option(
    "--population", type=click.Choice(["production", "test", "bot", "all"]), default="production", show_default=True,
    help="Whose ids.",
)  # fmt: skip
@click.option("--freeze", "as_", type=WORDS, metavar="NAME", help="Keep them as a cohort of this name.")
@output_options
@workspace_option
@quiet_option
def cohort(**given: Any) -> None:
    """List, export or freeze the people of a cohort; the text people read is ``_HELP``."""
    if given["as_"] is not None:
        _freeze(given)
        return
    form = chosen_format(given["form"], given["output"])
    with open_workspace(given["workspace"], read_only=True) as ws:
        people = ws.cohort(given["name"], on=given["on"], population=given["population"])
    _write(people, form, given)


def _freeze(given: dict[str, Any]) -> None:
    if given["output"] is not None or given["form"] is not None or given["population"] != "production":
        raise click.UsageError(
            "--freeze keeps people of every population and lists nobody; leave the other options out"
        )
    with open_workspace(given["workspace"], read_only=False) as ws:
        kept = ws.freeze_cohort(given["name"], on=given["on"], as_=given["as_"])
    if not given["quiet"]:
        click.echo(f"{count(kept, 'user')} kept as cohort.{given['as_']}")


def _write(people: list[str], form: str, given: dict[str, Any]) -> None:
    output: Path | None = given["output"]
    table = Table(("user_id",), [(user_id,) for user_id in people])
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        asked = {"cohort": given["name"], "on": given["on"], "users": people}
        emit(msgspec.json.encode(asked) + b"\n", output)
    elif form == "parquet" and output is not None:
        write_parquet(table, output, ("VARCHAR",))
    elif form == "csv":
        emit(to_csv(table), output)
    else:
        _print(people, given)


def _print(people: list[str], given: dict[str, Any]) -> None:
    from regulars.interfaces.cli.screen import Screen  # noqa: PLC0415 -- rich is for people only

    with Screen(given["output"]) as screen:
        if not given["quiet"]:
            when = f"on {given['on']}" if given["on"] else "on the last day with data"
            screen.line(f"{count(len(people), 'user')} in {given['name']} {when}", style="bold")
        for user_id in people:
            screen.line(user_id)
