"""What people did day by day: the daily record, and the power-user curve."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tests.oracle.answer import groups_of
from tests.oracle.clock import Bucket, bucket_of, days_between, local_day, period
from tests.oracle.conditions import RefusedError
from tests.oracle.metrics import Cell, warming_up
from tests.oracle.scope import Scope
from tests.oracle.sessions import sessions

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from datetime import date

    from regulars.domain.query import Query
    from tests.oracle.answer import Group
    from tests.oracle.scope import Slice
    from tests.oracle.world import Event, World

DAY = timedelta(days=1)


class UserDay(NamedTuple):
    """What one person did on one local day."""

    user: str
    day: date
    sessions_count: int
    total_session_duration: float
    total_actions: int
    core_actions: int
    unique_action_types: int
    engagement_score: float
    is_active_day: bool


def daily(world: World, **rules: Any) -> list[UserDay]:
    """One record per person and day with any action; ``rules`` are those of :func:`sessions`."""
    settings = world.settings
    done: dict[tuple[str, date], list[Event]] = {}
    for event in world.distinct_events():
        if not settings.action(event.type).is_marker:
            done.setdefault((event.user, local_day(event.at, settings.timezone)), []).append(event)
    everything = sessions(world, **rules)
    found = []
    for (user, day), events in sorted(done.items()):
        begun = [session for session in everything if session.user == user and session.day == day]
        core = sum(settings.action(event.type).is_core_action for event in events)
        found.append(
            UserDay(
                user=user,
                day=day,
                sessions_count=len(begun),
                total_session_duration=sum((session.duration_seconds for session in begun), 0.0),
                total_actions=len(events),
                core_actions=core,
                unique_action_types=len({event.type for event in events}),
                engagement_score=sum(settings.action(event.type).engagement_weight for event in events),
                is_active_day=core > 0,
            )
        )
    return found


def refuse_unless_daily(world: World, query: Query, options: dict[str, Container[Any]]) -> None:
    """Refuse hours, calendars, activities that are not declared, and options outside what is allowed."""
    if query.grain == "hour" or query.calendar:
        raise RefusedError(f"{query.metric} counts days in a window: it has no hours and no calendar")
    if query.activity not in world.settings.activities:
        raise RefusedError(f"no activity {query.activity}")
    for name, value in query.options.items():
        if value not in options.get(name, ()):
            raise RefusedError(f"{query.metric} has no option {name}={value!r}")


# --- active days -----------------------------------------------------------------------------------------


def active_days_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """The rows of the metric: date (over time only), breakdowns, active_days, users, share, flags."""
    rows = []
    for bucket, place, cell in active_days_cells(world, query):
        when = {"date": bucket.label} if query.options.get("over_time") else {}
        names = dict(zip(query.breakdown, place, strict=True))
        rows.append({**when, **names, **cell.values, "flags": sorted(cell.flags)})
    return rows


def active_days_cells(world: World, query: Query) -> list[tuple[Bucket, Slice, Cell]]:
    """One curve per bucket and slice, or per slice; the slices are those of active users of the same window."""
    flag = (None, True, False)
    refuse_unless_daily(world, query, {"at_least": flag, "over_time": flag, "unit": (None, "day", "week")})
    if Scope.is_empty(world):
        return []
    as_active_users = {"metric": "active_users", "window": query.window or 30, "options": {}}
    scope = Scope(world, msgspec.structs.replace(query, **as_active_users))
    time_axis = scope.buckets(query.grain)
    groups = groups_of(scope, time_axis)
    if time_axis and not query.options.get("over_time"):
        _, end = scope.asked_days()
        last = max(time_axis[-1].last, bucket_of(end, query.grain, world.settings.week_start, *scope.steps).last)
        time_axis = [Bucket(time_axis[0].label, time_axis[0].first, last)]
    return [
        (each, group.place, cell)
        for each in time_axis
        for group in groups
        for cell in curve(scope, each, group, query.options)
    ]


def curve(scope: Scope, bucket: Bucket, group: Group, options: dict[str, Any]) -> list[Cell]:
    """People by the number of days, or calendar weeks, on which they were active in the window."""
    day, window = scope.day_in(bucket), scope.query.window or 30
    first = day - (window - 1) * DAY
    by_week, at_least = options.get("unit") == "week", options.get("at_least")

    def units(days: Iterable[date]) -> set[date]:
        inside = {each for each in days if first <= each <= day}
        week_start = scope.world.settings.week_start
        return {period(each, "week", week_start).first for each in inside} if by_week else inside

    counts = {user: len(units(days)) for user, days in scope.active_days(group.inside, day).items()}
    active = sum(count > 0 for count in counts.values())
    flags = warming_up(scope, day, window) | ({"other"} if group.is_other else set())
    flags |= set() if scope.is_complete(bucket.last) else {"incomplete"}
    found = []
    for k in range(1, len(units(days_between(first, day))) + 1):
        users = {user for user, count in counts.items() if count == k or (at_least and count > k)}
        values = {"active_days": k, "users": len(users), "share": len(users) / active if active else None}
        found.append(Cell(values, {"users": users}, users, set(flags)))
    return found
