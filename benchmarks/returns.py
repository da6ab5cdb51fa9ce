"""W8 and W9: retention, lifecycle, a funnel, sessions, and a slice by event properties, against hand-written SQL.

Regulars answers as it does for anybody: from what its import keeps, or from events where that does not hold. The peers
have the same events with dense keys, sorted by person and time, and distinct user-days for what these suffice for.
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import regulars
from benchmarks.clickhouse_peer import clickhouse_with
from benchmarks.duckdb_peer import duckdb_with
from benchmarks.records import Measurement, Target
from benchmarks.turns import Contender, Row, say, take_turns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.dataset import Size
    from regulars import Result, Workspace

WEEKS: Final = 12
FUNNEL: Final = ("login", "search", "article_read", "like", "share")
WITHIN_DAYS: Final = 7
FUNNEL_DAYS: Final = 30
SLICE_DAYS: Final = 90
PASSIVE: Final = ("notification_open", "support_ticket")
_OF_DUCKDB, _OF_CLICKHOUSE = Target("at most", 1.2), Target("at most", 1.5)
_MICROSECONDS = 86_400_000_000

DUCKDB_TABLES: Final = {
    "people": "SELECT user_id, CAST(row_number() OVER () AS INTEGER) AS user FROM '{path}' GROUP BY user_id",
    "events": """SELECT CAST(event_time AS DATE) AS day, user, epoch_us(event_time) AS ts, event_type AS type, feature,
  platform FROM '{path}' JOIN people USING (user_id) ORDER BY user, ts""",
    "user_days": "SELECT DISTINCT day, user FROM events ORDER BY user, day",
}
CLICKHOUSE_TABLES: Final = {
    "people": """MergeTree ORDER BY user_id AS
SELECT user_id, toUInt32(rowNumberInAllBlocks()) AS user
FROM (SELECT DISTINCT assumeNotNull(user_id) AS user_id FROM file('{path}', Parquet))""",
    "events": """MergeTree ORDER BY (user, ts) AS
SELECT toDate(assumeNotNull(event_time)) AS day, p.user AS user,
  toUInt64(toUnixTimestamp64Micro(toDateTime64(assumeNotNull(event_time), 6))) AS ts,
  toLowCardinality(assumeNotNull(event_type)) AS type
FROM file('{path}', Parquet) AS f JOIN people AS p ON p.user_id = assumeNotNull(f.user_id)""",
    "user_days": "MergeTree ORDER BY (user, day) AS SELECT DISTINCT day, user FROM events",
}

RETENTION_DUCKDB: Final = """WITH
firsts AS (SELECT user, date_trunc('week', min(day)) AS cohort FROM user_days GROUP BY user),
weeks AS (SELECT DISTINCT user, date_trunc('week', day) AS week FROM user_days)
SELECT cohort, datediff('week', cohort, week) AS period, count(*) FROM weeks JOIN firsts USING (user)
WHERE datediff('week', cohort, week) <= {weeks} GROUP BY cohort, period"""
RETENTION_CLICKHOUSE: Final = """SELECT cohort, period - 1, count FROM (
  SELECT cohort, sumForEach(came) AS counts FROM (
    SELECT user, any(first) AS cohort, retention({conditions}) AS came
    FROM (SELECT user, toMonday(day) AS week FROM user_days) AS d
    JOIN (SELECT user, toMonday(min(day)) AS first FROM user_days GROUP BY user) AS f USING (user)
    GROUP BY user
  ) GROUP BY cohort
) ARRAY JOIN counts AS count, arrayEnumerate(counts) AS period WHERE count > 0"""
LIFECYCLE_DUCKDB: Final = """SELECT day, count(*), count(*) FILTER (before IS NULL), count(*) FILTER (before = day - 1)
FROM (SELECT day, lag(day) OVER (PARTITION BY user ORDER BY day) AS before FROM user_days) GROUP BY day"""
LIFECYCLE_CLICKHOUSE: Final = """SELECT day, count(), countIf(before IS NULL), countIf(before = day - 1)
FROM (SELECT day, lagInFrame(toNullable(day)) OVER (PARTITION BY user ORDER BY day
  ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS before FROM user_days) GROUP BY day"""
SESSIONS_DUCKDB: Final = """SELECT day, count(*), count(DISTINCT user) FROM (
  SELECT user, day, ts, ts - lag(ts) OVER (PARTITION BY user ORDER BY ts) AS pause FROM events
  WHERE type NOT IN {passive} AND day >= DATE '{first}' - 2
) WHERE (pause IS NULL OR pause > 1800000000) AND day >= DATE '{first}' GROUP BY day"""
SESSIONS_CLICKHOUSE: Final = """SELECT day, count(), uniqExact(user) FROM (
  SELECT user, day, ts - lagInFrame(toNullable(ts)) OVER (PARTITION BY user ORDER BY ts
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS pause FROM events
  WHERE type NOT IN {passive} AND day >= toDate('{first}') - 2
) WHERE (pause IS NULL OR pause > 1800000000) AND day >= toDate('{first}') GROUP BY day"""
FUNNEL_CLICKHOUSE: Final = """SELECT level, count() FROM (
  SELECT user, windowFunnel({window})(ts, type = '{first}' AND day <= toDate('{until}'), {later}) AS level FROM events
  WHERE day >= toDate('{since}') AND type IN {steps} GROUP BY user
) WHERE level > 0 GROUP BY level"""
SLICE_DUCKDB: Final = """SELECT day, feature, platform, count(DISTINCT user) FROM events
WHERE day >= DATE '{first}' AND type NOT IN {passive} GROUP BY day, feature, platform"""


def measure_returns(size: Size, log: Path, folder: Path, wanted: Sequence[str], runs: int) -> Iterator[Measurement]:
    """Those of W8 and W9 that are wanted, on the workspace that the import has left in the folder."""
    peers = folder / "peers"
    with (
        regulars.open(folder / "workspace", read_only=True) as ws,
        duckdb_with(log, peers, DUCKDB_TABLES) as duck,
        clickhouse_with(log, peers / "clickhouse", CLICKHOUSE_TABLES) as client,
    ):

        def duckdb(text: str) -> Contender:
            return Contender("DuckDB", lambda: duck.execute(text).fetchall(), plain)

        def clickhouse(text: str) -> Contender:
            return Contender("ClickHouse", lambda: client.query(text).result_rows, plain)

        if "W8" in wanted:
            for id_, what, own, on_duckdb, on_clickhouse in work_of(size, ws):
                say(f"{id_} on size {size.name}")
                found, rows = take_turns([own, duckdb(on_duckdb), clickhouse(on_clickhouse)], runs)
                for peer, target in (("DuckDB", _OF_DUCKDB), ("ClickHouse", _OF_CLICKHOUSE)):
                    yield Measurement(
                        f"{id_}.{peer.lower()}", "W8", what, "s", found[own.name], found[peer], target,
                        sense="at most", rows_compared=rows,
                    )  # fmt: skip
        if "W9" in wanted:
            say(f"W9 on size {size.name}")
            own, text = slice_of(size, ws)
            found, rows = take_turns([own, duckdb(text)], runs)
            what = f"daily actives by feature and platform, {SLICE_DAYS} days, no rollup"
            yield Measurement(
                "W9", "W9", what, "s", found[own.name], found["DuckDB"], _OF_DUCKDB, sense="at most", rows_compared=rows
            )


def work_of(size: Size, ws: Workspace) -> Iterator[tuple[str, str, Contender, str, str]]:
    """Each piece of W8: its id, what it is, Regulars, and the SQL of the two peers."""
    whole: dict[str, Any] = {"start": size.first_day, "end": size.last_day}
    conditions = ", ".join(f"week = first + {7 * week}" for week in range(WEEKS + 1))
    yield (
        "W8.retention",
        f"weekly retention triangle, {WEEKS} weeks, of the year",
        Contender("regulars", lambda: ws.retention(grain="week", activity="any", horizon=WEEKS, **whole), triangle),
        RETENTION_DUCKDB.format(weeks=WEEKS),
        RETENTION_CLICKHOUSE.format(conditions=conditions),
    )
    yield (
        "W8.lifecycle",
        "new, retained, resurrected and churned of every day",
        Contender("regulars", lambda: ws.lifecycle(activity="any", **whole), growth),
        LIFECYCLE_DUCKDB,
        LIFECYCLE_CLICKHOUSE,
    )
    last = date.fromisoformat(size.last_day)
    until = last - timedelta(days=WITHIN_DAYS)
    since = until - timedelta(days=FUNNEL_DAYS - 1)
    yield (
        "W8.funnel",
        f"{len(FUNNEL)} steps within {WITHIN_DAYS} days, begun in {FUNNEL_DAYS} days",
        Contender(
            "regulars", lambda: ws.funnel(list(FUNNEL), within=f"{WITHIN_DAYS} days", start=since, end=until), levels
        ),
        funnel_duckdb(since, until),
        FUNNEL_CLICKHOUSE.format(
            window=WITHIN_DAYS * _MICROSECONDS, first=FUNNEL[0], since=since, until=until, steps=FUNNEL,
            later=", ".join(f"type = '{step}'" for step in FUNNEL[1:]),
        ),
    )  # fmt: skip
    month = last - timedelta(days=29)
    yield (
        "W8.sessions",
        "sessions and their people per day, 30 days",
        Contender("regulars", lambda: ws.sessions(start=month, end=last), begun),
        SESSIONS_DUCKDB.format(first=month, passive=PASSIVE),
        SESSIONS_CLICKHOUSE.format(first=month, passive=PASSIVE),
    )


def funnel_duckdb(since: date, until: date) -> str:
    """From each entry the next event of each step, by joins as of a time."""
    joins = "".join(
        f"\nASOF LEFT JOIN (SELECT user, ts FROM steps WHERE type = '{step}') s{n}"
        f" ON s{n}.user = s1.user AND s{n}.ts >= s{n - 1}.ts"
        for n, step in enumerate(FUNNEL[1:], 2)
    )
    window = WITHIN_DAYS * _MICROSECONDS
    depth = " + ".join(["1", *(f"coalesce(CAST(s{n}.ts - s1.ts <= {window} AS INTEGER), 0)" for n in range(2, 6))])
    return f"""WITH steps AS (SELECT day, user, ts, type FROM events WHERE day >= DATE '{since}' AND type IN {FUNNEL})
SELECT level, count(*) FROM (
  SELECT s1.user, max({depth}) AS level
  FROM (SELECT user, ts FROM steps WHERE type = '{FUNNEL[0]}' AND day <= DATE '{until}') s1{joins}
  GROUP BY s1.user
) GROUP BY level"""


def slice_of(size: Size, ws: Workspace) -> tuple[Contender, str]:
    """W9: Regulars, and the SQL of its peer."""
    last = date.fromisoformat(size.last_day)
    first = last - timedelta(days=SLICE_DAYS - 1)
    asked: dict[str, Any] = {"by": ("feature", "device.platform"), "limit": 100, "start": first, "end": last}
    own = Contender("regulars", lambda: ws.active_users(**asked), slices)
    return own, SLICE_DUCKDB.format(first=first, passive=PASSIVE)


def triangle(result: Result) -> list[Row]:
    """Cohort, period, people; cells without anybody left out, as SQL leaves them out."""
    return plain([(r["date"], r["period"], r["retention_users"]) for r in result.rows if r["retention_users"]])


def growth(result: Result) -> list[Row]:
    """Day, actives, new, retained."""
    return plain([(r["date"], r["active_users"], r["new"], r["retained"]) for r in result.rows if r["active_users"]])


def levels(result: Result) -> list[Row]:
    """How many people got exactly so far; nobody is left out, as SQL leaves it out."""
    users = [*(row["users"] for row in result.rows), 0]
    return [(step, here - further) for step, (here, further) in enumerate(pairwise(users), 1) if here > further]


def begun(result: Result) -> list[Row]:
    """Day, sessions, people."""
    return plain([(r["date"], r["sessions"], r["users"]) for r in result.rows if r["sessions"]])


def slices(result: Result) -> list[Row]:
    """Day, feature, platform, people."""
    return plain([tuple(v for k, v in r.items() if k != "flags") for r in result.rows if r["active_users"]])


def plain(table: Sequence[Sequence[Any]]) -> list[Row]:
    """Rows in order, with days as days and counts as whole numbers."""
    return sorted(tuple(_plain(value) for value in row) for row in table)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    return value if isinstance(value, str) else int(value)
