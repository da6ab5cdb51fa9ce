"""The rows of an export as JSON objects in ``rg_docs``, whatever kind of file holds them."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from regulars.domain.dialect import json_pointer
from regulars.infrastructure.importers.documents import (
    DOCS,
    document,
    lines_of,
    may_nest_deep,
    set_aside_broken,
    stage,
    stage_array,
)
from regulars.infrastructure.loading.fields import object_of
from regulars.infrastructure.loading.sql import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.columns import Field
    from regulars.infrastructure.importers.documents import Broken, Reading
    from regulars.infrastructure.importers.exports.shape import Shape
    from regulars.infrastructure.importers.formats import File
    from regulars.infrastructure.importers.source import Source

_SHOWN = 20_000


def stage_rows(reading: Reading, file: File, shape: Shape, columnar: Callable[[], Source]) -> None:
    """Store every row that is a JSON object, and set the others aside.

    ``columnar`` opens a file that has columns: CSV, Parquet, Arrow.
    """
    engine = reading.engine
    if shape.header:
        stage(engine, _enriched(file, shape))
    elif file.format == "jsonl":
        stage(engine, lines_of(file))
    elif file.format == "json":
        stage_array(engine, file)
    else:
        _pack(engine, columnar(), shape)
    set_aside_broken(engine, reading.string_bytes)
    if file.format in ("jsonl", "json") and not shape.header and _unwrap(engine, shape):
        set_aside_broken(engine, reading.string_bytes)


def _pack(engine: DuckDBEngine, source: Source, shape: Shape) -> None:
    names = lower_case([item.name for item in source.fields])
    fields = [_as_json(replace(item, name=name), shape) for item, name in zip(source.fields, names, strict=True)]
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {DOCS} AS
        SELECT {source.line} AS line, coalesce({object_of(fields)}, '{{}}') AS doc FROM {source.relation}""")


def is_object(name: str, shape: Shape) -> bool:
    """Whether a column may hold an object or a list as JSON text."""
    return name in shape.lists or any(fnmatchcase(name, pattern) for pattern in shape.objects)


def lower_case(names: Sequence[str]) -> list[str]:
    """Column names as the tool writes them; a warehouse that knows capitals only has made them capitals.

    >>> lower_case(["UUID", "$INSERT_ID"]), lower_case(["userId", "ID"])
    (['uuid', '$insert_id'], ['userId', 'ID'])
    """
    return [name.lower() for name in names] if all(name == name.upper() for name in names) else list(names)


def _as_json(item: Field, shape: Shape) -> Field:
    if item.type == "VARCHAR" and is_object(item.name, shape):
        return replace(item, type="OBJECT", sql=_parsed(item.sql))
    if item.type in ("DOUBLE", "FLOAT"):  # of whole numbers with gaps, some libraries make fractions
        whole = f"{item.sql} = trunc({item.sql}) AND abs({item.sql}) < 1e15"
        number = f"CASE WHEN {whole} THEN to_json(CAST({item.sql} AS BIGINT)) ELSE to_json({item.sql}) END"
        return replace(item, type="OBJECT", sql=f"CASE WHEN isfinite({item.sql}) THEN {number} END")
    return item


def _parsed(text: str) -> str:
    """SQL of the object or list that a text is, or of the text where it is none, which the loader then refuses."""
    fits = f"regexp_matches({text}, '^\\s*[\\[{{]') AND json_valid({text})"
    return f"CASE WHEN {fits} AND NOT {may_nest_deep(text)} THEN CAST({text} AS JSON) ELSE to_json({text}) END"


def _unwrap(engine: DuckDBEngine, shape: Shape) -> bool:
    """Parse what is an object as text inside of rows; whether there was any."""
    named = [key for key in (*shape.objects, *shape.lists) if "*" not in key]
    if not named:
        return False
    tests = [f"coalesce(bool_or(json_type(doc, {literal(json_pointer(key))}) = 'VARCHAR'), false)" for key in named]
    (found,) = engine.fetch(f"SELECT {', '.join(tests)} FROM {DOCS}")
    texts = [key for key, is_text in zip(named, found, strict=True) if is_text]
    for key in texts:
        pointer = literal(json_pointer(key))
        value = _parsed(f"json_extract_string(doc, {pointer})")
        patch = f"json_object({literal(key)}, {value})"
        # A patch drops what is null inside of it, which is no value of a property either.
        engine.execute(f"""
            UPDATE {DOCS} SET doc = CAST(json_merge_patch(doc, {patch}) AS VARCHAR)
            WHERE json_type(doc, {pointer}) = 'VARCHAR'""")
    return bool(texts)


def _enriched(file: File, shape: Shape) -> Iterator[tuple[int, str] | Broken]:
    """Rows of values without a header: a tab is always the end of a value, and a quote is a part of one."""
    with file.open() as stream:
        for line, raw in enumerate(stream, start=1):
            text = raw.rstrip(b"\r\n")
            if text.strip():
                yield _enriched_row(line, text, shape)


def _enriched_row(line: int, raw: bytes, shape: Shape) -> tuple[int, str] | Broken:
    checked = document(line, raw)
    if len(checked) != 2:  # noqa: PLR2004 -- a broken row
        return checked
    values = checked[1].split("\t")
    if len(values) != len(shape.header):
        detail = f"{len(values)} columns where an enriched event has {len(shape.header)}"
        return line, "bad_row", detail, checked[1][:_SHOWN]
    row = {
        name: msgspec.Raw(value.encode()) if value.startswith("{") and is_object(name, shape) else value
        for name, value in zip(shape.header, values, strict=True)
        if value
    }
    return line, msgspec.json.encode(row).decode()
