"""Read-only SQL: one SELECT over the star schema, checked on its syntax tree against allow-lists.

Tables are allowed by name, functions that the parser has no class for as well; what it has a class for is allowed
unless it reads files or the state of the process. The statement itself is run, not a rendering of the tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

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
# Functions without a class, by what they work on.
_ALLOWED_FUNCTIONS = frozenset(
    [
        "arbitrary",
        "arg_max_null",
        "arg_min_null",
        "bitstring_agg",
        "count_star",
        "entropy",
        "favg",
        "fsum",
        "geomean",
        "geometric_mean",
        "histogram",
        "histogram_exact",
        "kahan_sum",
        "kurtosis_pop",
        "mad",
        "mean",
        "product",
        "reservoir_quantile",
        "sem",
        "sumkahan",
        "wavg",
        "weighted_avg",
        "add",
        "divide",
        "even",
        "fdiv",
        "fmod",
        "gamma",
        "gcd",
        "greatest_common_divisor",
        "isfinite",
        "lcm",
        "least_common_multiple",
        "lgamma",
        "multiply",
        "nextafter",
        "round_even",
        "signbit",
        "subtract",
        "xor",
        "bit_count",
        "bar",
        "bin",
        "damerau_levenshtein",
        "format_bytes",
        "formatreadablesize",
        "hamming",
        "jaccard",
        "jaro_similarity",
        "left_grapheme",
        "length_grapheme",
        "md5_number",
        "nfc_normalize",
        "octet_length",
        "ord",
        "prefix",
        "printf",
        "regexp_escape",
        "regexp_split_to_array",
        "regexp_split_to_table",
        "right_grapheme",
        "strip_accents",
        "strlen",
        "substring_grapheme",
        "suffix",
        "to_base",
        "translate",
        "url_decode",
        "url_encode",
        "hash",
        "age",
        "century",
        "date_diff",
        "date_part",
        "date_sub",
        "datediff",
        "datepart",
        "datesub",
        "days_in_month",
        "decade",
        "epoch_ns",
        "epoch_us",
        "era",
        "isoyear",
        "julian",
        "make_time",
        "microsecond",
        "millennium",
        "millisecond",
        "nanosecond",
        "now",
        "to_centuries",
        "to_decades",
        "to_hours",
        "to_microseconds",
        "to_millennia",
        "to_milliseconds",
        "to_minutes",
        "to_months",
        "to_quarters",
        "to_seconds",
        "to_weeks",
        "to_years",
        "try_strptime",
        "weekday",
        "yearweek",
        "timezone",
        "array_aggr",
        "array_aggregate",
        "array_apply",
        "array_extract",
        "array_has_any",
        "array_indexof",
        "array_reduce",
        "array_resize",
        "array_select",
        "array_transform",
        "array_unique",
        "array_where",
        "array_zip",
        "cardinality",
        "element_at",
        "generate_subscripts",
        "list_aggr",
        "list_aggregate",
        "list_any_value",
        "list_apply",
        "list_avg",
        "list_cat",
        "list_count",
        "list_element",
        "list_extract",
        "list_first",
        "list_has_all",
        "list_indexof",
        "list_intersect",
        "list_last",
        "list_median",
        "list_mode",
        "list_pack",
        "list_position",
        "list_product",
        "list_reduce",
        "list_resize",
        "list_reverse",
        "list_select",
        "list_slice",
        "list_sum",
        "list_unique",
        "list_where",
        "list_zip",
        "map_concat",
        "map_contains",
        "map_contains_value",
        "map_entries",
        "map_extract",
        "map_extract_value",
        "map_values",
        "row",
        "struct_concat",
        "struct_extract_at",
        "struct_insert",
        "struct_keys",
        "struct_update",
        "struct_values",
        "json_array_length",
        "json_contains",
        "json_each",
        "json_exists",
        "json_extract_string",
        "json_group_array",
        "json_group_object",
        "json_group_structure",
        "json_pretty",
        "json_quote",
        "json_structure",
        "json_tree",
        "json_valid",
        "json_value",
        "array_to_json",
        "row_to_json",
        "to_json",
        "fill",
        "rank_dense",
    ]
)


def check_select(statement: str) -> str:
    """Give the statement back when it is one SELECT over tables of the star schema; refuse everything else.

    >>> check_select("SELECT count(*) FROM fact_user_actions")
    'SELECT count(*) FROM fact_user_actions'
    """
    try:
        trees = [tree for tree in parse(statement, dialect="duckdb") if not isinstance(tree, exp.Semicolon | None)]
    except SqlglotError as exc:
        first = str(exc).partition("\n")[0]
        raise QueryError(f"the SQL cannot be read: {first}", code="bad_sql") from None
    except RecursionError:
        raise QueryError("the SQL nests too deep to be read; write its parts with WITH", code="bad_sql") from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Query) or any(trees[0].find_all(*_REFUSED)):
        raise QueryError("only one SELECT is allowed here; nothing was changed", code="not_a_select")
    for table in trees[0].find_all(exp.Table):
        _check_table(table)
    for function in trees[0].find_all(exp.Func):
        _check_function(function)
    return statement


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
        is_allowed = name in _ALLOWED_FUNCTIONS
    else:
        name = function.key.lower()
        is_allowed = name in _ALLOWED_CLASSES or not name.startswith(_REFUSED_CLASSES)
    if not is_allowed:
        raise QueryError(f"the function {name} is not allowed in read-only SQL", code="function_refused", name=name)
