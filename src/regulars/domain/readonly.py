"""Read-only SQL: one SELECT over the star schema, checked on its syntax tree against allow-lists.

What counts is the tree of the engine that runs the statement, :func:`check_tree`: another parser may take for a comment
what the engine runs. :func:`check_select` is a first look for where there is no engine.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from regulars.domain.readonly_functions import FUNCTIONS, TABLE_FUNCTIONS
from regulars.domain.schema import TABLES
from regulars.domain.views import VIEWS
from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLES = frozenset(table.name for table in TABLES) | frozenset(view.name for view in VIEWS)
_REFUSED = (exp.Into, exp.Command, exp.DDL, exp.DML, exp.Describe, exp.Summarize, exp.Show)
# Functions with a class of their own that read files, or say who and what runs this process.
_REFUSED_CLASSES = ("read", "current", "session", "user", "version")
_ALLOWED_CLASSES = ("currentdate", "currenttime", "currenttimestamp")
# Kinds of queries in the tree of DuckDB; a part of WITH may be an INSERT.
_QUERIES = ("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE")
# A column that does not exist, and has no table before it, may be one of these, which are called without brackets.
_ABOUT_THE_PROCESS = ("current_catalog", "current_role", "current_schema", "current_user", "session_user")


def check_select(statement: str) -> str:
    """Give the statement back when it is one SELECT over tables of the star schema; refuse everything else.

    >>> check_select("SELECT count(*) FROM fact_user_actions")
    'SELECT count(*) FROM fact_user_actions'
    """
    if not _is_plain(statement):
        raise QueryError("the SQL is a text, without NUL characters and halves of surrogate pairs", code="bad_sql")
    try:
        trees = [tree for tree in parse(statement, dialect="duckdb") if not isinstance(tree, exp.Semicolon | None)]
    except SqlglotError as exc:
        first = str(exc).partition("\n")[0]
        raise QueryError(f"the SQL cannot be read: {first}", code="bad_sql") from None
    except RecursionError:
        raise _too_deep() from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Query) or any(trees[0].find_all(*_REFUSED)):
        raise _not_a_select()
    for table in trees[0].find_all(exp.Table):
        _check_table(table)
    for function in trees[0].find_all(exp.Func):
        _check_function(function)
    return statement


def _is_plain(statement: object) -> bool:
    # Neither half of a surrogate pair nor what lies behind a NUL reaches every reader of a text.
    return (
        isinstance(statement, str) and "\0" not in statement and not any("\ud800" <= c <= "\udfff" for c in statement)
    )


def _check_table(table: exp.Table) -> None:
    if isinstance(table.this, exp.Func):
        return  # judged among the functions
    name = table.name.lower()
    if table.db or table.catalog or (name not in _TABLES and name not in _visible_relations(table)):
        raise UnknownNameError("table", table.sql(dialect="duckdb"), _TABLES, code="unknown_table")


def _visible_relations(table: exp.Expr) -> Iterator[str]:
    """Relations of WITH that a table name can mean where it stands; any other name could be that of a file."""
    below = table
    while (node := below.parent) is not None:
        if isinstance(node, exp.With):
            # An entry sees those before it, and itself only in the second part of a recursive union.
            yield from (cte.alias.lower() for cte in node.expressions[: node.expressions.index(below)])
            if node.recursive and _is_in_second_part(table, below):
                yield below.alias.lower()
        elif isinstance(node, exp.Query) and (own := node.args.get("with_")) and own is not below:
            yield from (cte.alias.lower() for cte in own.expressions)
        below = node


def _is_in_second_part(table: exp.Expr, entry: exp.Expr) -> bool:
    union = entry.this
    return isinstance(union, exp.SetOperation) and any(found is table for found in union.expression.find_all(exp.Table))


def _check_function(function: exp.Func) -> None:
    if isinstance(function, exp.Anonymous):
        name = function.name.lower()
        is_allowed = name in FUNCTIONS
    else:
        name = function.key.lower()
        is_allowed = name in _ALLOWED_CLASSES or not name.startswith(_REFUSED_CLASSES)
    if not is_allowed:
        raise _function_refused(name)


def check_tree(statement: str, parsed: str) -> None:
    """Refuse a statement unless it is one SELECT over the star schema by the tree that DuckDB itself makes of it.

    ``parsed`` is what its function ``json_serialize_sql`` gives.
    """
    try:
        tree = json.loads(parsed)
        parts = list(_parts(tree))
    except RecursionError:
        raise _too_deep() from None
    if tree["error"]:
        raise _unreadable(statement, tree)
    if len(tree["statements"]) != 1 or any(_changes(part) for part in parts):
        raise _not_a_select()
    named = {entry["key"].lower() for part in parts for entry in part.get("cte_map", {}).get("map", ())}
    for part in parts:
        _check_part(part, named)


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every part of a tree that has a kind."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _changes(part: dict[str, Any]) -> bool:
    """Whether a part is another query than a SELECT, or what describes and summarises anything."""
    kind = part.get("type")
    return kind == "SHOW_REF" or (isinstance(kind, str) and kind.endswith("_NODE") and kind not in _QUERIES)


def _check_part(part: dict[str, Any], named: set[str]) -> None:
    if part.get("type") == "BASE_TABLE":
        name = part["table_name"].lower()
        # A name of WITH stands for it only where it is visible; elsewhere it could be that of a file, but for its dot.
        is_named = name in named and name.isidentifier()
        if part["schema_name"] or part["catalog_name"] or not (name in _TABLES or is_named):
            raise UnknownNameError("table", part["table_name"], _TABLES, code="unknown_table")
    if "function_name" in part:
        name = part["function_name"].lower()
        if name not in FUNCTIONS and any(letter.isalnum() for letter in name):
            raise _function_refused(name)
    if part.get("type") == "TABLE_FUNCTION":
        # Some names are a function of values and, in the place of a table, another one that reads any table or file.
        name = str(part["function"].get("function_name", "")).lower()
        if name not in TABLE_FUNCTIONS:
            raise _function_refused(name)
    if part.get("class") == "COLUMN_REF" and len(part["column_names"]) == 1:
        name = part["column_names"][0].lower()
        if name in _ABOUT_THE_PROCESS:
            raise _function_refused(name)


def _not_a_select() -> QueryError:
    return QueryError("only one SELECT is allowed here; nothing was changed", code="not_a_select")


def _too_deep() -> QueryError:
    return QueryError("the SQL nests too deep to be read; write its parts with WITH", code="bad_sql")


def _function_refused(name: str) -> QueryError:
    return QueryError(f"the function {name} is not allowed in read-only SQL", code="function_refused", name=name)


def _unreadable(statement: str, tree: dict[str, Any]) -> QueryError:
    if tree["error_type"] == "parser":
        return QueryError(f"the SQL cannot be read: {tree['error_message']}", code="bad_sql")
    if "pivot" in statement.lower():
        return QueryError("PIVOT has to name its values here: PIVOT ... ON column IN ('a', 'b')", code="not_a_select")
    return _not_a_select()
