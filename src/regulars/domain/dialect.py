"""How an engine spells what SQLGlot must not translate: types, JSON access, number parsing.

Metric SQL is written once, in a small subset of DuckDB's dialect. A function whose name starts with ``rg_``, and the
two of DuckDB's own that sessions are made with, are *fragments*: :func:`render` puts the engine's own spelling in
their place, because a translated one changes its meaning silently. ClickHouse's ``JSONExtractString`` gives '' for a
missing key, its casts fail on text that is no number, and its ``lower`` knows ASCII only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlglot import exp, parse_one

from regulars.domain.sql import BoundSql, ComposedSql, StagedSql, in_stages, read_again, with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regulars.domain.schema import Column, ColumnType, Table

NUMBER_PATTERN = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,2})?$"


@dataclass(frozen=True, eq=False)
class Dialect:
    """One engine's spellings. ``fragments`` maps a fragment's name to a template over its arguments.

    ``once`` and ``once_settings`` have a named relation worked out once, where the engine would do so for every reader.
    """

    name: str
    sqlglot: str
    types: Mapping[ColumnType, str]
    fragments: Mapping[str, str]
    nullable_type: str = "{type}"
    required_type: str = "{type} NOT NULL"
    unpacked: str = ""
    table_suffix: str = ""
    once: str = ""
    once_settings: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)


DUCKDB = Dialect(
    name="duckdb",
    sqlglot="duckdb",
    types={
        "boolean": "BOOLEAN",
        "bigint": "BIGINT",
        "integer": "INTEGER",
        "double": "DOUBLE",
        "text": "VARCHAR",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
        "json": "JSON",
        "hash": "UHUGEINT",
    },
    unpacked=" USING COMPRESSION uncompressed",
    fragments={
        "rg_property": "json_extract_string({0}, {pointer})",
        "rg_number": f"CASE WHEN regexp_matches({{0}}, '{NUMBER_PATTERN}') THEN TRY_CAST({{0}} AS DOUBLE) END",
        "rg_contains": "contains({0}, {1})",
        "rg_starts_with": "starts_with({0}, {1})",
        "rg_lower": "lower({0})",
        "rg_epoch_seconds": "CAST(floor(epoch_us({0}) / 1000000.0) AS BIGINT)",
        "rg_epoch_us": "epoch_us({0})",
        "rg_bit": "CAST(1 AS BIGINT) << CAST({0} AS INTEGER)",
        "rg_has_bit": "({0} >> CAST({1} AS INTEGER)) & 1 = 1",
        "rg_bit_count": "CAST(bit_count({0}) AS BIGINT)",
        "rg_add_years": "CAST({0} + to_years({1}) AS DATE)",
        "rg_quantile": "quantile_cont({0}, {1})",
        "rg_text": "CAST({0} AS VARCHAR)",
        "rg_date_of_number": "CAST('1970-01-01' AS DATE) + {0}",
        "rg_month_number": "date_diff('month', DATE '1970-01-01', DATE '1970-01-01' + CAST({0} AS INTEGER))",
        "make_timestamp": "make_timestamp({0})",
    },
)

_CLICKHOUSE_PROPERTY = """multiIf(
    JSONType({0}, {1}) = 'String', toNullable(JSONExtractString({0}, {1})),
    JSONType({0}, {1}) = 'Null', NULL,
    JSONType({0}, {1}) = 'Double' AND match(JSONExtractRaw({0}, {1}), '^-?[0-9]+$'),
    concat(JSONExtractRaw({0}, {1}), '.0'),
    toNullable(JSONExtractRaw({0}, {1})))"""

CLICKHOUSE = Dialect(
    name="clickhouse",
    sqlglot="clickhouse",
    types={
        "boolean": "Bool",
        "bigint": "Int64",
        "integer": "Int32",
        "double": "Float64",
        "text": "String",
        "date": "Date32",
        "timestamp": "DateTime64(6)",
        "json": "String",
        "hash": "String",
    },
    fragments={
        "rg_property": _CLICKHOUSE_PROPERTY,
        "rg_number": f"if(match({{0}}, '{NUMBER_PATTERN}'), toFloat64OrNull({{0}}), NULL)",
        "rg_contains": "position({0}, {1}) > 0",
        "rg_starts_with": "startsWith({0}, {1})",
        "rg_lower": "lowerUTF8({0})",
        "rg_epoch_seconds": "toInt64(floor(toUnixTimestamp64Micro({0}) / 1000000))",
        "rg_epoch_us": "toUnixTimestamp64Micro({0})",
        "make_timestamp": "fromUnixTimestamp64Micro({0}, 'UTC')",
        "rg_bit": "bitShiftLeft(toInt64(1), {0})",
        "rg_has_bit": "bitTest({0}, {1})",
        "rg_bit_count": "toInt64(bitCount({0}))",
        "rg_add_years": "addYears({0}, {1})",
        "rg_quantile": "quantileExactInclusive({1})({0})",
        "rg_text": "toString({0})",
        "rg_date_of_number": "addDays(toDate32('1970-01-01'), {0})",
        "rg_month_number": "dateDiff('month', toDate32('1970-01-01'), addDays(toDate32('1970-01-01'), {0}))",
    },
    nullable_type="Nullable({type})",
    required_type="{type}",
    once="MATERIALIZED ",
    once_settings="\nSETTINGS enable_materialized_cte = 1",
    table_suffix=" ENGINE = MergeTree ORDER BY ({order_by}) SETTINGS allow_nullable_key = 1",
    settings={
        # Without these, joins fill in 0 and '' instead of NULL, empty aggregates give 0, and an alias shadows
        # the column of the same name inside WHERE.
        "join_use_nulls": 1,
        "aggregate_functions_null_for_empty": 1,
        "prefer_column_name_to_alias": 1,
    },
)

DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (DUCKDB, CLICKHOUSE)}


@lru_cache(maxsize=512)
def render(statement: BoundSql, dialect: Dialect, *, pretty: bool = True) -> str:
    """Spell a statement of the canonical subset in an engine's dialect.

    That costs as much as running it on a small table, so what was spelled is remembered, relation by relation:
    questions differ in some of them and share the others.
    """
    text = statement.text
    if not isinstance(text, ComposedSql):
        return _with_settings(_spelled(statement, dialect, pretty=pretty), dialect)
    parts = {
        name: _spelled(statement.part(part), dialect, pretty=pretty, is_inside=True)
        for name, part in text.relations.items()
    }
    body = _spelled(statement.part(text.body), dialect, pretty=pretty)
    if dialect.once and (once := read_again(parts, body)):
        return _staged(parts, body, once, dialect)
    # Plain text: encoders take no subclass of it.
    return _with_settings(str(with_relations(parts, body)), dialect)


def _staged(parts: Mapping[str, str], body: str, once: set[str], dialect: Dialect) -> StagedSql:
    bare = in_stages(parts, body, once=once, how=dialect.once)
    staged = StagedSql(_with_settings(bare, dialect))
    staged.stages = tuple((name, _with_settings(text, dialect)) for name, text in bare.stages)
    staged.last = _with_settings(bare.last, dialect)
    return staged


def _with_settings(text: str, dialect: Dialect) -> str:
    return str(text) + dialect.once_settings if dialect.once and f" AS {dialect.once}(" in text else text


@lru_cache(maxsize=2048)
def _spelled(statement: BoundSql, dialect: Dialect, *, pretty: bool, is_inside: bool = False) -> str:
    """``is_inside``: the text is a relation of a statement, and what it names itself lies inside of that."""
    tree = statement.tree()
    # Arguments may hold fragments of their own: the walk comes from outside, so the last found is the innermost.
    for call in reversed(list(tree.find_all(exp.Anonymous))):
        if call.name.lower() in dialect.fragments:
            call.replace(_fragment(call, dialect))
    for select in tree.find_all(exp.Select):
        select.set("expressions", [_named(column) for column in select.expressions])
    if dialect.once:
        _work_out_once([found for found in tree.find_all(exp.With) if is_inside or found.parent is not tree])
    return tree.sql(dialect=dialect.sqlglot, pretty=pretty, copy=False)


def _work_out_once(inside: Sequence[exp.With]) -> None:
    """Relations inside of another one read each other several times, and would be worked out anew each time."""
    for found in inside:
        for relation in found.expressions:
            relation.args["materialized"] = True


def _named(column: exp.Expr) -> exp.Expr:
    """``t.x`` as ``t.x AS x``: in a join, ClickHouse would name the column ``t.x``."""
    qualified = isinstance(column, exp.Column) and column.table and not isinstance(column.this, exp.Star)
    return exp.alias_(column, column.name) if qualified else column


def _fragment(call: exp.Anonymous, dialect: Dialect) -> exp.Expr:
    template = dialect.fragments[call.name.lower()]
    places = {str(place): argument.sql(dialect=dialect.sqlglot) for place, argument in enumerate(call.expressions)}
    if "{pointer}" in template:
        pointer = exp.Literal.string(json_pointer(call.expressions[1].name))
        places["pointer"] = pointer.sql(dialect=dialect.sqlglot)
    # One pass, so that braces inside an argument or a name are never taken for a place to fill.
    text = re.sub(r"\{([0-9]|pointer)\}", lambda match: places[match.group(1)], template)
    return parse_one(text, dialect=dialect.sqlglot)


def json_pointer(key: str) -> str:
    """The JSON pointer of a top-level key, which no key can break out of.

    >>> json_pointer("a/b~c")
    '/a~1b~0c'
    """
    return "/" + key.replace("~", "~0").replace("/", "~1")


def create_table(table: Table, dialect: Dialect) -> str:
    """The CREATE TABLE statement of a table of the schema."""
    columns = ",\n  ".join(f"{column.name} {column_type(column, dialect)}" for column in table.columns)
    suffix = dialect.table_suffix.replace("{order_by}", ", ".join(table.order_by) or "tuple()")
    return f"CREATE TABLE {table.name} (\n  {columns}\n){suffix}"


def column_type(column: Column, dialect: Dialect) -> str:
    """The engine's type of a column, nullability included."""
    template = dialect.nullable_type if column.nullable else dialect.required_type
    return template.format(type=dialect.types[column.type]) + ("" if column.packed else dialect.unpacked)
