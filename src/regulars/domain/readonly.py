"""Read-only SQL: one SELECT over the star schema, checked on its syntax tree against an allow-list."""

from __future__ import annotations

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from regulars.domain.schema import TABLES
from regulars.domain.views import VIEWS
from regulars.errors import QueryError, UnknownNameError

_TABLES = frozenset(table.name for table in TABLES) | frozenset(view.name for view in VIEWS)
# Functions that read files, settings or the state of the process; sqlglot has no class for them.
_REFUSED_FUNCTIONS = (
    "read_", "parquet_", "glob", "sniff_", "duckdb_", "pragma_", "getenv", "current_setting", "query", "query_table",
    "which_secret", "sqlite_", "postgres_", "iceberg_", "delta_", "st_read", "checkpoint", "force_checkpoint",
)  # fmt: skip


def check_select(statement: str) -> str:
    """Give the statement back when it is one SELECT over tables of the star schema; refuse everything else.

    >>> check_select("SELECT count(*) FROM fact_user_actions")
    'SELECT count(*) FROM fact_user_actions'
    """
    try:
        trees = [tree for tree in parse(statement, dialect="duckdb") if tree is not None]
    except SqlglotError as exc:
        first = str(exc).partition("\n")[0]
        raise QueryError(f"the SQL cannot be read: {first}", code="bad_sql") from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise QueryError("only one SELECT is allowed here; nothing was changed", code="not_a_select")
    _check_tree(trees[0])
    return statement


def _check_tree(tree: exp.Expr) -> None:
    own = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            _check_function(table.this)
        elif table.db or table.catalog or table.name.lower() not in _TABLES | own:
            raise UnknownNameError("table", table.sql(dialect="duckdb"), _TABLES, code="unknown_table")
    for function in tree.find_all(exp.Func):
        _check_function(function)
    if any(tree.find_all(exp.Into, exp.Command, exp.DDL, exp.DML)):
        raise QueryError("only one SELECT is allowed here; nothing was changed", code="not_a_select")


def _check_function(function: exp.Expr) -> None:
    name = (function.name if isinstance(function, exp.Anonymous) else function.key).lower()
    reads_csv = isinstance(function, exp.ReadCSV | exp.ReadParquet)
    if reads_csv or name.startswith(_REFUSED_FUNCTIONS):
        raise QueryError(f"the function {name} is not allowed in read-only SQL", code="function_refused", name=name)
