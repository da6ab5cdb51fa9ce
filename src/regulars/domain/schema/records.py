"""What is known about the workspace itself."""

from __future__ import annotations

from regulars.domain.schema.tables import LOAD, Column, Table, key, text

LOADS = Table(
    "loads",
    "record",
    "import of one file, frame or list, or what a journal brought in a day",
    (
        key("load_id", "Dense key"),
        Column("source", "text", "File name or kind of object", nullable=False),
        text("fingerprint", "SHA-256 of the file, or the journal"),
        Column("loaded_at", "timestamp", "When, in UTC", nullable=False),
        Column("rows_read", "bigint", "Rows in the source", nullable=False),
        Column("rows_loaded", "bigint", "Rows that became events or users", nullable=False),
        Column("duplicates", "bigint", "Rows whose event id was there already", nullable=False),
        Column("rejected", "bigint", "Rows in dead_letter", nullable=False),
    ),
)

DEAD_LETTER = Table(
    "dead_letter",
    "record",
    "row that could not be loaded",
    (
        LOAD,
        Column("line", "bigint", "Line or row in the source, from 1"),
        Column("reason", "text", "Code of the reason", nullable=False),
        text("detail", "The value at fault and what is allowed"),
        text("raw", "The row as it came"),
        Column("received_at", "timestamp", "When, in UTC", nullable=False),
    ),
)

ERASURES = Table(
    "erasures",
    "record",
    "id of an erased person",
    (
        key("erasure_id", "Dense key; a person may have had several ids"),
        Column("kind", "text", "known or anonymous", nullable=False),
        Column("id_hash", "text", "Salted SHA-256 of the id, to know old events of the person again", nullable=False),
        Column("erased_at", "timestamp", "When, in UTC", nullable=False),
        Column("is_rewritten", "boolean", "The file was written anew since", nullable=False),
    ),
)

WORKSPACE_STATE = Table(
    "workspace_state",
    "record",
    "fact about the workspace",
    (Column("name", "text", "Which fact", nullable=False), text("value", "Its value")),
)
