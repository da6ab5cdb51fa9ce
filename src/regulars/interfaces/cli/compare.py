"""``regulars compare``: why another tool shows another number."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from regulars.application.ports import Table
from regulars.errors import QueryError
from regulars.interfaces.cli.cells import complete
from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import WORDS, chosen_format, output_options, quiet_option, workspace_option
from regulars.interfaces.cli.question import asked, question_options, split_names
from regulars.interfaces.cli.users import pair_of
from regulars.interfaces.cli.writing import emit, to_csv, write_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from regulars.domain.comparison import Comparison, Gap
    from regulars.domain.metrics.record import ResultColumn
    from regulars.interfaces.cli.cells import Row
    from regulars.interfaces.cli.screen import Screen, Side

_OPTIONS = ("by", "where", "start", "end", "grain", "every", "anchor", "window", "calendar", "activity", "population",
            "limit", "as_of", "actor", "options")  # fmt: skip
_VALUES = ("column", "baseline", "compared", "gap", "flags")
_NAMED_PEOPLE = 5
_HELP = """Compare how two tools count the same question: number by number, with the people behind a gap.

NAME and the options are those of 'regulars metric'. The people are those of the last gap, or of the row that --at and
--column name.

\b
Examples:
  regulars compare mau --conventions regulars,statsig
  regulars compare retention --grain week --conventions posthog,amplitude
  regulars compare retention --conventions mixpanel --at period=1 --column retention_users --users
"""


@click.command(help=_HELP)
@click.argument("name", type=WORDS)
@click.option(
    "--conventions",
    type=WORDS,
    required=True,
    metavar="A,B",
    help="Two of regulars, posthog, amplitude, mixpanel, statsig; one alone is compared with regulars.",
)
@partial(question_options, names=_OPTIONS)
@click.option("--at", "at", multiple=True, type=WORDS, metavar="COLUMN=VALUE", help="Which rows; repeat it.")
@click.option("--column", type=WORDS, help="Which number of a row, where it has several.")
@click.option("--users", "with_users", is_flag=True, help="List everybody behind the gap, and nothing else.")
@click.option("--all", "all_rows", is_flag=True, help="Show every row, also of earlier dates and without a gap.")
@output_options
@workspace_option
@quiet_option
def compare(**given: Any) -> None:
    """Compare two conventions; the text people read is ``_HELP``."""
    form = chosen_format(given["form"], given["output"])
    with open_workspace(given["workspace"], read_only=True) as ws:
        question = asked(ws, {**given, "convention": "regulars"})
        comparison = ws.compare_query(question, split_names(given["conventions"]))
        rows = _chosen(comparison, given["at"], given["column"])
        if given["with_users"]:
            _write_people(comparison, _gap_of(comparison, rows), form, given)
        elif form == "table":
            _show(comparison, rows, given)
        else:
            _write(comparison, rows, form, given)


def _chosen(comparison: Comparison, at: Sequence[str], column: str | None) -> list[Row]:
    wanted = dict(map(pair_of, at)) | ({"column": column} if column else {})
    names = list(comparison.rows[0]) if comparison.rows else list(wanted)
    for name in wanted:
        if name not in names:
            raise QueryError(f"the comparison has no column {name!r}; columns: {', '.join(names)}", code="no_such_row")
    rows = [row for row in comparison.rows if all(str(row[name]) == value for name, value in wanted.items())]
    if wanted and not rows:
        said = ", ".join(f"{name}={value}" for name, value in wanted.items())
        raise QueryError(f"no row has {said}; look at the rows without --at, with --all", code="no_such_row")
    return rows


def _told(comparison: Comparison, rows: Sequence[Row]) -> Row | None:
    """The last row that counts people and differs, else the last that counts people."""
    counted = [row for row in rows if row["column"] in comparison.baseline.people_columns]
    apart = [row for row in counted if row["gap"]]
    return next(reversed(complete(apart) or apart or counted), None)


def _gap_of(comparison: Comparison, rows: Sequence[Row]) -> Gap:
    row = _told(comparison, rows)
    if row is None:
        listed = ", ".join(comparison.baseline.people_columns) or "none"
        raise QueryError(f"these numbers count no people; columns that do: {listed}", code="no_people")
    return comparison.users(row)


def _write_people(comparison: Comparison, gap: Gap, form: str, given: dict[str, Any]) -> None:
    rows = [(name, user_id) for name, people in zip(comparison.conventions, gap, strict=True) for user_id in people]
    table = Table(("only_in", "user_id"), rows)
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        emit(msgspec.json.encode(dict(zip(comparison.conventions, gap, strict=True))) + b"\n", given["output"])
    elif form == "parquet" and given["output"] is not None:
        write_parquet(table, given["output"], ("VARCHAR", "VARCHAR"))
    elif form == "csv":
        emit(to_csv(table), given["output"])
    else:
        from regulars.interfaces.cli.screen import Screen  # noqa: PLC0415 -- rich is for people only

        with Screen(given["output"]) as screen:
            for name, user_id in rows:
                screen.line(f"only in {name}: {user_id}")


def _write(comparison: Comparison, rows: Sequence[Row], form: str, given: dict[str, Any]) -> None:
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        emit(msgspec.json.encode({**comparison.to_mapping(), "rows": rows}) + b"\n", given["output"])
        return
    names = tuple(rows[0]) if rows else _VALUES
    table = Table(names, [tuple(row.values()) for row in rows])
    if form == "parquet":
        write_parquet(table, given["output"])
    else:
        emit(to_csv(table), given["output"])


def _show(comparison: Comparison, rows: Sequence[Row], given: dict[str, Any]) -> None:
    from regulars.interfaces.cli.screen import Screen  # noqa: PLC0415

    with Screen(given["output"]) as screen:
        if not given["quiet"]:
            for line in _heading(comparison):
                screen.line(line)
            screen.line()
        shown = rows if given["all_rows"] or given["at"] else _telling(rows)
        _show_rows(comparison, shown, screen)
        if len(shown) < len(rows):
            apart = sum(1 for row in rows if row["gap"])
            text = f"{apart} of {len(rows)} numbers differ; {len(shown)} shown, --all shows every one"
            screen.line(text, style="dim")
        row = _told(comparison, rows)
        if row is not None and row["gap"]:
            for line in _people(comparison, row):
                screen.line(line)
        if not given["quiet"]:
            for text in comparison.unfollowed:
                screen.line(f"not followed: {text}", style="dim")


def _heading(comparison: Comparison) -> Iterator[str]:
    from regulars.interfaces.cli.answer import heading  # noqa: PLC0415

    yield heading(comparison.baseline)[0]
    baseline, compared = comparison.conventions
    for rule in comparison.rules:
        yield f"{rule.name}: {rule.baseline} in {baseline}, {rule.compared} in {compared}"
    if not comparison.rules:
        yield f"{baseline} and {compared} take the same choices here"


def _telling(rows: Sequence[Row]) -> list[Row]:
    """The rows with a gap of the last date that has one, and is over; without any gap those of the last date."""
    apart = [row for row in rows if row["gap"]] or list(rows)
    apart = complete(apart) or apart
    return [row for row in apart if row.get("date") == apart[-1].get("date")]


def _show_rows(comparison: Comparison, rows: Sequence[Row], screen: Screen) -> None:
    from regulars.interfaces.cli.cells import cell, head, marks, number  # noqa: PLC0415

    if not rows:
        screen.line("no rows: nothing lies in this range")
        return
    columns = {column.name: column for column in comparison.baseline.columns}
    places: list[ResultColumn] = [columns[name] for name in rows[0] if name not in _VALUES]
    heads: list[tuple[str, Side]] = [(head(place), "left") for place in places]
    heads += [("", "left"), *((name, "right") for name in (*comparison.conventions, "gap")), ("", "left")]
    lines = []
    for row in rows:
        counted = columns[row["column"]]
        values = [number(row[name], counted) for name in ("baseline", "compared")]
        gap = number(row["gap"], counted).replace("%", " pp")  # of two shares: percentage points
        signed = f"+{gap}" if (row["gap"] or 0) > 0 else gap
        lines.append([*(cell(row, place) for place in places), head(counted), *values, signed, marks(row)])
    screen.grid(heads, lines)


def _people(comparison: Comparison, row: Row) -> Iterator[str]:
    from regulars.interfaces.cli.words import count  # noqa: PLC0415

    where = ", ".join(f"{name} {value}" for name, value in row.items() if name not in _VALUES)
    yield f"behind the gap of {row['column']}" + (f" ({where}):" if where else ":")
    for name, people in zip(comparison.conventions, comparison.users(row), strict=True):
        named = ", ".join(people[:_NAMED_PEOPLE]) + (", … (--users lists them)" if len(people) > _NAMED_PEOPLE else "")
        yield f"  {count(len(people), 'user')} only in {name}" + (f": {named}" if named else "")
