"""Entries of a journal as a Parquet file: written, read back, joined, and written anew without some of them.

DuckDB writes no checksums of pages, so every entry carries the one that it had in the journal, and the manifest has one
of the whole file. An entry that was damaged when it was archived has no checksum. All of this has a small database
of its own in memory: the workspace's may be the one that is lost.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from regulars.application.ports import Entry, Fault, Page
from regulars.errors import WorkspaceError
from regulars.infrastructure.loading.times import instant, microseconds
from regulars.infrastructure.operational.entries import DAMAGED, MISSING, checksum

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

COMPRESSION = "zstd"
_ROWS = 4096  # in a group, which is what reading a few places costs, and what writing holds in memory
_PAGE_BYTES = 32 << 20
_COLUMNS = '"offset", received_at, crc, body'
_LAYOUT = '"offset" BIGINT, received_at TIMESTAMP, crc UINTEGER, body BLOB'
_READ = '"offset", epoch_us(received_at), crc, body'
_HASHES = "count(*), coalesce(bit_xor(h), 0), coalesce(sum(CAST(h AS HUGEINT)), 0)"
_Row = tuple[int, int | None, int | None, bytes]


class ParquetFiles:
    """Reads and writes files of entries; many threads may use it, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._opened: duckdb.DuckDBPyConnection | None = None

    def write(self, page: Page, path: Path) -> int:
        """Write what a page has into a new file, and verify it by reading it back; returns how many entries."""
        rows = [
            *map(_of_entry, page.entries),
            *(_of_fault(fault) for fault in page.faults if fault.reason == DAMAGED[0]),
        ]
        rows.sort(key=lambda row: row[0])
        with self._connection(path) as connection:
            _stage(connection, rows)
            _copy(connection, f"SELECT {_COLUMNS} FROM staged", path)
        read = self.read([path], 0)
        if (read.entries, _damaged(read.faults)) != (page.entries, _damaged(page.faults)):
            raise _unlike(path)
        return len(rows)

    def join(self, paths: Sequence[Path], target: Path) -> int:
        """Write files that follow each other as one, and verify it by a hash over all rows; returns how many."""
        with self._connection(target) as connection:
            _copy(connection, f"SELECT {_COLUMNS} FROM {_files(paths)}", target)
            there = _digest(connection, _files(paths))
            if there != _digest(connection, _files([target])):
                raise _unlike(target)
        return int(there[0])

    def without(self, path: Path, offsets: Collection[int], target: Path) -> int:
        """Write a file anew without some places, verify that the others are in it; returns how many there are."""
        kept = f'(SELECT {_COLUMNS} FROM {_files([path])} WHERE "offset" NOT IN (SELECT unnest(?::BIGINT[])))'
        with self._connection(target) as connection:
            _copy(connection, kept, target, [sorted(offsets)])
            there = _digest(connection, kept, [sorted(offsets)])
            if there != _digest(connection, _files([target])):
                raise _unlike(target)
        return int(there[0])

    def has_any(self, path: Path, offsets: Sequence[int]) -> bool:
        """Whether a file has one of some places."""
        text = f'SELECT 1 FROM {_files([path])} WHERE "offset" IN (SELECT unnest(?::BIGINT[])) LIMIT 1'
        with self._connection(path) as connection:
            return bool(connection.execute(text, [offsets]).fetchall())

    def read(self, paths: Sequence[Path], after: int, through: int | None = None) -> Page:
        """The entries behind a place, up to another one or the last; missing ones are nothing, damaged ones faults.

        With ``through``, reading ends before that when the entries have more than 32 MiB.
        """
        end = "" if through is None else f'AND "offset" <= {through}'
        entries: list[Entry] = []
        damaged: dict[int, Fault] = {}
        last, size = after, 0
        with self._connection(paths[0]) as connection, connection.cursor() as cursor:
            cursor.execute(f'SELECT {_READ} FROM {_files(paths)} WHERE "offset" > {after} {end}')
            while (through is None or size < _PAGE_BYTES) and (rows := cursor.fetchmany(_ROWS)):
                for offset, received, crc, body in rows:
                    if _is_sound(offset, received, crc, body):
                        entries.append(Entry(offset, body, instant(received)))
                        last = max(last, offset)
                    else:
                        damaged[offset] = Fault(offset, offset, *DAMAGED, body)
                    size += len(body or b"")
        if through is None or size < _PAGE_BYTES or last == after:
            last = max([last, *damaged]) if through is None else through
        # The place of a damaged entry may be wrong itself, and then belongs to another one.
        for entry in entries:
            damaged.pop(entry.offset, None)
        faults = tuple(damaged[offset] for offset in sorted(damaged) if offset <= last)
        return Page(tuple(entries), faults, last)

    def bodies(self, path: Path) -> Iterator[tuple[int, datetime | None, bytes]]:
        """Place, time of receipt and body of every entry of a file."""
        with self._connection(path) as connection, connection.cursor() as cursor:
            cursor.execute(f'SELECT "offset", received_at, body FROM {_files([path])}')
            while rows := cursor.fetchmany(_ROWS):
                yield from rows

    def outline(self, path: Path) -> tuple[int, int]:
        """How many entries a file has, and how many of them are damaged, by their own checksums."""
        count = damaged = 0
        with self._connection(path) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT {_READ} FROM {_files([path])}")
            while rows := cursor.fetchmany(_ROWS):
                count += len(rows)
                damaged += sum(row[2] is not None and not _is_sound(*row) for row in rows)
        return count, damaged

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    @contextmanager
    def _connection(self, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._lock:
            try:
                if self._opened is None:
                    spill = str(path.parent / "spill")
                    options: dict[str, Any] = {"memory_limit": "512MB", "threads": 2, "temp_directory": spill,
                                               "autoinstall_known_extensions": False, "TimeZone": "UTC"}  # fmt: skip
                    self._opened = duckdb.connect(config=options)
                yield self._opened
            except duckdb.Error as exc:
                first_line = str(exc).partition("\n")[0]
                raise WorkspaceError(
                    f"{path.name!r} in the archive cannot be read or written: {first_line}; if it is damaged, put it "
                    "back from a backup, or move it away: what it held is then counted as lost",
                    code="archive_damaged", path=str(path),
                ) from exc  # fmt: skip


def missing(first: int, last: int) -> Fault:
    """Places that are nowhere."""
    return Fault(first, last, *MISSING)


def _is_sound(offset: int, received: Any, crc: Any, body: Any) -> bool:
    is_whole = received is not None and crc is not None and body is not None
    return is_whole and crc == checksum(offset, received, body)


def _of_entry(entry: Entry) -> _Row:
    received = microseconds(entry.received_at)
    return entry.offset, received, checksum(entry.offset, received, entry.body), entry.body


def _of_fault(fault: Fault) -> _Row:
    return fault.first, None, None, fault.body or b""


def _damaged(faults: Sequence[Fault]) -> list[tuple[int, bytes]]:
    return [(fault.first, fault.body or b"") for fault in faults if fault.reason == DAMAGED[0]]


def _stage(connection: duckdb.DuckDBPyConnection, rows: Sequence[_Row]) -> None:
    import numpy as np  # noqa: PLC0415 -- slow, and only writing needs it

    connection.execute(f"CREATE OR REPLACE TABLE staged ({_LAYOUT})")
    if rows:
        offsets, received, checksums, bodies = zip(*rows, strict=True)
        # Arrays take a tenth of the time that lists do.
        columns = {
            "place": np.array(offsets), "received": np.array([us or 0 for us in received]),
            "crc": np.array([crc or 0 for crc in checksums], dtype=np.uint32),
            "is_sound": np.array([crc is not None for crc in checksums]), "body": np.array(bodies, dtype=object),
        }  # fmt: skip
        connection.register("given", columns)
        connection.execute(
            """INSERT INTO staged SELECT place, CASE WHEN is_sound THEN make_timestamp(received) END,
CASE WHEN is_sound THEN crc END, body FROM given"""
        )
        connection.unregister("given")


def _copy(connection: duckdb.DuckDBPyConnection, select: str, path: Path, values: Sequence[object] = ()) -> None:
    options = f"FORMAT parquet, COMPRESSION {COMPRESSION}, ROW_GROUP_SIZE {_ROWS}"
    connection.execute(f"COPY ({select}) TO '{_quoted(path)}' ({options})", list(values))


def _digest(connection: duckdb.DuckDBPyConnection, rows: str, values: Sequence[object] = ()) -> tuple[Any, ...]:
    hashed = f"SELECT hash({_COLUMNS}) AS h FROM {rows}"
    return tuple(connection.execute(f"SELECT {_HASHES} FROM ({hashed})", list(values)).fetchall()[0])


def _files(paths: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(chr(39) + _quoted(path) + chr(39) for path in paths)}])"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _unlike(path: Path) -> WorkspaceError:
    return WorkspaceError(
        f"what was written to {path.name!r} in the archive is not what is read back from it; "
        "nothing was removed from the journal, look at the disk",
        code="archive_failed", path=str(path),
    )  # fmt: skip
