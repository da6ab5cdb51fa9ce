"""SQL of objects: lists of keys and values as one, and several as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.dialect import json_pointer
from regulars.infrastructure.loading.sql import literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def as_object(doc: str, key: str) -> str:
    """SQL of the object that a list of ``{key, value: {string_value, int_value, ...}}`` stands for.

    What is neither a list nor an object stays as it is, so that the loader can refuse it.
    """
    here = literal(json_pointer(key))
    members = f"""list_transform(json_extract({doc}, {literal(f'$."{key}"[*]')}),
        lambda member: to_json(json_extract_string(member, '/key')) || ':' || {_value("member")})"""
    return f"""CASE json_type({doc}, {here})
        WHEN 'ARRAY' THEN CAST('{{' || array_to_string({members}, ',') || '}}' AS JSON)
        ELSE json_extract({doc}, {here}) END"""


def _value(member: str) -> str:
    """SQL of a value in whichever field it stands; whole numbers may be written as text."""
    whole = f"json_extract_string({member}, '/value/int_value')"
    text = f"json_extract({member}, '/value/string_value')"
    numbers = [f"TRY_CAST(json_extract_string({member}, '/value/{name}_value') AS DOUBLE)" for name in ("double", "float")]
    finite = [f"CASE WHEN isfinite({number}) THEN CAST(to_json({number}) AS VARCHAR) END" for number in numbers]
    return f"""coalesce(CASE WHEN json_type({text}) = 'VARCHAR' THEN CAST({text} AS VARCHAR) END,
        CAST(TRY_CAST({whole} AS BIGINT) AS VARCHAR), {", ".join(finite)}, 'null')"""


def either_object(objects: Sequence[str], members: Mapping[str, str]) -> str:
    """SQL of one object of members by name and of those of other objects, which win; NULL when there is none.

    A part that is no object stands for the whole, so that the loader can refuse it.
    """
    own = [f"{literal(name)}, {sql}" for name, sql in members.items()]
    if not own and len(objects) == 1:
        return f"CASE WHEN json_type({objects[0]}) <> 'NULL' THEN {objects[0]} END"
    if not own and not objects:
        return "CAST(NULL AS JSON)"
    merged = "'{}'"
    for part in (*([f"json_object({', '.join(own)})"] if own else []), *objects):
        merged = f"json_merge_patch({merged}, CASE WHEN json_type({part}) = 'OBJECT' THEN {part} ELSE '{{}}' END)"
    wrong = [f"WHEN json_type({part}) NOT IN ('OBJECT', 'NULL') THEN {part}" for part in objects]
    whole = f"CAST(nullif(CAST({merged} AS VARCHAR), '{{}}') AS JSON)"
    return f"CASE {' '.join(wrong)} ELSE {whole} END" if wrong else whole
