"""``regulars metric``: one question, one answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from regulars.domain.metrics import ALIASES, METRICS
from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import (
    WORDS,
    chosen_format,
    output_options,
    quiet_option,
    workspace_option,
)
from regulars.interfaces.cli.question import asked, question_options
from regulars.interfaces.cli.writing import emit, result_types, table_of, to_csv, write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from regulars.domain.result import Result

    Show = Callable[..., None]

_DIALECTS = ("duckdb", "clickhouse")
_NOT_THE_QUESTION = {"name", "query_file", "workspace", "form", "output", "quiet", "sql_only", "engine", "all_rows"}
_NOTHING_TO_ASK = "-- the workspace has no data yet, so there is nothing to ask"
_HELP = f"""Answer a question: any metric over time, in any window, by any property.

NAME is one of {", ".join(METRICS)}, or {", ".join(ALIASES)}.

\b
Examples:
  regulars metric mau --by country
  regulars metric active_users --window 28 --where "plan = 'paid'" --start 2026-01-01
  regulars metric stickiness -o method=mean --format json
  regulars metric wau --sql
  regulars metric --query question.json --format csv
"""


@click.command(help=_HELP)
@click.argument("name", required=False, type=WORDS)
@question_options
@click.option("--query", "query_file", type=click.File("rb"), metavar="FILE", help="The question as JSON; - is stdin.")
@click.option("--all", "all_rows", is_flag=True, help="Show every row of a long table.")
@click.option("--sql", "sql_only", is_flag=True, help="Print the SQL that answers it, and nothing else.")
@click.option("--engine", type=click.Choice(_DIALECTS), default="duckdb", show_default=True, help="Whose SQL.")
@output_options
@workspace_option
@quiet_option
@click.pass_context
def metric(ctx: click.Context, /, **given: Any) -> None:
    """Answer one question; the text people read is ``_HELP``."""
    form = chosen_format(given["form"], given["output"])
    if given["engine"] != "duckdb" and not given["sql_only"]:
        raise click.UsageError("the workspace's engine is duckdb; --engine only spells the SQL: add --sql")
    _check_one_question(ctx, given)
    with open_workspace(given["workspace"], read_only=True) as ws:
        query = asked(ws, given)
        if given["sql_only"]:
            sql = ws.render_sql(query, engine=given["engine"])
            emit(f"{sql or _NOTHING_TO_ASK}\n".encode(), given["output"])
            return
        result = ws.query(query)
    print_answer(result, form, given)


def _check_one_question(ctx: click.Context, given: dict[str, Any]) -> None:
    typed = [
        parameter for parameter in ctx.params
        if parameter not in _NOT_THE_QUESTION
        and ctx.get_parameter_source(parameter) is not click.core.ParameterSource.DEFAULT
    ]  # fmt: skip
    if given["query_file"] is None and given["name"] is None:
        raise click.UsageError(f"name a metric: {', '.join([*METRICS, *ALIASES])}; or give --query FILE")
    if given["query_file"] is not None and (given["name"] is not None or typed):
        extra = "NAME" if given["name"] is not None else f"--{typed[0].replace('_', '-')}"
        raise click.UsageError(f"--query holds the whole question; leave out {extra}")


def print_answer(result: Result, form: str, given: dict[str, Any], show: Show | None = None) -> None:
    """An answer in the format that was asked for; ``show`` prints it for people, where it is not a plain table."""
    output: Path | None = given["output"]
    if form == "json":
        emit(result.to_json() + b"\n", output)
    elif form == "csv":
        emit(to_csv(table_of(result)), output)
    elif form == "parquet" and output is not None:
        write_parquet(table_of(result), output, result_types(result))
    else:
        from regulars.interfaces.cli.answer import show as show_table  # noqa: PLC0415 -- rich is for people only
        from regulars.interfaces.cli.screen import Screen  # noqa: PLC0415

        with Screen(output) as screen:
            every_row = given.get("all_rows") or output is not None
            (show or partial(show_table, every_row=every_row))(result, screen, quiet=given["quiet"])
