"""From a journal file into PostgreSQL, and back.

Id, offsets, checksums and keys stay the same, so nothing counts twice, and what was damaged stays known as that.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from regulars.errors import JournalError
from regulars.infrastructure.files import sync_folder
from regulars.infrastructure.operational.journal import last_in as last_in_file
from regulars.infrastructure.operational.postgres.journal import insert, one_moment
from regulars.infrastructure.operational.postgres.schema import last_in, one
from regulars.infrastructure.operational.sqlite import JOURNAL_NAME, SqliteFile, new_file

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

    from regulars.infrastructure.operational.postgres.connection import Connection
    from regulars.infrastructure.operational.rows import Row

_COPY_SECONDS = 6 * 3600
_FETCHED_AT_ONCE = 64
_KEYS = "SELECT id, role, name, digest, hint, created_us, expires_us FROM keys"
_ADD_KEY = "INSERT INTO keys VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING"


def move_in(link: psycopg.Connection, folder: Path, place: str) -> None:
    """Take over the journal file of a workspace, and remove it; does nothing where there is none.

    The caller lets nobody else do the same. A file whose journal is there already adds what it has beyond it.

    Errors: :class:`JournalError` ``journal_differs`` when the schema holds another journal.
    """
    path = folder / JOURNAL_NAME
    if not path.exists():
        return
    with closing(SqliteFile(path, 0)) as file, file.change() as source:
        # Nobody can append to the file before it is gone, and then they are told.
        _adopt(link, source, path, place)
        for name in (JOURNAL_NAME, f"{JOURNAL_NAME}-wal", f"{JOURNAL_NAME}-shm"):
            (folder / name).unlink(missing_ok=True)
        sync_folder(folder)


def copy_out(reader: Connection, target: Path) -> None:
    """Write what one snapshot of the schema holds into a new journal file."""
    with ExitStack() as closing_copy:
        with one_moment(reader, _COPY_SECONDS) as link:
            copy = new_file(target, str(one(link, "SELECT journal_id FROM journal")), last_in(link))
            closing_copy.callback(copy.close)
            copy.execute("BEGIN")
            copy.executemany("INSERT INTO envelopes VALUES (?, ?, ?, ?)", _envelopes(link))
            copy.executemany("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)", link.execute(_KEYS).fetchall())
        # A disk that takes its time is nothing that PostgreSQL should wait for, inside a transaction.
        copy.execute("COMMIT")


def _adopt(link: psycopg.Connection, source: sqlite3.Connection, path: Path, place: str) -> None:
    ((journal_id,),) = source.execute("SELECT journal_id FROM journal").fetchall()
    has_keys = bool(source.execute("SELECT 1 FROM sqlite_master WHERE name = 'keys'").fetchall())
    keys = source.execute(_KEYS).fetchall() if has_keys else []
    last = last_in_file(source)
    with link.transaction():
        held, known = last_in(link), one(link, "SELECT journal_id FROM journal FOR UPDATE")
        if known != journal_id and (last or keys):
            if held or one(link, "SELECT count(*) FROM keys"):
                raise JournalError(
                    f"{place} holds another journal ({known}) than {str(path)!r} ({journal_id}); name another schema, "
                    "or move the file away if it belongs to something else",
                    code="journal_differs",
                )
            link.execute("UPDATE journal SET journal_id = %s", [journal_id])
        insert(link, _beyond(source, held))
        link.execute("UPDATE journal SET last_offset = greatest(last_offset, %s)", [last])
        with link.cursor() as cursor:
            cursor.executemany(_ADD_KEY, keys)


def _beyond(source: sqlite3.Connection, held: int) -> Iterator[Row]:
    text = "SELECT offset, received_us, crc, body FROM envelopes WHERE offset > ? ORDER BY offset"
    for offset, received, crc, body in source.execute(text, [held]):
        # A value of another type is damage; what stands in its place does not fit the checksum either.
        yield offset, _number(received), _number(crc), body if isinstance(body, bytes) else str(body).encode()


def _number(value: object) -> int:
    return value if isinstance(value, int) else -1


def _envelopes(link: psycopg.Connection) -> Iterator[Row]:
    with link.cursor(name="envelopes") as cursor:
        cursor.itersize = _FETCHED_AT_ONCE
        text = 'SELECT "offset", received_us, crc, body FROM envelopes ORDER BY "offset"'
        yield from cursor.execute(text, binary=True)
