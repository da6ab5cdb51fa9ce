"""Which text columns of a columnar source need no cleaning, found in one cheap pass.

Cleaning makes every value a new text, and costs more than storing it; nearly every Parquet file has nothing to
clean. Low-cardinality columns are judged on their dictionaries, so that this pass reads little.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from regulars.infrastructure.importers.columns import OBJECTS, Columns
from regulars.infrastructure.loading.fields import is_junk, plain_ends

if TYPE_CHECKING:
    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.source import Source

WHO = "rg_who"  # the distinct values of a tidy user_id column
_SIMPLE = ("VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DATE")


def survey(engine: DuckDBEngine, source: Source, columns: Columns) -> Columns:
    """The same columns, with the tidy and the complete ones marked."""
    if not source.typed:
        return columns
    roles = [r for r, item in columns.roles.items() if item.type == "VARCHAR" and r not in (*OBJECTS, "timestamp")]
    tests = [f"bool_and({_is_tidy(role, columns.roles[role].sql)})" for role in roles if role != "user_id"]
    rest = [item for item in columns.others if item.type in _SIMPLE]
    tests += [f"bool_and({item.sql} IS NOT NULL)" for item in rest]
    verdicts = engine.fetch(f"SELECT {', '.join(tests)} FROM {source.relation}")[0] if tests else ()
    answers = iter(verdicts)
    tidy = {
        role for role in roles if (_are_tidy_people(engine, source, columns) if role == "user_id" else next(answers))
    }
    complete = {item.name for item in rest if next(answers)}
    return Columns(
        {role: replace(item, tidy=role in tidy) for role, item in columns.roles.items()},
        tuple(replace(item, complete=item.name in complete) for item in columns.others),
    )


def _is_tidy(role: str, value: str) -> str:
    ends = plain_ends(value)
    return f"{ends} AND NOT ({is_junk(value)})" if role in ("anonymous_id", "previous_id") else ends


def _are_tidy_people(engine: DuckDBEngine, source: Source, columns: Columns) -> bool:
    """Judge user ids on their distinct values, which are few, and which the identities need anyway."""
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {WHO} AS
        SELECT DISTINCT {columns.roles["user_id"].sql} AS external_id FROM {source.relation}""")
    ((tidy,),) = engine.fetch(f"""
        SELECT coalesce(bool_and({plain_ends("external_id")} AND NOT ({is_junk("external_id")})), true)
        FROM {WHO} WHERE external_id IS NOT NULL""")
    return bool(tidy)
