"""``regulars publish``, ``published``, ``changed``: answers that were handed on, and what has changed in them since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from regulars.interfaces.cli.metric import print_answer
from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import (
    WORDS,
    chosen_format,
    output_options,
    quiet_option,
    report_option,
    workspace_option,
)
from regulars.interfaces.cli.question import asked, question_options
from regulars.interfaces.cli.words import count

if TYPE_CHECKING:
    from regulars.domain.metrics.record import ResultColumn
    from regulars.domain.publications import Changes, Publication
    from regulars.interfaces.cli.screen import Screen, Side

_PUBLISH = """Keep today's answer to a question under a NAME, as its next version.

METRIC and the options are those of 'regulars metric'. Without --end, the last day with data is kept as the end, so
that the answer stays about the same days. Later, 'regulars changed NAME' tells what has changed in it, and why.

\b
Examples:
  regulars publish board-march mau --start 2026-01-01 --end 2026-03-31 --grain month
  regulars changed board-march
"""
_PUBLISHED = """List what was published, or show one published answer as it was.

\b
Examples:
  regulars published
  regulars published board-march --version 1 --format csv
"""
_CHANGED = """Tell what has changed in a published answer: the numbers that differ today, and what happened since.

\b
Examples:
  regulars changed board-march
  regulars changed board-march --version 1 --format json
"""
_NOT_A_NUMBER = ("column", "published", "now", "change", "flags")
_VERSION = click.option("--version", type=int, metavar="N", help="Which version.  [default: the last one]")


@click.command(help=_PUBLISH)
@click.argument("publication", metavar="NAME", type=WORDS)
@click.argument("name", metavar="METRIC", type=WORDS)
@question_options
@workspace_option
@quiet_option
def publish(**given: Any) -> None:
    """Publish an answer; the text people read is ``_PUBLISH``."""
    with open_workspace(given["workspace"], read_only=False) as ws:
        kept = ws.publish_query(given["publication"], asked(ws, given))
    if not given["quiet"]:
        click.echo(
            f"published {kept.name}, version {kept.version}: {count(len(kept.result.rows), 'row')} of "
            f"{kept.result.query.metric}, up to {kept.result.query.range.end}"
        )


@click.command(help=_PUBLISHED)
@click.argument("publication", metavar="[NAME]", required=False, type=WORDS)
@_VERSION
@output_options
@workspace_option
@quiet_option
def published(**given: Any) -> None:
    """List publications or show one; the text people read is ``_PUBLISHED``."""
    form, name = chosen_format(given["form"], given["output"]), given["publication"]
    if name is None and given["version"] is not None:
        raise click.UsageError("--version belongs to a NAME")
    with open_workspace(given["workspace"], read_only=True) as ws:
        found = ws.published(name, given["version"])
    if name is not None:
        print_answer(found[0].result, form, given)
    else:
        _write_list(found, form, given)


def _write_list(found: list[Publication], form: str, given: dict[str, Any]) -> None:
    from regulars.application.ports import Table  # noqa: PLC0415 -- only the list needs it
    from regulars.interfaces.cli.writing import emit, to_csv, to_json, write_parquet  # noqa: PLC0415

    rows = [
        (kept.name, kept.version, kept.published_at, kept.result.query.metric, str(kept.result.query.range.end))
        for kept in found
    ]
    table = Table(("name", "version", "published_at", "metric", "end"), rows)
    if form == "json":
        emit(to_json(table), given["output"])
    elif form == "csv":
        emit(to_csv(table), given["output"])
    elif form == "parquet" and given["output"] is not None:
        write_parquet(table, given["output"])
    else:
        _show_list(rows, given)


def _show_list(rows: list[tuple[Any, ...]], given: dict[str, Any]) -> None:
    from regulars.interfaces.cli.screen import Screen  # noqa: PLC0415 -- rich is for people only

    with Screen(given["output"]) as screen:
        if not rows:
            screen.line("nothing was published yet; see: regulars publish --help")
            return
        heads: list[tuple[str, Side]] = [("name", "left"), ("version", "right"), ("published (UTC)", "left"),
                                         ("metric", "left"), ("up to", "left")]  # fmt: skip
        screen.grid(heads, [(name, str(version), f"{at:%Y-%m-%d %H:%M}", *rest) for name, version, at, *rest in rows])


@click.command(help=_CHANGED)
@click.argument("publication", metavar="NAME", type=WORDS)
@_VERSION
@report_option
@workspace_option
@quiet_option
def changed(**given: Any) -> None:
    """Tell what has changed since; the text people read is ``_CHANGED``."""
    with open_workspace(given["workspace"], read_only=True) as ws:
        found = ws.changed(given["publication"], given["version"])
    if given["form"] == "json":
        click.echo(found.to_json())
        return
    from regulars.interfaces.cli.screen import Screen  # noqa: PLC0415 -- rich is for people only

    with Screen() as screen:
        _show_changes(found, screen, quiet=given["quiet"])


def _show_changes(found: Changes, screen: Screen, *, quiet: bool) -> None:
    kept = found.publication
    if not quiet:
        screen.line(f"{kept.name}, version {kept.version}, published {kept.published_at:%Y-%m-%d %H:%M} UTC")
    told = count(found.unchanged, "number")
    if not found.rows:
        screen.line(f"nothing has changed: {told} as published")
    else:
        screen.line(f"{count(len(found.rows), 'number')} changed, {found.unchanged:,} as published")
        screen.line()
        _show_rows(found, screen)
    if found.causes and not quiet:
        screen.line("since then:")
        for cause in found.causes:
            screen.line(f"  {cause.words}: {cause.times:,}")


def _show_rows(found: Changes, screen: Screen) -> None:
    from regulars.interfaces.cli.cells import cell, head, marks, number  # noqa: PLC0415 -- same

    columns: dict[str, ResultColumn] = {column.name: column for column in found.publication.result.columns}
    places = [columns[name] for name in found.rows[0] if name not in _NOT_A_NUMBER]
    heads: list[tuple[str, Side]] = [(head(place), "left") for place in places]
    heads += [("", "left"), *((name, "right") for name in _NOT_A_NUMBER[1:4]), ("", "left")]
    screen.grid(
        heads,
        (
            [
                *(cell(row, place) for place in places),
                head(columns[row["column"]]),
                *(number(row[name], columns[row["column"]]) for name in _NOT_A_NUMBER[1:4]),
                marks(row),
            ]
            for row in found.rows
        ),
    )
