"""Open any source: a path, an Arrow-speaking frame, a list of records or a stretch of the journal."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from regulars.errors import EngineError, MissingExtraError, SourceError
from regulars.infrastructure.importers.columns import Field
from regulars.infrastructure.importers.delimited import read_delimited
from regulars.infrastructure.importers.documents import Reading, read_array, read_lines, read_records
from regulars.infrastructure.importers.exports.reader import Wishes, read_export
from regulars.infrastructure.importers.exports.recognise import recognise
from regulars.infrastructure.importers.formats import File, inspect
from regulars.infrastructure.importers.journal import Entries, read_entries
from regulars.infrastructure.importers.source import LINE, STAGED, Source, create_broken
from regulars.infrastructure.loading.sql import literal, quoted

if TYPE_CHECKING:
    from regulars.infrastructure.engines.duckdb import DuckDBEngine

_ARROW_VIEW = "rg_arrow"


def open_source(engine: DuckDBEngine, source: object, format: str, wishes: Wishes, string_bytes: int) -> Source:
    """Make a source readable; rows that no reader understands are set aside in ``rg_broken``.

    Errors: :class:`SourceError` for what cannot be read at all.
    """
    create_broken(engine)
    reading = Reading(engine, frozenset(wishes.mapping.values()), string_bytes)
    if isinstance(source, (str, os.PathLike)):
        source = inspect(Path(source), format)
    if isinstance(source, File):
        found = recognise(source, format)
        if found:
            return read_export(reading, source, found, wishes, partial(_open_file, reading, source))
        return _open_file(reading, source)
    if isinstance(source, Entries):
        return read_entries(reading, source)
    if hasattr(source, "__arrow_c_stream__"):
        return _read_arrow(engine, source, _frame_name(source), "arrow")
    if isinstance(source, (list, tuple)):
        if not source:
            raise SourceError("the list of records is empty", code="empty_source")
        return read_records(reading, source)
    raise SourceError(
        f"cannot load {type(source).__name__}; give a path, a list of dicts, or a pandas, polars or Arrow table",
        code="bad_source",
    )


def _open_file(reading: Reading, file: File) -> Source:
    if file.format == "parquet":
        return _read_parquet(reading.engine, file)
    if file.format == "csv":
        return read_delimited(reading.engine, file)
    if file.format == "json":
        return read_array(reading, file)
    if file.format == "jsonl":
        return read_lines(reading, file)
    return _read_arrow_file(reading.engine, file)


def _read_parquet(engine: DuckDBEngine, file: File) -> Source:
    relation = f"read_parquet([{literal(str(file.path))}], file_row_number = true)"
    try:
        described = engine.query(f"DESCRIBE SELECT * EXCLUDE (file_row_number) FROM {relation}").rows
    except EngineError as exc:
        raise SourceError(f"{file.path} is not a readable Parquet file: {exc}", code="bad_source") from exc
    fields = tuple(Field(row[0], row[1], quoted(row[0])) for row in described)
    return Source(
        file.path.name, "parquet", relation, "file_row_number + 1", fields, typed=True, fingerprint=file.fingerprint
    )


def _read_arrow_file(engine: DuckDBEngine, file: File) -> Source:
    try:
        import pyarrow as pa  # noqa: PLC0415 -- optional, and slow to import
    except ImportError:
        raise MissingExtraError("pyarrow", "arrow", "reading an Arrow file") from None
    try:
        with pa.memory_map(str(file.path)) as stream:
            table = pa.ipc.open_file(stream).read_all()
    except pa.ArrowException as exc:
        raise SourceError(f"{file.path} is not a readable Arrow file: {exc}", code="bad_source") from exc
    return _read_arrow(engine, table, file.path.name, "arrow", file.fingerprint)


class _Stream:
    """Nothing but the Arrow stream of an object, so that DuckDB does not look for that object's library."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._source.__arrow_c_stream__(requested_schema)


def _frame_name(source: object) -> str:
    module = type(source).__module__.partition(".")[0]
    return type(source).__name__ if module in ("pandas", "polars") else f"{module} {type(source).__name__}"


def _read_arrow(engine: DuckDBEngine, source: object, name: str, format: str, fingerprint: str | None = None) -> Source:
    writer = engine._writer  # noqa: SLF001 -- an object can only be handed over through the driver itself
    writer.register(_ARROW_VIEW, _Stream(source))
    try:
        # A column of nothing but missing values may have a type of its own, which DuckDB does not read from polars.
        described = [row for row in engine.fetch(f"DESCRIBE {_ARROW_VIEW}") if row[1] != '"NULL"']
        listed = ", ".join(quoted(row[0]) for row in described)
        engine.execute(f"""
            CREATE OR REPLACE TEMP TABLE {STAGED} AS
            SELECT row_number() OVER () AS {LINE}, {listed} FROM {_ARROW_VIEW}""")
    except EngineError as exc:
        raise SourceError(f"the {name} cannot be read: {exc}", code="bad_source") from exc
    finally:
        with contextlib.suppress(duckdb.Error):  # after an error the transaction refuses even this
            writer.unregister(_ARROW_VIEW)
    fields = tuple(
        Field(row[0], row[1], quoted(row[0])) for row in described if row[0] not in (LINE, "__index_level_0__")
    )
    return Source(name, format, STAGED, LINE, fields, typed=True, fingerprint=fingerprint)
