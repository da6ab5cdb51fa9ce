"""From cells to rows: the time axis, the choice of slices, the flags, the order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.oracle.clock import Bucket, days_between
from tests.oracle.conditions import RefusedError
from tests.oracle.metrics import METHODS, METRICS, SUMMARIES, Cell, active_users, is_final, lookback
from tests.oracle.scope import Scope, depends_on_time

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from datetime import date

    from regulars.domain.query import Query
    from tests.oracle.scope import Slice
    from tests.oracle.world import World

LENGTHS = ("day", "week", "month", "quarter", "year")
OPTIONS: dict[str, dict[str, Container[Any]]] = {
    "new_vs_returning": {"new_by": ("registration",)},
    "lifecycle": {"new_by": ("registration",)},
    "stickiness": {"method": METHODS, "summary": tuple(SUMMARIES), "numerator": range(1, 367)},
    "actions": {"weighted": (True, False)},
}


def answer(world: World, query: Query) -> list[dict[str, Any]]:
    """The rows of a query: date, breakdowns, values, flags."""
    rows = []
    for bucket, place, cell in cells(world, query):
        names = dict(zip(query.breakdown, place, strict=True))
        rows.append({"date": bucket.label, **names, **cell.values, "flags": sorted(cell.flags)})
    return rows


def people(world: World, query: Query) -> dict[tuple[date | str, Slice], dict[str, set[str]]]:
    """The people behind every cell that counts people, by date and slice."""
    return {(bucket.label, place): cell.people for bucket, place, cell in cells(world, query)}


@dataclass(frozen=True)
class Group:
    """One slice of the answer: its place in the rows, and which slices of people belong to it."""

    place: Slice
    inside: Callable[[Slice], bool]
    is_other: bool = False


def cells(world: World, query: Query) -> list[tuple[Bucket, Slice, Cell]]:
    """Every cell of the answer in the order of its rows."""
    check(world, query)
    if query.metric == "lifecycle" and query.as_of is None and depends_on_time(world, query):
        raise RefusedError("two periods are compared, so what changes with time is judged on one day")
    if Scope.is_empty(world):
        return []
    scope = Scope(world, query)
    found = []
    time_axis = buckets_of(scope)
    groups = groups_of(scope, time_axis)
    for bucket in time_axis:
        for group in groups:
            cell = METRICS[query.metric](scope, bucket, group.inside)
            cell.flags |= {"other"} if group.is_other else set()
            cell.flags |= set() if is_settled(scope, bucket) else {"incomplete"}
            found.append((bucket, group.place, cell))
    return found


def check(world: World, query: Query) -> None:
    """Refuse what the contract does not answer."""
    if query.metric not in METRICS:
        raise RefusedError(f"no metric {query.metric}")
    counts_active = METRICS[query.metric] is active_users
    calendar, by_hour = query.calendar, query.grain == "hour"
    finer = calendar and not by_hour and LENGTHS.index(calendar) < LENGTHS.index(query.grain)
    refusals = {
        f"no activity {query.activity}": query.activity not in world.settings.activities,
        f"{query.metric} has no calendar": calendar and not counts_active,
        f"{query.metric} has no window": query.window and query.metric in ("actions", "depth", "lifecycle"),
        f"{query.metric} has no hours": by_hour and query.metric not in ("active_users", "actions"),
        "hours have neither a window nor a calendar": by_hour and (query.window or calendar),
        "the calendar is finer than the grain": finer,
    }
    allowed = OPTIONS.get(query.metric, {})
    for name, value in query.options.items():
        wrong = value is not None and value not in allowed.get(name, ())
        refusals[f"{query.metric} has no option {name}={value!r}"] = wrong
    for reason, applies in refusals.items():
        if applies:
            raise RefusedError(reason)


def buckets_of(scope: Scope) -> list[Bucket]:
    """The time axis: whole buckets, or one for the whole range when daily ratios are summarised."""
    found = scope.buckets(scope.query.calendar or scope.query.grain)
    if found and scope.query.bucket == "day" and scope.query.options.get("summary") is not None:
        _, end = scope.asked_days()
        return [Bucket(found[0].label, found[0].first, end)]
    return found


def is_settled(scope: Scope, bucket: Bucket) -> bool:
    """Whether the bucket's last day, and what its value looks at after it, is over."""
    if scope.query.metric == "stickiness":
        return is_final(scope, bucket.last)
    return scope.is_complete(bucket.last)


# --- which slices -----------------------------------------------------------------------------------------


def only(place: Slice) -> Callable[[Slice], bool]:
    """The test for one slice."""
    return lambda each: each == place


def none_of(places: list[Slice]) -> Callable[[Slice], bool]:
    """The test for every slice but these."""
    return lambda each: each not in places


def groups_of(scope: Scope, time_axis: list[Bucket]) -> list[Group]:
    """The top slices by people, then by name, and the rest as one group."""
    if not scope.query.breakdown:
        return [Group((), lambda _: True)]
    if not time_axis:
        return []
    by_event = any(prop.level == "event" for prop in scope.breakdown)
    # Overlapping slices are chosen before anything is judged on a day; hours and depth look at what they count.
    chosen_before = by_event and scope.query.grain != "hour" and scope.query.metric != "depth"
    ranking = ranks_when_counted if scope.depends_on_time and not chosen_before else ranks_in_range
    ranks = ranking(scope, time_axis)
    ordered = sorted(ranks, key=lambda place: (-len(ranks[place]), place))
    top = ordered[: scope.query.limit]
    groups = [Group(place, only(place)) for place in top]
    if len(ordered) > len(top):
        nothing = (None,) * len(scope.query.breakdown)
        groups.append(Group(nothing, none_of(top), is_other=True))
    return groups


def ranks_in_range(scope: Scope, time_axis: list[Bucket]) -> dict[Slice, set[str]]:
    """Slice -> its people active in the range; slices active only in the lookback before it have none."""
    first, last = time_axis[0].first, scope.day_in(time_axis[-1])
    earliest = first - timedelta(days=lookback(scope))
    found: dict[Slice, set[str]] = {}
    for place in every_slice(scope, [last]):
        users = scope.active(only(place), first, last, None)
        if users or scope.active(only(place), earliest, last, None):
            found[place] = users
    return found


def ranks_when_counted(scope: Scope, time_axis: list[Bucket]) -> dict[Slice, set[str]]:
    """Slice -> the people counted in at least one bucket under it."""
    days = [d for bucket in time_axis for d in days_between(bucket.first, scope.day_in(bucket))]
    found: dict[Slice, set[str]] = {}
    for place in every_slice(scope, days):
        for bucket in time_axis:
            cell = METRICS[scope.query.metric](scope, bucket, only(place))
            if cell.counted:
                found.setdefault(place, set()).update(cell.counted)
    return found


def every_slice(scope: Scope, days: list[date]) -> list[Slice]:
    """Every slice in which somebody stands on one of the days."""
    found = set()
    for part, users in scope.chains.items():
        found |= {scope.slice_of(part, user, day) for user in users for day in days}
    return sorted(found)
