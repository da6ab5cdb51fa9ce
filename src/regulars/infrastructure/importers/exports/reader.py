"""From the rows of an export to columns with the names of roles, as the tool's record says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from regulars.domain.dialect import json_pointer
from regulars.errors import SourceError, UnknownNameError
from regulars.infrastructure.importers.columns import SCALAR_ROLES, Columns, Field
from regulars.infrastructure.importers.documents import DOCS
from regulars.infrastructure.importers.exports.members import as_object, either_object
from regulars.infrastructure.importers.exports.rows import stage_rows
from regulars.infrastructure.importers.exports.shape import first, utc
from regulars.infrastructure.importers.source import LINE, STAGED, Source
from regulars.infrastructure.loading.sql import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.documents import Reading
    from regulars.infrastructure.importers.exports.recognise import Recognised
    from regulars.infrastructure.importers.exports.shape import Shape, Value
    from regulars.infrastructure.importers.formats import File

_ALWAYS = ("user_id", "event_type", "timestamp")
_TIMES = ("timestamp", "received_at")
_IDENTIFYING = ("event_id", "user_id", "anonymous_id", "previous_id", "event_type", *_TIMES)
_LISTED = 50


@dataclass(frozen=True)
class Wishes:
    """What the caller wants otherwise: other keys for some roles, the zone of times that name none."""

    mapping: Mapping[str, str]
    timezone: str | None = None


def read_export(
    reading: Reading, file: File, found: Recognised, wishes: Wishes, columnar: Callable[[], Source]
) -> Source:
    """Stage an export; a value that no row has is no column.

    Errors: :class:`UnknownNameError` and :class:`SourceError` for a mapping that does not fit.
    """
    engine, shape = reading.engine, found.shape
    stage_rows(reading, file, shape, columnar)
    keys = [row[0] for row in engine.fetch(f"SELECT DISTINCT unnest(json_keys(doc)) AS key FROM {DOCS} ORDER BY key")]
    shape = _overridden(shape, keys, wishes)
    _stage(engine, shape, keys, wishes)
    columns = _columns(engine, shape)
    return Source(
        file.path.name, found.export.tool, STAGED, LINE, tuple(columns.roles.values()), documents=True, by_row=True,
        fingerprint=fingerprint(file, found.export.tool, wishes), columns=columns, kind=shape.kind,
        merges=shape.merges, snapshots=shape.snapshots,
    )  # fmt: skip


def fingerprint(file: File, tool: str, wishes: Wishes) -> str:
    """What a load of this file is known by: the tool, what was wanted otherwise, and the hash of the bytes."""
    wanted = [f"{role}={key}" for role, key in sorted(wishes.mapping.items())]
    if wishes.timezone:
        wanted.append(wishes.timezone)
    return ":".join([tool, *wanted, file.fingerprint])


def _overridden(shape: Shape, keys: list[str], wishes: Wishes) -> Shape:
    values = dict(shape.values)
    for role, name in wishes.mapping.items():
        if role not in SCALAR_ROLES:
            raise UnknownNameError("role", role, SCALAR_ROLES)
        path = _path(role, name, keys)
        values[role] = utc(path) if role in _TIMES else first(path)
    return replace(shape, values=values)


def _path(role: str, name: str, keys: list[str]) -> str:
    if name in keys:
        return name
    outer, _, inner = name.replace("/", ".").partition(".")
    if inner and outer in keys:
        return f"{outer}/{inner.replace('.', '/')}"
    raise SourceError(
        f"--map {role}={name}: there is no key {name!r}; the keys are: {', '.join(keys[:_LISTED])}; "
        "a key inside of another is written outer.inner",
        code="missing_column", role=role, columns=keys,
    )  # fmt: skip


def _stage(engine: DuckDBEngine, shape: Shape, keys: list[str], wishes: Wishes) -> None:
    """Read every path once, those inside of lists from the objects that these stand for."""
    properties = [*_expand(shape.properties, keys, ())]
    user = [path for path in shape.user if "*" not in path and not path.startswith("!")]
    taken = [path for role in _IDENTIFYING if role in shape.values for path in shape.values[role].paths]
    kept, traits = _expand(shape.kept, keys, taken), _expand(_patterns(shape.user), keys, taken)
    objects = [path for path in (*properties, *user) if path not in shape.lists]
    texts, parts, lists = _places(shape, objects, [*kept, *traits])
    roles = {role: _sql_of(role, value, shape, wishes).filled(texts) for role, value in shape.values.items()}
    selected = [f"line AS {LINE}", "doc AS rg_doc", *(f"{sql} AS {_column(role)}" for role, sql in roles.items())]
    selected.append(f"{either_object([parts[path] for path in properties], _named(kept, parts))} AS rg_properties")
    about = _named(traits, parts)
    if shape.registered:
        about["registration_date"] = f"to_json({_wall_clock(first(*shape.registered).filled(texts))})"
    selected.append(f"{either_object([parts[path] for path in user], about)} AS rg_user")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {STAGED} AS SELECT {', '.join(selected)} FROM ({lists})")
    engine.execute(f"DROP TABLE {DOCS}")


def _places(shape: Shape, objects: list[str], kept: list[str]) -> tuple[dict[str, str], dict[str, str], str]:
    """SQL of the text at each path, of the JSON at each, and of the relation that holds them."""
    wanted = dict.fromkeys(path for value in shape.values.values() for path in value.paths)
    wanted |= dict.fromkeys(shape.registered)
    within = {key: [path for path in wanted if path.startswith(f"{key}/")] for key in shape.lists}
    plain = [path for path in wanted if not any(path in paths for paths in within.values())]
    jsons = list(dict.fromkeys([*objects, *kept]))
    texts = {path: f"texts[{i}]" for i, path in enumerate(plain, start=1)}
    parts = {path: f"parts[{i}]" for i, path in enumerate(jsons, start=1)} | {
        key: f"list{i}" for i, key in enumerate(shape.lists)
    }
    inner = [
        f"json_extract_string(doc, {_pointers(plain)}) AS texts",
        f"json_extract(doc, {_pointers(jsons)}) AS parts",
    ]
    inner += [f"{as_object('doc', key)} AS list{i}" for i, key in enumerate(shape.lists)]
    relation = f"SELECT line, doc, {', '.join(inner)} FROM {DOCS}"
    outer = []
    for i, (key, paths) in enumerate(within.items()):
        inside = _pointers(path.removeprefix(f"{key}/") for path in paths)
        outer.append(f"json_extract_string(list{i}, {inside}) AS texts{i}")
        texts |= {path: f"texts{i}[{place}]" for place, path in enumerate(paths, start=1)}
    if outer:
        # Materialized, because an expression that is read twice would be computed twice.
        relation = f"WITH objects AS MATERIALIZED ({relation}) SELECT *, {', '.join(outer)} FROM objects"
    return texts, parts, relation


def _pointers(paths: Iterable[str]) -> str:
    found = ["".join(json_pointer(key) for key in path.split("/")) for path in paths]
    return f"[{', '.join(literal(pointer) for pointer in found)}]::VARCHAR[]"


def _patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    return patterns if any("*" in pattern for pattern in patterns) else ()


def _expand(patterns: tuple[str, ...], keys: list[str], taken: Iterable[str]) -> list[str]:
    """The keys that patterns mean; what identifies the event is not repeated among them."""
    left_out = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    found: dict[str, None] = {}
    for pattern in patterns:
        if "*" in pattern and not pattern.startswith("!"):
            found |= dict.fromkeys(key for key in keys if fnmatchcase(key, pattern) and key not in taken)
        elif not pattern.startswith("!") and pattern.partition("/")[0] in keys:
            found[pattern] = None
    return [key for key in found if not any(fnmatchcase(key, pattern) for pattern in left_out)]


def _named(keys: Iterable[str], parts: Mapping[str, str]) -> dict[str, str]:
    return {key: parts[key] for key in keys}


def _sql_of(role: str, value: Value, shape: Shape, wishes: Wishes) -> Value:
    if role == "event_type" and shape.actions:
        cases = " ".join(f"WHEN {literal(theirs)} THEN {literal(ours)}" for theirs, ours in shape.actions.items())
        return replace(value, sql=f"CASE trim({value.sql}) {cases} ELSE {value.sql} END")
    if role == "timestamp" and shape.wall_clock and wishes.timezone:
        return replace(value, sql=_wall_clock(value.sql))
    return value


def _wall_clock(text: str) -> str:
    """SQL of a time without a zone where a text is a number of seconds or milliseconds since 1970."""
    number = f"TRY_CAST({text} AS DOUBLE)"
    us = f"CAST({number} * CASE WHEN {number} < 1e11 THEN 1000000 ELSE 1000 END AS BIGINT)"
    wall = f"strftime(make_timestamp({us}), '%Y-%m-%dT%H:%M:%S.%f')"
    return f"CASE WHEN {number} BETWEEN 0 AND 1e14 THEN {wall} ELSE {text} END"


def _column(role: str) -> str:
    return f"rg_{role}"


def _columns(engine: DuckDBEngine, shape: Shape) -> Columns:
    """The roles that some row has a value for."""
    given = [*shape.values, "properties", "user"]
    counts = ", ".join(f"count({_column(role)})" for role in given)
    (found,) = engine.fetch(f"SELECT {counts} FROM {STAGED}")
    roles = {
        role: Field(_shown(role, shape), "OBJECT" if role in ("properties", "user") else "VARCHAR", _column(role))
        for role, count in zip(given, found, strict=True)
        if count or role in _ALWAYS
    }
    return Columns(roles)


def _shown(role: str, shape: Shape) -> str:
    if role in shape.values:
        return shape.values[role].shown
    paths = (*shape.properties, *shape.kept) if role == "properties" else shape.user
    return ", ".join(path.replace("/", ".") for path in paths if not path.startswith("!"))
