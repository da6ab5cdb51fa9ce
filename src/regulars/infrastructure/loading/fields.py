"""One row of any source as the same named values: the SELECT that every later step reads.

Empty and junk ids are missing here, numbers are numbers, and every column without a role is part of
``metadata``. What is wrong with a row is written down beside it (``bad_number``, ``too_long``, ``bad_object``) and
judged in :mod:`regulars.infrastructure.loading.validate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from regulars.domain.dialect import NUMBER_PATTERN, json_pointer
from regulars.domain.events import BLANKS, JUNK_IDS
from regulars.infrastructure.importers.columns import (
    DEVICE_ROLES,
    GEO_ROLES,
    NESTED_ALIASES,
    WATCH_MINUTES,
    Field,
    is_nested,
)
from regulars.infrastructure.loading.sql import either, literal
from regulars.infrastructure.loading.times import Times, read_times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.infrastructure.importers.columns import Columns
    from regulars.infrastructure.importers.source import Source
    from regulars.settings import ImportSettings

_COORDINATES = ("latitude", "longitude")
_NO_TEXT = "CAST(NULL AS VARCHAR)"
_TEXT = ("VARCHAR", "OBJECT", "JSON", "ENUM")


def select_fields(source: Source, columns: Columns, limits: ImportSettings) -> str:
    """The SELECT over a source that gives every role its name and type."""
    values = {
        "line": source.line,
        "event_id": _trimmed(columns, "event_id"),
        **_ids(columns),
        "event_name": _trimmed(columns, "name"),
        "feature": _trimmed(columns, "feature"),
        **_times(columns),
        "sequence": _number(columns, "sequence", whole=True),
        "session_id": _trimmed(columns, "session_id"),
        "duration": _duration(columns),
        "context": _trimmed(columns, "context"),
        "client_ip": _trimmed(columns, "client_ip") if limits.store_ip else _NO_TEXT,
        **{role: _nested_text(columns, "device", role) for role in DEVICE_ROLES},
        **{role: _nested_text(columns, "geo", role) for role in GEO_ROLES if role not in _COORDINATES},
        **{role: _nested_number(columns, role) for role in _COORDINATES},
        "details": _json_of(columns, "details"),
        "attributes": _json_of(columns, "user"),
        "metadata": _metadata(source, columns),
        "bad_number": _bad_number(columns),
        "too_long": _too_long(source, columns, limits.string_bytes),
        "bad_object": _bad_object(columns),
        "merges": "true" if source.merges else "false",
    }
    listed = ",\n  ".join(f"{sql} AS {name}" for name, sql in values.items())
    return f"SELECT\n  {listed}\nFROM {_with_times(source.relation, columns)}"


def raw(source: Source) -> str:
    """SQL of a row as JSON text, for the dead letter and for ids made of content."""
    if source.documents:
        return "rg_doc"
    packed = ", ".join(f"{literal(item.name)}, {item.sql}" for item in sorted(source.fields, key=lambda f: f.name))
    return f"CAST(json_object({packed}) AS VARCHAR)"


def text(item: Field) -> str:
    """SQL of a column as text; a whole number has no decimals, so that 1.0 and '1' are the same id."""
    if item.type == "VARCHAR":
        return item.sql
    if item.type in ("OBJECT", "JSON"):
        return f"json_extract_string({item.sql}, '$')"
    if item.type in ("DOUBLE", "FLOAT"):
        whole = f"{item.sql} = trunc({item.sql}) AND abs({item.sql}) < 1e15"
        return (
            f"CASE WHEN {whole} THEN CAST(CAST({item.sql} AS BIGINT) AS VARCHAR) ELSE CAST({item.sql} AS VARCHAR) END"
        )
    return f"CAST({item.sql} AS VARCHAR)"


def trimmed(item: Field) -> str:
    """SQL of a column as text without blanks around it; nothing but blanks is missing."""
    value = text(item)
    if item.tidy:
        return value
    # Trimming a set of characters is ten times as slow as looking at the ends.
    return f"CASE WHEN {plain_ends(value)} THEN {value} ELSE nullif(trim({value}, {literal(BLANKS)}), '') END"


def plain_ends(value: str) -> str:
    """SQL that a text begins and ends with a visible ASCII character, so that it needs no trimming."""
    return f"ascii({value}) BETWEEN 33 AND 126 AND ascii({value}[-1]) BETWEEN 33 AND 126"


def all_plain_ends(value: str) -> str:
    """The same of all texts of a column, as an aggregate."""
    ends = [f"min({end}) >= 33 AND max({end}) <= 126" for end in (f"ascii({value})", f"ascii({value}[-1])")]
    return " AND ".join(ends)


def is_junk(identifier: str) -> str:
    """SQL that an id is one of the words that name nobody."""
    longest = max(len(word) for word in JUNK_IDS)
    words = ", ".join(literal(word) for word in JUNK_IDS)
    return f"strlen({identifier}) <= {longest} AND lower({identifier}) IN ({words})"


def usable(identifier: str) -> str:
    """SQL of an id that is missing when it is one of the words that name nobody."""
    return f"CASE WHEN NOT ({is_junk(identifier)}) THEN {identifier} END"


def _trimmed(columns: Columns, role: str) -> str:
    item = columns.get(role)
    return trimmed(item) if item else _NO_TEXT


def _ids(columns: Columns) -> dict[str, str]:
    what = _trimmed(columns, "event_type")
    anonymous = _usable(columns, "anonymous_id")
    if "previous_id" in columns:
        previous = _usable(columns, "previous_id")
        anonymous = f"coalesce({anonymous}, CASE WHEN {what} = 'alias' THEN {previous} END)"
    return {"known_id": _usable(columns, "user_id"), "anonymous_id": anonymous, "action_type": what}


def _usable(columns: Columns, role: str) -> str:
    item = columns.get(role)
    if item is None:
        return _NO_TEXT
    return trimmed(item) if item.tidy else usable(trimmed(item))


def _times(columns: Columns) -> dict[str, str]:
    when = columns.get("timestamp")
    happened, received = _read_times(columns, "timestamp"), _read_times(columns, "received_at")
    return {
        "wall": happened.wall,
        "zone": happened.zone,
        "time_text": text(when) if when else _NO_TEXT,
        # The time of receipt is a remark: a naive one is read as UTC, an unreadable one as the time of the import.
        "received_us": f"{received.wall} - coalesce({received.zone}, 0) * 1000000",
    }


def _read_times(columns: Columns, role: str) -> Times:
    item = columns.get(role)
    return read_times(item, role) if item else Times("CAST(NULL AS BIGINT)", "CAST(0 AS BIGINT)")


def _with_times(relation: str, columns: Columns) -> str:
    """A source with the columns beside it that its times are read from."""
    for role in ("timestamp", "received_at"):
        for name, sql in _read_times(columns, role).beside.items():
            relation = f"(SELECT *, {sql} AS {name} FROM {relation}) AS read"
    return relation


def _is_number(item: Field) -> bool:
    return not item.type.startswith(_TEXT)


def _number_of(item: Field, *, whole: bool = False) -> str:
    value, number = item.sql, f"TRY_CAST({item.sql} AS DOUBLE)"
    if not _is_number(item):
        value = trimmed(item)
        number = f"CASE WHEN regexp_matches({value}, {literal(NUMBER_PATTERN)}) THEN TRY_CAST({value} AS DOUBLE) END"
    if not whole:
        return number
    # A double would round whole numbers beyond 2^53, and a cast would round fractions.
    digits = f"regexp_matches(CAST({value} AS VARCHAR), '^[+-]?[0-9]+$')"
    return f"""CASE WHEN {digits} THEN TRY_CAST({value} AS BIGINT)
        WHEN {number} = trunc({number}) THEN TRY_CAST({number} AS BIGINT) END"""


def _number(columns: Columns, role: str, *, whole: bool = False) -> str:
    item = columns.get(role)
    return _number_of(item, whole=whole) if item else f"CAST(NULL AS {'BIGINT' if whole else 'DOUBLE'})"


def _duration(columns: Columns) -> str:
    # Prepared tables fill the minutes with 0 where nothing was watched; such an event has no duration.
    return either([_number(columns, "duration_seconds"), f"nullif({_number(columns, WATCH_MINUTES)}, 0) * 60"])


def _bad_number(columns: Columns) -> str:
    """Name and value of the first number that is none."""
    roles = ("sequence", "duration_seconds", WATCH_MINUTES, *_COORDINATES)
    cases = []
    for role in roles:
        if item := columns.get(role):
            number = f"CAST({_number_of(item, whole=role == 'sequence')} AS DOUBLE)"
            given = item.sql if _is_number(item) else trimmed(item)
            message = f"{literal(role + ' is no number: ')} || left({text(item)}, 100)"
            cases.append(f"WHEN {given} IS NOT NULL AND NOT coalesce(isfinite({number}), false) THEN {message}")
    return f"CASE {' '.join(cases)} END" if cases else _NO_TEXT


def _nested_text(columns: Columns, parent: str, role: str) -> str:
    flat = columns.get(role)
    found = [trimmed(flat)] if flat else []
    if parent in columns:
        found += [f"nullif(json_extract_string({json_text(columns, parent)}, {literal(json_pointer(name))}), '')"
                  for name in NESTED_ALIASES.get(role, (role,))]  # fmt: skip
    return either(found) if found else _NO_TEXT


def _nested_number(columns: Columns, role: str) -> str:
    flat = _number(columns, role)
    if "geo" not in columns:
        return flat
    nested = f"json_extract_string({json_text(columns, 'geo')}, {literal(json_pointer(role))})"
    return either([flat, f"TRY_CAST({nested} AS DOUBLE)"])


def json_text(columns: Columns, role: str) -> str:
    """SQL of a nested column as JSON."""
    item = columns.roles[role]
    if item.type in ("OBJECT", "JSON"):
        return item.sql
    return f"to_json({item.sql})" if is_nested(item) else f"TRY_CAST({item.sql} AS JSON)"


def _json_of(columns: Columns, role: str) -> str:
    return json_text(columns, role) if role in columns else "CAST(NULL AS JSON)"


def _bad_object(columns: Columns) -> str:
    expected = {"device": "OBJECT", "geo": "OBJECT", "properties": "OBJECT", "user": "OBJECT", "details": "ARRAY"}
    cases = [
        f"WHEN json_type({json_text(columns, role)}) NOT IN ('{type}', 'NULL') THEN '{role} must be an {type.lower()}'"
        for role, type in expected.items()
        if role in columns
    ]
    return f"CASE {' '.join(cases)} END" if cases else _NO_TEXT


def _too_long(source: Source, columns: Columns, limit: int) -> str:
    """The first text column whose value is over the limit; documents were measured when they were read."""
    short = {item.name for item in (*columns.roles.values(), *columns.others) if item.short}
    texts = [item for item in source.fields if item.type == "VARCHAR" and item.name not in short]
    items = () if source.documents else texts
    cases = [f"WHEN strlen({item.sql}) > {limit} THEN {literal(item.name)}" for item in items]
    return f"CASE {' '.join(cases)} END" if cases else _NO_TEXT


def _metadata(source: Source, columns: Columns) -> str:
    """Every property as one JSON object; missing values are left out, and no property at all is NULL."""
    own = _rest(source, columns)
    if "properties" not in columns:
        return own
    properties = f"json_merge_patch('{{}}', {json_text(columns, 'properties')})"
    if own == _NO_TEXT:
        return f"nullif(CAST({properties} AS VARCHAR), '{{}}')"
    merged = f"json_merge_patch(coalesce({own}, '{{}}'), coalesce({properties}, '{{}}'))"
    return f"nullif(CAST({merged} AS VARCHAR), '{{}}')"


def _rest(source: Source, columns: Columns) -> str:
    if source.columns:
        return _NO_TEXT  # an export says itself what is a property
    if not columns.others and (source.listed or not source.documents):
        return _NO_TEXT
    return _rest_of_document(columns) if source.documents else _rest_of_columns(columns)


def _rest_of_document(columns: Columns) -> str:
    removed = msgspec.json.encode({item.name: None for item in columns.roles.values()}).decode()
    # In a JSON merge patch null means "remove", so that the second patch drops what has a role, the first the nulls.
    return f"nullif(CAST(json_merge_patch(json_merge_patch('{{}}', rg_doc), {literal(removed)}) AS VARCHAR), '{{}}')"


def _rest_of_columns(columns: Columns) -> str:
    complete = [item for item in columns.others if item.complete]
    if len(complete) == len(columns.others):
        # One call keeps the dictionary of a low-cardinality column, which joining texts does not.
        pairs = ", ".join(f"{literal(item.name)}, {item.sql}" for item in complete)
        return f"json_object({pairs})"
    return object_of(columns.others)


def object_of(items: Sequence[Field]) -> str:
    """SQL of the JSON object of columns by name; missing values are left out, and no value at all is NULL."""
    parts = [f"{literal(',' + msgspec.json.encode(item.name).decode() + ':')} || {_json_value(item)}" for item in items]
    return f"'{{' || nullif(substr(concat({', '.join(parts)}), 2), '') || '}}'"


def _json_value(item: Field) -> str:
    if item.type in ("OBJECT", "JSON"):
        return f"nullif(CAST({item.sql} AS VARCHAR), 'null')"
    if item.type in ("DOUBLE", "FLOAT"):
        return f"CASE WHEN isfinite({item.sql}) THEN CAST(to_json({item.sql}) AS VARCHAR) END"
    return f"CAST(to_json({item.sql}) AS VARCHAR)"
