"""Entries of the journal: events in wire form, whose keys mean what they are called.

Files let columns guess their role from what the whole file holds. What the journal holds is drained in batches that
nobody chose, so nothing here may depend on what else is in the batch: a key plays the role that it names and no other,
and an entry that cannot be loaded never refuses its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.wire import made_id
from regulars.infrastructure.importers.columns import OBJECTS, SCALAR_ROLES, Field
from regulars.infrastructure.importers.documents import DOCS, document, pointers, set_aside_broken, stage
from regulars.infrastructure.importers.source import LINE, STAGED, Source
from regulars.infrastructure.loading.sql import literal
from regulars.infrastructure.loading.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.application.ports import Fault, Page
    from regulars.infrastructure.importers.documents import Broken, Reading

NAME = "journal"
_RECEIVED = "rg_received"
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
    stage(engine, _documents(page))
    set_aside_broken(engine, reading.string_bytes)
    engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE {_RECEIVED} AS
            SELECT unnest($1::BIGINT[]) AS line, make_timestamp(unnest($2::BIGINT[])) AS received""",
        [[entry.offset for entry in page.entries], [microseconds(entry.received_at) for entry in page.entries]],
    )
    (keys,) = engine.fetch(
        f"SELECT coalesce(list(DISTINCT key), []) FROM (SELECT unnest(json_keys(doc)) AS key FROM {DOCS})"
    )
    scalars = [role for role in _SCALARS if role in keys[0] or role in _ALWAYS]
    objects = [role for role in OBJECTS if role in keys[0]]
    columns = [
        f"{_text(role, f'texts[{i}]', entries.journal_id)} AS {_column(role)}"
        for i, role in enumerate(scalars, start=1)
    ]
    columns += [f"parts[{i}] AS {_column(role)}" for i, role in enumerate(objects, start=1)]
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {STAGED} AS
        SELECT {", ".join([f"line AS {LINE}", "doc AS rg_doc", "received", *columns])}
        FROM (SELECT line, doc, received, json_extract_string(doc, {pointers(scalars)}) AS texts,
                     json_extract(doc, {pointers(objects)}) AS parts
              FROM {DOCS} JOIN {_RECEIVED} USING (line))""")
    engine.execute(f"DROP TABLE {DOCS}")
    engine.execute(f"DROP TABLE {_RECEIVED}")
    fields = [Field(role, "VARCHAR", _column(role)) for role in scalars]
    fields += [Field(role, "OBJECT", _column(role)) for role in objects]
    return Source(
        NAME, NAME, STAGED, LINE, (*fields, Field("received_at", "TIMESTAMP", "received")),
        documents=True, by_row=True, fingerprint=entries.name,
    )  # fmt: skip


def _column(role: str) -> str:
    return f"rg_{role}"


def _text(role: str, value: str, journal_id: str) -> str:
    """SQL of a key's text; an event without an id has one by its place, one without a time that of its receipt."""
    if role == "event_id":
        return f"coalesce(nullif(trim({value}), ''), {literal(made_id(journal_id, 0)[:-1])} || line)"
    if role == "timestamp":
        return f"coalesce(nullif(trim({value}), ''), strftime(received, '%Y-%m-%dT%H:%M:%S.%fZ'))"
    return value


def _documents(page: Page) -> Iterator[tuple[int, str] | Broken]:
    for entry in page.entries:
        yield document(entry.offset, entry.body)
    for fault in page.faults:
        yield from _broken(fault)


def _broken(fault: Fault) -> Iterator[Broken]:
    raw = "" if fault.body is None else fault.body.decode("utf-8", "replace")
    for offset in range(fault.first, fault.last + 1):
        yield offset, fault.reason, fault.detail, raw
