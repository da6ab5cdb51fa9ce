"""The serving engine beyond one machine: ClickHouse, through ``clickhouse-connect``.

It runs the same plans as the embedded engine on a copy of the star schema, made by
:func:`regulars.application.mirror.mirror`. The client can be any of clickhouse-connect's, the one of the engine in
this process (``get_client(interface="chdb")``) included.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext, suppress
from threading import RLock
from typing import TYPE_CHECKING, Any

from regulars.application.ports import Snapshot, Table
from regulars.domain.dialect import CLICKHOUSE, Dialect, create_table
from regulars.domain.schema import TABLES
from regulars.domain.sql import StagedSql
from regulars.errors import EngineError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import pyarrow as pa
    from clickhouse_connect.driver.client import Client


def connect(**options: Any) -> ClickHouseEngine:
    """Connect to a server: the options are those of ``clickhouse_connect.get_client`` (host, port, username, ...)."""
    try:
        import clickhouse_connect  # noqa: PLC0415 -- optional
    except ImportError as exc:
        raise MissingExtraError("clickhouse-connect", "clickhouse", "ClickHouse") from exc
    return ClickHouseEngine(clickhouse_connect.get_client(**options))


class ClickHouseEngine:
    """A ClickHouse database that answers questions; rows come into it table by table."""

    dialect: Dialect = CLICKHOUSE

    def __init__(self, client: Client) -> None:
        self.client = client
        # Temporary tables belong to a session, and a session runs one statement at a time.
        self._has_session = client.uri.startswith("chdb:") or bool(client.get_client_setting("session_id"))
        self._turn: AbstractContextManager[object] = RLock() if self._has_session else nullcontext()

    def create_schema(self) -> None:
        """Create every table of the star schema that is not there yet."""
        for table in TABLES:
            statement = create_table(table, self.dialect).replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1)
            self.execute(statement)

    def query(self, sql: str) -> Table:
        """Run one SELECT and return all its rows.

        Relations that it reads more than once are put into temporary tables, if the client has a session: ClickHouse
        would analyse each of them anew for every reader, with all that it reads itself, which takes it seconds.
        """
        with self._turn, _driver_errors("answer the query", str(sql)):
            if isinstance(sql, StagedSql) and self._has_session:
                return self._in_stages(sql)
            return self._rows(sql)

    def _in_stages(self, sql: StagedSql) -> Table:
        from clickhouse_connect.driver.exceptions import ClickHouseError  # noqa: PLC0415 -- optional

        try:
            for name, text in sql.stages:
                self._run(f"CREATE OR REPLACE TEMPORARY TABLE {name} ENGINE = Memory AS\n{text}")
            return self._rows(sql.last)
        finally:
            # What cannot be dropped goes with the session, and must not stand in the place of the error before it.
            with suppress(ClickHouseError):
                for name, _ in sql.stages:
                    self._run(f"DROP TEMPORARY TABLE IF EXISTS {name}")

    def _run(self, sql: str) -> None:
        self.client.command(sql, settings=dict(self.dialect.settings))

    def _rows(self, sql: str) -> Table:
        found = self.client.query(sql, settings=dict(self.dialect.settings))
        return Table(tuple(found.column_names), [tuple(row) for row in found.result_rows])

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Several SELECTs; each sees what is there when it runs."""
        yield Snapshot(self.query)

    def execute(self, sql: str) -> None:
        """Run one statement that changes something; ClickHouse has no transaction to be inside of."""
        with _driver_errors("change the warehouse", sql):
            self.client.command(sql)

    def replace(self, table: str, rows: pa.Table) -> None:
        """Put rows in the place of everything a table holds."""
        with _driver_errors("change the warehouse"):
            self.client.command(f"TRUNCATE TABLE {table}")
            if rows.num_rows:
                self.client.insert_arrow(table, rows)

    def close(self) -> None:
        """Give the connection back."""
        self.client.close()


@contextmanager
def _driver_errors(doing: str, sql: str | None = None) -> Iterator[None]:
    from clickhouse_connect.driver.exceptions import ClickHouseError  # noqa: PLC0415 -- optional

    try:
        yield
    except ClickHouseError as exc:
        first_line = str(exc).partition("\n")[0]
        raise EngineError(f"ClickHouse could not {doing}: {first_line}", sql=sql) from exc
