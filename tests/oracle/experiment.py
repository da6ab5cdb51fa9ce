"""Experiments: who saw which variant first, what they did after that, and how many do not count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from tests.oracle import clock
from tests.oracle.answer import Group, none_of, only
from tests.oracle.attributes import as_text, event_value, resolve
from tests.oracle.conditions import holds_for_event, is_plain_number
from tests.oracle.funnels import fits
from tests.oracle.nps import part_of
from tests.oracle.scope import Scope, Slice

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.domain.query import Query
    from tests.oracle.world import Event, World

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Taker:
    """Somebody who takes part."""

    user: str
    variant: str
    place: Slice
    is_mature: bool
    now: float
    other: float


@dataclass
class Trial:
    """An experiment as a question sees it: who takes part, who and what does not count."""

    takers: list[Taker] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def trial(world: World, query: Query) -> tuple[Scope, Trial]:
    """Everybody whose first exposure ever lies in the range, with what they did."""
    scope = Scope(world, msgspec.structs.replace(query, metric="active_users", options={}))
    options, found = query.options, Trial()
    first, last = scope.asked_days()
    last = min(last, scope.watermark)
    horizon = min(last + timedelta(days=ahead(options)), scope.watermark)
    seen: dict[str, list[Event]] = {}
    for event in sorted(world.distinct_events(), key=age):
        if not exposes(event, options) or scope.day_of[event.event_id] > horizon:
            continue
        is_in = first <= scope.day_of[event.event_id] <= last
        if variant_of(event) is not None:
            seen.setdefault(event.user, []).append(event)
        elif is_in and passes(scope, event) and scope.selected(event.user, None):
            found.left_out["no_variant"] += 1
    for user, events in seen.items():
        day = scope.day_of[events[0].event_id]
        if first <= day <= last and passes(scope, events[0]) and scope.selected(user, day):
            enter(scope, options, events, found)
    return scope, found


def enter(scope: Scope, options: dict[str, Any], events: list[Event], found: Trial) -> None:
    """One person with all their exposures."""
    one, variants = events[0], {variant_of(event) for event in events}
    variant, day = variant_of(one), scope.day_of[one.event_id]
    assert variant is not None
    if len(variants) > 1:
        found.left_out["several_variants"] += 1
        return
    if options.get("variants") and variant not in options["variants"]:
        found.left_out["unplanned_variant"] += 1
        return
    is_mature = is_over(scope, options, one.at, day)
    if is_mature or not options.get("only_complete"):
        now, other = values(scope, options, one)
        place = scope.slice_of(part_of(scope, one), one.user, day)
        found.takers.append(Taker(one.user, variant, place, is_mature, now, other))


def age(event: Event) -> tuple[Any, ...]:
    """The order of a person's events."""
    return event.at, event.sequence is None, event.sequence or 0, event.event_id


def exposes(event: Event, options: dict[str, Any]) -> bool:
    """Whether it is an exposure to the experiment, within the bounds."""
    named = event.properties.get("experiment", event.properties.get("experiment_id"))
    bounds = [datetime.fromisoformat(options[name]).replace(tzinfo=None) if options.get(name) else None
              for name in ("since", "until")]  # fmt: skip
    return (
        event.type in ("experiment_viewed", "Experiment Viewed")
        and named == options["experiment"]
        and (bounds[0] is None or event.at >= bounds[0])
        and (bounds[1] is None or event.at <= bounds[1])
    )


def variant_of(event: Event) -> str | None:
    """Which variant it was."""
    value = event.properties.get("variant", event.properties.get("variation_id"))
    return None if value is None else as_text(value)


def passes(scope: Scope, event: Event) -> bool:
    """Whether an exposure passes the filters on events."""
    return all(holds_for_event(scope.world, condition, event) for condition in scope.event_filters)


def within(options: dict[str, Any]) -> timedelta:
    """The conversion window."""
    return timedelta(days=options.get("within", 14))


def ahead(options: dict[str, Any]) -> int:
    """How many days after the range are looked at."""
    return int(options.get("day", 7)) if options.get("measure") == "retention" else within(options).days + 1


def is_over(scope: Scope, options: dict[str, Any], at: datetime, day: date) -> bool:
    """Whether nothing can be added any more."""
    complete = scope.watermark if scope.is_complete(scope.watermark) else scope.watermark - DAY
    if options.get("measure") == "retention":
        return day + int(options.get("day", 7)) * DAY <= complete
    return at + within(options) < clock.end_of_day(complete, scope.timezone)


def values(scope: Scope, options: dict[str, Any], first: Event) -> tuple[float, float]:
    """What somebody did after the exposure, and the denominator, or the same before it."""
    measure, start = options.get("measure", "proportion"), first.at
    last_day = min(min(scope.asked_days()[1], scope.watermark) + timedelta(days=ahead(options)), scope.watermark)
    own = [e for e in scope.world.distinct_events() if e.user == first.user and scope.day_of[e.event_id] <= last_day]
    after = [e for e in own if start <= e.at <= start + within(options)]
    if measure == "retention":
        wanted = scope.day_of[first.event_id] + int(options.get("day", 7)) * DAY
        after = [e for e in own if scope.day_of[e.event_id] == wanted]
    default = "core" if measure in ("retention", "active_days") else "conversion"
    count = counter(scope, measure, options.get("event", default), options.get("property"))
    if measure == "ratio":
        per = counter(scope, "sum", options["per_event"], options.get("per_property"))
        return count(after), per(after)
    if options.get("cuped") is None:
        return count(after), 0.0
    return count(after), count([e for e in own if start - options["cuped"] * DAY <= e.at < start])


def counter(scope: Scope, measure: str, event: Any, name: str | None) -> Callable[[list[Event]], float]:
    """How a list of events becomes one number."""

    def number(events: list[Event]) -> float:
        counted = [e for e in events if fits(scope.world, event, e)]
        if measure in ("proportion", "retention"):
            return float(bool(counted))
        if measure == "active_days":
            return float(len({scope.day_of[e.event_id] for e in counted}))
        return sum((amount(scope, e, name) for e in counted), 0.0)

    return number


def amount(scope: Scope, event: Event, name: str | None) -> float:
    """The number an event carries, or 1 where events are counted."""
    if name is None:
        return 1.0
    text = event_value(scope.world, event, resolve(scope.world, name))
    return float(text) if text is not None and is_plain_number(text) else 0.0


def groups(scope: Scope, takers: list[Taker]) -> list[Group]:
    """The slices with most people, and the rest."""
    if not scope.query.breakdown:
        return [Group((), lambda _: True)]
    ranks = Counter(one.place for one in takers)
    ordered = sorted(ranks, key=lambda place: (-ranks[place], place))
    top = ordered[: scope.query.limit]
    rest = [Group((None,) * len(scope.breakdown), none_of(top), is_other=True)] if len(ordered) > len(top) else []
    return [*(Group(place, only(place)) for place in top), *rest]


def quantile(values: list[float], share: float) -> float:
    """Between two values, where the share lies between their ranks."""
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    low = int(place)
    return ranked[low] + (place - low) * (ranked[min(low + 1, len(ranked) - 1)] - ranked[low])


def experiment_rows(world: World, query: Query) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Per slice and variant the people and their values, after the cut, as lists; and what does not count."""
    if Scope.is_empty(world) or query.range.start is None or query.range.start > Scope(world, plain(query)).watermark:
        return [], Counter()
    scope, found = trial(world, query)
    names = sorted(query.options.get("variants") or {one.variant for one in found.takers})
    rows = []
    for group in groups(scope, found.takers):
        inside = [one for one in found.takers if group.inside(one.place)]
        positive = [one.now for one in inside if one.now]
        share = query.options.get("winsorize")
        cap = quantile(positive, share / 100) if share and positive else None
        for name in names:
            own = [one for one in inside if one.variant == name]
            rows.append({
                **dict(zip(query.breakdown, group.place, strict=True)), "variant": name, "is_other": group.is_other,
                "users": {one.user for one in own}, "converted": {one.user for one in own if one.now},
                "immature": {one.user for one in own if not one.is_mature}, "cap": cap,
                "values": [(one.now if cap is None else min(one.now, cap), one.other) for one in own],
            })  # fmt: skip
    return rows, +found.left_out


def plain(query: Query) -> Query:
    """The question about its days alone."""
    return msgspec.structs.replace(query, metric="active_users", options={}, breakdown=(), filters=())
