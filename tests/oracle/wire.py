"""A world as the importer receives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.oracle.world import World

Row = dict[str, Any]


def event_rows(world: World) -> list[Row]:
    """The events in order of arrival, in wire form."""
    rows: list[Row] = []
    for event in world.events:
        row = {
            "event_id": event.event_id,
            "anonymous_id" if event.anonymous else "user_id": event.user,
            "event_type": event.type,
            "timestamp": event.at.isoformat(timespec="microseconds") + "Z",
            "sequence": event.sequence,
            "feature": event.feature,
            "duration_seconds": event.duration_seconds,
            "session_id": event.client_session_id,
            "context": event.context,
            "geo": _present({"country": event.country, "region": event.region}),
            "device": _present({"device_type": event.device_type, "platform": event.platform}),
            "properties": dict(event.properties),
        }
        rows.append({name: value for name, value in _present(row).items() if value != {}})
    return rows


def user_rows(world: World) -> list[Row]:
    """The people of whom something is known, in wire form."""
    return [
        _present(
            {
                "user_id": user.user_id,
                **user.attributes,
                "registration_date": user.registration_date and user.registration_date.isoformat(),
                "birth_date": user.birth_date and user.birth_date.isoformat(),
                "population": user.population,
            }
        )
        for user in world.users.values()
    ]


def _present(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}
