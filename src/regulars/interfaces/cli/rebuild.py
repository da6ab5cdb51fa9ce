"""``regulars rebuild``."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING

import click

from regulars.interfaces.cli.opening import find_folder, open_workspace
from regulars.interfaces.cli.options import quiet_option, report_option, workspace_option
from regulars.interfaces.cli.progress import ProgressLine
from regulars.interfaces.cli.words import count, printable, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from regulars.domain.archive import ImportRecord, Rebuilt


@click.command()
@click.option("--from-archive", is_flag=True, help="Make a lost or damaged database anew from what was tracked.")
@report_option
@workspace_option
@quiet_option
def rebuild(workspace: Path | None, form: str, *, from_archive: bool, quiet: bool) -> None:
    """Compute everything derived from the events anew.

    Needed after a change of regulars.toml only to make questions fast again: the answers follow the settings at
    once. Events are never touched.

    With --from-archive, the events are brought back too, after the database was lost or damaged: everything that was
    tracked or collected, from the archive and the journal. The imports to repeat are listed at the end. A run that was
    killed goes on where it was.

    \b
    Examples:
      regulars rebuild -w shop
      regulars rebuild --from-archive -w shop
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    if from_archive:
        _from_archive(find_folder(workspace), form, quiet=quiet)
        return
    begun = time.perf_counter()
    with open_workspace(workspace, read_only=False) as ws:
        ws.rebuild()
        ((events,),) = ws.sql("SELECT count(*) FROM fact_user_actions").rows
    took = time.perf_counter() - begun
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        click.echo(msgspec.json.encode({"events": events, "seconds": took}))
    elif not quiet:
        click.echo(f"rebuilt from {count(events, 'event')} in {seconds(took)}")


def _from_archive(folder: Path, form: str, *, quiet: bool) -> None:
    from regulars.rebuilding import rebuild_from_archive  # noqa: PLC0415 -- it loads the database library

    begun = time.perf_counter()
    done = 0
    line = ProgressLine("archive", quiet=quiet or form == "json")

    def progress(places: int) -> None:
        nonlocal done
        done += places
        line("load", done, None)

    try:
        rebuilt = rebuild_from_archive(folder, progress=progress)
    finally:
        line.clear()
    if form == "json":
        import msgspec  # noqa: PLC0415 -- only this form needs it

        click.echo(msgspec.json.encode(rebuilt))
    else:
        took = seconds(time.perf_counter() - begun)
        if not quiet:
            click.echo(f"made anew with {count(rebuilt.events, 'event')} in {took}")
            click.echo("\n".join(_besides(rebuilt, folder)))
        if rebuilt.lost:
            lost = f"{count(rebuilt.lost, 'event')} that neither the archive nor the journal has whole"
            click.echo(f"warning: lost {lost}; see the table dead_letter", err=True)


def _besides(rebuilt: Rebuilt, folder: Path) -> Iterator[str]:
    """What did not become an event, what has to be repeated, and what is gone."""
    if rebuilt.reasons:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in rebuilt.reasons.items())
        yield f"  in the table dead_letter: {reasons}"
    files = [record for record in rebuilt.imports if record.path]
    if files:
        yield "these imports are to be repeated:"
        yield from (f"  {_command(record, folder)}" for record in files)
    others = sorted({record.source for record in rebuilt.imports if not record.path})
    if others:
        yield f"other rows came from a program ({', '.join(others)}); run it again"
    yield "corrections, frozen cohorts, experiments and published answers were in the database only; a backup has them"
    if rebuilt.kept_aside:
        yield f"the old database was kept as {rebuilt.kept_aside}; delete it in time, for erasures do not reach it"


def _command(record: ImportRecord, folder: Path) -> str:
    """The command that repeats an import."""
    words = ["regulars", "import", str(record.path), "-w", str(folder)]
    for option, value in (("--kind", record.kind), ("--format", record.format)):
        words += [option, value] if value != "auto" else []
    words += ["--timezone", record.timezone] if record.timezone else []
    for role, column in (record.mapping or {}).items():
        words += ["--map", f"{role}={column}"]
    return printable(shlex.join(words))
