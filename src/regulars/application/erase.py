"""Erase a person: their facts, what follows from them, and what they alone had brought in.

Everything derived follows by the same mechanism as any other correction. What stays behind is a salted hash of each
id, so that old events of an erased person that arrive again are turned away.
"""

from __future__ import annotations

import secrets
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from regulars.application.canonical import execute, fetch
from regulars.application.corrections import find_person
from regulars.application.load import catch_up, follow
from regulars.application.raw_floor import put_back, raw_floor, whole_archive
from regulars.application.refresh import rebuild_event_days
from regulars.domain.archive import Erasures, Tombstone
from regulars.domain.naming import PersonIds
from regulars.domain.report import Erasure
from regulars.domain.schema import TABLES
from regulars.domain.sql import Values
from regulars.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from regulars.application.corrections import Person
    from regulars.application.ports import Archive, Engine
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
    engine: Engine,
    settings: Settings,
    user_id: str,
    now: datetime,
    *,
    forget: Callable[[PersonIds, datetime | None], Mapping[str, int]],
    archive: Archive | None = None,
    erased_at: datetime | None = None,
) -> Erasure:
    """Erase a person in one transaction; the file still has to be written anew, see :func:`unfinished`.

    Before anything else, the archive gets to know whom, and ``forget`` removes what the journal and the archive have of
    them; if the rest fails, the erasure can be repeated. ``erased_at`` says that this repeats an erasure that the
    warehouse has lost: what was received later is of somebody new.

    Errors: :class:`QueryError` ``unknown_user``, :class:`WorkspaceError` ``archive_damaged``; nothing is changed.
    """
    if raw_floor(lambda sql: engine.query(sql).rows):
        # What is frozen cannot follow a definition that changes together with the people.
        catch_up(engine, settings, now)
    with engine.transaction():
        person = find_person(engine, user_id)
        erasure_id = _remember(engine, person, now) if erased_at is None else 0
        if archive is not None:
            archive.remember(_united(engine, archive.erasures()))
        archived = _archived_events(engine)
        elsewhere = forget(ids_of(person), erased_at)
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
        values = Values()
        removed["publications"] = _remove(engine, "publications", names_person("answer", person, values), values)
        _forget_forced(engine, person)
        removed["dim_identities"] = _remove(engine, "dim_identities", f"identity_key IN ({keys})")
        derived = {table.name: _count(engine, table.name, person) for table in _DERIVED}
        follow(engine, settings, now, load_id=0, gone=[person.user_key])
        rebuild_event_days(engine)
        removed |= derived | {"dim_users": 1} | dict(elsewhere)
        mentions = _mentioned_by_others(engine, person, keys, archived)
    return Erasure(erasure_id, now, len(person.identities), first, last, days, removed, mentions)


def come_back(engine: Engine, archive: Archive) -> list[tuple[str, datetime]]:
    """Ids of people who are here although the archive knows of their erasure, with when that was: in an old copy.

    Errors: :class:`WorkspaceError` ``archive_foreign``.
    """
    known = archive.erasures()
    if known.salt and _salt(engine) not in {None, known.salt}:
        raise WorkspaceError(
            "the folder archive/ is another workspace's: other people were erased there; put the right one back",
            code="archive_foreign",
        )
    return [found for stone in _unknown(engine, known) for found in _people_behind(engine, known.salt, stone)]


def share_erasures(engine: Engine, archive: Archive) -> None:
    """Tell warehouse and archive of each other's erasures; those who :func:`come_back` have to be gone before.

    A process that is killed in between finds them again.
    """
    known = archive.erasures()
    if unknown := _unknown(engine, known):
        _adopt(engine, known.salt, unknown)
    both = _united(engine, known)
    if both != known:
        archive.remember(both)


def _unknown(engine: Engine, known: Erasures) -> list[Tombstone]:
    here = set(map(_without_id, _stones(engine)))
    return [stone for stone in known.tombstones if _without_id(stone) not in here]


def _without_id(stone: Tombstone) -> tuple[str, str, datetime]:
    return stone.kind, stone.id_hash, stone.erased_at


def _adopt(engine: Engine, salt: str | None, stones: list[Tombstone]) -> None:
    with engine.transaction():
        if _salt(engine) is None:
            values = Values()
            execute(engine, f"INSERT INTO workspace_state SELECT '{_SALT}', {values.add(salt or '')}", values)
        for stone in stones:
            values = Values()
            kind, digest, moment = (
                values.add(v) for v in (stone.kind, stone.id_hash, stone.erased_at.isoformat(sep=" "))
            )
            execute(
                engine,
                f"""INSERT INTO erasures
SELECT {stone.erasure_id}, {kind}, {digest}, CAST({moment} AS TIMESTAMP), FALSE""",
                values,
            )


def _salt(engine: Engine) -> str | None:
    rows = engine.fetch(f"SELECT value FROM workspace_state WHERE name = '{_SALT}'")
    return rows[0][0] if rows else None


def _stones(engine: Engine) -> list[Tombstone]:
    return [
        Tombstone(*row)
        for row in engine.fetch(
            "SELECT erasure_id, kind, id_hash, erased_at FROM erasures ORDER BY erasure_id, kind, id_hash, erased_at"
        )
    ]


def _united(engine: Engine, known: Erasures) -> Erasures:
    """What the archive knows, with what the warehouse knows besides."""
    there = set(map(_without_id, known.tombstones))
    news = [stone for stone in _stones(engine) if _without_id(stone) not in there]
    return Erasures(_salt(engine) or known.salt, (*known.tombstones, *news), known.places)


def _people_behind(engine: Engine, salt: str | None, stone: Tombstone) -> list[tuple[str, datetime]]:
    values = Values()
    hashed = f"sha256({values.add(salt or '')} || kind || external_id)"
    where = f"kind = {values.add(stone.kind)} AND {hashed} = {values.add(stone.id_hash)}"
    rows = fetch(engine, f"SELECT external_id FROM dim_identities WHERE {where}", values)
    return [(row[0], stone.erased_at) for row in rows]


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
    return f"regexp_matches(CAST({column} AS VARCHAR), {values.add(ids_of(person).pattern)})"


def ids_of(person: Person) -> PersonIds:
    """Every id of a person."""
    return PersonIds(frozenset((identity.kind, identity.external_id) for identity in person.identities))


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
    if _salt(engine) is None:
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
