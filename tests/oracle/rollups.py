"""What is counted ahead of time, counted again: arrivals, their slices, retention, tiers, and the daily overview."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.oracle.attributes import event_value, resolve, user_value
from tests.oracle.clock import days_between, local_day
from tests.oracle.scope import CLOCK_SKEW, qualifies, shown, suffices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from tests.oracle.world import Event, World

Chain = dict["date", int]
"""Active day -> qualifying events."""
Row = tuple[object, ...]

GAP_CAP = 366
TIERS = ((20, "power"), (16, "core"), (6, "regular"), (1, "casual"))
# The one name under which a property is stored.
STORED_NAMES = {
    "feature": "event.feature", "feature.name": "event.feature", "action": "event.action", "category": "event.category",
    "device.platform": "event.platform", "geo.region": "event.region",
}  # fmt: skip


def chains(world: World, activity: str, by: str | None = None) -> dict[tuple[str, str], Chain]:
    """(value of an event property, person) -> active days in that slice; the value is '' for everything together."""
    found: dict[tuple[str, str], dict[date, list[Event]]] = defaultdict(lambda: defaultdict(list))
    for event in world.distinct_events():
        if qualifies(world, event, activity):
            value = "" if by is None else shown(event_value(world, event, resolve(world, by)))
            found[value, event.user][local_day(event.at, world.settings.timezone)].append(event)
    return {
        key: {day: len(events) for day, events in sorted(days.items()) if suffices(world, events, activity)}
        for key, days in found.items()
    }


def gaps(chain: Chain) -> Iterator[tuple[date, int | None]]:
    """Every active day with the days since the one before; None for the first."""
    days = list(chain)
    for number, day in enumerate(days):
        yield day, (day - days[number - 1]).days if number else None


def stored_names(world: World) -> dict[str, str]:
    """Stored name -> how the settings spell the property."""
    return {STORED_NAMES.get(name, name): name for name in world.settings.rollups.event_dimensions}


def sliced_arrivals(world: World) -> list[Row]:
    """Rows of sliced_arrivals, with user ids."""
    return [
        (activity, name, value, user, day, gap, chain[day])
        for activity in world.settings.stored_activities
        for name, spelled in stored_names(world).items()
        for (value, user), chain in chains(world, activity, spelled).items()
        for day, gap in gaps(chain)
    ]


def histograms(world: World) -> dict[Row, int]:
    """Rows of agg_arrivals: the key, and the people."""
    rollups, found = world.settings.rollups, Counter[Row]()
    slices = {("overall",), *((name,) for name in rollups.dimensions), *(tuple(sorted(pair)) for pair in rollups.pairs)}
    for activity in world.settings.stored_activities:
        for (_, user), chain in chains(world, activity).items():
            for names in slices:
                values = [shown(user_value(world, user, name)) if name != "overall" else "" for name in names]
                place = (",".join(names), values[0], values[1] if len(values) > 1 else "")
                found.update(_histogram(world, activity, user, place, chain))
        for name, spelled in stored_names(world).items():
            for (value, user), chain in chains(world, activity, spelled).items():
                found.update(_histogram(world, activity, user, (name, value, ""), chain))
    return dict(found)


def _histogram(world: World, activity: str, user: str, place: Row, chain: Chain) -> Iterator[Row]:
    for day, gap in gaps(chain):
        capped = None if gap is None else min(gap, GAP_CAP)
        yield activity, world.population_of(user), *place, day, capped


def retention(world: World) -> dict[Row, int]:
    """Rows of agg_retention: the key, and the people."""
    found = Counter[Row]()
    for activity in world.settings.stored_activities:
        for (_, user), chain in chains(world, activity).items():
            first = min(chain, default=None)
            found.update((activity, world.population_of(user), first, (day - first).days) for day in chain if first)
    return dict(found)


def workspace_days(world: World, now: datetime) -> list[date]:
    """From the first day with any event to the last one that has begun."""
    begins: dict[date, datetime] = {}
    for event in world.distinct_events():
        day = local_day(event.at, world.settings.timezone)
        begins[day] = min(event.at, begins.get(day, event.at))
    past = [day for day, instant in begins.items() if instant <= now + CLOCK_SKEW]
    return days_between(min(begins), max(past)) if past else []


def tiers(world: World, now: datetime) -> dict[Row, int]:
    """(activity, population, day, tier) -> people, where there are any."""
    found = Counter[Row]()
    for activity in world.settings.stored_activities:
        for (_, user), chain in chains(world, activity).items():
            for day in workspace_days(world, now):
                tier = tier_on(chain, day)
                if tier != "not_yet_seen":
                    found[activity, world.population_of(user), day, tier] += 1
    return dict(found)


def tier_on(chain: Chain, day: date) -> str:
    """The tier of a person by the active days of the 30 days that end on a day."""
    if not any(active <= day for active in chain):
        return "not_yet_seen"
    recent = active_within(chain, day, 30)
    return next((tier for least, tier in TIERS if recent >= least), "dormant")


def active_within(chain: Chain, day: date, window: int) -> int:
    """Active days among the ``window`` days that end on ``day``."""
    return sum(day - timedelta(days=window - 1) <= active <= day for active in chain)


def daily_active(world: World, now: datetime) -> list[Row]:
    """Rows of agg_daily_active without the ratios: a dense grid of days and the slices that anybody stood in."""
    days = workspace_days(world, now)
    found = []
    for place, people in _slices(world).items():
        met = [chain for chain in people if any(day <= max(days, default=day) for day in chain)]
        for day in days if met else ():
            dau, wau, mau = (sum(active_within(chain, day, window) > 0 for chain in met) for window in (1, 7, 30))
            new = sum(min(chain) == day for chain in met)
            found.append((day, *place, dau, wau, mau, new, dau - new))
    return found


def _slices(world: World) -> dict[Row, list[Chain]]:
    """(population, feature, device type, country) -> the chains of its people; None for all."""
    rollups, found = world.settings.rollups, defaultdict[Row, list[Chain]](list)
    both = any(set(pair) == {"country", "device_type"} for pair in rollups.pairs)
    for (_, user), chain in chains(world, "core").items():
        device, country = (shown(user_value(world, user, name)) for name in ("device_type", "country"))
        places: list[Row] = [(None, None, None)]
        places += [(None, device, None)] if "device_type" in rollups.dimensions else []
        places += [(None, None, country)] if "country" in rollups.dimensions else []
        places += [(None, device, country)] if both else []
        for place in places if chain else ():
            found[world.population_of(user), *place].append(chain)
    spelled = stored_names(world).get("event.feature")
    for (value, user), chain in chains(world, "core", spelled).items() if spelled else ():
        if chain:
            found[world.population_of(user), value, None, None].append(chain)
    return found
