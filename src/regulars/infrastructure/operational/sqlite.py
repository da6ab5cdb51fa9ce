"""The operational store in SQLite: one file beside the database.

Facts about SQLite that shape this module. A commit is durable when ``synchronous=FULL`` and the write-ahead log is on
(macOS asks for ``fullfsync`` too). Two connections that checkpoint and commit at the same moment could damage the file
before SQLite 3.51.3, so changes of all processes take turns behind a lock file, and only the connection that writes
checkpoints. The file must not be opened by anything else in this process, because closing it would drop SQLite's
locks. A failed fsync may have lost pages that the system calls clean, so the log is started anew after one. Pages of
the file have no checksum, so every row has its own.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from regulars.errors import JournalError
from regulars.infrastructure.files import OWNER_FILE, sync_folder
from regulars.infrastructure.operational.journal import SqliteJournal, last_in
from regulars.infrastructure.operational.keys import KEYS_TABLE, SqliteKeys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOURNAL_NAME = "journal.sqlite"
MIB = 1 << 20
_LOCK_NAME = "journal.lock"
_APPLICATION = 0x52474C52  # "RGLR"
_FORMAT = 1
_BUSY_SECONDS = 30
_SCHEMA = """
CREATE TABLE journal (journal_id TEXT NOT NULL, last_offset INTEGER NOT NULL);
CREATE TABLE envelopes (
    offset INTEGER PRIMARY KEY, received_us INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
"""


class SqliteStore:
    """The store of one workspace folder, shared by the threads of this process and by other processes."""

    def __init__(self, folder: Path, *, memory_mib: int = 64, disk_floor_mib: int = 256) -> None:
        self._file = SqliteFile(folder / JOURNAL_NAME, disk_floor_mib * MIB)
        try:
            self.journal = SqliteJournal(self._file, memory_mib * MIB)
        except BaseException:
            self._file.close()
            raise
        self.keys = SqliteKeys(self._file)

    def copy_to(self, target: Path) -> None:
        """Write everything durable so far into a new file; others go on appending meanwhile."""
        self._file.copy_to(target)

    def close(self) -> None:
        """Make durable what waits, and give the files back."""
        self.journal.close()


def place_in(path: Path) -> tuple[str, int]:
    """The id of the journal in a file that nobody uses, and the greatest offset it has given."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            ((name,),) = connection.execute("SELECT journal_id FROM journal").fetchall()
            return str(name), last_in(connection)
        finally:
            connection.close()
    except (sqlite3.Error, ValueError) as exc:
        raise JournalError(f"{str(path)!r} is no journal, or damaged ({exc})", code="journal_damaged") from exc


def new_file(path: Path, journal_id: str, last_offset: int) -> sqlite3.Connection:
    """A new journal file that goes on with the offsets of another store, and can hold its keys."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _create(connection, journal_id, last_offset)
    connection.execute(KEYS_TABLE)
    return connection


def _create(connection: sqlite3.Connection, journal_id: str, last_offset: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute("INSERT INTO journal VALUES (?, ?)", [journal_id, last_offset])
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_FORMAT}")
    connection.execute("COMMIT")


def _make_empty(path: Path) -> None:
    """Make the file for its owner only, where there is none; SQLite gives the files beside it the same mode.

    One that is there is not opened, which would drop the locks of whoever has it open in this process.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_FILE))


class SqliteFile:
    """Two connections to the file: one changes it, in turns with other processes, one reads."""

    def __init__(self, path: Path, disk_floor: int) -> None:
        self.path = path
        self._floor = disk_floor
        self._process = os.getpid()
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._doubtful = False
        with self._errors("open"):
            self._turns = os.fdopen(os.open(path.parent / _LOCK_NAME, os.O_RDWR | os.O_CREAT, OWNER_FILE), "r+")
            try:
                with self._turn():
                    _make_empty(path)
                    self._writer = self._connect_writer()
                    self._reader = self._connect()
                    self._reader.execute("PRAGMA query_only = ON")
                    self._inode = path.stat().st_ino
                sync_folder(path.parent)
            except BaseException:
                self._turns.close()
                raise

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction: durable when it is left, undone when an error leaves it."""
        self._refuse_fork()
        with self._writing, self._errors("write to"), self._turn():
            self._refuse_lost()
            if self._doubtful:
                self._start_anew()
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                self._doubtful = True
                with suppress(sqlite3.Error):
                    self._writer.rollback()
                raise

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Several reads that see the same rows."""
        self._refuse_fork()
        with self._reading, self._errors("read"):
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.rollback()

    def shrink(self) -> None:
        """Give free pages back to the system, and let nothing of what was deleted stay in the log."""
        with self._writing, self._errors("write to"), self._turn():
            self._writer.execute("PRAGMA incremental_vacuum").fetchall()
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def copy_to(self, target: Path) -> None:
        """Write what a snapshot sees into a new file that needs no log beside it."""
        with self.snapshot() as connection:
            copy = sqlite3.connect(target, isolation_level=None)
            try:
                connection.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE").fetchall()
            finally:
                copy.close()

    def refuse_unfit(self) -> None:
        """Refuse what is known to fail before it is tried: the file is gone, or the disk is nearly full."""
        with self._errors("write to"):
            self._refuse_lost()
            self._refuse_low_disk()

    def _refuse_low_disk(self) -> None:
        """So little room is left that the rest of the system would suffer."""
        free = shutil.disk_usage(self.path.parent).free
        if free < self._floor:
            raise JournalError(
                f"only {free // MIB} MiB are free on the disk of {str(self.path.parent)!r}, the floor is "
                f"{self._floor // MIB} ([journal] disk_floor_mib); make room, then it goes on by itself",
                code="disk_full", free=free, floor=self._floor,
            )  # fmt: skip

    def close(self) -> None:
        """Close both connections; the last one of all folds the log into the file."""
        try:
            if self._process == os.getpid():
                with self._writing, self._reading, self._errors("close"), self._turn():
                    self._reader.close()
                    self._writer.close()
        finally:
            self._turns.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=16
        )
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        return connection

    def _connect_writer(self) -> sqlite3.Connection:
        connection = self._connect()
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        ((application,),) = connection.execute("PRAGMA application_id").fetchall()
        ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        ((version,),) = connection.execute("PRAGMA user_version").fetchall()
        if tables and (application, version) != (_APPLICATION, _FORMAT):
            raise JournalError(
                f"{str(self.path)!r} is no journal that this version knows (format {version}, this version writes "
                f"{_FORMAT}); open it with the version that wrote it, or move it away",
                code="journal_unknown",
            )
        for pragma in ("auto_vacuum = INCREMENTAL", "journal_mode = WAL", "synchronous = FULL", "fullfsync = ON",
                       "checkpoint_fullfsync = ON", "secure_delete = ON", "wal_autocheckpoint = 1000",
                       f"journal_size_limit = {64 * MIB}"):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}").fetchall()
        if not tables:
            _create(connection, secrets.token_hex(4), 0)

    def _start_anew(self) -> None:
        """Open the file again, and put everything that the log holds into it, before the log is written to."""
        self._writer.close()
        self._writer = self._connect_writer()
        ((busy, _, _),) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if busy:
            raise sqlite3.OperationalError("the log is in use")
        self._doubtful = False

    @contextmanager
    def _turn(self) -> Iterator[None]:
        fcntl.flock(self._turns, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._turns, fcntl.LOCK_UN)

    def _refuse_fork(self) -> None:
        if self._process != os.getpid():
            raise JournalError(
                f"the journal was opened by process {self._process} and cannot be used in its fork; "
                "open the workspace after the fork, or start processes by spawning",
                code="journal_forked",
            )

    def _refuse_lost(self) -> None:
        try:
            if self.path.stat().st_ino == self._inode:
                return
        except FileNotFoundError:
            pass
        raise JournalError(
            f"{str(self.path)!r} was removed or replaced while in use; close the workspace and open it again",
            code="journal_lost",
        )

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as exc:
            code = getattr(exc, "sqlite_errorcode", None)
            if code == sqlite3.SQLITE_FULL:
                raise JournalError(
                    f"the disk is full: could not {doing} {str(self.path)!r}; make room, then it goes on by itself",
                    code="disk_full",
                ) from exc
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise JournalError(
                    f"{str(self.path)!r} is damaged ({exc}); move it and the files -wal and -shm beside it away, and "
                    "open the workspace again: what is in the database stays, and `sqlite3 FILE .recover` may bring "
                    "back what was only in the journal",
                    code="journal_damaged",
                ) from exc
            raise JournalError(f"could not {doing} {str(self.path)!r}: {exc}") from exc
