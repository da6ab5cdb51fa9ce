"""``regulars features``: what was known about each user at the end of a day, and whether they left after it.

A row never reads anything that happened after its day, and never the latent score of made-up users.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from regulars.errors import SettingsError, SourceError
from regulars.synthetic.account import FeatureData, hints_about_labels, tell_features
from regulars.synthetic.command import run_command
from regulars.synthetic.events_clean import WHO_ACTED, CleanEvents, has_whole_ids, local_day
from regulars.synthetic.prepare import REPORT as PREPARED
from regulars.synthetic.prepare import clean_tables
from regulars.synthetic.raw import find_tables
from regulars.synthetic.snapshots import Labelling, count_acts, select_snapshot
from regulars.synthetic.write import (
    FORMATS,
    Format,
    TableFile,
    check_format,
    earlier_tables,
    scratch_folder,
    workbench,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

__all__ = ["FeatureData", "features", "features_command"]

REPORT: Final = "features.json"
_MOST_DAYS = 366


def features(
    folder: Path,
    out: Path | None = None,
    *,
    horizon: int = 30,
    lookback: int = 28,
    every: int = 7,
    format: Format = "csv",
) -> FeatureData:
    """Write ``features``: one row per user and as-of date, and the label to be predicted.

    Args:
        folder: what ``regulars prepare`` wrote: ``users_clean`` and ``events_clean``.
        out: a folder for ``features`` and ``features.json``; without it `folder` itself.
        horizon: days after the as-of date in which a core action means that the user stayed.
        lookback: days up to the as-of date in which a user must have a core action to be judged at all.
        every: days from one as-of date to the next. The first is the last day of the first `lookback` days.
        format: how the table is written, which is also the ending of its name.

    Returns:
        How many rows there are, and how many of them have which label.

    Raises:
        SourceError: as of ``prepare``; ``window_too_short``: there are fewer days of events than `lookback`.
        SettingsError: a number is out of range, or `out` holds features of other origin.
    """
    check_format(format)
    for name, value in (("horizon", horizon), ("lookback", lookback), ("every", every)):
        _check_days(name, value)
    paths = find_tables(folder, ("users_clean", "events_clean"), f"make it with: regulars prepare --out {folder}")
    target = out or folder
    target.mkdir(parents=True, exist_ok=True)
    replaced = earlier_tables(target, ("features",), REPORT, "this command")
    with scratch_folder(target) as scratch, workbench(scratch) as connection:
        _, events = clean_tables(connection, paths, scratch)
        first, last = _stage(connection, events, _timezone(folder))
        days = as_of_dates(first, last, lookback=lookback, every=every)
        labelling = Labelling(horizon, lookback, last)
        with TableFile(target / f"features.{format}", "", scratch, connection) as table:
            counts = _write(connection, table, days, labelling)
            data = _account(target, days, labelling, counts)
            _publish(table, replaced, data)
    return data


def as_of_dates(first: dt.date, last: dt.date, *, lookback: int, every: int) -> list[dt.date]:
    """The days that get rows.

    >>> [day.day for day in as_of_dates(dt.date(2025, 1, 1), dt.date(2025, 1, 31), lookback=14, every=7)]
    [14, 21, 28]
    """
    begin = first + dt.timedelta(days=lookback - 1)
    if begin > last:
        raise SourceError(
            f"events are from {first} to {last}, {(last - first).days + 1} days; the first row needs {lookback}. "
            "Take more days, or a smaller --lookback",
            code="window_too_short",
        )
    return [begin + dt.timedelta(days=step) for step in range(0, (last - begin).days + 1, every)]


def _check_days(name: str, value: int) -> None:
    if not 1 <= value <= _MOST_DAYS:
        message = f"{name} is {value}; it must be a number of days from 1 to {_MOST_DAYS}"
        raise SettingsError(message, option=name, value=value)


def _timezone(folder: Path) -> str:
    """The zone whose days the prepared tables have; UTC for tables of other origin."""
    try:
        told = json.loads((folder / PREPARED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "UTC"
    return str(told.get("timezone", "UTC")) if isinstance(told, dict) else "UTC"


def _stage(connection: duckdb.DuckDBPyConnection, events: CleanEvents, timezone: str) -> tuple[dt.date, dt.date]:
    day = local_day(events, timezone, "e.event_time")
    count_acts(connection, day, local_day(events, timezone, "link.linked_at"))
    first, last = connection.execute(f"SELECT min({day}), max({day}) {WHO_ACTED}").fetchall()[0]
    return first, last


def _write(
    connection: duckdb.DuckDBPyConnection, table: TableFile, days: Iterable[dt.date], labelling: Labelling
) -> Counter[str]:
    """Write one snapshot after the other; returns what their rows add up to."""
    counts: Counter[str] = Counter()
    whole_ids, _ = has_whole_ids(connection)
    text = table.path.suffix != ".parquet"
    for day in days:
        select = select_snapshot(day, labelling, whole_ids=whole_ids, text=text)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE snapshot AS {select}")
        table.append_rows("SELECT * EXCLUDE (rank) FROM snapshot ORDER BY rank")
        rows, eligible, labelled, churned, censored = connection.execute("""
            SELECT count(*), count(*) FILTER (is_eligible), count(churned), count(*) FILTER (churned),
                count(*) FILTER (is_censored) FROM snapshot""").fetchall()[0]
        counts.update(rows=rows, eligible=eligible, labelled=labelled, churned=churned, censored=censored)
    table.close()
    return counts


def _publish(table: TableFile, replaced: Iterable[Path], data: FeatureData) -> None:
    report = json.dumps(data.as_json(), indent=1) + "\n"
    (data.folder / REPORT).write_text(report, encoding="utf-8")
    for old in replaced:
        old.unlink()
    table.publish()


def _account(folder: Path, days: list[dt.date], labelling: Labelling, counts: Counter[str]) -> FeatureData:
    return FeatureData(
        folder=folder, snapshots=len(days), first=days[0], last=days[-1], horizon=labelling.horizon,
        lookback=labelling.lookback, rows=counts["rows"], eligible=counts["eligible"], labelled=counts["labelled"],
        churned=counts["churned"], censored=counts["censored"], hints=hints_about_labels(counts, labelling),
    )  # fmt: skip


def _run(folder: Path, as_json: bool, **options: Any) -> None:  # noqa: FBT001 -- click passes it
    data = features(folder, **options)
    if as_json:
        click.echo(json.dumps(data.as_json(), indent=1))
    else:
        tell_features(data)


_FOLDER = click.Path(file_okay=False, path_type=Path)

features_command = click.Command(
    "features",
    callback=_run,
    params=[
        click.Argument(["folder"], type=_FOLDER, default=Path("data/processed"), metavar="[DIR]"),
        click.Option(["--out"], type=_FOLDER, help="Folder for features.  [default: DIR]"),
        click.Option(["--horizon"], type=int, default=30, show_default=True,
                     help="Days without a core action that mean churn."),
        click.Option(["--lookback"], type=int, default=28, show_default=True,
                     help="Days in which a user must have had a core action to get a label."),
        click.Option(["--every"], type=int, default=7, show_default=True, help="Days between two rows of a user."),
        click.Option(["--format"], type=click.Choice(FORMATS), default="csv", show_default=True,
                     help="How the table is written."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the report as JSON."),
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Say what was known about each user at the end of a day, and whether they left after it.

    Reads users_clean and events_clean in DIR (data/processed) and writes features and features.json. A row reads
    nothing that happened after its as_of_date. The label is empty where the events end before the horizon does.

    \b
    Example:
      regulars features
      regulars features clean --horizon 14 --every 1 --format parquet""",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; what is wrong is said in one line."""
    return run_command(features_command, arguments)


if __name__ == "__main__":
    sys.exit(main())
