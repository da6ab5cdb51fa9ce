"""``regulars nps``: the net promoter score, whether it moved, and an answer recorded."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from regulars.interfaces.cli.metric import print_answer
from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import WORDS, chosen_format, output_options, quiet_option, workspace_option
from regulars.interfaces.cli.question import question_options, split_names
from regulars.interfaces.cli.writing import emit

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.domain.result import Result
    from regulars.workspace import Workspace

_RANGE = ("by", "where", "start", "end", "population", "limit", "as_of")
_HELP = """Show the net promoter score: the share of promoters (9 and 10) less that of detractors (0 to 6).

Answers are events nps_response with a score from 0 to 10; 'regulars nps record' adds one.

\b
Examples:
  regulars nps
  regulars nps --per quarter --survey onboarding --by plan
  regulars nps --start 2026-04-01 --end 2026-06-30 --against 2026-01-01..2026-03-31
  regulars nps record user_4711 9 --comment "quick"
"""


@click.group(help=_HELP, invoke_without_command=True)
@click.option("--survey", type=WORDS, metavar="NAME", help="Answers to this survey only.")
@click.option(
    "--repeats", type=click.Choice(["latest_per_user", "all"]), default="latest_per_user", show_default=True,
    help="Which answers of one person in a period count.",
)  # fmt: skip
@click.option(
    "--per", type=click.Choice(["day", "week", "month", "quarter"]), default="month", show_default=True,
    help="One row per day, week, month or quarter.",
)  # fmt: skip
@click.option("--against", type=WORDS, metavar="DAY..DAY", help="Whether the score moved since these days.")
@click.option("--all", "all_rows", is_flag=True, help="Show every row of a long table.")
@output_options
@workspace_option
@quiet_option
@click.pass_context
def nps(ctx: click.Context, /, **given: Any) -> None:
    """Show the score of a range and of its periods; the text people read is ``_HELP``."""
    if ctx.invoked_subcommand is not None:
        return
    form = chosen_format(given["form"], given["output"])
    with open_workspace(given["workspace"], read_only=True) as ws:
        result = _asked(ws, given)
        before = _asked(ws, given | _days(given["against"])) if given["against"] is not None else None
    if before is not None:
        _refuse_overlap(before, result)
    if before is not None and form != "table":
        _write_change(before, result, form, given)
        return
    from regulars.interfaces.cli.scores import show_scores  # noqa: PLC0415 -- rich is for people only

    def show(found: Result, screen: Any, *, quiet: bool) -> None:
        every_row = given["all_rows"] or given["output"] is not None
        show_scores(found, screen, before=before, every_row=every_row, quiet=quiet)

    print_answer(result, form, given, show)


nps = question_options(nps, _RANGE)


@nps.command(name="record")
@click.argument("user_id", type=WORDS)
@click.argument("score", type=int)
@click.option("--comment", type=WORDS, metavar="TEXT", help="What they wrote.")
@click.option("--survey", type=WORDS, metavar="NAME", help="Which survey it was.")
@click.option("--at", "at", type=WORDS, metavar="TIME", help="When, with a time zone.  [default: now]")
@workspace_option
@quiet_option
def record(  # noqa: PLR0917 -- click passes one by one
    user_id: str, score: int, comment: str | None, survey: str | None, at: str | None, workspace: Path | None,
    *, quiet: bool,
) -> None:  # fmt: skip
    """Record how likely somebody says they are to recommend the product, from 0 to 10.

    \b
    Example:
      regulars nps record user_4711 9 --comment "quick" --at 2026-03-31T10:00:00Z
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    with open_workspace(workspace, read_only=False) as ws:
        ws.record_nps_response(user_id, score, comment=comment, survey=survey, timestamp=at)
    if not quiet:
        click.echo(f"recorded {score} of {user_id}")


def _asked(ws: Workspace, given: dict[str, Any]) -> Result:
    same = {name: given[name] for name in _RANGE[1:]}
    by = [one for text in given["by"] for one in split_names(text)]
    period = {"calendar": "quarter"} if given["per"] == "quarter" else {"grain": given["per"]}
    return ws.metric("nps", by=by, survey=given["survey"], repeats=given["repeats"], **period, **same)


def _days(text: str) -> dict[str, Any]:
    start, _, end = text.partition("..")
    try:
        return {"start": date.fromisoformat(start), "end": date.fromisoformat(end)}
    except ValueError:
        hint = "'--against'"
        raise click.BadParameter(f"{text!r} must look like 2026-01-01..2026-03-31", param_hint=hint) from None


def _refuse_overlap(before: Result, after: Result) -> None:
    """Ranges are widened to whole periods, and no answer may count on both sides."""
    dates = [[row["date"] for row in result.rows] for result in (before, after)]
    shared = sorted({*dates[0]} & {*dates[1]})
    if shared:
        raise click.UsageError(
            f"both ranges hold the {after.query.calendar or after.query.grain} of {shared[0]}; "
            "choose ranges apart, or a shorter --per"
        )


def _write_change(before: Result, after: Result, form: str, given: dict[str, Any]) -> None:
    from regulars.interfaces.cli.scores import changes  # noqa: PLC0415 -- only a comparison needs it

    if form != "json":
        raise click.UsageError(
            "--against tells a change, which is no table of rows; use --format json, or leave it out"
        )
    import msgspec  # noqa: PLC0415 -- only this form needs it

    told = [
        {"slice": place, "before": old, "after": new, **asdict(moved)}
        for place, old, new, moved in changes(before, after)
    ]
    emit(msgspec.json.encode({"changes": told, "result": after.to_mapping()}) + b"\n", given["output"])
