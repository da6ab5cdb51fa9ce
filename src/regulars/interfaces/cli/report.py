"""``regulars report``: a report to send to people, as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from regulars.domain.metrics.funnel_options import DEFAULT_WITHIN
from regulars.interfaces.cli.opening import open_workspace
from regulars.interfaces.cli.options import WORDS, quiet_option, workspace_option
from regulars.interfaces.cli.question import question_options, split_names
from regulars.interfaces.cli.writing import emit

_NAMES = ("summary", "engagement", "conversion", "retention")
_FORMATS = ("html", "md", "pdf")
_BY_SUFFIX = {".html": "html", ".htm": "html", ".md": "md", ".markdown": "md", ".pdf": "pdf"}
_ASKED = ("by", "where", "population", "as_of")
_STDOUT = "-"
_HELP = """Write a report to send to people: one file with numbers, charts and how to read them.

\b
NAME is one of
  summary      who is active, new, growing, coming back, at risk
  engagement   how often people come, and what they do
  conversion   a funnel, how fast, how many, what they pay
  retention    who comes back, and for how long

Without dates it is about the last 30 days that are over.

\b
Examples:
  regulars report summary
  regulars report summary --format pdf --start 2026-01-01 --end 2026-03-31
  regulars report conversion --step sign_up --step purchase --by country
  regulars report retention --format md --output - | less
"""


@click.command(help=_HELP)
@click.argument("name", type=click.Choice(_NAMES), metavar="NAME")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    help="HTML in one file, Markdown, or PDF.  [default: by the file's ending, else html]",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Where to write; - is stdout.  [default: NAME-END.FORMAT in this folder]",
)
@click.option("--start", type=WORDS, metavar="DAY", help="First day of the period.  [default: 30 days]")
@click.option("--end", type=WORDS, metavar="DAY", help="Last day.  [default: last day that is over]")
@click.option("--title", type=WORDS, help="Name of the product.  [default: that of the workspace's folder]")
@click.option(
    "--step",
    "steps",
    multiple=True,
    type=WORDS,
    metavar="STEP",
    help="A step of the funnel in the report conversion; repeat it.  [default: likely ones from the data]",
)
@click.option(
    "--within",
    type=WORDS,
    default=DEFAULT_WITHIN,
    show_default=True,
    metavar="TIME",
    help="How long an attempt at the funnel may take.",
)
@workspace_option
@quiet_option
def report(**given: Any) -> None:
    """Write one report; the text people read is ``_HELP``."""
    form = _chosen_format(given["form"], given["output"])
    if given["name"] != "conversion" and given["steps"]:
        raise click.UsageError("--step belongs to the report conversion; leave it out")
    from regulars.interfaces.reports import generate  # noqa: PLC0415 -- it loads the database library

    with open_workspace(given["workspace"], read_only=True) as ws:
        same = {name: given[name] for name in ("where", "start", "end", "population", "as_of", "within", "title")}
        by = [one for text in given["by"] for one in split_names(text)]
        made = generate(ws, given["name"], form, by=by, steps=_steps(given["steps"]), **same)
        last = given["end"] or ws.metric("dau", as_of=given["as_of"]).complete_through
    if given["output"] == _STDOUT:
        emit(made, None)
        return
    path = Path(given["output"] or f"{given['name']}-{last or 'empty'}.{form}")
    emit(made, path)
    if not given["quiet"]:
        click.echo(f"wrote {path} ({len(made) / 1000:,.0f} kB)")


report = question_options(report, _ASKED)


def _chosen_format(form: str | None, output: str | None) -> str:
    """The format that was asked for, else the one of the file's ending, else HTML."""
    named = _BY_SUFFIX.get(Path(output).suffix.lower()) if output and output != _STDOUT else None
    return form or named or "html"


def _steps(texts: tuple[str, ...]) -> list[str]:
    """Steps as texts; ``a -> b`` is two of them."""
    return [part.strip() for text in texts for part in text.split("->")]
