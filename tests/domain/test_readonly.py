"""Read-only SQL: what may be asked, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from regulars.domain.readonly import check_select, check_tree
from regulars.domain.readonly_functions import FUNCTIONS, TABLE_FUNCTIONS
from regulars.errors import EngineError, QueryError
from tests.domain.examples import did, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from regulars.workspace import Workspace

ALLOWED = (
    "SELECT count(*) FROM fact_user_actions",
    "SELECT 1;",
    "SELECT 1; -- one",
    "FROM dim_users",
    "(SELECT 1) UNION ALL (SELECT 2)",
    "WITH a AS (SELECT * FROM dim_users), b AS (SELECT * FROM a) SELECT * FROM a JOIN b USING (user_key)",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM t",
    "WITH a AS (SELECT 1 AS x) SELECT (SELECT max(x) FROM a), EXISTS (SELECT 1 FROM a)",
    "SELECT * FROM (WITH a AS (SELECT 1 AS x) SELECT * FROM a) q",
    "WITH dim_users AS (SELECT 1 AS x) SELECT * FROM dim_users",
    "SELECT user_id, lag(day) OVER (PARTITION BY user_key ORDER BY day) FROM arrivals JOIN dim_users USING (user_key)",
    "SELECT json_extract_string(user_attributes, '$.plan'), user_attributes ->> 'plan' FROM dim_users",
    "SELECT list(user_id ORDER BY user_id), list_aggregate([1, 2], 'sum'), list_sum([1]) FROM dim_users",
    "SELECT epoch_us(now()), today(), current_date, strftime(now(), '%Y'), date_diff('day', today(), today())",
    "SELECT median(n), quantile_cont(n, 0.9), mad(n), histogram(n), product(n) FROM (SELECT 1 AS n)",
    "SELECT * FROM range(3), generate_series(1, 2), unnest([1, 2])",
    "SELECT 'a_b' LIKE 'a!_b' ESCAPE '!', 'a' NOT LIKE 'b' ESCAPE '!', 'A' ILIKE 'a' ESCAPE '!', 'a' SIMILAR TO 'b'",
    "SELECT user, x.user FROM (SELECT user_id AS user FROM dim_users) AS x",
    "SELECT day AT TIME ZONE 'UTC', extract(year FROM day), day + INTERVAL 3 DAY FROM daily_activity",
    "SELECT [x * 2 FOR x IN [1, 2] IF x > 1], {'a': 1}.a, [1, 2][1:2], MAP {'a': 1}['a'], 2 ** 3, 7 // 2",
    "SELECT grouping(country), quantile_cont(user_key, 0.5) FROM dim_users GROUP BY ROLLUP (country)",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY user_key) FROM dim_users",
    "SELECT regexp_matches('a', 'b'), strip_accents('é'), split_part('a,b', ',', 1), printf('%d', 1)",
    "SELECT * FROM (PIVOT dim_users ON country IN ('DE', 'FR') USING count(*))",
)

REFUSED = {
    "not_a_select": (
        "",
        ";",
        "SELECT 1; SELECT 2",
        "DELETE FROM dim_users",
        "UPDATE dim_users SET country = 'x'",
        "DROP TABLE dim_users",
        "INSERT INTO dim_users SELECT * FROM dim_users",
        "CREATE TABLE a AS SELECT 1",
        "SELECT 1 INTO a",
        "PRAGMA database_list",
        "COPY dim_users TO 'x.csv'",
        "COPY (SELECT 1) TO 'x.csv'",
        "ATTACH 'x.db'",
        "DETACH x",
        "SET threads = 1",
        "RESET threads",
        "INSTALL httpfs",
        "LOAD httpfs",
        "DESCRIBE dim_users",
        "SUMMARIZE dim_users",
        "BEGIN",
        "COMMIT",
        "CHECKPOINT",
        "USE memory",
        "VALUES (1)",
        "WITH a AS (INSERT INTO dim_users SELECT 1 RETURNING *) SELECT * FROM a",
        "SELECT * FROM (SUMMARIZE 'x.csv')",
        "SELECT * FROM (DESCRIBE dim_users)",
    ),
    "unknown_table": (
        "FROM 'x.csv'",
        'SELECT * FROM "x.parquet"',
        "SELECT * FROM nothing",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM main.dim_users",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM (PIVOT 'x.csv' ON a)",
        "SELECT 1 WHERE EXISTS (FROM 'x.csv')",
        "SELECT (SELECT max(a) FROM 'x.csv')",
        "SELECT 1 IN (FROM 'x.csv')",
        "SELECT * FROM dim_users UNION ALL SELECT * FROM 'x.csv'",
        "SELECT * FROM dim_users JOIN 'x.csv' ON true",
        # A name of WITH is only one where it stands; elsewhere the same name is a file.
        'WITH "x.csv" AS (SELECT * FROM "x.csv") SELECT * FROM "x.csv"',
        'WITH RECURSIVE "x.csv" AS (SELECT * FROM "x.csv") SELECT 1',
        'WITH RECURSIVE "x.csv" AS (SELECT * FROM "x.csv" UNION ALL SELECT 1) SELECT 1',
        "SELECT * FROM 'x.csv' t, (WITH \"x.csv\" AS (SELECT 1) SELECT 1) q",
        "WITH b AS (SELECT * FROM c), c AS (SELECT 1) SELECT * FROM b",
    ),
    "function_refused": (
        "SELECT * FROM read_csv('x')",
        "SELECT * FROM read_csv_auto('x')",
        "SELECT * FROM read_parquet('x')",
        "SELECT * FROM parquet_scan('x')",
        "SELECT * FROM read_json('x')",
        "SELECT * FROM read_text('x')",
        "SELECT * FROM read_blob('x')",
        "SELECT * FROM glob('*')",
        "SELECT * FROM sniff_csv('x')",
        "SELECT * FROM system.main.read_text('x')",
        "SELECT (SELECT content FROM read_text('x'))",
        "SELECT * FROM dim_users, LATERAL read_text(user_id)",
        "SELECT * FROM dim_users WHERE user_id IN (FROM read_text('x'))",
        "WITH a AS (FROM read_text('x')) SELECT * FROM a",
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table('x')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM pragma_database_size()",
        "SELECT * FROM st_read('x')",
        "SELECT * FROM sqlite_scan('x', 'y')",
        "SELECT * FROM parquet_metadata('x')",
        "SELECT * FROM json_execute_serialized_sql('x')",
        "SELECT getenv('HOME')",
        "SELECT \"getenv\"('HOME')",
        "SELECT current_setting('threads')",
        "SELECT getvariable('x')",
        "SELECT current_user",
        "SELECT current_database()",
        "SELECT current_schema()",
        "SELECT version()",
        "SELECT sleep_ms(1000)",
        "SELECT pg_sleep(9)",
        "SELECT nextval('x')",
        "SELECT write_log('x')",
        "SELECT x.read_text() FROM dim_users x",
        "SELECT something_new(1)",
        "SELECT count(*) FILTER (WHERE getenv('x') = '') FROM dim_users",
        "SELECT 1 ORDER BY getenv('x')",
        "SELECT list_transform([1], lambda x: getenv('x'))",
        "SELECT /* quiet */ getenv('x') -- ignore",
    ),
    "bad_sql": ("SELECT (", "EXPORT DATABASE 'x'", "SELECT 'a", "/* open", "nonsense words here"),
}


@pytest.fixture(scope="module")
def ws() -> Iterator[Workspace]:
    """One workspace for all; nothing here can change it."""
    with workspace(did("a", "2026-01-01T00:00:00")) as opened:
        yield opened


@pytest.mark.parametrize("statement", ALLOWED)
def test_a_select_on_the_star_schema_is_run_as_it_is(ws: Workspace, statement: str) -> None:
    """The text comes back unchanged, and the engine understands it."""
    assert check_select(statement) == statement
    ws.sql(statement)


# Parsers of the same language differ: what is a comment for one is run by another.
READ_OTHERWISE = {
    "function_refused": (
        "SELECT MAP {#1: (SELECT content FROM read_text('x'))} AS m FROM dim_users -- #} (['a'], [1]) FROM dim_users",
        "SELECT MAP {#1: getenv('HOME')} AS m FROM dim_users -- #} (['a'], [1]) FROM dim_users",
        "SELECT * FROM histogram('x.csv', a)",
        "SELECT * FROM dim_users, histogram('x.csv', a)",
    ),
    "unknown_table": (
        "SELECT MAP {#1: (SELECT max(a) FROM 'x.csv')} FROM dim_users -- #} (['a'], [1]) FROM dim_users",
    ),
    "not_a_select": (
        "SELECT MAP {#1: 1} FROM dim_users; COPY (SELECT 1) TO 'x.csv'; SELECT 1 -- #} (['a'], [1]) FROM dim_users",
        "SELECT MAP {#1: 1} FROM dim_users; DROP TABLE dim_users -- #} (['a'], [1]) FROM dim_users",
        "SELECT * FROM (PIVOT dim_users ON country USING count(*))",
    ),
}


@pytest.mark.parametrize(("code", "statement"), [(code, each) for code, listed in REFUSED.items() for each in listed])
def test_everything_else_is_refused(code: str, statement: str) -> None:
    """Statements that change, several at once, files and other relations, functions outside the list."""
    with pytest.raises(QueryError) as error:
        check_select(statement)
    assert error.value.code == code


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT nothing FROM dim_users", "SELECT 9223372036854775807 + 1", "SELECT regexp_matches('a', '(')",
        "SELECT chr(-5)", "SELECT (SELECT unnest([1, 2]))", "SELECT CAST('x' AS INTEGER)", "SELECT sum('x')",
    ],
)  # fmt: skip
def test_a_select_that_fails_is_the_fault_of_who_wrote_it(ws: Workspace, statement: str) -> None:
    with pytest.raises(QueryError) as error:
        ws.sql(statement)
    assert error.value.code == "bad_sql"


def test_instants_with_a_zone_come_as_all_others_do(ws: Workspace) -> None:
    """Naive UTC; under whatever names, as many as are wanted."""
    table = ws.sql('SELECT now() AS "a b", 1 AS n, now() AS "a b" FROM range(3) ORDER BY 2', most=2)
    assert table.columns[1] == "n"
    assert len(table.rows) == 2
    for first, one, last in table.rows:
        assert (one, first, first.tzinfo) == (1, last, None)
        assert abs(datetime.now(UTC).replace(tzinfo=None) - first) < timedelta(minutes=5)


def run_if_allowed(ws: Workspace, statement: str) -> None:
    """A name that means nothing where it stands is refused by the engine itself."""
    check_tree(statement, ws.engine.parsed(statement))
    ws.engine.query(statement)


@pytest.mark.parametrize(
    "statement", [each for of in (REFUSED, READ_OTHERWISE) for listed in of.values() for each in listed]
)
def test_the_tree_of_the_engine_decides_by_itself(ws: Workspace, statement: str) -> None:
    """What the first look refuses is refused without it too, but for a list of values, which reads nothing."""
    if statement != "VALUES (1)":
        with pytest.raises((QueryError, EngineError)):
            run_if_allowed(ws, statement)


@pytest.mark.parametrize(
    ("code", "statement"), [(code, each) for code, listed in READ_OTHERWISE.items() for each in listed]
)
def test_what_another_parser_takes_for_a_comment_is_judged(ws: Workspace, code: str, statement: str) -> None:
    with pytest.raises(QueryError) as error:
        ws.sql(statement)
    assert error.value.code == code
    assert ws.sql("SELECT count(*) FROM dim_users").rows == [(1,)]


def test_every_allowed_function_is_one_of_the_engine(ws: Workspace) -> None:
    """And of no kind that changes or tells anything about the database itself."""
    known: dict[str, set[str]] = {}
    for name, kind in ws.engine.query("SELECT lower(function_name), function_type FROM duckdb_functions()").rows:
        known.setdefault(name, set()).add(kind)
    without_brackets = {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
    assert FUNCTIONS - set(known) - without_brackets <= {"if", "nullif"}
    assert {name for name in FUNCTIONS if "table" in known.get(name, set())} == TABLE_FUNCTIONS
    kinds = set().union(*(known.get(name, set()) for name in FUNCTIONS))
    assert kinds <= {"scalar", "aggregate", "macro", "table", "window", "table_macro"}


@pytest.mark.parametrize(
    "statement",
    [
        "FROM '{}'",
        'WITH "{0}" AS (SELECT * FROM "{0}") SELECT * FROM "{0}"',
        "SELECT * FROM (SUMMARIZE '{}')",
        "SELECT * FROM read_text('{}')",
        "SELECT * FROM histogram('{}', secret)",
        "SELECT * FROM '{0}' t, (WITH \"{0}\" AS (SELECT 1) SELECT 1) q",
        "SELECT 1 /* /* */ , (SELECT content FROM read_text('{}')) -- */",
    ],
)
def test_a_file_that_exists_is_never_read(ws: Workspace, tmp_path: Path, statement: str) -> None:
    """Whatever the statement looks like: it is refused, or its answer holds nothing of the file."""
    file = tmp_path / "secret.csv"
    file.write_text("secret\nsecret\n")
    try:
        table = ws.sql(statement.format(file))
    except (QueryError, EngineError):
        return
    assert "secret" not in repr((table.columns, table.rows))


@pytest.mark.parametrize(
    "statement", ["SELECT 1\0", "SELECT '\ud83d'", "SELECT 1 \0; DROP TABLE dim_users", None, 3, b"SELECT 1"]
)
def test_what_is_no_text_for_every_reader_is_refused(ws: Workspace, statement: Any) -> None:
    with pytest.raises(QueryError) as error:
        ws.sql(statement)
    assert error.value.code == "bad_sql"


@pytest.mark.parametrize(
    "statement", ["SELECT " + "(" * 5000 + "1" + ")" * 5000, "SELECT * FROM (" * 5000 + "FROM loads" + ")" * 5000]
)
def test_sql_that_nests_without_end_is_refused(ws: Workspace, statement: str) -> None:
    """A question may be long; it never takes the parser down."""
    with pytest.raises(QueryError, match="too deep") as caught:
        check_select(statement)
    assert caught.value.code == "bad_sql"
    with pytest.raises(QueryError) as caught:
        check_tree(statement, ws.engine.parsed(statement))
    assert caught.value.code == "bad_sql"
