"""Funnels by trying: every event that may take a step is tried for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from regulars.domain.query import Filter
from tests.oracle.conditions import holds_for_event
from tests.oracle.scope import MISSING, Scope, qualifies

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.domain.query import Query
    from tests.oracle.scope import Slice
    from tests.oracle.world import Event, World

Times = tuple[datetime | None, ...]


@dataclass(frozen=True)
class Attempt:
    """One way through a funnel: who, from which event, the steps reached, and when each of them was."""

    user: str
    entry: Event
    day: date
    depth: int
    times: Times
    place: Slice


class Way:
    """A funnel as a question asks for it."""

    def __init__(self, world: World, options: dict[str, Any]) -> None:
        self.world = world
        self.steps = [step if isinstance(step, dict) else {"activity": step} for step in options["steps"]]
        self.order = options.get("order", "ordered")
        within = options.get("within", {"value": 14, "unit": "day"})
        self.within = timedelta(**{f"{within['unit']}s": within["value"]})
        self.ties = options.get("ties", "any")
        self.exclusions = options.get("exclusions", ())
        self.attribution = options.get("attribution", "first")
        self.slots = [n for n, step in enumerate(self.steps) for _ in range(step.get("times", 1))]
        self._fitting: dict[tuple[int, str], bool] = {}

    def takes(self, number: int, event: Event) -> bool:
        """Whether an event can take a step."""
        key = (number, event.event_id)
        if key not in self._fitting:
            self._fitting[key] = fits(self.world, self.steps[number], event)
        return self._fitting[key]

    def takes_any(self, event: Event) -> bool:
        """Whether an event can take some step."""
        return any(self.takes(number, event) for number, _ in enumerate(self.steps))

    def may_follow(self, chosen: tuple[Event, ...], event: Event) -> bool:
        """Whether an event may come after others of a way."""
        if any(event is each for each in chosen):
            return False
        last = chosen[-1]
        if event.at != last.at:
            return event.at > last.at
        if self.ties == "any":
            numbers = [each.sequence for each in chosen if each.at == event.at and each.sequence is not None]
            return event.sequence is None or all(number <= event.sequence for number in numbers)
        if event.sequence is None or last.sequence is None:
            return False
        return self.ties == "sequence" and event.sequence > last.sequence


def fits(world: World, condition: dict[str, Any] | str, event: Event) -> bool:
    """Whether an event meets a condition: an activity, an event type, or types with filters."""
    if isinstance(condition, str):
        condition = {"activity": condition}
    if not qualifies(world, event, "any"):
        return False
    if "activity" in condition:
        name = condition["activity"]
        return qualifies(world, event, name) if name in world.settings.activities else event.type == name
    types = condition.get("events")
    where = msgspec.convert(condition.get("where", ()), tuple[Filter, ...])
    return (types is None or event.type in types) and all(holds_for_event(world, each, event) for each in where)


def lexically(times: Times) -> tuple[datetime, ...]:
    """A key that puts the earliest first, and what never was last."""
    return tuple(each or datetime.max for each in times)


# --- one attempt ------------------------------------------------------------------------------------------


def ordered_times(way: Way, events: list[Event], entry: Event) -> Times:
    """When every slot is filled by the earliest way from an event, trying every event for every slot."""
    total = len(way.slots)

    @cache
    def rest(slot: int, here: tuple[int, ...]) -> Times:
        """The best times of the slots from ``slot`` on, when those before ended with these events of one instant."""
        if slot == total:
            return ()
        chosen = tuple(events[each] for each in here)
        found: list[Times] = [(None,) * (total - slot)]
        for place, event in enumerate(events):
            if way.takes(way.slots[slot], event) and way.may_follow(chosen, event):
                together = (*here, place) if event.at == chosen[-1].at else (place,)
                found.append((event.at, *rest(slot + 1, together)))
        return min(found, key=lexically)

    return (entry.at, *rest(1, (events.index(entry),)))


def surely_before(one: Event, other: Event) -> bool:
    """Whether nobody could take two events for being the other way round."""
    if one.at != other.at:
        return one.at < other.at
    return one.sequence is not None and other.sequence is not None and one.sequence < other.sequence


def strict_times(way: Way, events: list[Event], entry: Event) -> Times:
    """When the slots are filled if each event must be the very next one, by every way there is."""
    total = len(way.slots)

    def is_next(one: Event, other: Event) -> bool:
        return not any(surely_before(one, each) and surely_before(each, other) for each in events)

    def rest(chosen: tuple[Event, ...]) -> list[Times]:
        slot = len(chosen)
        found: list[Times] = [(*(each.at for each in chosen), *[None] * (total - slot))]
        for event in events if slot < total else []:
            soon = event.at <= entry.at + way.within
            if (
                soon
                and way.takes(way.slots[slot], event)
                and may_come(way, chosen, event)
                and is_next(chosen[-1], event)
            ):
                found += rest((*chosen, event))
        return found

    return min(rest((entry,)), key=lambda times: (-depth_of(steps_of(way, times)), lexically(steps_of(way, times))))


def may_come(way: Way, chosen: tuple[Event, ...], event: Event) -> bool:
    """Whether an event may come next, of those of its instant and of all."""
    together = tuple(each for each in chosen if each.at == chosen[-1].at)
    return not any(event is each for each in chosen) and way.may_follow(together, event)


def any_times(way: Way, events: list[Event], entry: Event) -> Times:
    """When one more step is filled, whichever events fill which, from the instant of an event on."""
    need = [way.slots.count(number) for number, _ in enumerate(way.steps)]
    states = {(0,) * len(need)}
    times: list[datetime] = []
    for event in sorted(events, key=lambda each: each.at):
        if event.at < entry.at:
            continue
        takes = [number for number, _ in enumerate(need) if way.takes(number, event)]
        states |= {
            tuple(min(have + (place == number), need[place]) for place, have in enumerate(state))
            for state in states for number in takes
        }  # fmt: skip
        filled = max(sum(have == full for have, full in zip(state, need, strict=True)) for state in states)
        times += [event.at] * (filled - len(times))
    return (*times, *[None] * (len(need) - len(times)))


def steps_of(way: Way, times: Times) -> Times:
    """The times of steps from those of slots: a step is done with its last slot."""
    return tuple(
        times[max(n for n, step in enumerate(way.slots) if step == number)] for number, _ in enumerate(way.steps)
    )


def step_times(way: Way, events: list[Event], entry: Event) -> Times:
    """When the steps of an attempt are done, as far as the window and the exclusions let it come."""
    if way.order == "any":
        found = any_times(way, events, entry)
        return tuple(at if at is not None and at <= entry.at + way.within else None for at in found)
    if way.order == "strict":
        return steps_of(way, strict_times(way, events, entry))
    return cut(way, events, ordered_times(way, events, entry))


def cut(way: Way, events: list[Event], times: Times) -> Times:
    """The times of the steps, as far as the window and the exclusions let the attempt come."""
    of_step = steps_of(way, times)
    begun = times[0]
    assert begun is not None
    ends = [begun + way.within]
    for each in way.exclusions:
        after, before = of_step[each["after_step"] - 1], of_step[each["before_step"] - 1]
        between = [
            e.at for e in events
            if fits(way.world, each["event"], e) and after and e.at > after and (before is None or e.at < before)
        ]  # fmt: skip
        ends += sorted(between)[:1]
    return tuple(at if at is not None and at <= min(ends) else None for at in of_step)


def depth_of(times: Times) -> int:
    """How many steps were reached, one after the other."""
    return next((number for number, at in enumerate(times) if at is None), len(times))


def shown_days(scope: Scope) -> tuple[date, date]:
    """The first and last day on which an attempt may begin: a trend has whole buckets."""
    if scope.query.metric != "funnel_trend":
        return scope.asked_days()
    found = scope.buckets(scope.query.grain)
    return (found[0].first, found[-1].last) if found else (date.max, date.min)


# --- all attempts -----------------------------------------------------------------------------------------


def attempts(scope: Scope, way: Way) -> list[Attempt]:
    """Every attempt that begins in the range, by people in scope, with the slice in which it stands."""
    first, last = shown_days(scope)
    parts: dict[tuple[str, Slice], list[Event]] = {}
    for event in scope.world.distinct_events():
        counts = all(holds_for_event(scope.world, condition, event) for condition in scope.event_filters)
        counts = counts and qualifies(scope.world, event, "any")
        if counts and first <= scope.day_of[event.event_id] <= scope.watermark:
            shared = part_of(scope, event) if way.attribution == "all" else ()
            parts.setdefault((event.user, shared), []).append(event)
    found = []
    for (user, _), events in parts.items():
        for entry in events:
            day = scope.day_of[entry.event_id]
            begins = way.takes_any(entry) if way.order == "any" else way.takes(0, entry)
            if day <= last and begins and scope.selected(user, day):
                times = step_times(way, events, entry)
                place = scope.slice_of(part_of(scope, entry), user, day)
                found.append(Attempt(user, entry, day, depth_of(times), times, place))
    return labelled(scope, way, [each for each in found if each.depth], parts)


def part_of(scope: Scope, event: Event) -> Slice:
    """What an event says about its slice."""
    return scope._event_part(event)


def rank(attempt: Attempt) -> tuple[Any, ...]:
    """The key of the attempt that counts: the deepest, of equals the earliest."""
    return -attempt.depth, attempt.entry.at, lexically(attempt.times)


def labelled(scope: Scope, way: Way, found: list[Attempt], parts: dict[Any, list[Event]]) -> list[Attempt]:
    """Attempts as they are, or those that count with the value of another step than the first."""
    levels = [prop.level for prop in scope.breakdown]
    if "event" not in levels or way.attribution in ("first", "all"):
        return found
    steady: dict[tuple[Any, ...], list[Attempt]] = {}
    for each in found:
        fixed = tuple(value for value, level in zip(each.place, levels, strict=True) if level != "event")
        steady.setdefault((each.user, bucket_of(scope, each), fixed), []).append(each)
    named = []
    for group in steady.values():
        best = min(group, key=rank)
        step = best.depth if way.attribution == "last" else int(way.attribution.removeprefix("step:"))
        taken = [
            e for e in parts[best.user, ()]
            if best.depth >= step and e.at == best.times[step - 1]
            and (way.takes_any(e) if way.order == "any" else way.takes(step - 1, e))
        ]  # fmt: skip
        part = part_of(scope, min(taken, key=lambda e: e.event_id)) if taken else (MISSING,) * len(levels)
        place = tuple(
            new if level == "event" else old for new, old, level in zip(part, best.place, levels, strict=True)
        )
        named.append(Attempt(best.user, best.entry, best.day, best.depth, best.times, place))
    return named


def bucket_of(scope: Scope, attempt: Attempt) -> date | None:
    """The entry bucket, where attempts of different buckets are counted apart."""
    if scope.query.metric != "funnel_trend":
        return None
    return next(b.first for b in scope.buckets(scope.query.grain) if b.first <= attempt.day <= b.last)


@dataclass(frozen=True)
class Group:
    """One slice of the answer with the attempts that count in it, by entry bucket."""

    place: Slice
    best: dict[date | None, list[Attempt]]
    is_other: bool = False

    def reached(self, step: int, bucket: date | None = None) -> list[Attempt]:
        """The attempts that reached a step."""
        return [each for each in self.best.get(bucket, ()) if each.depth >= step]


def groups(scope: Scope, way: Way) -> list[Group]:
    """The slices with most people, and the rest as one."""
    found = attempts(scope, way)
    people: dict[Slice, set[str]] = {} if scope.query.breakdown else {(): set()}
    for each in found:
        people.setdefault(each.place, set()).add(each.user)
    order = sorted(people, key=lambda place: (-len(people[place]), place))
    top = order[: scope.query.limit]

    def made(place: Slice, inside: Callable[[Slice], bool], *, is_other: bool = False) -> Group:
        best: dict[tuple[str, date | None], list[Attempt]] = {}
        for each in found:
            if inside(each.place):
                best.setdefault((each.user, bucket_of(scope, each)), []).append(each)
        chosen: dict[date | None, list[Attempt]] = {}
        for (_, bucket), mine in best.items():
            chosen.setdefault(bucket, []).append(min(mine, key=rank))
        return Group(place, chosen, is_other)

    shown = [made(place, lambda each, place=place: each == place) for place in top]  # type: ignore[misc]  # a lambda cannot be annotated
    if len(order) > len(top):
        shown.append(made((None,) * len(scope.breakdown), lambda each: each not in top, is_other=True))
    return shown


# --- rows -------------------------------------------------------------------------------------------------


def quantile(values: list[float], share: float) -> float:
    """The quantile that lies between two values as far as its share says."""
    ordered, spot = sorted(values), (len(values) - 1) * share
    low = int(spot)
    high = min(low + 1, len(values) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (spot - low)


def flags_of(scope: Scope, way: Way, group: Group, last: date) -> list[str]:
    """Not final before the window of the last possible entry is over; and whether it is the rest."""
    ahead = timedelta(days=-(-way.within // timedelta(days=1)))
    found = [] if scope.is_complete(last + ahead) else ["incomplete"]
    return sorted(found + (["other"] if group.is_other else []))


def scope_of(world: World, query: Query) -> Scope | None:
    """What the question looks at; None when there is nothing to show."""
    if Scope.is_empty(world):
        return None
    scope = Scope(world, query)
    first, _ = shown_days(scope)
    return scope if first <= scope.watermark else None


def funnel_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """The counts and times of every step in every slice, and the people behind them under ``people``."""
    scope, way = scope_of(world, query), Way(world, query.options)
    if scope is None:
        return []
    rows = []
    for group in groups(scope, way):
        names = dict(zip(query.breakdown, group.place, strict=True))
        for step in range(1, len(way.steps) + 1):
            reached = group.reached(step)
            further = {each.user for each in group.reached(step + 1)} if step < len(way.steps) else None
            users = {each.user for each in reached}
            dropped = set() if further is None else users - further
            took = [(each.times[step - 1], each.entry.at) for each in reached]
            seconds = [(at - begun) / timedelta(seconds=1) for at, begun in took if at is not None]
            known = seconds if step > 1 else []
            rows.append({
                **names, "step": step, "users": len(users), "dropped": len(dropped),
                "seconds_mean": sum(known) / len(known) if known else None,
                "seconds_median": quantile(known, 0.5) if known else None,
                "seconds_p90": quantile(known, 0.9) if known else None,
                "flags": flags_of(scope, way, group, scope.asked_days()[1]),
                "people": {"users": users, "dropped": dropped},
            })  # fmt: skip
    return rows


def trend_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """Who began in every bucket, and who of them went through."""
    scope, way = scope_of(world, query), Way(world, query.options)
    if scope is None:
        return []
    rows = []
    found = groups(scope, way)
    for bucket in scope.buckets(query.grain):
        for group in found:
            names = dict(zip(query.breakdown, group.place, strict=True))
            entered = {each.user for each in group.reached(1, bucket.first)}
            converted = {each.user for each in group.reached(len(way.steps), bucket.first)}
            flags = flags_of(scope, way, group, bucket.last)
            rows.append({
                "date": bucket.first, **names, "entered": len(entered), "converted": len(converted), "flags": flags,
                "people": {"entered": entered, "converted": converted},
            })  # fmt: skip
    return rows


def time_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """Who took how long from one step to another, in bins given in seconds."""
    scope, way = scope_of(world, query), Way(world, query.options)
    if scope is None:
        return []
    begin, end = query.options["from_step"], query.options["to_step"]
    whole = int(way.within / timedelta(seconds=1))
    edges = sorted({0, *query.options["bins"], whole})
    rows = []
    for group in groups(scope, way):
        names = dict(zip(query.breakdown, group.place, strict=True))
        took = {each.user: (each.times[end - 1] - each.times[begin - 1]) for each in group.reached(end)}
        for low, high in pairwise(edges):
            users = {
                user for user, time in took.items()
                if timedelta(seconds=low) <= time < timedelta(seconds=high) or (time == way.within and high == whole)
            }  # fmt: skip
            flags = flags_of(scope, way, group, scope.asked_days()[1])
            rows.append({
                **names, "lower_seconds": low, "upper_seconds": high, "users": len(users), "flags": flags,
                "people": {"users": users},
            })  # fmt: skip
    return rows
