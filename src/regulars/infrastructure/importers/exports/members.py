"""SQL of objects: lists of keys and values as one, and several as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.dialect import json_pointer
from regulars.infrastructure.loading.sql import literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_FIELDS = ("string_value", "int_value", "double_value", "float_value")
_MEMBER = f"""[{{"key": "VARCHAR", "value": {{{", ".join(f'"{name}": "VARCHAR"' for name in _FIELDS)}}}}}]"""
# A value stands in one of four fields; whole numbers may be written as text.
_NUMBER = "coalesce(TRY_CAST(member.value.double_value AS DOUBLE), TRY_CAST(member.value.float_value AS DOUBLE))"
_VALUE = f"""coalesce(CAST(to_json(member.value.string_value) AS VARCHAR),
    CAST(TRY_CAST(member.value.int_value AS BIGINT) AS VARCHAR),
    CASE WHEN isfinite({_NUMBER}) THEN CAST(to_json({_NUMBER}) AS VARCHAR) END, 'null')"""


def as_object(doc: str, key: str) -> str:
    """SQL of the object that a list of ``{key, value: {string_value, int_value, ...}}`` stands for.

    What is neither a list nor an object stays as it is, so that the loader can refuse it.
    """
    here = literal(json_pointer(key))
    # Parquet of some writers names the steps into a list: {"list": [{"element": ...}]}.
    steps = literal(f'$."{key}".list[*].element')
    stepwise = f"json_extract({doc}, {steps})"
    return f"""CASE WHEN json_type({doc}, {here}) = 'ARRAY' THEN {_joined(f"json_extract({doc}, {here})")}
        WHEN len({stepwise}) > 0 THEN {_joined(f"to_json({stepwise})")}
        ELSE json_extract({doc}, {here}) END"""


def _joined(members: str) -> str:
    texts = f"""list_transform(json_transform({members}, {literal(_MEMBER)}),
        lambda member: to_json(member.key) || ':' || {_VALUE})"""
    return f"CAST('{{' || array_to_string({texts}, ',') || '}}' AS JSON)"


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
