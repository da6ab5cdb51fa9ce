"""Feature adoption, onboarding and revenue, person by person and event by event."""

from __future__ import annotations

import statistics
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from regulars.domain.actions import MARKERS
from regulars.domain.query import Step
from tests.oracle.answer import Group, every_slice, none_of, only
from tests.oracle.attributes import event_value, resolve
from tests.oracle.conditions import RefusedError, holds_for_event, is_plain_number
from tests.oracle.metrics import Cell, warming_up
from tests.oracle.scope import Scope, qualifies, suffices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regulars.domain.query import EventCondition, Query
    from tests.oracle.clock import Bucket
    from tests.oracle.metrics import Inside
    from tests.oracle.scope import Slice
    from tests.oracle.world import Event, World

Placed = list[tuple[date | None, "Slice", Cell]]
Z = 1.959963984540054
AGES = {"day": 1, "week": 7, "month": 30}


def rows_of(query: Query, placed: Placed) -> list[dict[str, Any]]:
    """Rows: date where there is one, breakdowns, values, flags."""
    return [
        {**({"date": when} if when else {}), **dict(zip(query.breakdown, place, strict=True)), **cell.values,
         "flags": sorted(cell.flags)}
        for when, place, cell in placed
    ]  # fmt: skip


def groups_by(scope: Scope, members: dict[Slice, set[str]]) -> list[Group]:
    """The top slices by people, then by name, and the rest as one group."""
    if not scope.breakdown:
        return [Group((), lambda _: True)]
    ordered = sorted((p for p in members if members[p]), key=lambda place: (-len(members[place]), place))
    top = ordered[: scope.query.limit]
    rest = [Group((None,) * len(scope.breakdown), none_of(top), is_other=True)] if len(ordered) > len(top) else []
    return [*(Group(place, only(place)) for place in top), *rest]


def meets(world: World, asked: str | EventCondition, event: Event) -> bool:
    """Whether an event is one of those asked for: by an activity, a type, or a condition."""
    if event.type in MARKERS:
        return False
    if isinstance(asked, str):
        return qualifies(world, event, asked) if asked in world.settings.activities else event.type == asked
    is_named = asked.events is None or event.type in asked.events
    return is_named and all(holds_for_event(world, condition, event) for condition in asked.where)


def refuse_events(scope: Scope) -> None:
    """Slices and filters are of people."""
    if any(prop.level == "event" for prop in scope.breakdown) or scope.event_filters:
        raise RefusedError("slices and filters are of people")


# --- adoption --------------------------------------------------------------------------------------------


def adoption_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """The rows of feature_adoption."""
    return rows_of(query, adoption_cells(world, query))


def adoption_cells(world: World, query: Query) -> Placed:
    """Every bucket, slice and feature."""
    if Scope.is_empty(world):
        return []
    scope = Scope(world, query)
    refuse_events(scope)
    axis = scope.buckets(query.grain)
    ends = [scope.day_in(bucket) for bucket in axis]
    members = {p: set().union(*(_active(scope, only(p), b) for b in axis)) for p in every_slice(scope, ends)}
    reach: dict[str, set[str]] = {}
    for bucket in axis:
        for feature, users in _users_of(scope, lambda _: True, bucket).items():
            reach.setdefault(feature, set()).update(users)
    wanted = query.options.get("feature")
    ranked = sorted(reach, key=lambda feature: (-len(reach[feature]), feature))
    features = [wanted] if wanted else ranked[: query.options.get("top", 12)]
    found: Placed = []
    for bucket in axis:
        for group in groups_by(scope, members):
            active, users_of = _active(scope, group.inside, bucket), _users_of(scope, group.inside, bucket)
            for feature in features:
                people = {"users": users_of.get(feature, set()), "active_users": active}
                sizes = {name: len(users) for name, users in people.items()}
                adoption = sizes["users"] / sizes["active_users"] if active else None
                flags = warming_up(scope, scope.day_in(bucket), query.window or 0)
                flags |= {"other"} if group.is_other else set()
                flags |= set() if scope.is_complete(bucket.last) else {"incomplete"}
                cell = Cell({"feature": feature, **sizes, "adoption": adoption}, people, flags=flags)
                found.append((bucket.first, group.place, cell))
    return found


def _events(scope: Scope, inside: Inside, bucket: Bucket) -> dict[str, list[Event]]:
    """Person -> qualifying events on active days of the bucket, or of the window that ends with it."""
    day = scope.day_in(bucket)
    opens = day - timedelta(days=scope.query.window - 1) if scope.query.window else bucket.first
    found: dict[str, list[Event]] = {}
    for user, days in scope.active_days(inside, day).items():
        events = [event for active, own in days.items() if opens <= active <= day for event in own]
        if events:
            found[user] = events
    return found


def _active(scope: Scope, inside: Inside, bucket: Bucket) -> set[str]:
    return set(_events(scope, inside, bucket))


def _users_of(scope: Scope, inside: Inside, bucket: Bucket) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for user, events in _events(scope, inside, bucket).items():
        for event in events:
            if event.feature is not None:
                found.setdefault(event.feature, set()).add(user)
    return found


# --- onboarding ------------------------------------------------------------------------------------------


def onboarding_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """The rows of onboarding, without the milestones' names."""
    return rows_of(query, onboarding_cells(world, query))


def onboarding_cells(world: World, query: Query) -> Placed:
    """Every slice and milestone."""
    if Scope.is_empty(world):
        return []
    scope = Scope(world, query)
    refuse_events(scope)
    axis = scope.buckets("day")
    if not axis:
        return []
    first, last, days = axis[0].first, scope.day_in(axis[-1]), query.options.get("days", 7)
    entries = {user: day for user, day in _signups(scope).items() if first <= day <= last and scope.selected(user, day)}
    nothing: Slice = (None,) * len(scope.breakdown)
    members: dict[Slice, set[str]] = {}
    for user, day in entries.items():
        members.setdefault(scope.slice_of(nothing, user, day), set()).add(user)
    flags = set() if scope.is_complete(scope.asked_days()[1] + timedelta(days=days)) else {"incomplete"}
    warm = timedelta(days=30 if query.options.get("cohort") == "first_activity" else 0)
    flags |= {"warming_up"} if first < scope.first_day + warm else set()
    found: Placed = []
    for group in groups_by(scope, members):
        users = set().union(*(own for place, own in members.items() if group.inside(place)))
        for number, asked in enumerate(query.options.get("milestones", ("core",)), 1):
            taken = {user: _taken(scope, asked, user, entries[user], days) for user in users}
            reached = {user: n for user, n in taken.items() if n is not None}
            low, high = _wilson(len(reached), len(users))
            values = {
                "milestone": number, "cohort": len(users), "users": len(reached),
                "share": len(reached) / len(users) if users else None, "low": low, "high": high,
                "median_days": float(statistics.median(reached.values())) if reached else None,
            }  # fmt: skip
            people = {"cohort": users, "users": set(reached)}
            found.append(
                (None, group.place, Cell(values, people, flags=flags | ({"other"} if group.is_other else set())))
            )
    return found


def _signups(scope: Scope) -> dict[str, date]:
    if scope.query.options.get("cohort") == "first_activity":
        nothing = (None,) * len(scope.breakdown)
        return {user: min(days) for user, days in scope.chains.get(nothing, {}).items() if days}
    registered = {user.user_id: user.registration_date for user in scope.world.users.values()}
    return {user: day for user, day in registered.items() if day}


def _taken(scope: Scope, asked: str | EventCondition, user: str, start: date, days: int) -> int | None:
    """How many days after the start somebody reached a milestone; None when not in time."""
    ages = sorted(
        (scope.day_of[event.event_id] - start).days
        for event in scope.world.distinct_events()
        if event.user == user and scope.day_of[event.event_id] <= scope.watermark and meets(scope.world, asked, event)
    )
    inside = [age for age in ages if 0 <= age <= days]
    times = asked.times if isinstance(asked, Step) else 1
    return inside[times - 1] if len(inside) >= times else None


def _wilson(part: int, whole: int) -> tuple[float | None, float | None]:
    """The two shares whose distance from the one seen is just Z standard errors: roots of a quadratic."""
    if not whole:
        return None, None
    a, b, c = whole + Z * Z, -(2 * part + Z * Z), part * part / whole
    root = max(b * b - 4 * a * c, 0) ** 0.5
    low, high = (-b - root) / (2 * a), (-b + root) / (2 * a)
    return 0.0 if part == 0 else low, 1.0 if part == whole else high


# --- revenue ---------------------------------------------------------------------------------------------


def revenue_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """The rows of revenue."""
    return rows_of(query, revenue_cells(world, query))


def revenue_cells(world: World, query: Query) -> Placed:
    """Every bucket (or age) and slice."""
    if Scope.is_empty(world):
        return []
    scope = Scope(world, query)
    axis = scope.buckets(query.grain)
    if not axis:
        return []
    marked = _marked(scope, axis)
    members: dict[Slice, set[str]] = {}
    for _, place, event in marked:
        members.setdefault(place, set()).add(event.user)
    groups, ages = groups_by(scope, members), query.options.get("cohort_age")
    places: Iterable[Any] = sorted({where for where, _, _ in marked}) if ages else [bucket.first for bucket in axis]
    order = [(where, group) for group in groups for where in places]
    if not ages:
        order = [(where, group) for where in places for group in groups]
    found: Placed = []
    for where, group in order:
        cell = _sums(scope, [(place, e) for at, place, e in marked if at == where and group.inside(place)])
        last = scope.asked_days()[1] if ages else next(bucket.last for bucket in axis if bucket.first == where)
        cell.flags |= set() if scope.is_complete(last) else {"incomplete"}
        cell.flags |= {"other"} if group.is_other else set()
        cell.values = {"age": where, **cell.values} if ages else cell.values
        found.append((None if ages else where, group.place, cell))
    return found


def _role(scope: Scope, event: Event, name: str) -> bool:
    default = {"events": "payment_success", "failed": "payment_failed"}[name]
    return meets(scope.world, scope.query.options.get(name, default), event)


def _marked(scope: Scope, axis: list[Bucket]) -> list[tuple[Any, Slice, Event]]:
    """Events that pay, fail to, or make active, with their row and their slice."""
    found: list[tuple[Any, Slice, Event]] = []
    length = AGES.get(scope.query.options.get("cohort_age") or "")
    began = _began(scope, scope.day_in(axis[-1])) if length else {}
    for event in scope.world.distinct_events():
        day = scope.day_of[event.event_id]
        bucket = next((b for b in axis if b.first <= day <= scope.day_in(b)), None)
        counts = qualifies(scope.world, event, scope.query.activity)
        counts |= _role(scope, event, "events") or _role(scope, event, "failed")
        if bucket is None or not counts or not all(holds_for_event(scope.world, f, event) for f in scope.event_filters):
            continue
        judged = scope.day_in(axis[-1]) if length else scope.day_in(bucket)
        where: Any = bucket.first
        if length:
            if event.user not in began:
                continue
            where = max((day - began[event.user]).days, 0) // length
        if scope.selected(event.user, judged):
            found.append((where, scope.slice_of(scope._event_part(event), event.user, judged), event))
    return found


def _began(scope: Scope, last: date) -> dict[str, date]:
    whole = Scope(scope.world, msgspec.structs.replace(scope.query, breakdown=(), filters=(), population="all"))
    firsts = {user: min(days) for user, days in whole.chains.get((), {}).items() if days}
    return {user: day for user, day in firsts.items() if day <= last}


def _sums(scope: Scope, events: list[tuple[Slice, Event]]) -> Cell:
    world, active = scope.world, {}
    for place, event in events:
        if qualifies(world, event, scope.query.activity):
            key = place, event.user, scope.day_of[event.event_id]
            active.setdefault(key, []).append(event)
    people = {
        "paying_users": {event.user for _, event in events if _role(scope, event, "events")},
        "active_users": {key[1] for key, own in active.items() if suffices(world, own, scope.query.activity)},
    }
    prop = resolve(world, scope.query.options.get("property", "amount"))
    paid = [event for _, event in events if _role(scope, event, "events")]
    failed = sum(_role(scope, event, "failed") for _, event in events)
    texts = [event_value(world, event, prop) for event in paid]
    revenue = sum((float(text) for text in texts if text is not None and is_plain_number(text)), 0.0)
    payers, actives = len(people["paying_users"]), len(people["active_users"])
    values = {
        "revenue": revenue, "payments": len(paid), "paying_users": payers, "active_users": actives,
        "revenue_per_active_user": revenue / actives if actives else None,
        "revenue_per_paying_user": revenue / payers if payers else None,
        "failed_payments": failed,
        "failed_payment_rate": failed / (len(paid) + failed) if paid or failed else None,
    }  # fmt: skip
    return Cell(values, people)
