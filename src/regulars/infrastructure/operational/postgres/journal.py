"""The journal on PostgreSQL: rows with a checksum, given out by their place.

Facts that shape this module. Whoever appends holds the lock on the one row of ``journal`` until its commit, so offsets
are committed in their order, have no gaps, and a reader that sees one sees all before it. TRUNCATE takes rows away from
transactions that began before it, so whoever reads more than one statement locks the table before its first look.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from regulars.errors import JournalError
from regulars.infrastructure.loading.times import microseconds
from regulars.infrastructure.operational import rows as stored
from regulars.infrastructure.operational.commits import GroupCommit
from regulars.infrastructure.operational.postgres.schema import LAST, SERVER, last_in, one
from regulars.infrastructure.operational.rows import packed, page_of, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    import psycopg

    from regulars.application.ports import Envelope, Page
    from regulars.infrastructure.operational.postgres.connection import Connection
    from regulars.infrastructure.operational.rows import Row

COPY = "COPY envelopes FROM STDIN (FORMAT BINARY)"
TYPES = ("int8", "int8", "int8", "bytea")
_PRUNED_AT_ONCE = 10_000
_SHORT_SECONDS, _COMMIT_SECONDS, _LONG_SECONDS, _REWRITE_SECONDS = 5, 30, 120, 3600
_TAKE = f"""
UPDATE journal SET last_offset = {LAST.replace("(SELECT last_offset FROM journal)", "last_offset")} + %s
WHERE journal_id = %s AND server = {SERVER} RETURNING last_offset"""
_ROWS = """SELECT "offset", received_us, crc, body FROM envelopes WHERE "offset" BETWEEN %s AND %s ORDER BY "offset" """
# The last place of a page that may not have more bytes than that, with the row that goes over it.
_END = """
SELECT max("offset") FROM (
    SELECT "offset", sum(octet_length(body)) OVER (ORDER BY "offset") - octet_length(body) AS before
    FROM envelopes WHERE "offset" BETWEEN %s AND %s) AS sizes
WHERE before <= %s"""


class PostgresJournal:
    """See :class:`regulars.application.ports.Journal`."""

    def __init__(self, writer: Connection, reader: Connection, most_bytes: int, *, loads: bool) -> None:
        self._writer, self._reader, self._loads = writer, reader, loads
        self._commits = GroupCommit(self._keep, most_bytes)
        with reader.use("read", _SHORT_SECONDS) as link:
            self._id = str(one(link, "SELECT journal_id FROM journal"))

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
        """Raise what appending would raise, without a change of the tables."""
        self._commits.check()
        self.last_offset()

    def last_offset(self) -> int:
        """The greatest offset given so far."""
        with self._reader.use("read", _SHORT_SECONDS) as link:
            return last_in(link)

    def read(self, after: int, limit: int) -> Page:
        """At most ``limit`` places behind an offset, in order, and not much more than 32 MiB of them."""
        try:
            with one_moment(self._reader, _LONG_SECONDS) as link:
                end = min(last_in(link), after + limit)
                rows = _rows(link, after, end)
        except JournalError as exc:
            if exc.code != "journal_damaged":
                raise
            # A page of the table is damaged; what stands on the others can still be read.
            end = min(self.last_offset(), after + limit)
            rows = self._one_by_one(after, end)
        return page_of(rows, after, end)

    def start_after(self, offset: int) -> None:
        """Never give an offset up to this one from now on.

        From whoever loads the journal it also means that the server at hand, whichever it is, may go on with it.
        """
        server = SERVER if self._loads else "server"
        with self._reader.use("read", _SHORT_SECONDS) as link:
            is_known = one(link, f"SELECT server = {server} AND {LAST} >= %s FROM journal", offset)
        if not is_known:
            with self._writer.use("write to", _COMMIT_SECONDS) as link:
                link.execute(f"UPDATE journal SET last_offset = greatest({LAST}, %s), server = {server}", [offset])

    def prune(self, before: int) -> None:
        """Remove the entries before an offset, some at a time, so that whoever appends need not wait long."""
        removed = _PRUNED_AT_ONCE
        while removed == _PRUNED_AT_ONCE:
            with self._writer.use("write to", _LONG_SECONDS) as link:
                removed = link.execute(
                    """DELETE FROM envelopes WHERE "offset" IN (
                        SELECT "offset" FROM envelopes WHERE "offset" < %s ORDER BY "offset" LIMIT %s)""",
                    [before, _PRUNED_AT_ONCE],
                ).rowcount

    def received_since(self, moment: datetime) -> int:
        """The first offset received at a moment or later; the one behind the last when there is none."""
        with one_moment(self._reader, _LONG_SECONDS) as link:
            found = one(
                link, """SELECT "offset" FROM envelopes WHERE received_us >= %s ORDER BY "offset" LIMIT 1""",
                microseconds(moment),
            )  # fmt: skip
            return last_in(link) + 1 if found is None else int(found)

    def forget(self, offsets: Sequence[int]) -> None:
        """Remove the entries at some offsets, and the files that held them.

        What is left is written anew, also where none of them is there: PostgreSQL leaves the bytes of removed rows,
        pruned ones too, where they were. Nobody can append meanwhile.
        """
        with self._writer.transaction("write to", _REWRITE_SECONDS) as link:
            link.execute("LOCK TABLE envelopes IN ACCESS EXCLUSIVE MODE")
            link.execute("""DELETE FROM envelopes WHERE "offset" = ANY(%s)""", [list(offsets)])
            link.execute("CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM envelopes")
            link.execute("TRUNCATE envelopes")
            link.execute("""INSERT INTO envelopes SELECT * FROM kept ORDER BY "offset" """)

    def close(self) -> None:
        """Make durable what waits."""
        self._commits.close()

    def _keep(self, envelopes: Sequence[Envelope]) -> int:
        with self._writer.transaction("keep", _COMMIT_SECONDS) as link:
            last = one(link, _TAKE, len(envelopes), self._id)
            if last is None:
                raise _not_ours(link, self._id)
            first = int(last) - len(envelopes) + 1
            insert(link, packed(first, envelopes))
        return first

    def _one_by_one(self, after: int, end: int) -> list[Row]:
        rows: list[Row] = []
        size = 0
        for offset in range(after + 1, end + 1):
            rows += self._row(offset)
            size += size_of(rows[-1]) if rows else 0
            if size > stored.PAGE_BYTES:
                break
        return rows

    def _row(self, offset: int) -> list[Row]:
        try:
            with self._reader.use("read", _LONG_SECONDS) as link:
                return link.execute(_ROWS, [offset, offset], binary=True).fetchall()
        except JournalError as exc:
            if exc.code != "journal_damaged":
                raise
            return [(offset, 0, 0, b"")]


@contextmanager
def one_moment(reader: Connection, seconds: float) -> Iterator[psycopg.Connection]:
    """Several reads that see the same rows."""
    with reader.transaction("read", seconds) as link:
        link.execute("LOCK TABLE envelopes IN ACCESS SHARE MODE")
        yield link


def insert(link: psycopg.Connection, rows: Iterator[Row]) -> None:
    """Add rows to the open transaction."""
    with link.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.set_types(TYPES)
        for row in rows:
            copy.write_row(row)


def _rows(link: psycopg.Connection, after: int, end: int) -> list[Row]:
    fitting = one(link, _END, after + 1, end, stored.PAGE_BYTES)
    return [] if fitting is None else link.execute(_ROWS, [after + 1, fitting], binary=True).fetchall()


def _not_ours(link: psycopg.Connection, journal_id: str) -> JournalError:
    found = one(link, "SELECT journal_id FROM journal")
    if found != journal_id:
        return JournalError(
            "the journal was removed or replaced while in use; close the workspace and open it again",
            code="journal_lost",
        )
    return JournalError(
        "another server of PostgreSQL goes on with this journal (a standby took over, or a backup was put back), and "
        "offsets that it lost must not be given out again; nothing was kept. It goes on by itself as soon as the "
        "workspace that loads this journal is opened: regulars serve",
        code="journal_moved",
    )
