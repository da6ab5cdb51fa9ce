"""What is known about the workspace itself."""

from __future__ import annotations

from regulars.domain.schema.tables import LOAD, Column, Table, key, text

LOADS = Table(
    "loads",
    "record",
    "import of one file, frame or list, or all that a journal brought in a day, under the last load_id",
    (
        key("load_id", "Dense key"),
        Column("source", "text", "File name or kind of object", nullable=False),
        text("fingerprint", "SHA-256 of the file, behind the tool that exported it; or the journal"),
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

EXPERIMENTS = Table(
    "experiments",
    "record",
    "phase of an experiment",
    (
        Column("name", "text", "Which experiment", nullable=False),
        Column("phase", "bigint", "From 1; what deals people anew begins another one", nullable=False),
        Column("status", "text", "draft, running, stopped or archived", nullable=False),
        Column("design", "json", "Variants with weights, seed, hash version, measure and so on", nullable=False),
        Column("created_at", "timestamp", "When it was written down, in UTC", nullable=False),
        Column("started_at", "timestamp", "From when people were assigned, in UTC"),
        Column("stopped_at", "timestamp", "Until when, in UTC"),
    ),
)

CHECK_RESULTS = Table(
    "check_results",
    "record",
    "data-quality check of one run",
    (
        key("run_id", "Dense key of the run"),
        Column("checked_at", "timestamp", "When, in UTC", nullable=False),
        Column("occasion", "text", "check, import or report", nullable=False),
        Column("load_id", "bigint", "The import that was looked at; missing: the whole workspace"),
        Column("check_name", "text", "Which check", nullable=False),
        Column("severity", "text", "error, warning or info", nullable=False),
        Column("status", "text", "passed, failed or skipped", nullable=False),
        text("reason", "Why it was skipped, or could not be run"),
        Column("found", "bigint", "How many were at fault"),
        Column("whole", "bigint", "Of how many"),
        Column("judge", "text", "Whether the count or the share was judged", nullable=False),
        Column("threshold", "double", "Above which it fails", nullable=False),
    ),
)

PUBLICATIONS = Table(
    "publications",
    "record",
    "version of a published answer",
    (
        Column("name", "text", "Under which it was published", nullable=False),
        Column("version", "bigint", "From 1", nullable=False),
        Column("published_at", "timestamp", "When, in UTC", nullable=False),
        Column("load_id", "bigint", "The last load that it knew of", nullable=False),
        Column("answer", "json", "The result: question, columns, rows, how complete they were", nullable=False),
        Column("definitions", "json", "What it depended on in the settings, part by part", nullable=False),
    ),
)

WORKSPACE_STATE = Table(
    "workspace_state",
    "record",
    "fact about the workspace",
    (Column("name", "text", "Which fact", nullable=False), text("value", "Its value")),
)
