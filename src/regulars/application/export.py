"""Everything that is known of one person, as one JSON document.

It is read inside one transaction and written piece by piece: events are the one part that may be long, and are read a
page at a time. Numbers that only join tables are left out; what they stand for is written in their place.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from regulars.application.canonical import fetch
from regulars.application.cohorts import stays
from regulars.application.corrections import find_person
from regulars.application.erase import names_person
from regulars.application.raw_floor import put_back, raw_floor, take_out, whole_archive
from regulars.domain.schema import (
    DEAD_LETTER,
    DEVICE_COLUMNS,
    DIM_GEOGRAPHIES,
    DIM_USERS,
    FACT_USER_ACTIONS,
    FACT_USER_ATTRIBUTES,
    TABLES,
)
from regulars.domain.sql import Values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date

    from regulars.application.corrections import Person
    from regulars.application.ports import Engine
    from regulars.settings import Settings

    Row = dict[str, Any]

FORMAT = 1
PAGE = 5_000
_JOINS = frozenset(
    ["identity_key", "user_key", "action_key", "feature_key", "device_key", "geography_key", "user_segment_key",
     "session_key", "event_hash"]
)  # fmt: skip
_PLACE = tuple(name for name in DIM_GEOGRAPHIES.column_names if name not in _JOINS)
_EVENT = tuple(name for name in FACT_USER_ACTIONS.column_names if name not in _JOINS)
_DERIVED = tuple(table for table in TABLES if table.role == "derived" and "user_key" in table.column_names)
_JSON = frozenset(column.name for table in TABLES for column in table.columns if column.type == "json")


def write_export(
    engine: Engine,
    settings: Settings,
    user_id: str,
    now: datetime,
    write: Callable[[bytes], object],
    *,
    page: int = PAGE,
) -> None:
    """Write the document of a person, one row per line; ``page`` events are in memory at a time.

    Errors: :class:`QueryError` ``unknown_user``; nothing was written.
    """
    encode = msgspec.json.encode
    with engine.transaction():
        person = find_person(engine, user_id)
        about = {"format": FORMAT, "exported_at": now, "times_are_in": "UTC", "days_are_in": settings.timezone}
        about["events_from"] = _put_back_events(engine, person)
        profile = _profile(engine, person)
        write(b'{\n"about": %s,\n"profile": %s' % (encode(_readable(about)), encode(_readable(profile))))
        for name, rows in _sections(engine, settings, person, now, page):
            write(b',\n"%s": [' % name.encode())
            separator = b"\n  "
            for row in rows:
                write(separator + encode(_readable(row)))
                separator = b",\n  "
            write(b"]")
        write(b"\n}\n")
        if floor := raw_floor(engine.fetch):
            take_out(engine, floor)


def document(engine: Engine, settings: Settings, user_id: str, now: datetime) -> dict[str, Any]:
    """The document of a person as Python has it.

    Errors: :class:`QueryError` ``unknown_user``.
    """
    pieces: list[bytes] = []
    write_export(engine, settings, user_id, now, pieces.append)
    found: dict[str, Any] = json.loads(b"".join(pieces))
    return found


def _sections(
    engine: Engine, settings: Settings, person: Person, now: datetime, page: int
) -> Iterator[tuple[str, Iterable[Row]]]:
    ids = [{"kind": identity.kind, "id": identity.external_id} for identity in person.identities]
    yield "identities", ids
    yield "identity_links", _links(engine, person)
    yield "attribute_history", _attributes(engine, person)
    yield "events", _events(engine, person, page)
    for table in _DERIVED:
        names = [name for name in table.column_names if name not in _JOINS]
        order = [name for name in table.order_by if name != "user_key"]
        yield table.name, _of_person(engine, person, table.name, names, order)
    yield "survey_answers", _of_person(
        engine, person, "fact_nps_responses", ["response_id", "responded_at", "survey", "score", "comment"],
        ["responded_at", "response_id"],
    )  # fmt: skip
    yield "exposures", _of_person(
        engine, person, "fact_exposures", ["event_id", "exposed_at", "experiment", "variant"],
        ["exposed_at", "event_id"],
    )  # fmt: skip
    yield "forced_variants", _forced(engine, person)
    yield "memberships", [vars(stay) for stay in stays(engine, settings, _id_of(person), now)]
    yield "rejected_rows", _rejected(engine, person)


def _put_back_events(engine: Engine, person: Person) -> date | None:
    """Put archived events of the person among the facts; the first day that is known, where the archive is not whole.

    They are taken out again at the end.
    """
    floor = raw_floor(engine.fetch)
    if floor is None or engine.archive is None:
        return None
    is_whole = whole_archive(engine, floor, verify=False) is not None
    put_back(engine, engine.archive, floor, f"identity_key IN ({_keys(person)})")
    return None if is_whole else floor


def _profile(engine: Engine, person: Person) -> Row:
    names = [name for name in DIM_USERS.column_names if name not in _JOINS]
    (row,) = _of_person(engine, person, DIM_USERS.name, names, ["user_id"])
    return row


def _of_person(engine: Engine, person: Person, table: str, names: Sequence[str], order: Sequence[str]) -> list[Row]:
    text = f"SELECT {', '.join(names)} FROM {table} WHERE user_key = {person.user_key} ORDER BY {', '.join(order)}"
    return [dict(zip(names, row, strict=True)) for row in fetch(engine, text)]


def _links(engine: Engine, person: Person) -> list[Row]:
    keys = _keys(person)
    names = ("anonymous_id", "known_id", "linked_at", "event_id", "load_id")
    rows = fetch(
        engine,
        f"""SELECT a.external_id, k.external_id, l.linked_at, l.event_id, l.load_id FROM fact_identity_links l
JOIN dim_identities a ON a.identity_key = l.anonymous_key
JOIN dim_identities k ON k.identity_key = l.known_key
WHERE l.anonymous_key IN ({keys}) AND l.known_key IN ({keys}) ORDER BY l.linked_at, l.event_id""",
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _attributes(engine: Engine, person: Person) -> list[Row]:
    names = [name for name in FACT_USER_ATTRIBUTES.column_names if name not in _JOINS]
    rows = fetch(
        engine,
        f"""SELECT i.external_id, {", ".join(f"t.{name}" for name in names)} FROM fact_user_attributes t
JOIN dim_identities i ON i.identity_key = t.identity_key
WHERE t.identity_key IN ({_keys(person)}) ORDER BY t.set_at, t.sequence, t.event_id, t.key""",
    )
    return [dict(zip(("id", *names), row, strict=True)) for row in rows]


def _events(engine: Engine, person: Person, page: int) -> Iterator[Row]:
    """Every event, oldest first, with its device, place and details written out."""
    names = ("id", "action_type", "category", "feature", *_EVENT)
    after: tuple[datetime, str] | None = None
    while rows := fetch(engine, *_page(person, after, page)):
        shown = [dict(zip(names, row, strict=False)) for row in rows]
        details = _details(engine, person, shown)
        for row, event in zip(rows, shown, strict=True):
            device, place = row[len(names) :][: len(DEVICE_COLUMNS)], row[len(names) + len(DEVICE_COLUMNS) :]
            event["device"] = _given(zip(DEVICE_COLUMNS, device, strict=True))
            event["place"] = _given(zip(_PLACE, place, strict=True))
            event["details"] = details.get(event["event_id"], [])
            yield event
        after = shown[-1]["action_timestamp"], shown[-1]["event_id"]


def _page(person: Person, after: tuple[datetime, str] | None, page: int) -> tuple[str, Values]:
    values = Values()
    columns = (
        "i.external_id", "a.action_type", "a.category", "f.feature_name",
        *(f"e.{name}" for name in _EVENT), *(f"v.{name}" for name in DEVICE_COLUMNS), *(f"g.{name}" for name in _PLACE),
    )  # fmt: skip
    behind = ""
    if after is not None:
        moment = f"CAST({values.add(after[0].isoformat(sep=' '))} AS TIMESTAMP)"
        behind = f"""
AND (e.action_timestamp > {moment} OR (e.action_timestamp = {moment} AND e.event_id > {values.add(after[1])}))"""
    return (
        f"""SELECT {", ".join(columns)} FROM fact_user_actions e
JOIN dim_identities i ON i.identity_key = e.identity_key
JOIN dim_actions a ON a.action_key = e.action_key
LEFT JOIN dim_features f ON f.feature_key = e.feature_key
LEFT JOIN dim_devices v ON v.device_key = e.device_key
LEFT JOIN dim_geographies g ON g.geography_key = e.geography_key
WHERE e.identity_key IN ({_keys(person)}){behind}
ORDER BY e.action_timestamp, e.event_id LIMIT {page}""",
        values,
    )


def _details(engine: Engine, person: Person, events: Sequence[Row]) -> dict[str, list[Row]]:
    """The details of a page of events, by event."""
    first, last = events[0]["action_timestamp"], events[-1]["action_timestamp"]
    values = Values()
    bounds = [f"CAST({values.add(moment.isoformat(sep=' '))} AS TIMESTAMP)" for moment in (first, last)]
    found: dict[str, list[Row]] = {}
    for event_id, kind, payload in fetch(
        engine,
        f"""SELECT d.event_id, d.detail_type, d.payload FROM fact_activity_details d
WHERE d.event_id IN (
  SELECT event_id FROM fact_user_actions
  WHERE identity_key IN ({_keys(person)}) AND action_timestamp BETWEEN {bounds[0]} AND {bounds[1]}
) ORDER BY d.event_id, d.detail_type, d.payload""",
        values,
    ):
        found.setdefault(event_id, []).append({"type": kind, "payload": payload})
    return found


def _forced(engine: Engine, person: Person) -> list[Row]:
    """The variants of experiments that somebody has fixed for the person."""
    own = [identity.external_id for identity in person.identities]
    found = []
    for name, phase, text in fetch(engine, "SELECT name, phase, design FROM experiments ORDER BY name, phase"):
        forced = msgspec.json.decode(text).get("forced", {})
        found += [
            {"experiment": name, "phase": phase, "id": one, "variant": forced[one]} for one in own if one in forced
        ]
    return found


def _rejected(engine: Engine, person: Person) -> list[Row]:
    """Rows that could not be loaded and name the person."""
    values = Values()
    names = DEAD_LETTER.column_names
    condition = names_person("raw", person, values)
    text = f"SELECT {', '.join(names)} FROM dead_letter WHERE {condition} ORDER BY load_id, line"
    return [dict(zip(names, row, strict=True)) for row in fetch(engine, text, values)]


def _id_of(person: Person) -> str:
    return next(identity.external_id for identity in person.identities if identity.key == person.user_key)


def _keys(person: Person) -> str:
    return ", ".join(str(identity.key) for identity in person.identities)


def _given(pairs: Iterable[tuple[str, Any]]) -> Row | None:
    return {name: value for name, value in pairs if value is not None} or None


def _readable(row: Row) -> Row:
    """A row without what is missing, with stored JSON as it was sent, and times that say that they are UTC."""
    return {name: _value(name, value) for name, value in row.items() if value is not None}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    if name in _JSON and isinstance(value, str):
        return msgspec.Raw(value.encode())
    if name == "details":
        return [_readable(detail) for detail in value]
    return value
