"""Who stands behind a whole result, and who is left out of it: person by person, whatever its rows are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.oracle.conditions import holds_for_event
from tests.oracle.funnels import fits
from tests.oracle.retention import Retention
from tests.oracle.scope import Scope
from tests.oracle.value import meets

if TYPE_CHECKING:
    from regulars.domain.query import Query
    from tests.oracle.world import Event, World

FUNNELS = ("funnel", "funnel_trend", "time_to_convert")


def undated(world: World, query: Query) -> set[str]:
    """The people a question is about who have no registration date, so that no day is theirs to be judged on."""
    plain = msgspec.structs.replace(query, metric="active_users", breakdown=(), options={})
    scope = Scope(world, plain)
    everybody = {*world.people(), *world.users}
    return {user for user in everybody if not world.user(user).registration_date and scope.selected(user, None)}


def population(world: World, query: Query) -> dict[str, object]:
    """The ledger of a result: how many people of those asked for had a qualifying event in the range, and of others."""
    counted: dict[str, int] = {}
    for user in qualified(world, query):
        kind = world.population_of(user)
        counted[kind] = counted.get(kind, 0) + 1
    wanted = counted if query.population == "all" else {query.population}
    total = sum(count for kind, count in counted.items() if kind in wanted)
    return {"total": total, "excluded": {kind: counted[kind] for kind in sorted(counted) if kind not in wanted}}


def qualified(world: World, query: Query) -> set[str]:
    """Everybody with a qualifying event in the range, but for conditions that hold on some days only."""
    plain = msgspec.structs.replace(query, metric="active_users", breakdown=(), options={}, population="all")
    scope = Scope(world, plain)
    unit = query.calendar or query.range.grain
    axis = scope.buckets("day" if unit == "hour" else unit)
    if not axis:
        return set()
    first, last = axis[0].first, scope.day_in(axis[-1])
    own = [event for event in events_about(scope, query) if first <= scope.day_of[event.event_id] <= last]
    found = {event.user for event in own}
    if counts_activity(query):
        found |= scope.active(lambda _: True, first, last, None)
    return {user for user in found if scope.selected(user, None)}


def counts_activity(query: Query) -> bool:
    """Whether somebody active is somebody the rows are about."""
    if query.metric == "onboarding":
        return query.options.get("cohort") == "first_activity"
    return query.metric not in (*FUNNELS, "retention")


def events_about(scope: Scope, query: Query) -> list[Event]:
    """The events that a metric is about besides those of an activity."""
    world, options = scope.world, query.options
    if query.metric == "retention":
        asked = Retention(world, msgspec.structs.replace(query, breakdown=()))
        back = [event for event in asked.matching(asked.back) if asked.passes(event, "return_where")]
        if asked.cohort == "registration":
            return back
        return back + [event for event in asked.matching(asked.start) if asked.passes(event, "start_where")]
    passing = [
        event for event in world.distinct_events() if all(holds_for_event(world, f, event) for f in scope.event_filters)
    ]
    if query.metric in FUNNELS:
        return [event for event in passing if any(fits(world, step, event) for step in options["steps"])]
    if query.metric == "conversion_rate":
        return [event for event in passing if fits(world, options.get("event", "conversion"), event)]
    asked_for = {
        "revenue": (options.get("events", "payment_success"), options.get("failed", "payment_failed")),
        "onboarding": options.get("milestones", ("core",)),
    }.get(query.metric, ())
    return [event for event in passing if any(meets(world, one, event) for one in asked_for)]
