"""JSON Lines, JSON arrays and lists of records: one JSON object per row, staged with its known keys apart."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from regulars.domain.dialect import json_pointer
from regulars.domain.events import MAX_DEPTH, check_json, wire_text
from regulars.errors import EngineError, EventError, SourceError
from regulars.infrastructure.importers.columns import OBJECTS, Field, plain_name, recognised_names
from regulars.infrastructure.importers.source import BROKEN, LINE, STAGED, Source, add_broken
from regulars.infrastructure.loading.sql import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.formats import File

DOCS = "rg_docs"
_BATCH = 50_000
_BATCH_CHARACTERS = 32 << 20
_SHOWN = 20_000
_LISTED = 50
MAX_DOCUMENT = 4 << 20
# What DuckDB's JSON reader lets pass and JSON does not; the few rows that look like it are checked one by one.
_LONE_SURROGATE = r"\\u[dD][89a-fA-F]"
_SUSPICIOUS = r"NaN|nan|[iI]nf|,\s*[}\]]|[eE][+]?[0-9]{3}|//|/\*"
_STRING = r'"(\\.|[^"\\])*"'
_PEELED = 4  # levels of empty objects and lists that are taken off before the rest is counted
Broken = tuple[int, str, str, str]


@dataclass(frozen=True)
class Reading:
    """What every reader of documents needs to know: mapped keys count as known, long texts are refused."""

    engine: DuckDBEngine
    mapped: frozenset[str]
    string_bytes: int


def read_lines(reading: Reading, file: File) -> Source:
    """Stage a JSON Lines file; blank lines are no rows."""
    stage(reading.engine, lines_of(file))
    return _split(reading, file.path.name, "jsonl", file.fingerprint)


def read_array(reading: Reading, file: File) -> Source:
    """Stage a file that is one JSON array of objects; a syntax error in it concerns the whole file."""
    stage_array(reading.engine, file)
    return _split(reading, file.path.name, "json", file.fingerprint)


def stage_array(engine: DuckDBEngine, file: File) -> None:
    """Store the objects of a JSON array in ``rg_docs``; their lines are their places."""
    relation = f"""read_json_objects([{literal(str(file.path))}], format = 'array',
        maximum_object_size = {MAX_DOCUMENT}, compression = '{"gzip" if file.gzipped else "uncompressed"}')"""
    if not _ends_with(file, b"]"):  # DuckDB takes the end of the file for the end of the array
        raise SourceError(f"{file.path} is not a JSON array: its end is missing", code="bad_json", path=str(file.path))
    try:
        # On a cursor of its own, because an error would end the transaction that this import runs in.
        engine.query(f"SELECT count(json) FROM {relation}")
    except EngineError as exc:
        raise SourceError(f"{file.path} is not a JSON array: {exc}", code="bad_json", path=str(file.path)) from exc
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {DOCS} AS
        SELECT row_number() OVER () AS line, CAST(json AS VARCHAR) AS doc FROM {relation}""")


def _ends_with(file: File, mark: bytes) -> bool:
    last = b""
    with file.open() as stream:
        while block := stream.read(1 << 20):
            last = block.rstrip()[-1:] or last
    return last == mark


def read_records(reading: Reading, records: Sequence[Mapping[str, Any]]) -> Source:
    """Stage a list of dicts; the line of a record is its place in the list, from 1."""
    stage(reading.engine, _texts_of(records))
    return _split(reading, "list of dicts", "records", None)


def lines_of(file: File) -> Iterator[tuple[int, str] | Broken]:
    """The documents of a JSON Lines file with their lines; blank lines are none."""
    with file.open() as stream:
        for line, raw in enumerate(stream, start=1):
            text = raw.removeprefix(b"\xef\xbb\xbf").strip() if line == 1 else raw.strip()
            if text:
                yield document(line, text)


def document(line: int, text: bytes) -> tuple[int, str] | Broken:
    """One document as text, or why it is none."""
    if len(text) <= MAX_DOCUMENT:
        try:
            return line, text.decode()
        except UnicodeDecodeError as exc:
            detail = f"byte {exc.start} of the line is not UTF-8"
            return line, "bad_encoding", detail, text[:_SHOWN].decode("utf-8", "replace")
    detail = f"the line has {len(text)} bytes, the most is {MAX_DOCUMENT}"
    return line, "value_too_long", detail, text[:_SHOWN].decode("utf-8", "replace")


def _texts_of(records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, str] | Broken]:
    for line, record in enumerate(records, start=1):
        try:
            yield line, wire_text(record)
        except EventError as exc:
            yield (
                line,
                exc.code,
                exc.message,
                reprlib.repr(record).encode("ascii", "backslashreplace").decode()[:_SHOWN],
            )


def stage(engine: DuckDBEngine, rows: Iterator[tuple[int, str] | Broken]) -> None:
    """Store documents with their lines in ``rg_docs``, and set the others aside."""
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {DOCS} (line BIGINT, doc VARCHAR)")
    lines: list[int] = []
    docs: list[str] = []
    broken: list[Broken] = []
    size = 0
    for row in rows:
        if len(row) == 2:  # noqa: PLR2004 -- a line and its text
            lines.append(row[0])
            docs.append(row[1])
            size += len(row[1])
        else:
            broken.append(row)
        if len(docs) + len(broken) >= _BATCH or size >= _BATCH_CHARACTERS:
            _flush(engine, lines, docs, broken)
            size = 0
    _flush(engine, lines, docs, broken)


def _flush(engine: DuckDBEngine, lines: list[int], docs: list[str], broken: list[Broken]) -> None:
    if docs:
        engine.execute(f"INSERT INTO {DOCS} SELECT unnest($1::BIGINT[]), unnest($2::VARCHAR[])", [lines, docs])
    add_broken(engine, broken)
    for batch in (lines, docs, broken):
        batch.clear()


def _split(reading: Reading, name: str, format: str, fingerprint: str | None) -> Source:
    engine = reading.engine
    set_aside_broken(engine, reading.string_bytes)
    keys, others = _keys(engine, reading.mapped)
    objects = _objects_among(engine, [key for key in keys if key.lower() in OBJECTS])
    scalars = [key for key in keys if key not in objects]
    columns = [f"texts[{i}] AS t{i}" for i in range(1, len(scalars) + 1)]
    columns += [f"parts[{i}] AS p{i}" for i in range(1, len(objects) + 1)]
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {STAGED} AS
        SELECT {", ".join([f"line AS {LINE}", "doc AS rg_doc", *columns])}
        FROM (SELECT line, doc, json_extract_string(doc, {pointers(scalars)}) AS texts,
                     json_extract(doc, {pointers(objects)}) AS parts
              FROM {DOCS})""")
    engine.execute(f"DROP TABLE {DOCS}")
    fields = [Field(key, "VARCHAR", f"t{i}") for i, key in enumerate(scalars, start=1)]
    fields += [Field(key, "OBJECT", f"p{i}") for i, key in enumerate(objects, start=1)]
    # The other keys stay in the document; they are named so that a message can list them.
    fields += [Field(key, "VARCHAR", "CAST(NULL AS VARCHAR)") for key in others[:_LISTED]]
    return Source(name, format, STAGED, LINE, tuple(fields), documents=True, fingerprint=fingerprint, listed=True)


def pointers(keys: Iterable[str]) -> str:
    """SQL of a list of JSON pointers to top-level keys."""
    return f"[{', '.join(literal(json_pointer(key)) for key in keys)}]::VARCHAR[]"


def set_aside_broken(engine: DuckDBEngine, string_bytes: int) -> None:
    """Move the documents that are no JSON objects, nest too deep or hold too long a text out of ``rg_docs``."""
    suspects = engine.fetch(f"""
        SELECT line, doc FROM {DOCS}
        WHERE NOT starts_with(doc, '{{') OR NOT json_valid(doc) OR strlen(doc) > {string_bytes}
           OR regexp_matches(doc, {literal(_LONE_SURROGATE)}) OR {_is_loose("doc")} OR {may_nest_deep("doc")}
        ORDER BY line""")
    broken = [row for line, doc in suspects for row in _broken(line, doc, string_bytes)]
    if broken:
        for start in range(0, len(broken), _BATCH):
            add_broken(engine, broken[start : start + _BATCH])
        engine.execute(f"DELETE FROM {DOCS} WHERE line IN (SELECT line FROM {BROKEN})")


def _is_loose(doc: str) -> str:
    """SQL that something outside of texts is no JSON. An address or the word "finance" in a text is nothing odd."""
    bare = f"regexp_replace({doc}, {literal(_STRING)}, '', 'g')"
    suspicious = literal(_SUSPICIOUS)
    return f"CASE WHEN regexp_matches({doc}, {suspicious}) THEN regexp_matches({bare}, {suspicious}) ELSE false END"


def may_nest_deep(doc: str) -> str:
    """SQL that a document may nest too deep; what is flat and only has many lists and objects does not count."""
    bones = f"regexp_replace(regexp_replace({doc}, {literal(_STRING)}, '', 'g'), '[^][{{}}]', '', 'g')"
    for _ in range(_PEELED):
        bones = f"replace(replace({bones}, '{{}}', ''), '[]', '')"
    return f"CASE WHEN {_openings(doc)} > {MAX_DEPTH} THEN {_openings(bones)} > {MAX_DEPTH - _PEELED} ELSE false END"


def _openings(text: str) -> str:
    return f"(strlen({text}) - strlen(replace(replace({text}, '{{', ''), '[', '')))"


def _broken(line: int, doc: str, string_bytes: int) -> list[Broken]:
    try:
        check_json(doc, string_bytes)
    except EventError as exc:
        return [(line, exc.code, exc.message, doc[:_SHOWN])]
    return []


def _keys(engine: DuckDBEngine, mapped: frozenset[str]) -> tuple[list[str], list[str]]:
    """The top-level keys that can play a role, and the others."""
    known = recognised_names()
    found = [row[0] for row in engine.fetch(f"SELECT DISTINCT unnest(json_keys(doc)) AS key FROM {DOCS} ORDER BY key")]
    keys = [key for key in found if key in mapped or plain_name(key) in known]
    return keys, [key for key in found if key not in keys]


def _objects_among(engine: DuckDBEngine, keys: list[str]) -> list[str]:
    if not keys:
        return []
    tests = ", ".join(
        f"coalesce(bool_or(json_type(doc, {literal(json_pointer(key))}) IN ('OBJECT', 'ARRAY')), false)" for key in keys
    )
    (row,) = engine.fetch(f"SELECT {tests} FROM {DOCS}")
    return [key for key, is_object in zip(keys, row, strict=True) if is_object]
