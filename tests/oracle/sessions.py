"""Sessions: how a person's events fall into visits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.oracle.clock import local_day

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from tests.oracle.world import Event, World

DAY = timedelta(days=1)
BOUNDARIES = {"session_start": 0, "session_end": 2}  # where they stand among actions of the same instant


@dataclass(frozen=True)
class Session:
    """One visit; ``run_start`` is where the unbroken run began that a 24-hour split may have cut it from."""

    user: str
    session_id: str
    day: date
    start: datetime
    end: datetime
    duration_seconds: float
    actions: int
    screens: int
    session_type: str
    entry_action: str
    exit_action: str
    run_start: datetime


@dataclass(frozen=True)
class Visit:
    """The events that make one session; ``is_named``: a client's session id holds them together."""

    user: str
    session_id: str
    members: list[Event]
    run_start: datetime
    is_named: bool


def sessions(world: World, **rules: Any) -> list[Session]:
    """Every session of everybody, by person and start; ``rules`` are those of :func:`visits`."""
    found = [_session(world, one.session_id, one.members, one.run_start) for one in visits(world, **rules)]
    return sorted(found, key=lambda session: (session.user, session.start, session.session_id))


def visits(
    world: World,
    gap_minutes: float = 30,
    source: str = "derived",
    passive_extends: bool = False,
    split_at_midnight: bool = False,
) -> list[Visit]:
    """The sessions of everybody as the events they are made of."""
    gap, timezone = timedelta(minutes=gap_minutes), world.settings.timezone

    def is_member(event: Event) -> bool:
        action = world.settings.action(event.type)
        return not action.is_marker and (action.is_core_action or passive_extends)

    def is_named(event: Event) -> bool:
        return source == "client" and event.client_session_id is not None

    def goes_on(before: Event, event: Event) -> bool:
        same_day = local_day(before.at, timezone) == local_day(event.at, timezone)
        return event.at - before.at <= gap and (same_day or not split_at_midnight)

    found = []
    for user in world.people():
        stream = [e for e in events_in_order(world, user) if e.type in BOUNDARIES or is_member(e)]
        named = [event for event in stream if is_member(event) and is_named(event)]
        for name in sorted({event.client_session_id or "" for event in named}):
            members = [event for event in named if event.client_session_id == name]
            found.append(Visit(user, name, members, members[0].at, is_named=True))
        for run in _runs([event for event in stream if event not in named], goes_on):
            found += [Visit(user, part[0].event_id, part, run[0].at, is_named=False) for part in _parts(run)]
    return found


def events_in_order(world: World, user: str) -> list[Event]:
    """The events of one person: by time, sequence (none comes last), rank of the markers, id."""
    own = [event for event in world.distinct_events() if event.user == user]
    return sorted(own, key=lambda e: (e.at, e.sequence is None, e.sequence or 0, BOUNDARIES.get(e.type, 1), e.event_id))


def _runs(stream: list[Event], goes_on: Callable[[Event, Event], bool]) -> list[list[Event]]:
    """The unbroken runs of members; a marker closes what is open."""
    found: list[list[Event]] = []
    is_open = False
    for event in stream:
        if event.type in BOUNDARIES:
            is_open = False
        elif is_open and goes_on(found[-1][-1], event):
            found[-1].append(event)
        else:
            found.append([event])
            is_open = True
    return found


def _parts(run: list[Event]) -> list[list[Event]]:
    """An unbroken run, cut at every 24 hours from its start."""
    found: dict[int, list[Event]] = {}
    for event in run:
        found.setdefault((event.at - run[0].at) // DAY, []).append(event)
    return list(found.values())


def _session(world: World, session_id: str, members: list[Event], run_start: datetime) -> Session:
    first, last = members[0], members[-1]
    platforms = [event.platform for event in members if event.platform is not None]
    devices = [event.device_type for event in members if event.device_type is not None]
    return Session(
        user=first.user,
        session_id=session_id,
        day=local_day(first.at, world.settings.timezone),
        start=first.at,
        end=last.at,
        duration_seconds=(last.at - first.at).total_seconds(),
        actions=len(members),
        screens=len({event.context for event in members if event.context is not None}),
        session_type=[*platforms, *devices, "unknown"][0],
        entry_action=first.type,
        exit_action=last.type,
        run_start=run_start,
    )
