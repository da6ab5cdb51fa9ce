"""``regulars funnel``: how many people get from step to step, and where most of them drop out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from regulars.domain.metrics.funnel_options import DEFAULT_WITHIN, ORDERS, TIES
from regulars.interfaces.cli.metric import print_answer
from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import WORDS, chosen_format, output_options, quiet_option, workspace_option
from regulars.interfaces.cli.question import question_options, split_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.query import Query
    from regulars.workspace import Workspace

_RANGE = ("by", "where", "start", "end", "population", "limit", "as_of")
_HELP = """Show how many people get from step to step, how fast, and where most of them drop out.

STEP is an event type, an activity, or e.g. "purchase where amount > 10"; two to twenty of them.

\b
Examples:
  regulars funnel sign_up add_to_cart purchase
  regulars funnel "like, comment" "purchase where amount > 10" --within "2 days" --by country
  regulars funnel sign_up purchase --exclude "cancel between 1 and 2" --format json
"""


@click.command(help=_HELP)
@click.argument("steps", nargs=-1, required=True, metavar="STEP STEP [STEP]...", type=WORDS)
@click.option(
    "--within",
    type=WORDS,
    default=DEFAULT_WITHIN,
    show_default=True,
    metavar="TIME",
    help='How long an attempt may take, e.g. "2 days" or "30 minutes".',
)
@click.option(
    "--order",
    type=click.Choice(ORDERS),
    default="ordered",
    show_default=True,
    help="One after the other, each the very next event, or in any order.",
)
@click.option(
    "--ties",
    type=click.Choice(TIES),
    default="any",
    show_default=True,
    help="Whether events at the same instant may follow one another: in any order, as their sequence says, never.",
)
@click.option(
    "--exclude",
    multiple=True,
    type=WORDS,
    metavar="EVENT",
    help='An event that ends an attempt, e.g. "cancel between 1 and 2".',
)
@click.option(
    "--attribution",
    type=WORDS,
    default="first",
    show_default=True,
    metavar="STEP",
    help="Whose value of an event property --by shows: first, last, all, or step:2.",
)
@output_options
@workspace_option
@quiet_option
def funnel(**given: Any) -> None:
    """Answer one question about a funnel; the text people read is ``_HELP``."""
    form = chosen_format(given["form"], given["output"])
    with open_workspace(given["workspace"], read_only=True) as ws:
        result = ws.query(_asked(ws, given))
    from regulars.interfaces.cli.steps import show_steps  # noqa: PLC0415 -- rich is for people only

    print_answer(result, form, given, show_steps)


funnel = question_options(funnel, _RANGE)


def _asked(ws: Workspace, given: dict[str, Any]) -> Query:
    same: dict[str, Any] = {name: given[name] for name in ("within", "order", "ties", "attribution", *_RANGE[1:])}
    if given["exclude"]:
        same["exclusions"] = list(given["exclude"])
    by = [one for text in given["by"] for one in split_names(text)]
    return ws.question("funnel", by=by, steps=_steps(given["steps"]), **same)


def _steps(texts: Sequence[str]) -> list[object]:
    """Steps as texts or in their JSON form; ``a -> b`` is two of them."""
    found: list[object] = []
    for text in texts:
        if not text.startswith("{"):
            found += [part.strip() for part in text.split("->")]
            continue
        try:
            found.append(json.loads(text))
        except ValueError as exc:
            raise click.BadParameter(f"{text!r} is not valid JSON: {exc}", param_hint="'STEP'") from None
    return found
