"""Bring a DuckDB database to the tables and views of this version."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from regulars.domain.dialect import DUCKDB, create_table
from regulars.domain.schema import DIM_DATES, FIRST_DATE, LAST_DATE, TABLES, WORKSPACE_STATE, Table
from regulars.domain.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Read = Callable[[str], list[tuple[Any, ...]]]
    Columns = list[tuple[str, str, bool]]

_FILL_DATES = f"""
INSERT INTO dim_dates
SELECT year(day) * 10000 + month(day) * 100 + day(day), day, date_diff('day', DATE '1970-01-01', day), year(day),
       quarter(day), month(day), day(day), isodow(day), dayofyear(day), week(day), isoyear(day), isodow(day) >= 6,
       NULL, NULL
FROM (SELECT CAST(d AS DATE) AS day FROM range(DATE '{FIRST_DATE}', DATE '{LAST_DATE}' + 1, INTERVAL 1 DAY) t(d))
"""
_TABLES = "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND database_name = current_database()"
_FINGERPRINT = hashlib.sha256(
    "\n".join([*(create_table(table, DUCKDB) for table in TABLES), *(view.sql for view in VIEWS)]).encode()
).hexdigest()


def schema_changes(read: Read) -> Iterator[str]:
    """The statements that create what is missing: everything, or what an older version did not know.

    Derived tables with other columns than today's are made anew and empty; the next load or rebuild fills them. A table
    that has become a view was never filled, and goes. There is nothing to do in a database that this version has
    brought up to date before.
    """
    tables = {name for (name,) in read(_TABLES)}
    if WORKSPACE_STATE.name in tables and read("SELECT value FROM workspace_state WHERE name = 'schema'") == [
        (_FINGERPRINT,)
    ]:
        return
    # DuckDB takes long to list its own columns, so it is asked only about a database that has others.
    found = _columns(read) if tables else {}
    for table in TABLES:
        is_old = table.role == "derived" and found.get(table.name, _wanted(table)) != _wanted(table)
        if is_old:
            yield f"DROP TABLE {table.name}"
        if is_old or table.name not in found:
            yield create_table(table, DUCKDB)
    if DIM_DATES.name not in found:
        yield _FILL_DATES
    for view in VIEWS:
        if view.name in tables:
            yield f"DROP TABLE {view.name}"
        yield f"CREATE OR REPLACE VIEW {view.name} AS {view.sql}"
    yield "DELETE FROM workspace_state WHERE name = 'schema'"
    yield f"INSERT INTO workspace_state VALUES ('schema', '{_FINGERPRINT}')"


def _columns(read: Read) -> dict[str, Columns]:
    found: dict[str, Columns] = {}
    for table, *column in read(
        """SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database() ORDER BY table_name, column_index"""
    ):
        found.setdefault(table, []).append(tuple(column))
    return found


def _wanted(table: Table) -> Columns:
    return [(column.name, DUCKDB.types[column.type], column.nullable) for column in table.columns]
