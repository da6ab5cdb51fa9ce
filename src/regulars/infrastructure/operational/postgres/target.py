"""Where the journal is: a server, a database and a schema. The connection string, with its password, is never shown."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict

from regulars.errors import JournalError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.settings import JournalSettings

_OLDEST = 140_000  # PostgreSQL 14
# Dead machines are noticed within half a minute, by either side: an unfinished transaction keeps all others waiting.
_KEEPALIVE: dict[str, int | str] = {
    "connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 25_000, "target_session_attrs": "read-write",
}  # fmt: skip
_SESSION = """
SET search_path TO "{schema}";
SET default_transaction_isolation TO 'read committed';
SET default_transaction_read_only TO off;
SET statement_timeout TO 0;
SET lock_timeout TO '20s';
SET idle_in_transaction_session_timeout TO '30s';
SET tcp_keepalives_idle TO 10; SET tcp_keepalives_interval TO 5; SET tcp_keepalives_count TO 3
"""


@dataclass(frozen=True)
class Target:
    """A schema in a database. ``place`` is how people are told."""

    parameters: Mapping[str, object] = field(repr=False)
    schema: str
    place: str


def target_of(settings: JournalSettings, environment: Mapping[str, str] = os.environ) -> Target:
    """The schema that the settings name; the connection string comes from them, or from the environment.

    Errors: :class:`SettingsError` ``dsn_missing``, ``bad_dsn``.
    """
    text = settings.dsn if settings.dsn_env is None else environment.get(settings.dsn_env)
    name = "journal.dsn" if settings.dsn_env is None else f"the environment variable {settings.dsn_env}"
    if not text or settings.schema is None:
        raise SettingsError(
            f"{name} is not set, and the journal is in PostgreSQL; let it hold the connection string, such as "
            "host=db.example dbname=regulars user=regulars",
            code="dsn_missing",
        )
    try:
        given = conninfo_to_dict(text)
    except psycopg.Error:
        given = None
    # What libpq says about a string that it cannot read may hold parts of a password; so may what it takes for a host.
    if given is None or any("@" in str(given.get(name)) for name in ("host", "port", "dbname")):
        raise SettingsError(
            f"{name} is no connection string of PostgreSQL; write host=... dbname=... user=..., or "
            "postgresql://user:password@host/database with @ as %40 and / as %2F in the password",
            code="bad_dsn",
        ) from None
    known = {name: value for name, value in given.items() if value is not None}
    return Target(
        _KEEPALIVE | {"application_name": _own_name()} | known, settings.schema, _place(known, settings.schema)
    )


def _own_name() -> str:
    return f"regulars {socket.gethostname()} process {os.getpid()}"


def _place(given: Mapping[str, object], schema: str) -> str:
    host = given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST") or "this machine"
    database = given.get("dbname") or os.environ.get("PGDATABASE") or given.get("user") or "its default database"
    return f"PostgreSQL on {host} (database {database}, schema {schema})"


def connect(target: Target) -> psycopg.Connection:
    """A connection that commits every statement by itself, unless told otherwise, and durably.

    Errors: :class:`JournalError` ``journal_unreachable``, ``journal_not_durable``, ``journal_unknown``.
    """
    try:
        link = psycopg.connect(**target.parameters, autocommit=True)  # type: ignore[arg-type] # as libpq takes them
    except (psycopg.Error, OSError) as exc:
        raise unreachable(target, _why(exc)) from None  # the cause knows the parameters
    try:
        _set_up(link, target)
    except psycopg.Error as exc:
        link.close()
        raise unreachable(target, said_by(exc)) from exc
    except BaseException:
        link.close()
        raise
    return link


def unreachable(target: Target, why: str) -> JournalError:
    """The error for a server that cannot be reached."""
    return JournalError(
        f"{target.place} cannot be reached: {why}; see that it runs, and that the connection string is right",
        code="journal_unreachable",
    )


def _why(exc: Exception) -> str:
    said = " ".join(str(exc).split())
    return said.removeprefix("connection failed: ").removeprefix("connection is bad: ").partition(" Is the server")[0]


def said_by(exc: psycopg.Error) -> str:
    """What went wrong, without the values: these may be somebody's data."""
    return exc.diag.message_primary or " ".join(str(exc).split()) or type(exc).__name__


def _set_up(link: psycopg.Connection, target: Target) -> None:
    if link.info.server_version < _OLDEST:
        raise JournalError(
            f"{target.place} is version {link.info.server_version // 10_000}; the journal needs PostgreSQL 14 or newer",
            code="journal_unknown",
        )
    link.execute(_SESSION.format(schema=target.schema))
    row = link.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')").fetchone()
    lost = [name for name, value in zip(("fsync", "synchronous_commit"), row or (), strict=True) if value == "off"]
    if lost:
        raise JournalError(
            f"{target.place} has {' and '.join(lost)} off: it would confirm events that a power failure can take away; "
            f"switch it on, for synchronous_commit with: ALTER ROLE {link.info.user} SET synchronous_commit = on",
            code="journal_not_durable",
        )
    # Whoever changes the server's settings does not change what this session was found to promise.
    link.execute("SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), false)")
