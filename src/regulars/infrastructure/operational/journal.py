"""The journal on SQLite: rows with a checksum, given out by their place."""

from __future__ import annotations

import sqlite3
from itertools import chain
from typing import TYPE_CHECKING

from regulars.infrastructure.loading.times import microseconds
from regulars.infrastructure.operational import rows as stored
from regulars.infrastructure.operational.commits import GroupCommit
from regulars.infrastructure.operational.rows import packed, page_of, size_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from regulars.application.ports import Envelope, Page
    from regulars.infrastructure.operational.rows import Row
    from regulars.infrastructure.operational.sqlite import SqliteFile

_PRUNED_AT_ONCE = 10_000
_COLUMNS = 4
_AT_ONCE = (128, 16, 4, 1)  # rows of one statement; a few fixed numbers, so that each is prepared once
_INSERTS = {size: f"INSERT INTO envelopes VALUES {', '.join(['(?, ?, ?, ?)'] * size)}" for size in _AT_ONCE}
# The greater of the two, so that one damaged number never makes an offset come twice.
_LAST = "SELECT max((SELECT last_offset FROM journal), coalesce((SELECT max(offset) FROM envelopes), 0))"


class SqliteJournal:
    """See :class:`regulars.application.ports.Journal`."""

    def __init__(self, file: SqliteFile, most_bytes: int) -> None:
        self._file = file
        self._commits = GroupCommit(self._keep, most_bytes)
        with file.snapshot() as connection:
            ((name,),) = connection.execute("SELECT journal_id FROM journal").fetchall()
        self._id = str(name)

    @property
    def id(self) -> str:
        """Tells this journal from every other."""
        return self._id

    def submit(self, envelopes: Sequence[Envelope]) -> Future[range]:
        """Queue envelopes and return at once; the future holds their offsets as soon as they are durable."""
        return self._commits.submit(envelopes)

    def append(self, envelopes: Sequence[Envelope]) -> range:
        """Keep envelopes and return their offsets; when this returns, they are durable."""
        return self.submit(envelopes).result()

    def check(self) -> None:
        """Raise what appending would raise, without a change of the file."""
        self._commits.check()
        self._file.refuse_unfit()
        self.last_offset()

    def last_offset(self) -> int:
        """The greatest offset given so far."""
        with self._file.snapshot() as connection:
            return last_in(connection)

    def read(self, after: int, limit: int) -> Page:
        """At most ``limit`` places behind an offset, in order, and not much more than 32 MiB of them."""
        with self._file.snapshot() as connection:
            end = min(last_in(connection), after + limit)
            rows = _rows(connection, after, end)
        return page_of(rows, after, end)

    def start_after(self, offset: int) -> None:
        """Never give an offset up to this one from now on."""
        if offset > self.last_offset():
            with self._file.change() as connection:
                connection.execute("UPDATE journal SET last_offset = max(last_offset, ?)", [offset])

    def prune(self, before: int) -> None:
        """Remove the entries before an offset, some at a time, so that appending threads need not wait long."""
        removed = _PRUNED_AT_ONCE
        while removed == _PRUNED_AT_ONCE:
            with self._file.change() as connection:
                removed = connection.execute(
                    "DELETE FROM envelopes WHERE offset IN (SELECT offset FROM envelopes WHERE offset < ? LIMIT ?)",
                    [before, _PRUNED_AT_ONCE],
                ).rowcount
        self._file.shrink()

    def received_since(self, moment: datetime) -> int:
        """The first offset received at a moment or later; the one behind the last when there is none."""
        with self._file.snapshot() as connection:
            found = connection.execute(
                "SELECT offset FROM envelopes WHERE received_us >= ? ORDER BY offset LIMIT 1", [microseconds(moment)]
            ).fetchone()
            return int(found[0]) if found else last_in(connection) + 1

    def forget(self, offsets: Sequence[int]) -> None:
        """Remove the entries at some offsets; their bytes are overwritten."""
        with self._file.change() as connection:
            connection.executemany("DELETE FROM envelopes WHERE offset = ?", [(offset,) for offset in offsets])
        self._file.shrink()

    def close(self) -> None:
        """Make durable what waits, and give the file back."""
        self._commits.close()
        self._file.close()

    def _keep(self, envelopes: Sequence[Envelope]) -> int:
        self._file.refuse_unfit()
        with self._file.change() as connection:
            first = last_in(connection) + 1
            _insert(connection, first, envelopes)
            connection.execute("UPDATE journal SET last_offset = ?", [first + len(envelopes) - 1])
        return first


def _insert(connection: sqlite3.Connection, first: int, envelopes: Sequence[Envelope]) -> None:
    """Many rows in each statement: after each this thread waits for its turn, long beside a busy one."""
    values = list(chain.from_iterable(packed(first, envelopes)))
    at = 0
    for size in _AT_ONCE:
        while len(envelopes) - at >= size:
            connection.execute(_INSERTS[size], values[at * _COLUMNS : (at + size) * _COLUMNS])
            at += size


def last_in(connection: sqlite3.Connection) -> int:
    """The greatest offset that a journal has given."""
    return int(connection.execute(_LAST).fetchone()[0])


def _rows(connection: sqlite3.Connection, after: int, end: int) -> list[Row]:
    text = "SELECT offset, received_us, crc, body FROM envelopes WHERE offset BETWEEN ? AND ? ORDER BY offset"
    rows: list[Row] = []
    size = 0
    try:
        for row in connection.execute(text, [after + 1, end]):
            rows.append(row)
            size += size_of(row)
            if size > stored.PAGE_BYTES:
                break
    except sqlite3.DatabaseError:
        # A page of the file is damaged; what stands on the others can still be read.
        return [row for offset in range(after + 1, end + 1) for row in _row(connection, text, offset)]
    return rows


def _row(connection: sqlite3.Connection, text: str, offset: int) -> list[Row]:
    try:
        return connection.execute(text, [offset, offset]).fetchall()
    except sqlite3.DatabaseError:
        return [(offset, 0, 0, b"")]
