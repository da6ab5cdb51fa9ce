"""Corrections: what is known better later. Each adds a fact, and the refresh makes the past agree with it.

Late events need nothing of their own: :func:`regulars.application.load.load_and_refresh` takes them like any others.
Erasing people is the one change that takes facts away, see :mod:`regulars.application.erase`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.application.canonical import execute, fetch
from regulars.application.load import follow
from regulars.domain.sql import Values
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from regulars.application.ports import Engine
    from regulars.settings import Settings

Change = Callable[[int], None]


@dataclass(frozen=True)
class Identity:
    """One id under which a person is known."""

    key: int
    kind: str
    external_id: str


@dataclass(frozen=True)
class Person:
    """A person and every id that resolves to them."""

    user_key: int
    identities: tuple[Identity, ...]


def find_person(engine: Engine, user_id: str) -> Person:
    """The person whom an id names, a known id before an anonymous one; read inside the open transaction."""
    values = Values()
    rows = fetch(
        engine,
        f"""SELECT p.identity_key, p.kind, p.external_id, p.user_key FROM dim_identities p
WHERE p.user_key = (
  SELECT user_key FROM dim_identities WHERE external_id = {values.add(user_id)} ORDER BY kind DESC LIMIT 1
) ORDER BY p.identity_key""",
        values,
    )
    if not rows:
        raise QueryError(
            f"no user {user_id!r} in this workspace; ids are compared letter by letter, as they were imported",
            code="unknown_user", user_id=user_id,
        )  # fmt: skip
    return Person(rows[0][3], tuple(Identity(*row[:3]) for row in rows))


def link(engine: Engine, settings: Settings, anonymous_id: str, user_id: str, now: datetime) -> None:
    """Say that an anonymous id is a known user; everything it did becomes theirs."""

    def change(load_id: int) -> None:
        anonymous, known = _identity(engine, "anonymous", anonymous_id), _identity(engine, "known", user_id)
        owner = find_person(engine, anonymous_id) if anonymous[1] != anonymous[0] else None
        if owner is not None and owner.user_key != known[1]:
            name = next(i.external_id for i in owner.identities if i.key == owner.user_key)
            raise QueryError(
                f"{anonymous_id!r} belongs to {name!r} already, and the first link stands",
                code="already_linked", anonymous_id=anonymous_id, user_id=name,
            )  # fmt: skip
        if owner is None:
            values = Values()
            moment = values.add(now.isoformat(sep=" "))
            execute(
                engine,
                f"""INSERT INTO fact_identity_links
SELECT {anonymous[0]}, {known[0]}, CAST({moment} AS TIMESTAMP), 'correction-{load_id}', {load_id}""",
                values,
            )

    correct(engine, settings, now, "correction: link", change)


def set_attributes(
    engine: Engine, settings: Settings, user_id: str, attributes: Mapping[str, str | None], now: datetime
) -> None:
    """Set or clear (None) attributes of a person; all history is sliced by the new values."""

    def change(load_id: int) -> None:
        person = find_person(engine, user_id)
        for key, value in sorted(attributes.items()):
            values = Values()
            said = "CAST(NULL AS VARCHAR)" if value is None else values.add(value)
            execute(
                engine,
                f"""INSERT INTO fact_user_attributes
  (identity_key, key, value, set_at, event_id, is_explicit, load_id)
SELECT {person.user_key}, {values.add(key)}, {said}, CAST({values.add(now.isoformat(sep=" "))} AS TIMESTAMP),
  'correction-{load_id}', TRUE, {load_id}""",
                values,
            )

    correct(engine, settings, now, "correction: attributes", change)


def correct(engine: Engine, settings: Settings, now: datetime, source: str, change: Change) -> None:
    """Append facts as a load of their own, and let everything derived follow; all in one transaction."""
    with engine.transaction():
        ((load_id,),) = engine.fetch("SELECT coalesce(max(load_id), 0) + 1 FROM loads")
        change(load_id)
        values = Values()
        execute(
            engine,
            f"""INSERT INTO loads
SELECT {load_id}, {values.add(source)}, NULL, CAST({values.add(now.isoformat(sep=" "))} AS TIMESTAMP), 1, 1, 0, 0""",
            values,
        )
        follow(engine, settings, now, load_id)


def _identity(engine: Engine, kind: str, external_id: str) -> tuple[int, int]:
    values = Values()
    rows = fetch(
        engine,
        f"""SELECT identity_key, user_key FROM dim_identities
WHERE kind = {values.add(kind)} AND external_id = {values.add(external_id)}""",
        values,
    )
    if not rows:
        raise QueryError(f"no {kind} id {external_id!r} in this workspace", code="unknown_user", user_id=external_id)
    return rows[0][0], rows[0][1]
