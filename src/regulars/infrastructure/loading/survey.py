"""Which columns of a columnar source need no cleaning and no checking row by row, found in one cheap pass.

Cleaning makes every value a new text, and costs more than storing it; nearly every Parquet file has nothing to
clean. The smallest and the greatest value say the same as looking at each, and cost less: low-cardinality columns are
judged on their dictionaries.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from regulars.infrastructure.importers.columns import OBJECTS, Columns
from regulars.infrastructure.loading.fields import all_plain_ends, is_junk, plain_ends

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.columns import Field
    from regulars.infrastructure.importers.source import Source

    _Mark = tuple[str, str]  # what holds, and of which role or column

WHO = "rg_who"  # the distinct values of a tidy user_id column
_UNTRIMMED = (*OBJECTS, "timestamp")
_SIMPLE = ("VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DATE")


def survey(engine: DuckDBEngine, source: Source, columns: Columns, limit: int) -> Columns:
    """The same columns, with the tidy, the complete and the short ones marked; ``limit`` is of bytes in a text."""
    if not source.typed:
        return columns
    texts = {r: item for r, item in columns.roles.items() if item.type == "VARCHAR" and r != "user_id"}
    questions = {("tidy", role): _is_tidy(role, item.sql) for role, item in texts.items() if role not in _UNTRIMMED}
    questions |= {("complete", item.name): f"count({item.sql}) = count(*)" for item in _countable(columns)}
    questions |= {
        ("short", item.name): _is_short(item.sql, limit)
        for item in (*texts.values(), *columns.others)
        if item.type == "VARCHAR"
    }
    found = _ask(engine, source, questions)
    who = columns.get("user_id")
    if who and who.type == "VARCHAR":
        found |= _survey_people(engine, source, who, limit)
    return Columns(
        {role: _marked(item, found, role) for role, item in columns.roles.items()},
        tuple(_marked(item, found, "") for item in columns.others),
    )


def _ask(engine: DuckDBEngine, source: Source, questions: Mapping[_Mark, str]) -> set[_Mark]:
    if not questions:
        return set()
    (answers,) = engine.fetch(f"SELECT {', '.join(questions.values())} FROM {source.relation}")
    return {mark for mark, answer in zip(questions, answers, strict=True) if answer}


def _countable(columns: Columns) -> list[Field]:
    ids = [columns.roles["event_id"]] if "event_id" in columns else []
    return [*ids, *(item for item in columns.others if item.type in _SIMPLE)]


def _marked(item: Field, found: set[_Mark], role: str) -> Field:
    return replace(
        item,
        tidy=("tidy", role) in found,
        complete=("complete", item.name) in found,
        short=("short", item.name) in found,
    )


def _is_tidy(role: str, value: str) -> str:
    ends = all_plain_ends(value)
    return f"{ends} AND bool_and(NOT ({is_junk(value)}))" if role in ("anonymous_id", "previous_id") else ends


def _is_short(value: str, limit: int) -> str:
    return f"coalesce(max(strlen({value})), 0) <= {limit}"


def _survey_people(engine: DuckDBEngine, source: Source, who: Field, limit: int) -> set[_Mark]:
    """Judge user ids on their distinct values, which are few, and which the identities need anyway."""
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {WHO} AS
        SELECT DISTINCT {who.sql} AS external_id FROM {source.relation}""")
    ((tidy, short),) = engine.fetch(f"""
        SELECT coalesce(bool_and({plain_ends("external_id")} AND NOT ({is_junk("external_id")})), true),
               {_is_short("external_id", limit)}
        FROM {WHO} WHERE external_id IS NOT NULL""")
    marks = ((tidy, ("tidy", "user_id")), (short, ("short", who.name)))
    return {mark for holds, mark in marks if holds}
