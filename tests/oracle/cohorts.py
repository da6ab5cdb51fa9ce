"""Who belongs to a cohort or segment on a day: the rule read aloud, over plain events, one person and day at a time."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from regulars.domain.actions import MARKERS
from regulars.domain.query import Filter
from tests.oracle import clock

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.cohorts import Rule
    from regulars.domain.query import EventCondition
    from tests.oracle.world import Event, World

SHIPPED = ("new_user", "churned", "dormant", "at_risk", "power_user", "active_user")


def value_on(world: World, user_id: str, name: str, day: date) -> str | None:
    """yes or no for ``cohort.NAME``; the first segment that holds for ``segment``."""
    if name.startswith("cohort.") and name != "cohort.segment":
        return "yes" if belongs(world, world.settings.cohorts[name.removeprefix("cohort.")], user_id, day) else "no"
    return next((each for each in order(world) if is_in_segment(world, each, user_id, day)), None)


def order(world: World) -> list[str]:
    """The segments as they are tried."""
    own = [name for name in world.settings.segments if name not in SHIPPED]
    return list(world.settings.segment_order) or [*own, *SHIPPED]


def is_in_segment(world: World, name: str, user_id: str, day: date) -> bool:
    """Whether a segment's own rule holds, whatever comes before it."""
    if name in world.settings.segments:
        return belongs(world, world.settings.segments[name], user_id, day)
    silent, here = silence(world, user_id, day), tenure(world, user_id, day)
    recent = {d for d in active_days(world, "core", user_id, day) if (day - d).days < 30}
    return {
        "new_user": here is not None and here <= 7,
        "churned": silent is not None and silent > 60,
        "dormant": silent is not None and silent > 30,
        "at_risk": silent is not None and silent > 7,
        "power_user": len(recent) >= 20,
        "active_user": silent is not None,
    }[name]


def silence(world: World, user_id: str, day: date) -> int | None:
    """Days since the last core day; None for somebody never active."""
    days = active_days(world, "core", user_id, day)
    return (day - max(days)).days if days else None


def tenure(world: World, user_id: str, day: date) -> int | None:
    """Days since the registration, or the first action; None before it."""
    began = world.user(user_id).registration_date or min(active_days(world, "any", user_id, day), default=None)
    return None if began is None or began > day else (day - began).days


def belongs(world: World, rule: Rule, user_id: str, day: date) -> bool:  # noqa: PLR0911 -- one line per kind of rule
    """Whether a rule holds for a person on a day."""
    from tests.oracle.conditions import holds_for_user  # noqa: PLC0415 -- they know each other

    if rule.all or rule.any:
        found = [belongs(world, member, user_id, day) for member in rule.all or rule.any or ()]
        return all(found) if rule.all else any(found)
    if rule.not_ is not None:
        return not belongs(world, rule.not_, user_id, day)
    if rule.cohort is not None:
        return belongs(world, world.settings.cohorts[rule.cohort], user_id, day)
    if rule.segment is not None:
        return value_on(world, user_id, "segment", day) == rule.segment
    if rule.tier is not None:
        return tier(world, user_id, day) in rule.tier
    if rule.property is not None:
        return holds_for_user(world, Filter(property=rule.property, op=rule.op, value=rule.value), user_id, day)
    return is_within(rule, measured(world, rule, user_id, day))


def is_within(rule: Rule, number: int | None) -> bool:
    """Whether a number lies within the bounds of a condition; without any, whether it is at least one."""
    if number is None:
        return False
    if rule.exactly is not None:
        return number == rule.exactly
    if rule.at_least is None and rule.at_most is None:
        return number >= 1
    return (rule.at_least is None or number >= rule.at_least) and (rule.at_most is None or number <= rule.at_most)


def tier(world: World, user_id: str, day: date) -> str:
    """The engagement tier by active days of 30."""
    days = active_days(world, "core", user_id, day)
    recent = len({d for d in days if (day - d).days < 30})
    if not days:
        return "not_yet_seen"
    bounds = ((20, "power"), (16, "core"), (6, "regular"), (1, "casual"), (0, "dormant"))
    return next(name for least, name in bounds if recent >= least)


def measured(world: World, rule: Rule, user_id: str, day: date) -> int | None:
    """The number that a condition compares."""
    if rule.measure == "tenure":
        return tenure(world, user_id, day)
    did = "core" if rule.did is None else rule.did
    done = done_on(world, did, user_id, day)
    if rule.measure == "days_since":
        return (day - max(done)).days if done else None
    inside = [n for d, n in done.items() if rule.last_days is None or d > day - timedelta(days=rule.last_days)]
    return len(inside) if rule.measure == "days" else sum(inside)


def active_days(world: World, activity: str, user_id: str, day: date) -> set[date]:
    """The days up to a day on which a person was active."""
    return set(done_on(world, activity, user_id, day))


def done_on(world: World, did: str | EventCondition, user_id: str, day: date) -> dict[date, int]:
    """Days up to a day, with how often something was done on each."""
    from tests.oracle.scope import suffices  # noqa: PLC0415 -- they know each other

    mine = [event for event in world.distinct_events() if event.user == user_id and _counts(world, event, did)]
    found = Counter(clock.local_day(event.at, world.settings.timezone) for event in mine)
    days = {d: n for d, n in found.items() if d <= day}
    if isinstance(did, str) and did in world.settings.activities:
        return {d: n for d, n in days.items() if suffices(world, range(n), did)}
    return days


def _counts(world: World, event: Event, did: str | EventCondition) -> bool:
    from tests.oracle.conditions import holds_for_event  # noqa: PLC0415 -- they know each other
    from tests.oracle.scope import qualifies  # noqa: PLC0415

    if event.type in MARKERS:
        return False
    if isinstance(did, str):
        return qualifies(world, event, did) if did in world.settings.activities else event.type == did
    types, where = did.events, did.where
    return (types is None or event.type in types) and all(holds_for_event(world, one, event) for one in where)
