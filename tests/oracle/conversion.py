"""The conversion rate: who converted and who was active, each counted as active users are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tests.oracle.answer import Group, buckets_of, check, none_of, only, ranks_in_range, ranks_when_counted
from tests.oracle.conditions import holds_for_event
from tests.oracle.funnels import fits
from tests.oracle.metrics import active_users
from tests.oracle.scope import Scope

if TYPE_CHECKING:
    from regulars.domain.query import Query
    from tests.oracle.clock import Bucket
    from tests.oracle.world import Event, World


class Converting(Scope):
    """The same question about the events that convert."""

    def __init__(self, world: World, query: Query, event: dict[str, Any] | str) -> None:
        self.event = event
        super().__init__(world, msgspec.structs.replace(query, activity="any"))

    def qualifies(self, event: Event) -> bool:
        """Whether an event converts, and passes the filters on events."""
        counts = all(holds_for_event(self.world, condition, event) for condition in self.event_filters)
        return counts and fits(self.world, self.event, event)


def conversion_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """Date, breakdown, converted, active_users, conversion_rate, flags, and the people under ``people``."""
    plain = msgspec.structs.replace(query, metric="active_users", options={})
    check(world, plain)
    if Scope.is_empty(world):
        return []
    active, converting = Scope(world, plain), Converting(world, plain, query.options.get("event", "conversion"))
    time_axis = buckets_of(active)
    found = []
    for bucket in time_axis:
        for group in groups(active, converting, time_axis):
            entered = active_users(active, bucket, group.inside)
            converted = active_users(converting, bucket, group.inside).counted
            flags = {*entered.flags, *(["other"] if group.is_other else [])}
            flags |= set() if active.is_complete(bucket.last) else {"incomplete"}
            found.append({
                "date": bucket.label, **dict(zip(query.breakdown, group.place, strict=True)),
                "converted": len(converted), "active_users": len(entered.counted),
                "conversion_rate": len(converted) / len(entered.counted) if entered.counted else None,
                "flags": sorted(flags), "people": {"converted": converted, "active_users": entered.counted},
            })  # fmt: skip
    return found


def groups(active: Scope, converting: Scope, time_axis: list[Bucket]) -> list[Group]:
    """The slices with most active people, those where people only convert after them, and the rest."""
    if not active.query.breakdown:
        return [Group((), lambda _: True)]
    if not time_axis:
        return []
    by_event = any(prop.level == "event" for prop in active.breakdown)
    ranking = ranks_when_counted if active.depends_on_time and not by_event else ranks_in_range
    ranks = ranking(active, time_axis)
    for place in ranking(converting, time_axis):
        ranks.setdefault(place, set())
    ordered = sorted(ranks, key=lambda place: (-len(ranks[place]), place))
    top = ordered[: active.query.limit]
    shown = [Group(place, only(place)) for place in top]
    rest = [Group((None,) * len(active.breakdown), none_of(top), is_other=True)] if len(ordered) > len(top) else []
    return [*shown, *rest]
