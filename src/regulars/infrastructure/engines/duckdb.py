"""The embedded engine: DuckDB in this process, in memory or in one file.

Facts about DuckDB 2.0 that shape this module: a second statement on a connection with an open result fails, so
every query has its own cursor; one process at a time may open a file for writing, so a lock file guards it
(:mod:`regulars.infrastructure.lock`); files are written in the storage format of 1.5 so that an older library
can still read them; a transaction sees what was committed before its first read, not before its BEGIN; after a write
that failed it refuses everything until the file is opened anew, and only then one knows what was committed.
"""

from __future__ import annotations

import shutil
import stat
import threading
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from regulars.application.ports import Snapshot, Table
from regulars.domain.dialect import DUCKDB, Dialect
from regulars.errors import EngineError, RegularsError
from regulars.infrastructure.archive.events import ParquetArchive
from regulars.infrastructure.engines.gate import Gate
from regulars.infrastructure.engines.statements import Statements
from regulars.infrastructure.engines.upgrade import schema_changes
from regulars.infrastructure.files import ARCHIVE_NAME, OWNER_FILE, OWNER_FOLDER, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

_STORAGE_VERSION = "v1.5.0"
_MIB = 1 << 20
_PATIENCE_SECONDS = 5.0
_ZONED = ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")
_AGAIN_SECONDS = 0.5
_NO_ROOM = "No space left on device"
_BLAMES_ROWS = (duckdb.DataError, duckdb.IntegrityError, duckdb.InvalidInputException)


class _Explanation(NamedTuple):
    code: str | None = None
    advice: str = ""


class DuckDBEngine:
    """One DuckDB database: many readers, one writer at a time.

    ``path=None`` keeps it in memory. ``memory_limit`` bounds DuckDB's own buffers (``"3GB"``); what does not fit
    spills into a folder beside the database. With fewer than ``disk_floor`` bytes free on the disk nothing is changed,
    so that DuckDB, which a full disk stops altogether, goes on answering. A reader's statement that takes longer than
    ``query_seconds`` is stopped.
    """

    dialect: Dialect = DUCKDB

    def __init__(
        self,
        path: Path | None = None,
        *,
        read_only: bool = False,
        memory_limit: str | None = None,
        threads: int | None = None,
        disk_floor: int = 0,
        query_seconds: float | None = None,
    ) -> None:
        self.path = path
        self._floor = disk_floor
        self._read_only = read_only
        options: dict[str, Any] = {"autoinstall_known_extensions": False, "TimeZone": "UTC"}
        # A table that does not exist is never a variable of the program that asks.
        options["python_enable_replacements"] = False
        # It would keep all events in memory for statements that read them twice; reading them again is cheap.
        options["disabled_optimizers"] = "common_subplan"
        if memory_limit:
            options["memory_limit"] = memory_limit
        if threads:
            options["threads"] = threads
        if not read_only:
            options["storage_compatibility_version"] = _STORAGE_VERSION
        self._options = options
        self._write_lock = threading.RLock()
        self._commits = 0  # begun and ended ones: an odd number while one is under way
        self._readers = Gate()
        self._statements = Statements(query_seconds)
        # Where nobody waits for ever, a file that has to be written anew waits only so long for readers.
        self._patience = None if query_seconds is None else _PATIENCE_SECONDS
        self.archive = None if path is None else ParquetArchive(self, path.parent / ARCHIVE_NAME / "events")
        self._connect()

    def _connect(self) -> None:
        with _driver_errors("open the database"):
            if self.path is not None and not self._read_only:
                if not self.path.exists():
                    self._make_file(self.path)
                with suppress(OSError):  # empty, where a process was killed just after it had put a file in place
                    _folder_beside(self.path).rmdir()
            self._connection = duckdb.connect(
                str(self.path or ":memory:"), read_only=self._read_only, config=self._options
            )
        self._writer = self._connection.cursor()

    def _make_file(self, path: Path) -> None:
        """Make an empty database beside the place, and move it there whole.

        DuckDB writes a new file piece by piece, and can never open one again whose making was interrupted.
        """
        fresh = _new_beside(path)
        duckdb.connect(str(fresh), config=self._options).close()
        _put_in_place(fresh, path)

    def create_schema(self) -> None:
        """Create the tables and views that are missing: all of them, or those that an older version did not know."""
        statements = list(schema_changes(lambda sql: self.query(sql).rows))
        if statements:
            with self.transaction():
                for statement in statements:
                    self.execute(statement)

    def query(self, sql: str, most: int | None = None) -> Table:
        """Run one SELECT on a snapshot and return its rows, no more than ``most``."""
        with self._readers.one(), _driver_errors("answer the query", sql), self._connection.cursor() as cursor:
            return self._rows(cursor, sql, most)

    def parsed(self, sql: str) -> str:
        """The syntax tree of a text, or what is wrong with it, as JSON; nothing is run."""
        with self._readers.one(), _driver_errors("read the SQL", sql), self._connection.cursor() as cursor:
            (found,) = cursor.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()[0]
        return str(found)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The last committed state, for several SELECTs whose rows belong together."""
        with self._readers.one():
            with _driver_errors("read the warehouse"):
                cursor = self._connection.cursor()
            with cursor:
                commits = self._commits
                with _driver_errors("read the warehouse"):
                    cursor.execute("BEGIN TRANSACTION")
                    cursor.execute("SELECT txid_current()")  # the first read
                is_known = commits % 2 == 0 and commits == self._commits
                yield Snapshot(partial(self._rows, cursor), commits if is_known else None)

    def _rows(self, cursor: duckdb.DuckDBPyConnection, sql: str, most: int | None = None) -> Table:
        with _driver_errors("answer the query", sql), self._statements.one(cursor):
            columns = cursor.execute(sql).description or ()
            if any(str(column[1]) in _ZONED for column in columns):
                rows = _without_zones(cursor, sql, columns, most)
            else:
                rows = cursor.fetchall() if most is None else cursor.fetchmany(most)
            return Table(tuple(column[0] for column in columns), rows)

    def stop_reading(self, why: str) -> None:
        """Stop what readers are running; whoever asked gets to know why."""
        self._statements.stop(why)

    def execute(self, sql: str, parameters: object = None) -> None:
        """Run one statement that changes something, inside :meth:`transaction`."""
        with _driver_errors("change the warehouse", sql):
            self._writer.execute(sql, parameters)

    def fetch(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """Rows of a SELECT that sees what the open transaction has changed so far."""
        with _driver_errors("read the warehouse", sql):
            return self._writer.execute(sql, parameters).fetchall()

    def keep_arrays(self, name: str, types: Mapping[str, str], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep NumPy arrays of one length as the columns of a temporary table."""
        columns = ", ".join(f"CAST({column} AS {type}) AS {column}" for column, type in types.items())
        with _driver_errors("change the warehouse"):
            self._writer.register("given_arrays", dict(arrays))
            try:
                self._writer.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {columns} FROM given_arrays")
            finally:
                with suppress(duckdb.Error):  # it has nothing to add to what went wrong before
                    self._writer.unregister("given_arrays")

    def read(self, table: str, columns: Iterable[tuple[str, str]]) -> pa.Table:
        """All rows of a table as an Arrow table (extra ``arrow``)."""
        listed = ", ".join(f"{expression} AS {name}" for name, expression in columns)
        with self._readers.one(), _driver_errors("read the warehouse"), self._connection.cursor() as cursor:
            return cursor.sql(f"SELECT {listed} FROM {table}").to_arrow_table()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything executed inside at once, or nothing when an error leaves it."""
        with self._write_lock:
            self._refuse_low_disk()
            self.execute("BEGIN TRANSACTION")
            try:
                yield
            except BaseException:
                # DuckDB may have stopped, and would hide the error that says why.
                with suppress(duckdb.Error):
                    self._writer.execute("ROLLBACK")
                raise
            self._commits += 1
            try:
                self.execute("COMMIT")
            finally:
                self._commits += 1

    def _refuse_low_disk(self) -> None:
        if self.path is None or not self._floor:
            return
        free = shutil.disk_usage(self.path.parent).free
        if free < self._floor:
            raise EngineError(
                f"only {free // _MIB} MiB are free on the disk of {str(self.path.parent)!r}, and the database changes "
                f"nothing with fewer than {self._floor // _MIB} (a quarter of [journal] disk_floor_mib); make room, "
                "then it goes on by itself",
                code="disk_full", free=free, floor=self._floor,
            )  # fmt: skip

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nothing is committed meanwhile, so that several reads, or staged rows, belong together."""
        with self._write_lock:
            yield

    def rewrite(self) -> bool:
        """Write the file anew with the rows there are, so that nothing deleted can be read from it any more.

        Deleting rows leaves their bytes in the file. Everything is copied into a file beside it, which then takes its
        place at once; killed at any moment, the old file or the new one is there, whole. Readers of this process go on
        until that moment, changes wait. False: the database is in memory, and there is no file.
        """
        if self.path is None:
            return False
        with self._write_lock, _driver_errors("write the database anew"):
            fresh = _new_beside(self.path)
            self._copy_to(fresh)
            with self._readers.none(self._patience, partial(self.stop_reading, "the database was written anew")):
                # A log that outlives the old file would be replayed into the new one.
                self._writer.execute("CHECKPOINT")
                self._disconnect()
                try:
                    _put_in_place(fresh, self.path)
                finally:
                    self._connect()
        return True

    def copy_to(self, target: Path) -> None:
        """Write what was committed into a new file; readers go on meanwhile, changes wait.

        It is done in SQL: opening and closing the database's own file, to copy its bytes, would drop DuckDB's lock.
        """
        with self._write_lock, _driver_errors("copy the database"):
            self._copy_to(target)

    def _copy_to(self, fresh: Path) -> None:
        name = self._writer.execute("SELECT current_database()").fetchall()[0][0]
        target = str(fresh).replace("'", "''")
        self._writer.execute(f"ATTACH '{target}' AS fresh (STORAGE_VERSION '{_STORAGE_VERSION}')")
        try:
            self._writer.execute(f'COPY FROM DATABASE "{name}" TO fresh')
        finally:
            self._writer.execute("DETACH fresh")

    def close(self) -> None:
        """Stop what readers are running and give the database back; another process can open its file afterwards."""
        self._statements.end()
        if self._readers.is_inside:
            self._disconnect()
            return
        # Again and again: a statement that was just about to begin does not notice that it was stopped.
        with self._readers.none(_AGAIN_SECONDS, self._statements.end):
            self._disconnect()

    def _disconnect(self) -> None:
        self._writer.close()
        self._connection.close()


def _without_zones(
    cursor: duckdb.DuckDBPyConnection, sql: str, columns: Sequence[tuple[Any, ...]], most: int | None
) -> list[Any]:
    """Rows with naive UTC instants in the place of those with a zone, which the driver hands over with pytz only."""
    shown = ", ".join(
        f"CAST(CAST(#{place} AS TIMESTAMPTZ) AS TIMESTAMP)" if str(column[1]) in _ZONED else f"#{place}"
        for place, column in enumerate(columns, 1)
    )
    cursor.abort()
    relation = cursor.sql(sql).project(shown)
    return (relation if most is None else relation.limit(most)).fetchall()


def _folder_beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _new_beside(path: Path) -> Path:
    """Where a new file is made before it takes its place; what a process that was killed left there goes.

    It is in a folder of its own, for DuckDB makes a file that everybody may read, and takes none that is there.
    """
    folder = _folder_beside(path)
    if folder.is_dir():
        shutil.rmtree(folder)
    for left in (folder, path.with_name(f"{folder.name}.wal")):  # of an earlier version
        left.unlink(missing_ok=True)
    folder.mkdir(mode=OWNER_FOLDER)
    return folder / path.name


def _put_in_place(fresh: Path, path: Path) -> None:
    """Give a new file its place, and the mode of the one that was there; without one it is its owner's only."""
    fresh.chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else OWNER_FILE)
    fresh.replace(path)
    shutil.rmtree(fresh.parent, ignore_errors=True)
    sync_folder(path.parent)


@contextmanager
def _driver_errors(doing: str, sql: str | None = None) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, RuntimeError, OSError) as exc:
        if isinstance(exc, RegularsError):
            raise
        # An interrupted query is a bare RuntimeError.
        first_line = str(exc).partition("\n")[0]
        code, advice = _explained(exc)
        raise EngineError(f"DuckDB could not {doing}: {first_line}{advice}", code=code, sql=sql) from exc


def _explained(exc: Exception) -> _Explanation:
    """The code for an error of the driver, and what to do about it."""
    if isinstance(exc, _BLAMES_ROWS):
        return _Explanation(code="bad_value")
    if isinstance(exc, duckdb.ProgrammingError):
        return _Explanation(code="bad_statement")
    if isinstance(exc, duckdb.FatalException):
        again = "; DuckDB has stopped: close the workspace and open it again, everything committed is there"
        advice = f"; the disk is full, make room{again}" if _NO_ROOM in str(exc) else again
        return _Explanation(code="engine_stopped", advice=advice)
    if _NO_ROOM in str(exc):
        return _Explanation(code="disk_full", advice="; make room, and try again")
    return _Explanation()
