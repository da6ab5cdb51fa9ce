"""Usage interval: how many days lie between two active days of a person."""

from __future__ import annotations

import statistics
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from tests.oracle.answer import groups_of
from tests.oracle.clock import Bucket, bucket_of
from tests.oracle.conditions import RefusedError
from tests.oracle.daily import refuse_unless_daily
from tests.oracle.groups import groups_with, rows_of
from tests.oracle.metrics import Cell
from tests.oracle.scope import Scope

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.query import Query
    from tests.oracle.groups import Placed
    from tests.oracle.metrics import Inside
    from tests.oracle.world import World


def interval_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """The rows of the metric: breakdowns, days_between, users, share, cumulative_share, flags."""
    return rows_of(query.breakdown, interval_cells(world, query))


def interval_cells(world: World, query: Query) -> Placed:
    """Every median that occurs, slice by slice."""
    refuse_unless_daily(world, query, {})
    if query.grain != "day" or query.window:
        raise RefusedError("it is about the whole range")
    if Scope.is_empty(world):
        return []
    scope = Scope(world, msgspec.structs.replace(query, metric="active_users"))
    axis = scope.buckets("day")
    if not axis:
        return []
    first, day, (_, end) = axis[0].first, scope.day_in(axis[-1]), scope.asked_days()
    by_event = any(prop.level == "event" for prop in scope.breakdown)
    if by_event:
        groups = groups_of(scope, [Bucket(first, first, day)])
    else:
        groups = groups_with(scope, day, lambda inside: medians(scope, inside, first, day))
    is_over = scope.is_complete(bucket_of(end, "day", world.settings.week_start, *scope.steps).last)
    found: Placed = []
    for group in groups:
        typical = medians(scope, group.inside, first, day)
        for days in sorted(set(typical.values())):
            users = {user for user, median in typical.items() if median == days}
            values = {
                "days_between": days,
                "users": len(users),
                "share": len(users) / len(typical),
                "cumulative_share": sum(median <= days for median in typical.values()) / len(typical),
            }
            flags = ({"other"} if group.is_other else set()) | (set() if is_over else {"incomplete"})
            found.append((group.place, Cell(values, {"users": users}, users, flags)))
    return found


def medians(scope: Scope, inside: Inside, first: date, last: date) -> dict[str, float]:
    """Person -> median days between active days of the range, of those with at least two."""
    found = {}
    for user, active in scope.active_days(inside, last).items():
        days = sorted(each for each in active if first <= each <= last)
        if len(days) > 1:
            found[user] = float(statistics.median((later - sooner).days for sooner, later in pairwise(days)))
    return found
