"""The tables of a journal in PostgreSQL, and who may make, load and continue it."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from regulars.errors import JournalError

if TYPE_CHECKING:
    import psycopg

    from regulars.infrastructure.operational.postgres.target import Target

FORMAT = 1
# Tells this server, and this life of it, from every other: a standby that takes over, and a server that was put back
# to an earlier moment, count on in another timeline.
SERVER = "(SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system())"
# The greater of the two, so that one damaged number never makes an offset come twice.
LAST = """greatest((SELECT last_offset FROM journal), (SELECT coalesce(max("offset"), 0) FROM envelopes))"""
_TABLES = """
CREATE TABLE journal (
    format INTEGER NOT NULL, journal_id TEXT NOT NULL, last_offset BIGINT NOT NULL, server TEXT NOT NULL
) WITH (fillfactor = 10);
CREATE UNIQUE INDEX journal_is_one_row ON journal ((true));
CREATE TABLE envelopes (
    "offset" BIGINT PRIMARY KEY, received_us BIGINT NOT NULL, crc BIGINT NOT NULL, body BYTEA NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE keys (
    id TEXT PRIMARY KEY, role TEXT NOT NULL, name TEXT NOT NULL, digest BYTEA NOT NULL, hint TEXT NOT NULL,
    created_us BIGINT NOT NULL, expires_us BIGINT);
"""
_MAKING, _LOADING = 0x52474C52, 0x52474C53  # "RGLR", "RGLS": advisory locks of ours
_LOADING_SECONDS = 5.0  # for which a process that has just died may still seem to be there


def hold(link: psycopg.Connection, target: Target) -> None:
    """Let nobody else make or fill the schema, until :func:`release`, or the end of the connection."""
    link.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", [_MAKING, target.schema])


def release(link: psycopg.Connection, target: Target) -> None:
    """Let others go on."""
    link.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [_MAKING, target.schema])


def exists(link: psycopg.Connection, target: Target) -> bool:
    """Whether the schema has a journal.

    Errors: :class:`JournalError` ``journal_unknown`` for one that another version made.
    """
    if one(link, "SELECT to_regclass(%s)::text", f'"{target.schema}".journal') is None:
        return False
    known = one(
        link,
        "SELECT count(*) FROM information_schema.columns "
        "WHERE table_schema = %s AND table_name = 'journal' AND column_name IN ('format', 'journal_id', 'server')",
        target.schema,
    )
    found = one(link, "SELECT format FROM journal") if known == 3 else None  # noqa: PLR2004 -- those three
    if found != FORMAT:
        raise JournalError(
            f"{target.place} holds no journal that this version knows (format {found}, this version writes {FORMAT}); "
            "open it with the version that wrote it, or name another schema",
            code="journal_unknown",
        )
    return True


def make(link: psycopg.Connection, target: Target, journal_id: str | None = None) -> None:
    """Make the tables, and the schema where it is missing, for a new journal."""
    with link.transaction():
        if one(link, "SELECT to_regnamespace(%s)::text", f'"{target.schema}"') is None:
            link.execute(f'CREATE SCHEMA "{target.schema}"')
        link.execute(_TABLES)
        link.execute(f"INSERT INTO journal VALUES (%s, %s, 0, {SERVER})", [FORMAT, journal_id or secrets.token_hex(4)])


def claim(link: psycopg.Connection, target: Target) -> None:
    """Be the one who loads this journal into a database, as long as the connection lives.

    Errors: :class:`JournalError` ``journal_in_use``.
    """
    until = time.monotonic() + _LOADING_SECONDS
    while not one(link, "SELECT pg_try_advisory_lock(%s, hashtext(%s))", _LOADING, target.schema):
        if time.monotonic() > until:
            holder = one(
                link,
                "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' "
                "AND classid = %s AND objid = (hashtext(%s)::bigint & 4294967295) AND granted LIMIT 1",
                _LOADING, target.schema,
            )  # fmt: skip
            raise JournalError(
                f"the journal in {target.place} is being loaded by another workspace ({holder or 'unknown'}); one at a "
                "time may do that, others can `regulars collect`; stop it, or name another schema",
                code="journal_in_use",
            )
        time.sleep(0.1)


def last_in(link: psycopg.Connection) -> int:
    """The greatest offset that the journal has given."""
    return int(one(link, f"SELECT {LAST}") or 0)


def one(link: psycopg.Connection, statement: str, *values: object) -> Any:
    """The first value of the first row, None where there is none."""
    row = link.execute(statement, values).fetchone()
    return None if row is None else row[0]
