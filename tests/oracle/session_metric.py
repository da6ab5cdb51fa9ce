"""The metric that measures visits, by the day, the hour of the day or the weekday on which they start."""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING, Any

import msgspec

from tests.oracle.attributes import resolve, user_value, value_at
from tests.oracle.clock import Bucket, local
from tests.oracle.conditions import RefusedError, holds_for_user, matches
from tests.oracle.metrics import Cell
from tests.oracle.scope import Scope, shown
from tests.oracle.sessions import sessions

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.query import Filter, Query
    from tests.oracle.scope import Slice
    from tests.oracle.sessions import Session
    from tests.oracle.world import World

PROPERTIES = {
    "session.type": "session_type",
    "session.entry_action": "entry_action",
    "session.exit_action": "exit_action",
}


def session_rows(world: World, query: Query, **rules: Any) -> list[dict[str, Any]]:
    """The rows of the metric: date (or hour, or weekday), breakdowns, measures, flags.

    ``rules`` are those of :func:`sessions`.
    """
    rows = []
    for bucket, place, cell in session_cells(world, query, **rules):
        names = dict(zip(query.breakdown, place, strict=True))
        when = {} if query.options.get("profile") else {"date": bucket.label}
        rows.append({**when, **names, **cell.values, "flags": sorted(cell.flags)})
    return rows


def session_cells(world: World, query: Query, **rules: Any) -> list[tuple[Bucket, Slice, Cell]]:
    """Every bucket and slice: sessions belong to the day of their start, up to the watermark."""
    check(world, query)
    if Scope.is_empty(world):
        return []
    scope = Scope(world, msgspec.structs.replace(query, breakdown=(), filters=()))
    time_axis, everything = _time_axis(scope, query), sessions(world, **rules)
    placed = {bucket: _placed(scope, query, bucket, everything) for bucket in time_axis}
    visitors: dict[Slice, set[str]] = {} if query.breakdown else {(): set()}
    for place, session in (pair for pairs in placed.values() for pair in pairs):
        visitors.setdefault(place, set()).add(session.user)
    ordered = sorted(visitors, key=lambda place: (-len(visitors[place]), place))
    top, rest = ordered[: query.limit], ordered[query.limit :]
    found = []
    for bucket in time_axis:
        flags = set() if scope.is_complete(bucket.last) else {"incomplete"}
        for place in top:
            mine = [session for each, session in placed[bucket] if each == place]
            found += [(bucket, place, cell) for cell in _cells(world, query, mine, flags)]
        if rest:
            others = [session for each, session in placed[bucket] if each in rest]
            nothing = (None,) * len(query.breakdown)
            found += [(bucket, nothing, cell) for cell in _cells(world, query, others, flags | {"other"})]
    return found


def _time_axis(scope: Scope, query: Query) -> list[Bucket]:
    """The buckets of the grain; for a profile the whole range as one."""
    if not query.options.get("profile"):
        return scope.buckets(query.grain)
    start, end = scope.asked_days()
    return [Bucket(start, start, end)] if start <= scope.watermark else []


def _cells(world: World, query: Query, found: list[Session], flags: set[str]) -> list[Cell]:
    """One cell; for a profile one per hour of the local day, or per weekday."""
    profile = query.options.get("profile")
    if not profile:
        return [_measured(found, flags)]

    def place(session: Session) -> int:
        if profile == "weekday":
            return session.day.isoweekday()
        return local(session.start, world.settings.timezone).hour

    cells = []
    for number in range(1, 8) if profile == "weekday" else range(24):
        cell = _measured([session for session in found if place(session) == number], flags)
        cell.values = {profile: number, **cell.values}
        cells.append(cell)
    return cells


def check(world: World, query: Query) -> None:
    """Refuse what the contract does not answer."""
    if query.activity != "core" or query.window or query.calendar or query.grain == "hour":
        raise RefusedError("sessions know no activity, window, calendar or hours")
    if set(query.options) - {"profile"} or query.options.get("profile") not in (None, "hour", "weekday"):
        raise RefusedError("sessions have profiles by hour or by weekday, and no other option")
    if query.options.get("profile") and query.grain != "day":
        raise RefusedError("a profile is over the whole range, not over weeks or months")
    for name in [*query.breakdown, *(leaf.property or "" for f in query.filters for leaf in f.leaves())]:
        if name not in PROPERTIES and resolve(world, name).level == "event":
            raise RefusedError(f"{name} belongs to an event, not to a session")


def _placed(scope: Scope, query: Query, bucket: Bucket, everything: list[Session]) -> list[tuple[Slice, Session]]:
    """The sessions that start in a bucket and pass the filters, each with its slice, judged on the bucket's day."""
    world, day = scope.world, scope.day_in(bucket)
    return [
        (tuple(shown(_value(world, name, session, day)) for name in query.breakdown), session)
        for session in everything
        if bucket.first <= session.day <= day
        and scope.selected(session.user, day)
        and all(_holds(world, condition, session, day) for condition in query.filters)
    ]


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
    if condition.property not in PROPERTIES:
        return holds_for_user(world, condition, session.user, day)
    return matches(condition, _value(world, condition.property, session, day))


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
