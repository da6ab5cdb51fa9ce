"""``regulars metric``: one question, one answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import click

from regulars.domain.metrics import ALIASES, METRICS, find_metric
from regulars.domain.query import Calendar, Grain, Population, query_from_json
from regulars.errors import UnknownNameError
from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import (
    WORDS,
    chosen_format,
    output_options,
    quiet_option,
    workspace_option,
)
from regulars.interfaces.cli.writing import emit, result_types, table_of, to_csv, write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from regulars.domain.metrics.record import Metric
    from regulars.domain.result import Result
    from regulars.workspace import Workspace

_DIALECTS = ("duckdb", "clickhouse")
_NOT_THE_QUESTION = {"name", "query_file", "workspace", "form", "output", "quiet", "sql_only", "engine", "all_rows"}
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


_QUESTION: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--by",
        multiple=True,
        type=WORDS,
        metavar="PROPERTY",
        help="Break down by a property, e.g. country; repeat it or separate by commas.",
    ),
    click.option(
        "--where",
        multiple=True,
        type=WORDS,
        metavar="CONDITION",
        help="Only where this holds, e.g. \"plan = 'paid'\"; several must all hold.",
    ),
    click.option("--start", type=WORDS, metavar="DAY", help="First day, as 2026-01-31.  [default: 90 days]"),
    click.option("--end", type=WORDS, metavar="DAY", help="Last day.  [default: last day with data]"),
    click.option(
        "--grain",
        type=click.Choice(get_args(Grain)),
        default="day",
        show_default=True,
        help="One row per hour, day, week or month.",
    ),
    click.option("--window", type=int, metavar="DAYS", help="Rolling window: active within so many days."),
    click.option("--calendar", type=click.Choice(get_args(Calendar)), help="Calendar period instead of a window."),
    click.option(
        "--activity",
        type=WORDS,
        default="core",
        show_default=True,
        help="What counts as active: core, any, conversion, core_feature, or your own.",
    ),
    click.option(
        "--population",
        type=click.Choice(get_args(Population)),
        default="production",
        show_default=True,
        help="Who is counted.",
    ),
    click.option(
        "--limit", type=int, default=12, show_default=True, help="Slices of a breakdown; the rest is 'other'."
    ),
    click.option("--as-of", type=WORDS, metavar="DAY", help="Answer as if this were the last day with data."),
    click.option(
        "-o",
        "--option",
        "options",
        multiple=True,
        type=WORDS,
        metavar="KEY=VALUE",
        help="Option of the metric; 'regulars metrics NAME' lists them.",
    ),
)


def _question_options(command: Any) -> Any:
    for option in reversed(_QUESTION):
        command = option(command)
    return command


@click.command(help=_HELP)
@click.argument("name", required=False, type=WORDS)
@_question_options
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
        result = _ask(ws, given)
        if given["sql_only"]:
            emit(f"{_sql(ws, result, given['engine'])}\n".encode(), given["output"])
            return
    _print(result, form, given)


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


def _ask(ws: Workspace, given: dict[str, Any]) -> Result:
    if given["query_file"] is not None:
        return ws.query(query_from_json(given["query_file"].read()))
    name = given["name"]
    record = find_metric(ALIASES[name][0] if name in ALIASES else name)
    options: dict[str, Any] = metric_options(record, given["options"])
    return ws.metric(
        name,
        by=[one for text in given["by"] for one in split_names(text)],
        where=given["where"],
        start=given["start"],
        end=given["end"],
        grain=given["grain"],
        window=given["window"],
        calendar=given["calendar"],
        activity=given["activity"],
        population=given["population"],
        limit=given["limit"],
        as_of=given["as_of"],
        **options,
    )


def split_names(text: str) -> list[str]:
    """Names separated by commas, which inside double quotes are part of a name.

    >>> split_names('country, "a,b"')
    ['country', '"a,b"']
    """
    return [part.strip() for part in re.findall(r'(?:"[^"]*"|[^,])+', text)] or [text]


def metric_options(record: Metric, texts: Sequence[str]) -> dict[str, object]:
    """``key=value`` texts as the values that the metric's record declares; it checks them itself."""
    found: dict[str, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} must look like key=value", param_hint="'--option'")
        found[key] = _option_value(record, key, value)
    return found


def _option_value(record: Metric, key: str, value: str) -> object:
    option = next((option for option in record.options if option.name == key), None)
    if option is None:
        allowed = [option.name for option in record.options]
        raise UnknownNameError(f"option of {record.name}", key, allowed, code="unknown_option")
    if option.largest and re.fullmatch(r"[+-]?[0-9]{1,9}", value):
        return int(value)
    return next((choice for choice in option.choices if str(choice).lower() == value.lower()), value)


def _sql(ws: Workspace, result: Result, engine: str) -> str:
    if not result.sql:
        return "-- the workspace has no data yet, so there is nothing to ask"
    return result.sql if engine == "duckdb" else ws.render_sql(result.query, engine=engine)


def _print(result: Result, form: str, given: dict[str, Any]) -> None:
    output: Path | None = given["output"]
    if form == "json":
        emit(result.to_json() + b"\n", output)
    elif form == "csv":
        emit(to_csv(table_of(result)), output)
    elif form == "parquet" and output is not None:
        write_parquet(table_of(result), output, result_types(result))
    else:
        from regulars.interfaces.cli.answer import show  # noqa: PLC0415 -- rich is for people only
        from regulars.interfaces.cli.screen import Screen  # noqa: PLC0415

        with Screen(output) as screen:
            show(result, screen, every_row=given["all_rows"] or output is not None, quiet=given["quiet"])
