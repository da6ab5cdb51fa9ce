"""``regulars experiment``: write experiments down, run them, see what came of them, and plan their size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from regulars.domain.metrics.experiment import EXPERIMENT
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
from regulars.interfaces.cli.question import metric_options, question_options, split_names
from regulars.interfaces.cli.words import count

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.domain.experiments import Experiment
    from regulars.domain.result import Result

_HELP = """Write experiments down, start and stop them, and see what came of them.

\b
Examples:
  regulars experiment create checkout -o event=purchase -o "within=7 days" --planned-size 4000
  regulars experiment start checkout
  regulars experiment assign checkout user_4711 --log
  regulars experiment results checkout --by plan
  regulars experiment power --baseline 0.10 --mde 0.02
"""
_SHOWN = 10
_SLICES = ("by", "where", "population", "limit")


@click.group(help=_HELP)
def experiment() -> None:
    """Experiments; the text people read is ``_HELP``."""


def _design_options(command: Any) -> Any:
    for option in (
        click.option("--guardrail", "guardrails", multiple=True, type=WORDS, metavar="JSON",
                     help='What must not suffer, e.g. \'{"measure": "retention", "day": 7, "tolerated": 5}\'.'),
        click.option("-o", "--option", "options", multiple=True, type=WORDS, metavar="KEY=VALUE",
                     help="What is measured, as for 'regulars metric experiment': event, within, measure, cuped ..."),
        click.option("--planned-size", type=int, metavar="PEOPLE", help="People in all at which it is over."),
        click.option("--hypothesis", type=WORDS, metavar="TEXT", help="What is expected, and why."),
        click.option("--seed", type=WORDS, metavar="TEXT", help="What is hashed with the id.  [default: the name]"),
        click.option("--coverage", type=float, metavar="SHARE", help="Share of people that take part, 0 to 1."),
        click.option("--variants", type=WORDS, metavar="NAMES",
                     help='Variants with weights, the control first.  [default: "CONTROL=1, VARIANT_A=1"]'),
    ):  # fmt: skip
        command = option(command)
    return command


def _design(given: dict[str, Any]) -> dict[str, Any]:
    """What was said about the design, and nothing else."""
    names = ("variants", "coverage", "seed", "hypothesis", "planned_size")
    found = {name: given[name] for name in names if given[name] is not None}
    if given["options"]:
        found["metric"] = metric_options(EXPERIMENT, given["options"])
    if given["guardrails"]:
        found["guardrails"] = [_json(text) for text in given["guardrails"]]
    return found


def _json(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError as exc:
        raise click.BadParameter(f"{text!r} is not valid JSON: {exc}", param_hint="'--guardrail'") from None
    if not isinstance(found, dict):
        raise click.BadParameter(f"{text!r} must be a JSON object", param_hint="'--guardrail'")
    return found


@experiment.command()
@click.argument("name", type=WORDS)
@_design_options
@workspace_option
@quiet_option
def create(name: str, **given: Any) -> None:
    """Write an experiment down, as a draft."""
    with open_workspace(given["workspace"], read_only=False) as ws:
        made = ws.experiments.create(name, **_design(given))
    _say(made, given)


@experiment.command()
@click.argument("name", type=WORDS)
@_design_options
@workspace_option
@quiet_option
def change(name: str, **given: Any) -> None:
    """Change the design; what deals people anew opens a new phase."""
    with open_workspace(given["workspace"], read_only=False) as ws:
        made = ws.experiments.change(name, **_design(given))
    _say(made, given)


@experiment.command()
@click.argument("name", type=WORDS)
@_design_options
@click.option("--at", "at", type=WORDS, metavar="TIME", help="When it began, if earlier, with a time zone.")
@workspace_option
@quiet_option
def start(name: str, **given: Any) -> None:
    """Begin to assign people; after a stop this opens a new phase."""
    with open_workspace(given["workspace"], read_only=False) as ws:
        made = ws.experiments.start(name, at=given["at"], **_design(given))
    _say(made, given)


@experiment.command()
@click.argument("name", type=WORDS)
@click.option("--at", "at", type=WORDS, metavar="TIME", help="When it ended, if earlier, with a time zone.")
@workspace_option
@quiet_option
def stop(name: str, **given: Any) -> None:
    """Assign nobody any more; exposures after this do not count."""
    with open_workspace(given["workspace"], read_only=False) as ws:
        made = ws.experiments.stop(name, at=given["at"])
    _say(made, given)


@experiment.command()
@click.argument("name", type=WORDS)
@workspace_option
@quiet_option
def archive(name: str, **given: Any) -> None:
    """Put an experiment away; its results stay."""
    with open_workspace(given["workspace"], read_only=False) as ws:
        made = ws.experiments.archive(name)
    _say(made, given)


def _say(made: Experiment, given: dict[str, Any]) -> None:
    if not given["quiet"]:
        click.echo(_line(made))


def _line(made: Experiment) -> str:
    weights = made.design.allocation().weights or ()
    shares = ", ".join(f"{name} {share:.0%}" for name, share in zip(made.design.variants, weights, strict=True))
    since = f" since {made.phase.started_at:%Y-%m-%d %H:%M} UTC" if made.phase.started_at else ""
    return f"{made.name}: {made.status}{since}, phase {made.phase.number}; {shares}, of {made.design.coverage:.0%}"


@experiment.command(name="list")
@report_option
@workspace_option
def list_(form: str, workspace: Path | None) -> None:
    """List the experiments."""
    with open_workspace(workspace, read_only=True) as ws:
        found = ws.experiments.all()
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        click.echo(msgspec.json.encode(found))
        return
    for one in found:
        click.echo(_line(one))
    if not found:
        click.echo("no experiments yet; make one with: regulars experiment create NAME")


@experiment.command()
@click.argument("name", type=WORDS)
@click.argument("user_id", type=WORDS)
@click.option("--log", is_flag=True, help="Record that they saw it, now.")
@report_option
@workspace_option
def assign(name: str, user_id: str, form: str, workspace: Path | None, *, log: bool) -> None:
    """Show which variant a person gets, and why."""
    with open_workspace(workspace, read_only=not log) as ws:
        found = ws.experiments.assign(name, user_id, log=log)
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        click.echo(msgspec.json.encode(found._asdict()))
        return
    click.echo(f"{found.variant or 'no variant'} ({found.reason.replace('_', ' ')})")


@experiment.command()
@click.argument("name", type=WORDS)
@click.option("--phase", type=int, metavar="NUMBER", help="Which phase.  [default: the present one]")
@click.option("-o", "--option", "options", multiple=True, type=WORDS, metavar="KEY=VALUE",
              help="Measure otherwise than the design says.")  # fmt: skip
@output_options
@workspace_option
@quiet_option
def results(name: str, **given: Any) -> None:
    """Show what came of an experiment: each variant against the control, the split, the guardrails.

    \b
    Examples:
      regulars experiment results checkout
      regulars experiment results checkout -o measure=sum -o property=amount -o winsorize=99 -o cuped=14
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    form = chosen_format(given["form"], given["output"])
    own = metric_options(EXPERIMENT, given["options"])
    by = [one for text in given["by"] for one in split_names(text)]
    slices: dict[str, Any] = {key: given[key] for key in _SLICES[1:]}
    with open_workspace(given["workspace"], read_only=True) as ws:
        result = ws.experiments.results(name, phase=given["phase"], by=by, **slices, **own)
        rails = ws.experiments.guardrails(name, phase=given["phase"]) if form == "table" else []

    def show(found: Result, screen: Any, *, quiet: bool) -> None:
        from regulars.interfaces.cli.variants import show_variants  # noqa: PLC0415 -- rich is for people only

        show_variants(found, rails, screen, quiet=quiet)

    print_answer(result, form, given, show)


question_options(results, _SLICES)


@experiment.command()
@click.argument("name", type=WORDS)
@click.option("--phase", type=int, metavar="NUMBER", help="Which phase.  [default: the present one]")
@report_option
@workspace_option
@click.pass_context
def audit(ctx: click.Context, /, name: str, phase: int | None, form: str, workspace: Path | None) -> None:
    """Check that people saw the variant that the hash gives them; exit code 1 where they did not."""
    with open_workspace(workspace, read_only=True) as ws:
        found = ws.experiments.audit(name, phase=phase)
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        click.echo(msgspec.json.encode(found._asdict()))
    else:
        wrong = len(found.mismatches)
        shown = ", ".join(found.mismatches[:_SHOWN]) + (" ..." if wrong > _SHOWN else "")
        click.echo(f"{count(found.exposed, 'id')} exposed, {wrong:,} to another variant than theirs"
                   + (f": {shown}" if wrong else ""))  # fmt: skip
    if found.mismatches:
        ctx.exit(1)


@experiment.command()
@click.option("--baseline", type=float, required=True, metavar="NUMBER", help="The share, or mean, of the control.")
@click.option("--mde", type=float, required=True, metavar="NUMBER", help="The smallest difference worth finding.")
@click.option("--relative", is_flag=True, help="--mde is a part of the baseline: 0.1 is ten percent of it.")
@click.option("--deviation", type=float, metavar="NUMBER", help="Standard deviation between people, for means.")
@click.option(
    "--arms", type=click.IntRange(2, 27), default=2, show_default=True, help="Variants, the control included."
)
@click.option("--power", type=float, default=0.8, show_default=True, help="The chance to find it.")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="The chance to find what is not there.")
@click.option("--per-day", type=float, metavar="PEOPLE", help="New people a day, to say how long it takes.")
@report_option
def power(form: str, **given: Any) -> None:
    """Say how many people an experiment needs.

    \b
    Examples:
      regulars experiment power --baseline 0.10 --mde 0.02
      regulars experiment power --baseline 20 --mde 0.05 --relative --deviation 35 --per-day 400
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    from regulars.domain.experiment_size import people_needed  # noqa: PLC0415 -- only planning needs it

    found = people_needed(**given)
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        click.echo(msgspec.json.encode(found))
        return
    click.echo(f"to find {found.baseline:g} against {found.target:g} with {given['power']:.0%} power:")
    click.echo(f"  {count(found.per_variant, 'user')} per variant, {count(found.in_all, 'user')} in all")
    if found.days is not None:
        click.echo(f"  {count(found.days, 'day')} at {given['per_day']:g} users a day; run whole weeks, one at least")
