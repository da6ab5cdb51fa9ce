"""The embedded engine: DuckDB in this process, in memory or in one file.

Facts about DuckDB 2.0 that shape this module: a second statement on a connection with an open result fails, so
every query has its own cursor; one process at a time may open a file for writing, so a lock file guards it
(:mod:`regulars.infrastructure.lock`); files are written in the storage format of 1.5 so that an older library
can still read them.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from regulars.application.ports import Table
from regulars.domain.dialect import DUCKDB, Dialect, create_table
from regulars.domain.schema import FIRST_DATE, LAST_DATE, TABLES
from regulars.domain.views import VIEWS
from regulars.errors import EngineError, RegularsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

_STORAGE_VERSION = "v1.5.0"
_FILL_DATES = f"""
INSERT INTO dim_dates
SELECT CAST(strftime(day, '%Y%m%d') AS INTEGER), day, date_diff('day', DATE '1970-01-01', day), year(day),
       quarter(day), month(day), day(day), isodow(day), dayofyear(day), week(day), isoyear(day), isodow(day) >= 6,
       NULL, NULL
FROM (SELECT CAST(d AS DATE) AS day FROM range(DATE '{FIRST_DATE}', DATE '{LAST_DATE}' + 1, INTERVAL 1 DAY) t(d))
"""


class DuckDBEngine:
    """One DuckDB database: many readers, one writer at a time.

    ``path=None`` keeps it in memory. ``memory_limit`` bounds DuckDB's own buffers (``"3GB"``); what does not fit
    spills into a folder beside the database.
    """

    dialect: Dialect = DUCKDB

    def __init__(
        self,
        path: Path | None = None,
        *,
        read_only: bool = False,
        memory_limit: str | None = None,
        threads: int | None = None,
    ) -> None:
        self.path = path
        options: dict[str, Any] = {"autoinstall_known_extensions": False, "TimeZone": "UTC"}
        # It would keep all events in memory for statements that read them twice; reading them again is cheap.
        options["disabled_optimizers"] = "common_subplan"
        if memory_limit:
            options["memory_limit"] = memory_limit
        if threads:
            options["threads"] = threads
        if not read_only:
            options["storage_compatibility_version"] = _STORAGE_VERSION
        with _driver_errors("open the database"):
            self._connection = duckdb.connect(str(path or ":memory:"), read_only=read_only, config=options)
        self._writer = self._connection.cursor()
        self._write_lock = threading.RLock()

    def create_schema(self) -> None:
        """Create every table and view of the star schema; a database that has them is left alone."""
        if self.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'dim_dates'").rows[0][0]:
            return
        with self.transaction():
            for table in TABLES:
                self.execute(create_table(table, self.dialect))
            self.execute(_FILL_DATES)
            for view in VIEWS:
                self.execute(f"CREATE VIEW {view.name} AS {view.sql}")

    def query(self, sql: str) -> Table:
        """Run one SELECT on a snapshot and return all its rows."""
        with _driver_errors("answer the query", sql), self._connection.cursor() as cursor:
            cursor.execute(sql)
            return Table(tuple(c[0] for c in cursor.description or ()), cursor.fetchall())

    def execute(self, sql: str, parameters: object = None) -> None:
        """Run one statement that changes something, inside :meth:`transaction`."""
        with _driver_errors("change the warehouse", sql):
            self._writer.execute(sql, parameters)

    def fetch(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """Rows of a SELECT that sees what the open transaction has changed so far."""
        with _driver_errors("read the warehouse", sql):
            return self._writer.execute(sql, parameters).fetchall()

    def read(self, table: str, columns: Iterable[tuple[str, str]]) -> pa.Table:
        """All rows of a table as an Arrow table (extra ``arrow``)."""
        listed = ", ".join(f"{expression} AS {name}" for name, expression in columns)
        with _driver_errors("read the warehouse"), self._connection.cursor() as cursor:
            return cursor.sql(f"SELECT {listed} FROM {table}").to_arrow_table()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything executed inside at once, or nothing when an error leaves it."""
        with self._write_lock:
            self.execute("BEGIN TRANSACTION")
            try:
                yield
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self.execute("COMMIT")

    def close(self) -> None:
        """Give the database back; its file can be opened by another process afterwards."""
        self._writer.close()
        self._connection.close()


@contextmanager
def _driver_errors(doing: str, sql: str | None = None) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, RuntimeError) as exc:
        if isinstance(exc, RegularsError):
            raise
        # An interrupted query is a bare RuntimeError.
        first_line = str(exc).partition("\n")[0]
        raise EngineError(f"DuckDB could not {doing}: {first_line}", sql=sql) from exc
