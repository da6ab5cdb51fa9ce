"""A fixed set of people, followed day by day from the day that chose them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from tests.oracle.attributes import resolve
from tests.oracle.clock import Bucket, days_between
from tests.oracle.conditions import RefusedError
from tests.oracle.daily import refuse_unless_daily
from tests.oracle.metrics import Cell, warming_up
from tests.oracle.scope import Scope

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.query import Query
    from tests.oracle.scope import Slice
    from tests.oracle.world import World

COHORTS = ("first_activity", "registration", "active")


def cohort_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """The rows of the metric: date, breakdowns, day, cohort, active_users, window_users, stickiness, flags."""
    rows = []
    for bucket, place, cell in cohort_cells(world, query):
        names = dict(zip(query.breakdown, place, strict=True))
        rows.append({"date": bucket.label, **names, **cell.values, "flags": sorted(cell.flags)})
    return rows


def cohort_cells(world: World, query: Query) -> list[tuple[Bucket, Slice, Cell]]:
    """Every day from the start of the range, and every slice of the people chosen there."""
    check(world, query)
    if Scope.is_empty(world):
        return []
    scope = Scope(world, msgspec.structs.replace(query, metric="active_users", window=None, options={}))
    start, end = scope.asked_days()
    if start > scope.watermark:
        return []
    groups = chosen(scope, query, start)
    return [
        (Bucket(day, day, day), group.place, on_day(scope, query, group, start, day))
        for day in days_between(start, min(end, scope.watermark))
        for group in groups
    ]


def check(world: World, query: Query) -> None:
    """Refuse what the contract does not answer."""
    refuse_unless_daily(world, query, {"cohort": COHORTS})
    names = [*query.breakdown, *(leaf.property or "" for f in query.filters for leaf in f.leaves())]
    if query.grain != "day" or any(resolve(world, name).level == "event" for name in names):
        raise RefusedError("a cohort is followed by the day, and is not chosen by single events")


@dataclass(frozen=True)
class Group:
    """One slice of the people who were chosen."""

    place: Slice
    users: set[str]
    is_other: bool = False


def chosen(scope: Scope, query: Query, start: date) -> list[Group]:
    """Who is followed, by the slices in which they stand on the first day: the largest ones, and the rest."""
    nothing: Slice = (None,) * len(query.breakdown)
    by = query.options.get("cohort") or "first_activity"
    days = {user: sorted(active) for user, active in scope.chains.get(nothing, {}).items() if active}
    if by == "registration":
        users = {user.user_id for user in scope.world.users.values() if user.registration_date == start}
    elif by == "active":
        users = {user for user, active in days.items() if start in active}
    else:
        users = {user for user, active in days.items() if active[0] == start}
    slices: dict[Slice, set[str]] = {} if query.breakdown else {(): set()}
    for user in users:
        if scope.selected(user, start):
            slices.setdefault(scope.slice_of(nothing, user, start), set()).add(user)
    ordered = sorted(slices, key=lambda place: (-len(slices[place]), place))
    groups = [Group(place, slices[place]) for place in ordered[: query.limit]]
    rest = [slices[place] for place in ordered[query.limit :]]
    return [*groups, Group(nothing, set().union(*rest), is_other=True)] if rest else groups


def on_day(scope: Scope, query: Query, group: Group, start: date, day: date) -> Cell:
    """Who of a group is active on a day, and who was in the window that ends on it and opens at the start."""
    window = query.window or 30
    opens = max(start, day - timedelta(days=window - 1))
    days = scope.chains.get((None,) * len(query.breakdown), {})
    people = {
        "cohort": group.users,
        "active_users": {user for user in group.users if day in days.get(user, ())},
        "window_users": {user for user in group.users if any(opens <= each <= day for each in days.get(user, ()))},
    }
    sizes: dict[str, Any] = {name: len(users) for name, users in people.items()}
    recent = sizes["window_users"]
    flags = warming_up(scope, day, (day - opens).days + 1)
    if (query.options.get("cohort") or "first_activity") == "first_activity":
        flags = {"warming_up"} if start < scope.first_day + timedelta(days=window) else set()
    flags |= {"other"} if group.is_other else set()
    flags |= set() if scope.is_complete(day) else {"incomplete"}
    share = sizes["active_users"] / recent if recent else None
    return Cell({"day": (day - start).days, **sizes, "stickiness": share}, people, group.users, flags)
