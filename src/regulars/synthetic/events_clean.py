"""``events_clean``: one row per event, with the day it falls on; what cannot be read is set aside with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from regulars.domain.actions import MARKERS, SHIPPED
from regulars.domain.calendar import offsets
from regulars.domain.timezones import offset_sql
from regulars.errors import SourceError
from regulars.synthetic.raw import LINE, REJECTED
from regulars.synthetic.spelling import moment, number, usable_id, utc_time, word
from regulars.synthetic.sql import literal
from regulars.synthetic.users_clean import PEOPLE, id_column, is_whole

if TYPE_CHECKING:
    import datetime as dt

    import duckdb

    from regulars.synthetic.raw import OtherColumns, RawTable

PARSED: Final = "events_parsed"
LINKS: Final = "links"
REQUIRED: Final = ("event_id", "user_id", "event_time", "event_type")
NUMBERS: Final = ("watch_minutes", "quiz_score", "amount")
_KNOWN = (*REQUIRED, "anonymous_id", "course_id", *NUMBERS, "event_date")
_DUPLICATE = "duplicate_event_id"
_EARLIEST, _LATEST = "1970-01-01", "2200-01-01"
_NAMES_ZONE = r"(Z|z|UTC|GMT|:\d{2}(?:[.,]\d+)? ?[+-]\d{2}:?\d{0,2}|^\d{9,17})$"
_DETAILS = {
    "no_type": "'the row has no event type'",
    "no_user": "'neither user id nor anonymous id names anybody'",
    "bad_time": "coalesce('no time: ' || left(time_text, 100), 'the time is missing')",
    "time_out_of_range": f"'outside {_EARLIEST} to {_LATEST}: ' || left(time_text, 100)",
}


@dataclass(frozen=True)
class CleanEvents:
    """What became of the rows of events."""

    rows: int
    events: int
    repairs: dict[str, int]
    conflicts: int  # repeated ids with another user, type or time
    naive: int  # times that name no zone
    unknown_user_events: int
    unknown_users: int
    anonymous_events: int  # of visitors whom no identify event names
    marker_events: int  # identify and its like: no activity
    unknown_types: dict[str, int]
    first_time: dt.datetime
    last_time: dt.datetime
    in_cents: bool  # whether no amount has more than two decimals
    linked: bool  # whether the file has anonymous ids
    others: OtherColumns


def clean_events(connection: duckdb.DuckDBPyConnection, raw: RawTable) -> CleanEvents:
    """Make the table ``events_parsed`` with a ``reason`` for every row that does not count, and ``links``.

    Raises:
        SourceError: ``no_events``: no row can be read as an event.
    """
    others = raw.others(_KNOWN)
    _parse(connection, raw, others)
    cases = " ".join(f"WHEN '{reason}' THEN {detail}" for reason, detail in _DETAILS.items())
    connection.execute(f"""
        INSERT INTO {REJECTED}
        SELECT 'events', {LINE}, reason, CASE reason {cases} END, raw
        FROM {PARSED} JOIN (SELECT {LINE}, {raw.whole()} AS raw FROM {raw.relation}) USING ({LINE})
        WHERE reason IS NOT NULL ORDER BY {LINE}""")
    conflicts = _set_duplicates_aside(connection)
    connection.execute(f"""
        CREATE TABLE {LINKS} AS
        SELECT anonymous_id, arg_min(user_id, (event_time, user_id)) AS user_id, min(event_time) AS linked_at
        FROM {PARSED} WHERE reason IS NULL AND event_type IN ('identify', 'alias')
            AND user_id IS NOT NULL AND anonymous_id IS NOT NULL
        GROUP BY anonymous_id""")
    return _account(connection, raw, others, conflicts)


def _parse(connection: duckdb.DuckDBPyConnection, raw: RawTable, others: OtherColumns) -> None:
    texts = {name: f"{name}_text" for name in NUMBERS}
    given = ", ".join(f"{raw.text(name)} AS {text}" for name, text in texts.items())
    read = ", ".join(f"{number(text)} AS {name}" for name, text in texts.items())
    unreadable = ", ".join(f"{name} IS NULL AND {text} IS NOT NULL AS bad_{name}" for name, text in texts.items())
    connection.execute(f"""
        CREATE TABLE {PARSED} AS
        SELECT {LINE}, event_id, user_id, anonymous_id, event_time, event_type, course_id,
            {", ".join(NUMBERS)}{others.passed()},
            event_type <> coalesce(type_given, '') AS respelt, {unreadable},
            event_time IS NOT NULL AND NOT ends_with(time_text, 'Z')
                AND NOT regexp_matches(time_text, {literal(_NAMES_ZONE)}) AS naive,
            CASE WHEN event_type IS NULL THEN 'no_type'
                 WHEN user_id IS NULL AND anonymous_id IS NULL THEN 'no_user'
                 WHEN event_time IS NULL THEN 'bad_time'
                 WHEN event_time < TIMESTAMP '{_EARLIEST}' OR event_time >= TIMESTAMP '{_LATEST}'
                 THEN 'time_out_of_range' END AS reason,
            CASE WHEN reason IN ('bad_time', 'time_out_of_range') THEN time_text END AS time_text
        FROM (SELECT *, {moment("time_text")} AS event_time, {word("type_text")} AS event_type, {read}
              FROM (SELECT {LINE}, {raw.text("event_id")} AS event_id, {usable_id(raw.text("user_id"))} AS user_id,
                        {usable_id(raw.text("anonymous_id"))} AS anonymous_id, {raw.text("event_time")} AS time_text,
                        {raw.columns["event_type"]} AS type_given, {raw.text("event_type")} AS type_text,
                        {raw.text("course_id")} AS course_id, {given}{others.staged(raw)}
                    FROM {raw.relation}))""")


def _set_duplicates_aside(connection: duckdb.DuckDBPyConnection) -> int:
    """Mark every repetition of an id but the first row with it; returns how many say something else."""
    connection.execute(f"""
        CREATE TEMP TABLE repeated AS
        SELECT event_id, min({LINE}) AS first_line FROM {PARSED} WHERE reason IS NULL AND event_id IS NOT NULL
        GROUP BY event_id HAVING count(*) > 1""")
    said = "(coalesce('k' || {0}.user_id, 'a' || {0}.anonymous_id), {0}.event_type, {0}.event_time)"
    (conflicts,) = connection.execute(f"""
        SELECT count(*) FROM repeated JOIN {PARSED} AS one ON one.{LINE} = first_line
        JOIN {PARSED} AS other ON other.event_id = repeated.event_id AND other.reason IS NULL
        WHERE {said.format("one")} <> {said.format("other")}""").fetchall()[0]
    connection.execute(f"""
        UPDATE {PARSED} SET reason = '{_DUPLICATE}' FROM repeated
        WHERE {PARSED}.event_id = repeated.event_id AND {LINE} > first_line AND reason IS NULL""")
    connection.execute("DROP TABLE repeated")
    return int(conflicts)


def _account(connection: duckdb.DuckDBPyConnection, raw: RawTable, others: OtherColumns, conflicts: int) -> CleanEvents:
    repairs = {"event_type_spelling": "respelt", **{f"{name}_unreadable": f"bad_{name}" for name in NUMBERS}}
    counts = ", ".join(f"count(*) FILTER ({test})" for test in repairs.values())
    events, first, last, naive, markers, in_cents, *found = connection.execute(f"""
        SELECT count(*), min(event_time), max(event_time), count(*) FILTER (naive),
            count(*) FILTER (event_type IN {MARKERS}), coalesce(bool_and(amount = round(amount, 2)), true), {counts}
        FROM {PARSED} WHERE reason IS NULL""").fetchall()[0]
    if events == 0:
        raise SourceError(
            f"{raw.path} holds no event that can be read; a row needs an id, a user, a time and a type",
            code="no_events", path=str(raw.path),
        )  # fmt: skip
    rows, duplicates = connection.execute(
        f"SELECT count(*), count(*) FILTER (reason = '{_DUPLICATE}') FROM {PARSED}"
    ).fetchall()[0]
    strangers, visitors, who = connection.execute(f"""
        SELECT count(*) FILTER (actor IS NOT NULL), count(*) FILTER (actor IS NULL), count(DISTINCT actor)
        FROM (SELECT {ACTOR} AS actor {WHO_ACTED}) ANTI JOIN {PEOPLE} ON user_id = actor""").fetchall()[0]
    shipped = ", ".join(map(literal, SHIPPED))
    types = connection.execute(f"""
        SELECT event_type, count(*) FROM {PARSED} WHERE reason IS NULL AND event_type NOT IN ({shipped})
        GROUP BY event_type ORDER BY event_type""").fetchall()
    return CleanEvents(
        rows=rows, events=events, repairs={**dict(zip(repairs, found, strict=True)), _DUPLICATE: duplicates},
        conflicts=conflicts, naive=naive, unknown_user_events=strangers, unknown_users=who, anonymous_events=visitors,
        marker_events=markers, unknown_types=dict(types), first_time=first, last_time=last,
        in_cents=in_cents, linked="anonymous_id" in raw.columns, others=others,
    )  # fmt: skip


ACTOR: Final = "coalesce(e.user_id, link.user_id)"
WHO_ACTED: Final = (
    f"FROM {PARSED} AS e LEFT JOIN {LINKS} AS link ON e.user_id IS NULL AND link.anonymous_id = e.anonymous_id "
    "WHERE e.reason IS NULL"
)
"""FROM clause over the events that count; ``ACTOR`` is their person, also of one who said so later."""


def local_day(events: CleanEvents, timezone: str, column: str = "event_time") -> str:
    """SQL of the calendar day of a UTC time in a time zone."""
    table = offsets(timezone, events.first_time, events.last_time)
    offset = offset_sql(f"epoch({column})", table)
    return f"CAST({column} AS DATE)" if offset == "0" else f"CAST({column} + to_seconds({offset}) AS DATE)"


def has_whole_ids(connection: duckdb.DuckDBPyConnection) -> tuple[bool, bool]:
    """Whether all ids of users, and all ids of events, are whole numbers."""
    ((people,),) = connection.execute(f"SELECT {is_whole('user_id')} FROM {PEOPLE}").fetchall()
    users, events = connection.execute(
        f"SELECT {is_whole('user_id')}, {is_whole('event_id')} FROM {PARSED} WHERE reason IS NULL"
    ).fetchall()[0]
    return people and users, events


def select_events(events: CleanEvents, timezone: str, *, whole: tuple[bool, bool], text: bool) -> str:
    """SELECT of the rows of ``events_clean``, in the order of the file."""
    columns = [
        id_column("event_id", whole=whole[1]),
        id_column(whole=whole[0]),
        f"{utc_time('event_time', text=text)} AS event_time",
        f"{local_day(events, timezone)} AS event_date",
        "event_type",
        "course_id",
        "coalesce(watch_minutes, 0) AS watch_minutes",
        "quiz_score",
        "CAST(amount AS DECIMAL(18, 2)) AS amount" if events.in_cents else "amount",
        *(["anonymous_id"] if events.linked else []),
        *events.others.written(),
    ]
    # A large table is not always read in the order in which it was filled.
    return f"SELECT {', '.join(columns)} FROM {PARSED} WHERE reason IS NULL ORDER BY {LINE}"
