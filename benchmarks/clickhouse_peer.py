"""The ClickHouse engine in this process as a peer: its tables come straight from the event log.

``events`` is what a product keeps there, in the order that serves these questions best. ``user_days`` (distinct, with
dense keys) and ``bitmaps`` (a roaring bitmap of people per day) are what somebody would add who tunes it by hand; they
are made before any time is taken.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from benchmarks.machine import cores
from benchmarks.turns import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

_SETTINGS: Final = {"max_memory_usage": 8_000_000_000, "max_bytes_before_external_group_by": 3_000_000_000}

_TABLES: Final = {
    "events": """MergeTree ORDER BY (day, user_id) AS
SELECT toDate(assumeNotNull(event_time)) AS day, assumeNotNull(user_id) AS user_id, assumeNotNull(country) AS country
FROM file('{path}', Parquet)""",
    "people": """MergeTree ORDER BY user_id AS
SELECT user_id, toUInt32(rowNumberInAllBlocks()) AS user, country
FROM (SELECT user_id, any(country) AS country FROM events GROUP BY user_id)""",
    "user_days": """MergeTree ORDER BY (day, user) AS
SELECT day, user, country FROM (SELECT DISTINCT day, user_id FROM events) AS d JOIN people AS p USING (user_id)""",
    "bitmaps": """MergeTree ORDER BY day AS
SELECT day, groupBitmapState(user) AS users FROM user_days GROUP BY day""",
}

EXPLODE_EVENTS: Final = """SELECT t, uniqExact(user_id) FROM (
  SELECT day + arrayJoin(range({window})) AS t, user_id FROM (SELECT DISTINCT day, user_id FROM events)
) WHERE t <= toDate('{last}') GROUP BY t ORDER BY t"""

EXPLODE_USER_DAYS: Final = """SELECT t, uniqExact(user) FROM (
  SELECT day + arrayJoin(range({window})) AS t, user FROM user_days
) WHERE t <= toDate('{last}') GROUP BY t ORDER BY t"""

MERGE_BITMAPS: Final = """SELECT t, groupBitmapMerge(users) FROM (
  SELECT day + arrayJoin(range({window})) AS t, users FROM bitmaps
) WHERE t <= toDate('{last}') GROUP BY t ORDER BY t"""

EXPLODE_BY_COUNTRY: Final = """SELECT t, country, uniqExact(user) FROM (
  SELECT day + arrayJoin(range({window})) AS t, country, user FROM user_days
) WHERE t <= toDate('{last}') GROUP BY t, country ORDER BY t, country"""


@contextmanager
def clickhouse_with(log: Path, folder: Path, tables: Mapping[str, str] = _TABLES) -> Iterator[Client]:
    """The engine with its tables, which go with the folder."""
    import clickhouse_connect  # noqa: PLC0415 -- large, and most processes do without

    settings: dict[str, Any] = {**_SETTINGS, "max_threads": cores()}
    client = clickhouse_connect.get_client(interface="chdb", path=str(folder), settings=settings)
    try:
        for name, text in tables.items():
            client.command(f"CREATE TABLE {name} ENGINE = {text.format(path=log)}")
            say(f"ClickHouse: table {name} is ready")
        yield client
    finally:
        client.close()
