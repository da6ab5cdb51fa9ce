"""``regulars check``: what is wrong with the data, in the workspace or in files."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regulars.errors import WorkspaceLockedError
from regulars.interfaces.cli.opening import SETTINGS_NAME, open_workspace
from regulars.interfaces.cli.options import FILE, WORDS, chosen_format, quiet_option, workspace_option

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from regulars.workspace import Workspace

_SEVERITIES = ("error", "warning", "info")


@click.command()
@click.argument("paths", nargs=-1, type=WORDS, metavar="[PATH]...")
@click.option("--only", multiple=True, type=WORDS, metavar="NAME", help="Run this check; can be repeated.")
@click.option(
    "--fail-on", type=click.Choice(_SEVERITIES), default="error", show_default=True,
    help="Exit with 1 when a check of this severity, or a graver one, fails.",
)  # fmt: skip
@click.option(
    "--timezone", type=WORDS, metavar="TZ",
    help="Zone of the days, and of times that name none, in files.  [default: that of -w, else UTC]",
)  # fmt: skip
@click.option("--no-store", is_flag=True, help="Keep no results; needs no right to write.")
@click.option("--format", "form", type=click.Choice(("table", "json", "csv")), help="Text for people, or data.")
@click.option("--output", type=FILE, metavar="FILE", help="Write to a file; its ending chooses the format.")
@workspace_option
@quiet_option
def check(**given: Any) -> int:
    """Check the data: rows, people, times, values, volume, sessions, and that stored rows add up.

    Without PATH, or with that of a workspace, the workspace is checked, and the counts are kept in its table
    check_results. With PATH, a file or a
    folder that `generate` or `prepare` wrote, or any events and users, they are loaded into memory, checked, and
    forgotten; -w then gives the settings. What failed comes first, with a few rows and the next step.

    \b
    Examples:
      regulars check -w shop
      regulars check data/raw --fail-on warning
      regulars check --only out_of_range --only late_events --format json
    """  # noqa: D301 -- \b is click's mark for lines that are not to be wrapped
    from regulars.interfaces.cli.findings import write_report  # noqa: PLC0415 -- it brings the screen along

    form = chosen_format(given["form"], given["output"])
    if form == "parquet":
        raise click.UsageError("a report is written as table, json or csv")
    with _opened(given) as ws:
        report = ws.check(given["only"], store=ws.folder is not None)
        write_report(ws, report, form, given["output"], quiet=given["quiet"])
    return int(not report.ok(given["fail_on"]))


def _opened(given: dict[str, Any]) -> AbstractContextManager[Workspace]:
    folder = _workspace_among(given["paths"])
    if folder or not given["paths"]:
        return _workspace(folder or given["workspace"], store=not given["no_store"])
    from regulars.interfaces.cli.checked_files import load_files  # noqa: PLC0415 -- only files need it

    return nullcontext(load_files(given["paths"], given["workspace"], given["timezone"], quiet=given["quiet"]))


def _workspace(folder: Path | None, *, store: bool) -> Workspace:
    """Open it to keep the results; beside other readers that is not possible, and they are only shown."""
    if not store:
        return open_workspace(folder, read_only=True)
    try:
        return open_workspace(folder, read_only=False)
    except WorkspaceLockedError:
        ws = open_workspace(folder, read_only=True)
        click.echo("note: another process reads this workspace, so the results are not kept", err=True)
        return ws


def _workspace_among(paths: Sequence[str]) -> Path | None:
    """The one path, if it is the folder of a workspace and no data."""
    folders = [Path(path) for path in paths if (Path(path) / SETTINGS_NAME).is_file()]
    if folders and len(paths) > 1:
        raise click.UsageError(f"{str(folders[0])!r} is a workspace; check it alone")
    return folders[0] if folders else None
