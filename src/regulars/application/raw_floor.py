"""The raw floor: the first day whose raw events are still in the warehouse.

Older events were archived and dropped. What follows from them is frozen: sessions, active days and sums of those days
stay as they are, and everything that changes stored rows must leave alone what it could not compute anew.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from regulars.application.canonical import execute
from regulars.domain.sql import Values

if TYPE_CHECKING:
    from regulars.application.ports import Engine, EventArchive
    from regulars.application.reads import Read

_FLOOR = "raw_floor"


def raw_floor(read: Read) -> date | None:
    """The first day whose raw events are here; None while none were dropped."""
    rows = read(f"SELECT value FROM workspace_state WHERE name = '{_FLOOR}'")
    return date.fromisoformat(rows[0][0]) if rows else None


def move_floor(engine: Engine, floor: date | None) -> None:
    """Note that raw events begin on a day, or that all of them are here again."""
    execute(engine, f"DELETE FROM workspace_state WHERE name = '{_FLOOR}'")
    if floor is not None:
        values = Values()
        execute(engine, f"INSERT INTO workspace_state SELECT '{_FLOOR}', {values.add(floor.isoformat())}", values)


def whole_archive(engine: Engine, floor: date, *, verify: bool = True) -> EventArchive | None:
    """The archive, if it has every event of the days below the floor."""
    counted = dict(engine.fetch(f"SELECT day, events FROM event_days WHERE day < DATE '{floor}'"))
    archive = engine.archive
    return archive if archive is not None and archive.holds(counted, verify=verify) else None


def put_back(engine: Engine, archive: EventArchive, floor: date, only: str = "TRUE") -> None:
    """Put archived events and their details among the facts again, inside the open transaction.

    ``only`` is a condition on ``identity_key``. Events of people who were erased stay away.
    """
    chosen = f"x.identity_key IN (SELECT identity_key FROM dim_identities WHERE {only})"
    engine.execute(f"INSERT INTO fact_user_actions SELECT x.* FROM ({archive.events(floor)}) x WHERE {chosen}")
    engine.execute(
        "INSERT INTO fact_activity_details SELECT x.event_id, x.detail_type, x.payload, x.load_id "
        f"FROM ({archive.details(floor)}) x WHERE {chosen}"
    )


def take_out(engine: Engine, floor: date) -> None:
    """Remove the events below the floor, and their details, from the facts."""
    old = f"day < DATE '{floor}'"
    engine.execute(
        f"DELETE FROM fact_activity_details WHERE event_id IN (SELECT event_id FROM fact_user_actions WHERE {old})"
    )
    engine.execute(f"DELETE FROM fact_user_actions WHERE {old}")
