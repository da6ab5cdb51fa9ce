"""``regulars prepare``: raw users and events into clean tables, and one row per user and day.

Whatever is repaired is counted, and whatever cannot be read is kept in ``rejects.csv`` with its line and reason. The
same input gives the same bytes.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from regulars.errors import SettingsError
from regulars.synthetic.account import PreparedData, hints_about, tell_prepared
from regulars.synthetic.command import Date, run_command
from regulars.synthetic.events_clean import REQUIRED as EVENT_COLUMNS
from regulars.synthetic.events_clean import CleanEvents, clean_events, has_whole_ids, local_day, select_events
from regulars.synthetic.raw import NO_ROW, REJECTED, create_rejected, find_tables, read_table
from regulars.synthetic.sql import literal
from regulars.synthetic.user_daily import count_days, find_window, write_days
from regulars.synthetic.users_clean import REQUIRED as USER_COLUMNS
from regulars.synthetic.users_clean import CleanUsers, clean_users, select_users
from regulars.synthetic.write import FORMATS, Format, TableFile, check_format, earlier_tables, scratch_folder, workbench

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    import duckdb

    from regulars.synthetic.user_daily import DailyAccount, Window

__all__ = ["PreparedData", "prepare", "prepare_command"]

TABLES: Final = ("users_clean", "events_clean", "user_daily")
REPORT: Final = "prepared.json"
REJECTS: Final = "rejects.csv"


def prepare(
    raw: Path,
    out: Path,
    *,
    format: Format = "csv",
    start: dt.date | None = None,
    end: dt.date | None = None,
    timezone: str = "UTC",
    from_signup: bool = False,
    keep_latent: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PreparedData:
    """Write ``users_clean``, ``events_clean``, ``user_daily``, ``rejects.csv`` and ``prepared.json`` into `out`.

    Args:
        raw: a folder with ``users`` and ``events`` as .csv, .csv.gz or .parquet.
        out: a folder, made if missing; an earlier run's files in it are replaced.
        format: how the tables are written, which is also the ending of their names.
        start: first day of ``user_daily``; without it the day of the first event.
        end: last day of ``user_daily``; without it the day of the last event.
        timezone: IANA name of the zone in which days begin and end. Times that name no zone are UTC.
        from_signup: leave out the days before each user's sign-up.
        keep_latent: keep ``engagement_score``, which synthetic users have and real ones do not.
        progress: called after each block with the users done so far and all users.

    Returns:
        How many rows there are, what was repaired, and what was set aside.

    Raises:
        SourceError: ``no_such_file``, ``ambiguous_source``, ``empty_source``, ``missing_column``, ``bad_source``,
            ``no_events``, ``no_users`` or ``bad_window``.
        SettingsError: the format or zone is unknown, or `out` holds tables of other origin.

    >>> import tempfile
    >>> from regulars.synthetic.generate import GeneratorOptions, generate
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = generate(GeneratorOptions(n_users=10, days=7), Path(folder, "raw"))
    ...     data = prepare(Path(folder, "raw"), Path(folder, "processed"))
    ...     data.users, data.days, data.rows, data.repairs["users"]["plan_spelling"]
    (10, 7, 70, 0)
    """
    _check(raw, out, format, timezone)
    paths = find_tables(raw, ("users", "events"), f"make a product with: regulars generate --out {raw}")
    out.mkdir(parents=True, exist_ok=True)
    replaced = earlier_tables(out, (*TABLES, "rejects"), REPORT, "this command")
    with scratch_folder(out) as scratch, workbench(scratch) as connection, ExitStack() as stack:
        users, events = clean_tables(connection, paths, scratch)
        day = local_day(events, timezone)
        window = find_window(connection, day, start, end)
        count_days(connection, day)
        whole = has_whole_ids(connection)
        tables = [TableFile(out / f"{name}.{format}", "", scratch, connection) for name in TABLES]
        files = [stack.enter_context(table) for table in tables]
        files[0].append_rows(select_users(users, whole_ids=whole[0], keep_latent=keep_latent))
        files[1].append_rows(select_events(events, timezone, whole=whole, text=format != "parquet"))
        daily = write_days(connection, files[2], window, whole_ids=whole[0], from_signup=from_signup, progress=progress)
        rejected = _write_rejects(connection, scratch / REJECTS)
        data = _account(out, users, events, timezone=timezone, window=window, daily=daily, rejected=rejected)
        _publish(out, replaced, files, scratch / REJECTS, data)
    return data


def clean_tables(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], scratch: Path
) -> tuple[CleanUsers, CleanEvents]:
    """Stage the files of users and events, raw or clean already, as the tables that everything is made of."""
    create_rejected(connection)
    users = clean_users(connection, read_table(connection, paths[0], "users", USER_COLUMNS, scratch))
    events = clean_events(connection, read_table(connection, paths[1], "events", EVENT_COLUMNS, scratch))
    return users, events


def _check(raw: Path, out: Path, format: str, timezone: str) -> None:
    check_format(format)
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"timezone is {timezone!r}; it must be an IANA name such as UTC or Europe/Berlin"
        raise SettingsError(message, option="timezone", value=timezone) from error
    if raw.resolve() == out.resolve():
        message = f"the clean tables cannot lie beside the raw ones in {raw}; choose another folder with --out"
        raise SettingsError(message, option="out", value=str(out))


def _write_rejects(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, dict[str, int]]:
    ordered = f"FROM {REJECTED} ORDER BY source DESC, line"
    connection.execute(f"COPY ({ordered}) TO {literal(path)} (FORMAT csv, HEADER true)")
    counted: dict[str, dict[str, int]] = {"users": {}, "events": {}}
    for source, reason, rows in connection.execute(
        f"SELECT source, reason, count(*) FROM {REJECTED} GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        counted[source][reason] = rows
    return counted


def _account(
    out: Path,
    users: CleanUsers,
    events: CleanEvents,
    *,
    timezone: str,
    window: Window,
    daily: DailyAccount,
    rejected: dict[str, dict[str, int]],
) -> PreparedData:
    rows = {"users": users.rows, "events": events.rows}
    read = {table: rows[table] + sum(rejected[table].get(reason, 0) for reason in NO_ROW) for table in rows}
    return PreparedData(
        folder=out, timezone=timezone, users=users.users, events=events.events, rows=daily.rows,
        start=window.start, end=window.end, days=window.days, active_rows=daily.active_rows, rows_read=read,
        repairs={"users": users.repairs, "events": events.repairs}, rejected=rejected, id_conflicts=events.conflicts,
        naive_times=events.naive, unknown_user_events=events.unknown_user_events, unknown_users=events.unknown_users,
        anonymous_events=events.anonymous_events, marker_events=events.marker_events,
        events_outside_window=daily.outside, unknown_types=events.unknown_types,
        hints=hints_about(users.users, events),
    )  # fmt: skip


def _publish(
    out: Path, replaced: Sequence[Path], files: Sequence[TableFile], rejects: Path, data: PreparedData
) -> None:
    """The report goes first: whatever happens next, the folder is known to be ours."""
    for file in files:
        file.close()
    (out / REPORT).write_text(json.dumps(data.as_json(), indent=1) + "\n", encoding="utf-8")
    for old in replaced:
        old.unlink()
    for file in files:
        file.publish()
    rejects.replace(out / REJECTS)


def _run(raw: Path, out: Path, as_json: bool, **options: Any) -> None:  # noqa: FBT001 -- click passes it
    terminal = sys.stderr.isatty()
    with click.progressbar(length=1, label="users", file=sys.stderr, hidden=not terminal) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        data = prepare(raw, out, progress=progress, **options)
    if as_json:
        click.echo(json.dumps(data.as_json(), indent=1))
    else:
        tell_prepared(data)


_FOLDER = click.Path(file_okay=False, path_type=Path)

prepare_command = click.Command(
    "prepare",
    callback=_run,
    params=[
        click.Argument(["raw"], type=_FOLDER, default=Path("data/raw"), metavar="[RAW]"),
        click.Option(["--out"], type=_FOLDER, default=Path("data/processed"), show_default=True,
                     help="Folder for the clean tables."),
        click.Option(["--format"], type=click.Choice(FORMATS), default="csv", show_default=True,
                     help="How tables are written."),
        click.Option(["--start"], type=Date(), metavar="DAY",
                     help="First day of user_daily.  [default: that of the first event]"),
        click.Option(["--end"], type=Date(), metavar="DAY",
                     help="Last day of user_daily.  [default: that of the last event]"),
        click.Option(["--timezone"], default="UTC", show_default=True, metavar="TZ",
                     help="IANA name of the zone in which days begin and end."),
        click.Option(["--from-signup"], is_flag=True, help="Leave out the days before each user's sign-up."),
        click.Option(["--keep-latent"], is_flag=True, help="Keep engagement_score, which only made-up users have."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the report as JSON."),
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Clean the users and events in the folder RAW (data/raw), and count every user on every day.

    Writes users_clean, events_clean, user_daily, rejects.csv and prepared.json. What was repaired is counted by
    kind; a row that cannot be read goes to rejects.csv with its line and reason.

    \b
    Example:
      regulars prepare
      regulars prepare exports/may --out clean --format parquet --timezone Asia/Kolkata""",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; what is wrong is said in one line."""
    return run_command(prepare_command, arguments)


if __name__ == "__main__":
    sys.exit(main())
