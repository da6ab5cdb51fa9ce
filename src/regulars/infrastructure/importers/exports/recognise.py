"""Whose export a file is, told by its keys or columns; a file that nobody is sure to have written is plain."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from regulars.errors import SourceError
from regulars.infrastructure.importers.exports.amplitude import AMPLITUDE
from regulars.infrastructure.importers.exports.ga4 import GA4
from regulars.infrastructure.importers.exports.mixpanel import MIXPANEL
from regulars.infrastructure.importers.exports.posthog import POSTHOG
from regulars.infrastructure.importers.exports.rows import lower_case
from regulars.infrastructure.importers.exports.segment import SEGMENT
from regulars.infrastructure.importers.exports.snowplow import SNOWPLOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from regulars.infrastructure.importers.exports.shape import Export, Shape
    from regulars.infrastructure.importers.formats import File

EXPORTS: tuple[Export, ...] = (SEGMENT, POSTHOG, AMPLITUDE, MIXPANEL, GA4, SNOWPLOW)
_HEAD = 1 << 18
_ROWS = 50
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Recognised:
    """A tool and the shape of a file's rows."""

    export: Export
    shape: Shape


def recognise(file: File, given: str = "auto") -> Recognised | None:
    """The tool that wrote a file: the one that is named, or, with ``auto``, the one whose keys it has.

    Errors: :class:`SourceError` with code ``missing_column`` when a tool is named whose keys are not there.
    """
    named = next((export for export in EXPORTS if export.tool == given), None)
    if named is None and given != "auto":
        return None
    keys, enriched = _look(file)
    for export in (named,) if named else EXPORTS:
        for shape in export.shapes:
            if (enriched if shape.header else shape.fits(keys)) and _is_named(file, shape):
                return Recognised(export, shape)
    if named is None:
        return None
    return Recognised(named, _nearest(file, named, keys))


def _nearest(file: File, export: Export, keys: frozenset[str]) -> Shape:
    """The shape whose outer keys are there, for rows whose first few say nothing more."""
    flat = [shape for shape in export.shapes if not shape.header]
    for shape in flat:
        if all(any(name.partition("/")[0] in keys for name in choice.split("|")) for choice in shape.keys):
            return shape
    wanted = ", ".join(choice.replace("|", " or ") for choice in flat[0].keys if "/" not in choice)
    found = ", ".join(sorted(key for key in keys if "/" not in key)[:_ROWS]) or "nothing"
    raise SourceError(
        f"{file.path} is no export of {export.title}: its rows have {wanted}, this file has {found}; "
        "leave out --format, or give the format of the file",
        code="missing_column", path=str(file.path), columns=sorted(keys),
    )  # fmt: skip


def _is_named(file: File, shape: Shape) -> bool:
    if not shape.named:
        return True
    words = re.split(r"[^a-z]+", f"{file.path.parent.name} {file.path.name}".lower())
    return any(name in words for name in shape.named)


def _look(file: File) -> tuple[frozenset[str], bool]:
    """Keys of the first rows, those of objects inside them as ``outer/inner``; and whether it is enriched TSV."""
    if file.format == "parquet":
        return frozenset(lower_case(_parquet_columns(file))), False
    if file.format == "arrow":
        return frozenset(), False
    try:
        with file.open() as stream:
            head = stream.read(_HEAD).decode("utf-8", "replace").removeprefix("\ufeff")
    except (OSError, EOFError, zlib.error):
        return frozenset(), False  # whoever reads it says what is wrong with it
    if file.format in ("json", "jsonl"):
        return frozenset(key for row in _rows(head, file.format) for key in _keys_of(row)), False
    line = head.partition("\n")[0].rstrip("\r")
    values = line.split("\t")
    enriched = any(shape.header and len(values) == len(shape.header) for e in EXPORTS for shape in e.shapes)
    if enriched and any(_UUID.fullmatch(value) for value in values[6:7]):
        return frozenset(), True
    delimiter = max(",;\t|", key=line.count)
    return frozenset(lower_case([name.strip().strip('"') for name in line.split(delimiter)])), False


def _parquet_columns(file: File) -> list[str]:
    try:
        with duckdb.connect() as looking:
            return [row[0] for row in looking.execute("DESCRIBE FROM read_parquet($1)", [str(file.path)]).fetchall()]
    except duckdb.Error:
        return []  # the same


def _rows(head: str, format: str) -> Iterator[Any]:
    """The first few JSON values of a text that may be cut off."""
    pieces: Iterable[str] = head.split("\n")[:_ROWS] if format == "jsonl" else _array_pieces(head)
    for piece in pieces:
        try:
            yield json.loads(piece)
        except (ValueError, RecursionError):
            continue


def _array_pieces(head: str) -> Iterator[str]:
    decoder, at = json.JSONDecoder(), head.find("[") + 1
    for _ in range(_ROWS):
        at += len(head[at:]) - len(head[at:].lstrip(" \t\r\n,"))
        try:
            end = decoder.raw_decode(head, at)[1]
        except (ValueError, RecursionError):
            return
        yield head[at:end]
        at = end


def _keys_of(row: Any) -> Iterator[str]:
    if isinstance(row, dict):
        for key, value in row.items():
            yield key
            if isinstance(value, dict):
                yield from (f"{key}/{inner}" for inner in value)
