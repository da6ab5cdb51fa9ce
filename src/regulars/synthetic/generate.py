"""``regulars generate``: users, events and the truth about them, from a seed.

The same seed and options give the same bytes of CSV, whatever the machine: users are drawn in blocks of
a fixed size, each from random streams of its own, and written one block after the other.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regulars.errors import SettingsError
from regulars.synthetic.activity import DAY
from regulars.synthetic.billing import billing_events, ticket_events
from regulars.synthetic.command import Date, run_command
from regulars.synthetic.dirt import soil
from regulars.synthetic.events import merge
from regulars.synthetic.options import CHOICES, GeneratorOptions
from regulars.synthetic.population import block_count, draw_population
from regulars.synthetic.sessions import session_events
from regulars.synthetic.tables import events_select, user_columns, users_select, with_epoch
from regulars.synthetic.truth import Truth
from regulars.synthetic.write import (
    FORMATS,
    Format,
    TableFile,
    block_connection,
    check_format,
    earlier_tables,
    scratch_folder,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from regulars.synthetic.events import Events
    from regulars.synthetic.population import Population

__all__ = ["GeneratedData", "GeneratorOptions", "generate", "generate_command"]


@dataclass(frozen=True)
class GeneratedData:
    """Where the data is, and how much there is of it."""

    users: Path
    events: Path
    truth: Path
    user_count: int
    event_count: int  # rows written, duplicates included
    injected: dict[str, int]


def generate(
    options: GeneratorOptions,
    out: Path,
    format: Format = "csv",
    progress: Callable[[int, int], None] | None = None,
) -> GeneratedData:
    """Write ``users``, ``events`` and ``truth.json`` into the folder `out`.

    Args:
        options: the product to make up.
        out: a folder, made if missing; an earlier run's files in it are replaced.
        format: ``csv``, ``csv.gz`` or ``parquet``, which is also the ending of the file names.
        progress: called after each block with the users done so far and all users.

    Raises:
        SettingsError: the format is unknown, or `out` holds users or events of other origin.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     data = generate(GeneratorOptions(n_users=10, days=7), Path(folder))
    ...     data.users.name, data.user_count, data.events.read_text().splitlines()[0]
    ('users.csv', 10, 'event_id,user_id,event_time,event_type,course_id,watch_minutes,quiz_score,amount')
    """
    check_format(format)
    out.mkdir(parents=True, exist_ok=True)
    replaced = earlier_tables(out, ("users", "events"), "truth.json", "the generator")
    truth = Truth(options)
    text = format != "parquet"
    with (
        scratch_folder(out) as scratch,
        block_connection(scratch) as connection,
        TableFile(out / f"users.{format}", users_select(options), scratch, connection) as users,
        TableFile(out / f"events.{format}", events_select(options, text=text), scratch, connection) as events,
    ):
        for block in range(block_count(options)):
            _write_block(options, block, users, events, truth)
            if progress:
                progress(users.rows, options.n_users)
        _publish(replaced, (users, events), truth, out / "truth.json")
    injected = dict(truth.injected)
    return GeneratedData(users.path, events.path, out / "truth.json", users.rows, events.rows, injected)


def draw_events(options: GeneratorOptions, people: Population, block: int) -> Events:
    """Everything one block of users does in the window, in the order of user and time, without faults."""
    draws = (session_events, billing_events, ticket_events)
    return merge([draw(options, people, block) for draw in draws], options.days * DAY)


def _write_block(options: GeneratorOptions, block: int, users: TableFile, events: TableFile, truth: Truth) -> None:
    people = draw_population(options, block)
    users.append(user_columns(options, people))
    drawn = draw_events(options, people, block)
    soiled = soil(options, people, drawn, truth.event_count + 1, block)
    events.append(with_epoch(options, soiled.rows))
    events.append(with_epoch(options, soiled.late), at_end=True)
    truth.add(people, drawn, soiled.injected)


def _publish(replaced: Sequence[Path], tables: Sequence[TableFile], truth: Truth, path: Path) -> None:
    """The truth goes first: whatever happens next, the folder is known to be the generator's."""
    for table in tables:
        table.close()
    truth.write(path)
    for old in replaced:
        old.unlink()
    for table in tables:
        table.publish()


_OUTPUT_OPTIONS = (
    click.Option(
        ["--out"],
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("data/raw"),
        show_default=True,
        help="Folder for users, events and truth.json.",
    ),
    click.Option(
        ["--format"],
        type=click.Choice(FORMATS),
        default="csv",
        show_default=True,
        help="How tables are written.",
    ),
)


def _product_options() -> list[click.Option]:
    return [
        click.Option(
            ["--" + spec.name.replace("_", "-")],
            type=_click_type(spec.name, str(spec.type)),
            default=spec.default,
            show_default=True,
            help=spec.metadata["help"],
        )
        for spec in fields(GeneratorOptions)
    ]


def _click_type(name: str, annotation: str) -> click.ParamType[Any]:
    if name in CHOICES:
        return click.Choice(CHOICES[name])
    types: dict[str, click.ParamType[Any]] = {"int": click.INT, "float": click.FLOAT, "dt.date": _DATE}
    return types[annotation]


_DATE = Date()


def _run(out: Path, format: Format, **product: Any) -> None:
    try:
        options = GeneratorOptions(**product)
    except SettingsError as error:
        name = str(error.fields.get("option", "")).replace("_", "-")
        raise click.BadParameter(error.message, param_hint=f"'--{name}'" if name else None) from error
    terminal = sys.stderr.isatty()
    with click.progressbar(length=options.n_users, label="users", file=sys.stderr, hidden=not terminal) as bar:
        data = generate(options, out, format, progress=lambda done, _: bar.update(done - bar.pos))
    click.echo(f"wrote {data.user_count:,} users and {data.event_count:,} events to {out}")
    faults = ", ".join(f"{count:,} {name}" for name, count in data.injected.items() if count)
    if faults:
        click.echo(f"injected: {faults}")


generate_command = click.Command(
    "generate",
    callback=_run,
    params=[*_product_options(), *_OUTPUT_OPTIONS],
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Make up a product: its users, their events, and the truth about both.

    The data is synthetic: engagement_score, which drives everything, does not exist in real data. The same
    seed and options give the same CSV. truth.json holds what an analysis must find.""",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; what is wrong is said in one line."""
    return run_command(generate_command, arguments)


if __name__ == "__main__":
    sys.exit(main())
