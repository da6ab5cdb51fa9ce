"""``regulars sql``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from regulars.errors import QueryError
from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import (
    WORDS,
    chosen_format,
    output_options,
    quiet_option,
    workspace_option,
)
from regulars.interfaces.cli.writing import emit, to_csv, to_json, write_parquet

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("statement", type=WORDS)
@output_options
@workspace_option
@quiet_option
def sql(statement: str, form: str | None, output: Path | None, workspace: Path | None, *, quiet: bool) -> None:
    """Run one SELECT on the tables of the workspace; nothing can be changed.

    STATEMENT is the SQL, or - to read it from stdin. The dialect is DuckDB's, times are UTC.

    \b
    Examples:
      regulars sql "SELECT action_type, count(*) AS n FROM fact_user_activity GROUP BY ALL"
      regulars sql - --format csv < question.sql
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    chosen = chosen_format(form, output)
    text = _from_stdin() if statement == "-" else statement
    with open_workspace(workspace, read_only=True) as ws:
        table = ws.sql(text)
    if chosen == "csv":
        emit(to_csv(table), output)
    elif chosen == "json":
        emit(to_json(table), output)
    elif chosen == "parquet" and output is not None:
        write_parquet(table, output)
    else:
        from regulars.interfaces.cli.screen import Screen, show_table  # noqa: PLC0415 -- rich is for people only

        with Screen(output) as screen:
            show_table(table, screen, quiet=quiet)


def _from_stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise QueryError("the SQL on stdin is not UTF-8 text", code="bad_sql") from None
