"""``regulars metrics``: the catalogue, straight from the metrics' own records."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import click

from regulars.domain.metrics import ALIASES, METRICS, find_metric
from regulars.interfaces.cli.options import WORDS

if TYPE_CHECKING:
    from regulars.domain.metrics.options import Option
    from regulars.domain.metrics.record import Metric


@click.command()
@click.argument("name", required=False, type=WORDS)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="Text for people, JSON for programs.",
)  # fmt: skip
def metrics(name: str | None, form: str) -> None:
    """List the metrics, or describe one: definition, columns, options.

    \b
    Examples:
      regulars metrics
      regulars metrics stickiness
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    wanted = ALIASES[name][0] if name and name in ALIASES else name
    chosen = [find_metric(wanted)] if wanted else list(METRICS.values())
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this format needs it

        described = [describe(metric) for metric in chosen]
        click.echo(msgspec.json.encode(described[0] if wanted else described))
    elif wanted:
        click.echo("\n".join(_page(chosen[0])))
    else:
        click.echo("\n".join(_list(chosen)))


def describe(metric: Metric) -> dict[str, Any]:
    """A metric's record as plain values."""
    return {
        "name": metric.name,
        "title": metric.title,
        "definition": metric.definition,
        "source": metric.source,
        "grains": list(metric.grains),
        "takes_window": metric.takes_window,
        "takes_calendar": metric.takes_calendar,
        "aliases": {alias: window for alias, (name, window) in ALIASES.items() if name == metric.name},
        "columns": [
            {
                "name": column.name, "type": column.type, "unit": column.unit, "description": column.description,
                "counts_people": column.counts_people,
            }
            for column in metric.columns
        ],
        "options": [
            {
                "name": option.name, "description": option.description, "default": option.default,
                "choices": list(option.choices), "smallest": option.smallest if option.largest else None,
                "largest": option.largest or None, "form": option.form or None,
            }
            for option in metric.options
        ],
    }  # fmt: skip


def _list(chosen: list[Metric]) -> list[str]:
    width = max(len(metric.name) for metric in chosen) + 2
    lines = [f"{metric.name:<{width}}{metric.title}" for metric in chosen]
    aliases = [
        f"{alias:<{width}}{METRICS[name].title}, {window}-day window" for alias, (name, window) in ALIASES.items()
    ]
    return [*lines, *aliases, "", "regulars metrics NAME tells what one means and which options it has."]


def _page(metric: Metric) -> list[str]:
    takes = ["--grain " + "|".join(metric.grains)]
    takes += ["--window DAYS"] * metric.takes_window + ["--calendar PERIOD"] * metric.takes_calendar
    lines = [f"{metric.title} ({metric.name})", "", *textwrap.wrap(metric.definition, 96), "", "Columns:"]
    lines += _aligned([(column.name, column.unit, column.description) for column in metric.columns])
    lines += ["", "Takes: " + ", ".join(takes)]
    if metric.options:
        lines += ["", "Options, as -o name=value:"]
        lines += _aligned([(option.name, _allowed(option), option.description) for option in metric.options])
    return lines


def _aligned(rows: list[tuple[str, str, str]]) -> list[str]:
    first, second = (max(len(row[place]) for row in rows) + 2 for place in (0, 1))
    return [f"  {one:<{first}}{two:<{second}}{three}" for one, two, three in rows]


def _allowed(option: Option) -> str:
    choices = [str(choice).lower() for choice in option.choices if choice is not None]
    default = "" if option.default is None else f" (default {str(option.default).lower()})"
    allowed = f"{option.smallest}..{option.largest}" if option.largest else option.form or "|".join(choices)
    return allowed + default
