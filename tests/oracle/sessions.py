"""Sessions: how a person's events fall into visits, and the metric that measures the visits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from statistics import fmean
from typing import TYPE_CHECKING, Any

import msgspec

from tests.oracle.attributes import resolve, user_value, value_at
from tests.oracle.clock import local_day
from tests.oracle.conditions import RefusedError, matches
from tests.oracle.metrics import Cell
from tests.oracle.scope import Scope, shown

if TYPE_CHECKING:
    from datetime import date, datetime

    from regulars.domain.query import Filter, Query
    from tests.oracle.clock import Bucket
    from tests.oracle.scope import Slice
    from tests.oracle.world import Event, World

DAY = timedelta(days=1)
BOUNDARIES = {"session_start": 0, "session_end": 2}  # where they stand among actions of the same instant
PROPERTIES = {
    "session.type": "session_type",
    "session.entry_action": "entry_action",
    "session.exit_action": "exit_action",
}


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


def sessions(
    world: World,
    gap_minutes: float = 30,
    source: str = "derived",
    passive_extends: bool = False,
    split_at_midnight: bool = False,
) -> list[Session]:
    """Every session of everybody, by person and start."""
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
        stream = events_in_order(world, user)
        by_name: dict[str, list[Event]] = {}
        runs: list[list[Event]] = []
        is_open = False
        for event in stream:
            if event.type in BOUNDARIES:
                is_open = False
            elif is_member(event) and is_named(event):
                by_name.setdefault(event.client_session_id or "", []).append(event)
            elif is_member(event):
                if is_open and goes_on(runs[-1][-1], event):
                    runs[-1].append(event)
                else:
                    runs.append([event])
                is_open = True
        for name, members in by_name.items():
            found.append(_session(world, name, members, members[0].at))
        for run in runs:
            for part in _parts(run):
                found.append(_session(world, part[0].event_id, part, run[0].at))
    return sorted(found, key=lambda session: (session.user, session.start, session.session_id))


def events_in_order(world: World, user: str) -> list[Event]:
    """The events of one person: by time, sequence (none comes last), rank of the markers, id."""
    own = [event for event in world.distinct_events() if event.user == user]
    return sorted(
        own, key=lambda e: (e.at, e.sequence is None, e.sequence or 0, BOUNDARIES.get(e.type, 1), e.event_id)
    )


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


# --- the metric ------------------------------------------------------------------------------------------


def session_rows(world: World, query: Query, **rules: Any) -> list[dict[str, Any]]:
    """The rows of the metric: date, breakdowns, measures, flags; ``rules`` are those of :func:`sessions`."""
    rows = []
    for bucket, place, cell in session_cells(world, query, **rules):
        names = dict(zip(query.breakdown, place, strict=True))
        rows.append({"date": bucket.label, **names, **cell.values, "flags": sorted(cell.flags)})
    return rows


def session_cells(world: World, query: Query, **rules: Any) -> list[tuple[Bucket, Slice, Cell]]:
    """Every bucket and slice: sessions belong to the day of their start, up to the watermark."""
    if query.activity != "core" or query.window or query.calendar or query.grain == "hour" or query.options:
        raise RefusedError("sessions know no activity, window, calendar, hours or options")
    for name in [*query.breakdown, *(leaf.property or "" for f in query.filters for leaf in f.leaves())]:
        if name not in PROPERTIES and resolve(world, name).level == "event":
            raise RefusedError(f"{name} belongs to an event, not to a session")
    if Scope.is_empty(world):
        return []
    scope = Scope(world, msgspec.structs.replace(query, breakdown=(), filters=()))
    time_axis, everything = scope.buckets(query.grain), sessions(world, **rules)
    placed: dict[Bucket, list[tuple[Slice, Session]]] = {bucket: [] for bucket in time_axis}
    visitors: dict[Slice, set[str]] = {} if query.breakdown else {(): set()}
    for bucket in time_axis:
        day = scope.day_in(bucket)
        for session in everything:
            if bucket.first <= session.day <= day and scope.selected(session.user, day):
                if all(_holds(world, condition, session, day) for condition in query.filters):
                    place = tuple(shown(_value(world, name, session, day)) for name in query.breakdown)
                    placed[bucket].append((place, session))
                    visitors.setdefault(place, set()).add(session.user)
    ordered = sorted(visitors, key=lambda place: (-len(visitors[place]), place))
    top, rest = ordered[: query.limit], ordered[query.limit :]
    found = []
    for bucket in time_axis:
        flags = set() if scope.is_complete(bucket.last) else {"incomplete"}
        for place in top:
            mine = [session for each, session in placed[bucket] if each == place]
            found.append((bucket, place, _measured(mine, flags)))
        if rest:
            others = [session for each, session in placed[bucket] if each in rest]
            found.append((bucket, (None,) * len(query.breakdown), _measured(others, flags | {"other"})))
    return found


def _value(world: World, name: str, session: Session, day: date) -> str | None:
    if name in PROPERTIES:
        return getattr(session, PROPERTIES[name])  # type: ignore[no-any-return]
    prop = resolve(world, name)
    if prop.level == "time":
        return value_at(world, session.user, prop.name, day)
    return user_value(world, session.user, prop.name)


def _holds(world: World, condition: Filter, session: Session, day: date) -> bool:
    if condition.all:
        return all(_holds(world, member, session, day) for member in condition.all)
    if condition.any:
        return any(_holds(world, member, session, day) for member in condition.any)
    return matches(condition, _value(world, condition.property or "", session, day))


def _measured(found: list[Session], flags: set[str]) -> Cell:
    users = {session.user for session in found}
    durations = [session.duration_seconds for session in found]
    values = {
        "sessions": len(found),
        "users": len(users),
        "sessions_per_user": len(found) / len(users) if found else None,
        "duration_mean": fmean(durations) if found else None,
        "duration_median": quantile(durations, 0.5) if found else None,
        "duration_p90": quantile(durations, 0.9) if found else None,
        "actions_per_session": fmean(session.actions for session in found) if found else None,
        "screens_per_session": fmean(session.screens for session in found) if found else None,
        "bounce_share": fmean(session.actions == 1 for session in found) if found else None,
    }
    return Cell(values, {"users": users}, users, set(flags))


def quantile(values: list[float], share: float) -> float:
    """The value at a share of the way from the smallest to the largest, interpolated between neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return below + (above - below) * (place - math.floor(place))
