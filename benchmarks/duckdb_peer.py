"""DuckDB with SQL written by hand as a peer: distinct user-days with dense keys, straight from the event log."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import duckdb

from benchmarks.machine import cores
from benchmarks.turns import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_TABLES: Final = {
    "people": """SELECT user_id, CAST(row_number() OVER () AS INTEGER) AS user, any_value(country) AS country
FROM '{path}' GROUP BY user_id""",
    "user_days": """SELECT day, user, country
FROM (SELECT DISTINCT CAST(event_time AS DATE) AS day, user_id FROM '{path}') JOIN people USING (user_id)
ORDER BY day, user""",
}

# Faster than counting distinct users in the outer query, and than joining a calendar by range.
EXPLODE_BY_COUNTRY: Final = """SELECT t, country, count(*) FROM (
  SELECT DISTINCT d.day + CAST(i AS INTEGER) AS t, country, user FROM user_days AS d, range({window}) AS r(i)
  WHERE d.day + CAST(i AS INTEGER) <= DATE '{last}'
) GROUP BY t, country ORDER BY t, country"""


@contextmanager
def duckdb_with(log: Path, folder: Path, tables: Mapping[str, str] = _TABLES) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database file with a peer's tables, which go with the folder."""
    with duckdb.connect(str(folder / "peer.duckdb"), config={"threads": cores(), "memory_limit": "8GB"}) as connection:
        for name, text in tables.items():
            connection.execute(f"CREATE TABLE {name} AS {text.format(path=log)}")
            say(f"DuckDB: table {name} is ready")
        yield connection
