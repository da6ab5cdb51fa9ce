"""Entries of the journal: events in wire form, whose keys mean what they are called.

Files let columns guess their role from what the whole file holds. What the journal holds is drained in batches that
nobody chose, so nothing here may depend on what else is in the batch: a key plays the role that it names and no other,
and an entry that cannot be loaded never refuses its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regulars.domain.wire import made_id
from regulars.infrastructure.importers.columns import OBJECTS, SCALAR_ROLES, Field
from regulars.infrastructure.importers.documents import DOCS, MAX_DOCUMENT, document, pointers, set_aside_broken
from regulars.infrastructure.importers.source import LINE, STAGED, Source, add_broken
from regulars.infrastructure.loading.sql import literal
from regulars.infrastructure.loading.times import PLAIN, microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from regulars.application.ports import Entry, Fault, Page
    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.documents import Broken, Reading

NAME = "journal"
_INSTANT = "rg_instant"
_ALWAYS = ("event_id", "user_id", "event_type", "timestamp")
_SCALARS = tuple(role for role in SCALAR_ROLES if role != "received_at")


@dataclass(frozen=True)
class Entries:
    """A stretch of the journal as a source; the line of an entry is its offset, ``name`` stands for a file's hash."""

    journal_id: str
    page: Page
    name: str


def read_entries(reading: Reading, entries: Entries) -> Source:
    """Stage entries of the journal; places that cannot be read are broken rows."""
    engine, page = reading.engine, entries.page
    _stage(reading, page)
    set_aside_broken(engine, reading.string_bytes)
    ((keys,),) = engine.fetch(
        f"SELECT coalesce(list(DISTINCT key), []) FROM (SELECT unnest(json_keys(doc)) AS key FROM {DOCS})"
    )
    scalars = [role for role in _SCALARS if role in keys or role in _ALWAYS]
    objects = [role for role in OBJECTS if role in keys]
    _name_columns(engine, scalars, objects, entries.journal_id)
    ((plain,),) = engine.fetch(f"SELECT coalesce(bool_and({_INSTANT} IS NOT NULL), false) FROM {STAGED}")
    fields = [Field(role, "VARCHAR", _column(role)) for role in scalars if not (plain and role == "timestamp")]
    fields += [Field("timestamp", "TIMESTAMP WITH TIME ZONE", _INSTANT)] if plain else []
    fields += [Field(role, "OBJECT", _column(role)) for role in objects]
    return Source(
        NAME, NAME, STAGED, LINE, (*fields, Field("received_at", "TIMESTAMP", "received")),
        documents=True, by_row=True, fingerprint=entries.name, listed=set(keys) <= {*scalars, *objects},
    )  # fmt: skip


def _stage(reading: Reading, page: Page) -> None:
    """Store documents with their lines and times of receipt in ``rg_docs``, and set the others aside.

    As arrays: a list would be handed over value by value, which costs more than what is done with it afterwards.
    """
    entries, texts, broken = _told_apart(page)
    reading.engine.keep_arrays(
        DOCS,
        {"line": "BIGINT", "doc": "VARCHAR", "received": "TIMESTAMP"},
        {
            "line": np.fromiter((entry.offset for entry in entries), np.int64, len(entries)),
            "doc": np.array(texts, dtype=object),
            "received": np.fromiter(_received(entries), np.int64, len(entries)).astype("datetime64[us]"),
        },
    )
    add_broken(reading.engine, broken)


def _received(entries: Sequence[Entry]) -> Iterator[int]:
    """When each was received, in microseconds; what came together has one time."""
    moment, number = None, 0
    for entry in entries:
        if entry.received_at is not moment:
            moment = entry.received_at
            number = microseconds(moment)
        yield number


def _told_apart(page: Page) -> tuple[Sequence[Entry], list[str], list[Broken]]:
    """The entries that are text, their texts, and what is broken."""
    broken = [row for fault in page.faults for row in _broken(fault)]
    try:
        if max((len(entry.body) for entry in page.entries), default=0) <= MAX_DOCUMENT:
            return page.entries, [entry.body.decode() for entry in page.entries], broken
    except UnicodeDecodeError:
        pass  # one of them is no text; which ones, is found out below
    entries: list[Entry] = []
    texts: list[str] = []
    for entry in page.entries:
        found = document(entry.offset, entry.body)
        if len(found) == 2:  # noqa: PLR2004 -- a line and its text
            entries.append(entry)
            texts.append(found[1])
        else:
            broken.append(found)
    return entries, texts, broken


def _name_columns(engine: DuckDBEngine, scalars: list[str], objects: list[str], journal_id: str) -> None:
    """Make the table of the source: a column for every role, and the time as an instant where it is a plain one."""
    columns = [
        f"{_text(role, f'texts[{i}]', journal_id)} AS {_column(role)}" for i, role in enumerate(scalars, start=1)
    ]
    columns += [f"parts[{i}] AS {_column(role)}" for i, role in enumerate(objects, start=1)]
    time = _column("timestamp")
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {STAGED} AS
        SELECT *, CASE WHEN regexp_full_match({time}, {literal(PLAIN)}) THEN TRY_CAST({time} AS TIMESTAMPTZ) END
            AS {_INSTANT}
        FROM (SELECT {", ".join([f"line AS {LINE}", "doc AS rg_doc", "received", *columns])}
              FROM (SELECT line, doc, received, json_extract_string(doc, {pointers(scalars)}) AS texts,
                           json_extract(doc, {pointers(objects)}) AS parts
                    FROM {DOCS}))""")
    engine.execute(f"DROP TABLE {DOCS}")


def _column(role: str) -> str:
    return f"rg_{role}"


def _text(role: str, value: str, journal_id: str) -> str:
    """SQL of a key's text; an event without an id has one by its place, one without a time that of its receipt."""
    if role == "event_id":
        return f"coalesce(nullif(trim({value}), ''), {literal(made_id(journal_id, 0)[:-1])} || line)"
    if role == "timestamp":
        return f"coalesce(nullif(trim({value}), ''), strftime(received, '%Y-%m-%dT%H:%M:%S.%fZ'))"
    return value


def _broken(fault: Fault) -> Iterator[Broken]:
    raw = "" if fault.body is None else fault.body.decode("utf-8", "replace")
    for offset in range(fault.first, fault.last + 1):
        yield offset, fault.reason, fault.detail, raw
