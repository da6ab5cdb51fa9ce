"""Erase a person: their facts, what follows from them, and what they alone had brought in.

Everything derived follows by the same mechanism as any other correction. What stays behind is a salted hash of each
id, so that old events of an erased person that arrive again are turned away.
"""

from __future__ import annotations

import json
import re
import secrets
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from regulars.application.canonical import execute, fetch
from regulars.application.corrections import find_person
from regulars.application.load import catch_up, follow
from regulars.application.raw_floor import put_back, raw_floor, whole_archive
from regulars.application.refresh import rebuild_event_days
from regulars.domain.report import Erasure
from regulars.domain.schema import TABLES
from regulars.domain.sql import Values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from regulars.application.corrections import Identity, Person
    from regulars.application.ports import Engine
    from regulars.settings import Settings

_SALT = "erasure_salt"
# Dimensions whose rows may describe one person only, with the key by which events name them.
_DESCRIBED = {
    "dim_devices": "device_key",
    "dim_geographies": "geography_key",
    "dim_features": "feature_key",
    "dim_actions": "action_key",
}
_SAID_ABOUT_OTHERS = (
    ("fact_user_actions", "action_metadata"),
    ("fact_user_attributes", "value"),
    ("fact_activity_details", "payload"),
)
_DERIVED = tuple(table for table in TABLES if table.role == "derived" and "user_key" in table.column_names)
_FACTS = tuple(table for table in TABLES if table.role == "fact" and "identity_key" in table.column_names)


def erase(
    engine: Engine, settings: Settings, user_id: str, now: datetime, *, forget: Callable[[Sequence[str]], None]
) -> Erasure:
    """Erase a person in one transaction; the file still has to be written anew, see ``Engine.rewrite``.

    ``forget`` is told every spelling of the person's ids and removes what the journal still has of them, before
    anything else: the warehouse has all of that too, so that nothing is lost if the rest fails.

    Errors: :class:`QueryError` ``unknown_user``, :class:`WorkspaceError` ``archive_damaged``; nothing is changed.
    """
    if raw_floor(lambda sql: engine.query(sql).rows):
        # What is frozen cannot follow a definition that changes together with the people.
        catch_up(engine, settings, now)
    with engine.transaction():
        person = find_person(engine, user_id)
        archived = _archived_events(engine)
        forget(sorted({form for identity in person.identities for form in _forms(identity)}))
        keys = ", ".join(str(identity.key) for identity in person.identities)
        if archived:
            _put_back_facts(engine, keys, archived)
        first, last, days = fetch(
            engine,
            f"SELECT min(day), max(day), count(*) FROM daily_activity WHERE user_key = {person.user_key}",
        )[0]
        removed = _remove_facts(engine, keys, archived)
        values = Values()
        removed["dead_letter"] = _remove(engine, "dead_letter", names_person("raw", person, values), values)
        _forget_forced(engine, person)
        removed["dim_identities"] = _remove(engine, "dim_identities", f"identity_key IN ({keys})")
        derived = {table.name: _count(engine, table.name, person) for table in _DERIVED}
        follow(engine, settings, now, load_id=0, gone=[person.user_key])
        rebuild_event_days(engine)
        removed |= derived | {"dim_users": 1}
        erasure_id = _remember(engine, person, now)
        mentions = _mentioned_by_others(engine, person, keys, archived)
    return Erasure(erasure_id, now, len(person.identities), first, last, days, removed, mentions)


def unfinished(engine: Engine) -> bool:
    """Whether the file still has to be written anew since somebody was erased."""
    return bool(engine.fetch("SELECT 1 FROM erasures WHERE NOT is_rewritten LIMIT 1"))


def finish(engine: Engine) -> None:
    """Note that the file, and those of the archive, have been written anew."""
    with engine.transaction():
        execute(engine, "UPDATE erasures SET is_rewritten = TRUE")


def _archived_events(engine: Engine) -> str:
    """A SELECT of the events that were dropped and archived; empty while there are none.

    Errors: :class:`WorkspaceError` ``archive_damaged``, before anything is changed.
    """
    if engine.archive is None:
        return ""
    floor = raw_floor(engine.fetch)
    found = engine.archive.events(floor or date.max)
    return found if floor else ""


def _put_back_facts(engine: Engine, keys: str, archived: str) -> None:
    """Put the person's archived events among the facts, so that they go with them, and count their days without them.

    The files are written anew later, with everybody else's rows, see :class:`regulars.application.ports.EventArchive`.
    """
    floor, archive, mine = raw_floor(engine.fetch), engine.archive, f"identity_key IN ({keys})"
    if floor is None or archive is None:
        return
    is_whole = whole_archive(engine, floor, verify=False) is not None
    put_back(engine, archive, floor, mine)
    if is_whole:
        frozen = f"SELECT day FROM fact_user_actions WHERE day < DATE '{floor}'"
        engine.execute(f"DELETE FROM event_days WHERE day IN ({frozen})")
        engine.execute(
            f"""INSERT INTO event_days
SELECT x.day, count(*), min(x.action_timestamp), max(x.action_timestamp) FROM ({archived}) x
WHERE x.day IN ({frozen}) AND NOT (x.{mine}) GROUP BY x.day ORDER BY x.day"""
        )


def _remove_facts(engine: Engine, keys: str, archived: str) -> dict[str, int]:
    """Take the facts away, and rows of dimensions that nobody else's events name."""
    mine = f"identity_key IN ({keys})"
    own = f"(SELECT event_id FROM fact_user_actions WHERE {mine})"
    described = {name: fetch(engine, f"SELECT DISTINCT {key} FROM fact_user_actions WHERE {mine} AND {key} IS NOT NULL")
                 for name, key in _DESCRIBED.items()}  # fmt: skip
    removed = {"fact_activity_details": _remove(engine, "fact_activity_details", f"event_id IN {own}")}
    for table in _FACTS:
        removed[table.name] = _remove(engine, table.name, mine)
    removed["fact_identity_links"] = _remove(
        engine, "fact_identity_links", f"anonymous_key IN ({keys}) OR known_key IN ({keys})"
    )
    for name, rows in described.items():
        if rows:
            listed, key = ", ".join(str(row[0]) for row in rows), _DESCRIBED[name]
            others = f" UNION SELECT x.{key} FROM ({archived}) x WHERE NOT (x.{mine})" if archived else ""
            used = f"(SELECT {key} FROM (SELECT {key} FROM fact_user_actions{others}) kept WHERE {key} IS NOT NULL)"
            removed[name] = _remove(engine, name, f"{key} IN ({listed}) AND {key} NOT IN {used}")
    return removed


def _remove(engine: Engine, table: str, condition: str, values: Values | None = None) -> int:
    ((count,),) = fetch(engine, f"SELECT count(*) FROM {table} WHERE {condition}", values)
    if count:
        execute(engine, f"DELETE FROM {table} WHERE {condition}", values)
    return int(count)


def _forget_forced(engine: Engine, person: Person) -> None:
    """Take the person out of the designs of experiments that name them."""
    own = {identity.external_id for identity in person.identities}
    for name, number, text in fetch(engine, "SELECT name, phase, design FROM experiments"):
        design = msgspec.json.decode(text)
        if not own & set(design.get("forced", ())):
            continue
        design["forced"] = {user_id: variant for user_id, variant in design["forced"].items() if user_id not in own}
        values = Values()
        kept = values.add(msgspec.json.encode(design).decode())
        where = f"name = {values.add(name)} AND phase = {values.add(number)}"
        execute(engine, f"UPDATE experiments SET design = {kept} WHERE {where}", values)


def _count(engine: Engine, table: str, person: Person) -> int:
    return int(fetch(engine, f"SELECT count(*) FROM {table} WHERE user_key = {person.user_key}")[0][0])


def names_person(column: str, person: Person, values: Values) -> str:
    """The condition that a text is an id of the person, or has one as a value: of a JSON text, or of a line of CSV."""
    forms = {form for identity in person.identities for form in _forms(identity)}
    words = "|".join(re.escape(form) for form in sorted(forms))
    pattern = values.add(rf'(^|[:,;\t|\[{{])\s*"?({words})"?\s*($|[,;\t|}}\]])')
    return f"regexp_matches(CAST({column} AS VARCHAR), {pattern})"


def _forms(identity: Identity) -> tuple[str, ...]:
    text = identity.external_id
    return text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]


def _mentioned_by_others(engine: Engine, person: Person, keys: str, archived: str) -> dict[str, int]:
    """Rows per table, or in the archive, in which somebody else names an id of the person."""
    found = {}
    if archived:
        values = Values()
        said = names_person("x.action_metadata", person, values)
        text = f"SELECT count(*) FROM ({archived}) x WHERE x.identity_key NOT IN ({keys}) AND {said}"
        found["archive/events"] = int(fetch(engine, text, values)[0][0])
    for table, column in _SAID_ABOUT_OTHERS:
        values = Values()
        text = f"SELECT count(*) FROM {table} WHERE {names_person(column, person, values)}"
        found[table] = int(fetch(engine, text, values)[0][0])
    return {name: count for name, count in found.items() if count}


def _remember(engine: Engine, person: Person, now: datetime) -> int:
    """Keep a salted hash of every id."""
    if not fetch(engine, f"SELECT 1 FROM workspace_state WHERE name = '{_SALT}'"):
        execute(engine, f"INSERT INTO workspace_state SELECT '{_SALT}', '{secrets.token_hex(32)}'")
    ((erasure_id,),) = fetch(engine, "SELECT coalesce(max(erasure_id), 0) + 1 FROM erasures")
    for identity in person.identities:
        values = Values()
        kind, text, moment = (values.add(v) for v in (identity.kind, identity.external_id, now.isoformat(sep=" ")))
        execute(
            engine,
            f"""INSERT INTO erasures
SELECT {erasure_id}, {kind}, sha256(s.value || {kind} || {text}), CAST({moment} AS TIMESTAMP), FALSE
FROM workspace_state s WHERE s.name = '{_SALT}'""",
            values,
        )
    return int(erasure_id)
