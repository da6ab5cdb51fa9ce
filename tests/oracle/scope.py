"""What one query looks at: its days, its people and, slice by slice, the days on which they were active."""

from __future__ import annotations

from datetime import timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING

import msgspec

from regulars.domain.actions import MARKERS
from regulars.settings import BUILT_IN_ACTIVITIES, Activity
from tests.oracle import clock
from tests.oracle.attributes import event_value, resolve, user_value, value_at
from tests.oracle.conditions import (
    holds_for_event,
    holds_for_user,
    is_event_level,
    is_time_dependent,
)
from tests.oracle.sessions import sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Sized
    from datetime import date

    from regulars.domain.query import Query
    from tests.oracle.clock import Bucket
    from tests.oracle.sessions import Session
    from tests.oracle.world import Event, World

Slice = tuple[str | None, ...]
"""One text per breakdown; in the event part of a slice, None stands for what the event does not decide."""

MISSING = "(none)"
DEFAULT_DAYS = 90
CLOCK_SKEW = timedelta(minutes=5)


def shown(value: str | None) -> str:
    """A value as a slice shows it: missing is a value of its own."""
    return MISSING if value is None else value


def qualifies(world: World, event: Event, activity: str) -> bool:
    """Whether an event counts for an activity."""
    if event.type in MARKERS:
        return False
    action, declared = world.settings.action(event.type), world.settings.activity.get(activity, Activity())
    built_in = {
        "core": action.is_core_action,
        "any": True,
        "conversion": action.is_conversion_event,
        "core_feature": event.feature in world.settings.core_features,
    }
    if activity in BUILT_IN_ACTIVITIES:
        return built_in[activity]
    counts = declared.events is None or event.type in declared.events
    return counts and all(holds_for_event(world, condition, event) for condition in declared.where)


def suffices(world: World, events: Sized, activity: str) -> bool:
    """Whether so many qualifying events of a day make a person active."""
    declared = world.settings.activity.get(activity, Activity())
    return len(events) >= declared.min_events and (declared.max_events is None or len(events) <= declared.max_events)


def depends_on_time(world: World, query: Query) -> bool:
    """Whether a person can be selected, or stand in a slice, on one day and not on another."""
    conditions = [f for f in query.filters if not is_event_level(world, f)]
    return any(resolve(world, name).level == "time" for name in query.breakdown) or any(
        is_time_dependent(world, condition) for condition in conditions
    )


class Scope:
    """One query on one world. Needs at least one event that has happened by now."""

    def __init__(self, world: World, query: Query) -> None:
        self.world, self.query = world, query
        self.timezone = world.settings.timezone
        self.day_of = {e.event_id: clock.local_day(e.at, self.timezone) for e in world.distinct_events()}
        self.first_day = min(self.day_of.values())
        self.watermark = self._watermark()
        self.breakdown = [resolve(world, name) for name in query.breakdown]
        self.event_filters = [f for f in query.filters if is_event_level(world, f)]
        self.user_filters = [f for f in query.filters if not is_event_level(world, f)]
        self.chains = self._chains()
        self.selected = cache(self._selected)
        self.slice_of = cache(self._slice_of)

    @staticmethod
    def is_empty(world: World) -> bool:
        """Whether nothing has happened yet."""
        return not any(event.at <= world.now + CLOCK_SKEW for event in world.distinct_events())

    def _watermark(self) -> date:
        happened = [e for e in self.world.distinct_events() if e.at <= self.world.now + CLOCK_SKEW]
        newest = max(self.day_of[event.event_id] for event in happened)
        today = clock.local_day(self.world.now, self.timezone)
        return min(self.query.as_of, max(newest, today)) if self.query.as_of else newest

    # --- days -------------------------------------------------------------------------------------------

    def is_complete(self, day: date) -> bool:
        """Whether nothing can happen on this day any more."""
        if day == self.watermark:
            return self.world.now >= clock.end_of_day(day, self.timezone)
        return day < self.watermark

    def asked_days(self) -> tuple[date, date]:
        """First and last day of the range as asked, before it is widened."""
        asked = self.query.range
        end = asked.end or self.watermark
        start = asked.start or min(end, self.watermark) - timedelta(days=DEFAULT_DAYS - 1)
        return start, end

    def buckets(self, unit: str) -> list[Bucket]:
        """Every whole bucket of the range that begins up to the watermark."""
        start, end = self.asked_days()
        end = min(end, self.watermark)
        if unit == "hour":
            found = clock.hours(start, end, self.timezone) if start <= end else []
            return [hour for hour in found if hour.start <= self.world.now + CLOCK_SKEW]
        found = clock.periods(start, max(start, end), unit, self.world.settings.week_start, self.steps)
        return [bucket for bucket in found if bucket.first <= self.watermark]

    @property
    def steps(self) -> tuple[int, date | None]:
        """How many units a bucket has, and a day on which one begins."""
        asked = self.query.range
        if asked.every == 1 and asked.anchor is None:
            return 1, None
        start, _ = self.asked_days()
        return asked.every, asked.anchor or clock.period(start, asked.grain, self.world.settings.week_start).first

    def day_in(self, bucket: Bucket) -> date:
        """The day t at which a bucket is judged: its last one, or the watermark inside it."""
        return min(bucket.last, self.watermark)

    # --- people -----------------------------------------------------------------------------------------

    def _selected(self, user_id: str, day: date | None) -> bool:
        wanted = self.query.population
        if wanted not in ("all", self.world.population_of(user_id)):
            return False
        judged = [f for f in self.user_filters if day is not None or not is_time_dependent(self.world, f)]
        return all(holds_for_user(self.world, f, user_id, day or self.watermark) for f in judged)

    @property
    def depends_on_time(self) -> bool:
        """Whether a person can be selected, or stand in a slice, on one day and not on another."""
        return depends_on_time(self.world, self.query)

    @cached_property
    def visits(self) -> list[Session]:
        """Everybody's sessions, by the rules in the settings."""
        return sessions(self.world, **msgspec.structs.asdict(self.world.settings.sessions))

    # --- slices -----------------------------------------------------------------------------------------

    def _slice_of(self, event_part: Slice, user_id: str, day: date | None) -> Slice:
        """The slice in which a person stands on a day with events of this part."""
        values: list[str | None] = []
        for prop, from_event in zip(self.breakdown, event_part, strict=True):
            if prop.level == "user":
                values.append(shown(user_value(self.world, user_id, prop.name)))
            elif prop.level == "time":
                values.append(shown(value_at(self.world, user_id, prop.name, day or self.watermark)))
            else:
                values.append(from_event)
        return tuple(values)

    def _event_part(self, event: Event) -> Slice:
        return tuple(
            shown(event_value(self.world, event, prop)) if prop.level == "event" else None for prop in self.breakdown
        )

    # --- activity ---------------------------------------------------------------------------------------

    def qualifies(self, event: Event) -> bool:
        """Whether an event counts for the activity and the event-level filters of the query."""
        counts = qualifies(self.world, event, self.query.activity)
        return counts and all(holds_for_event(self.world, condition, event) for condition in self.event_filters)

    def _chains(self) -> dict[Slice, dict[str, dict[date, list[Event]]]]:
        """Event part of a slice -> person -> active day -> qualifying events, up to the watermark."""
        found: dict[Slice, dict[str, dict[date, list[Event]]]] = {}
        for event in self.world.distinct_events():
            day = self.day_of[event.event_id]
            if day <= self.watermark and self.qualifies(event):
                days = found.setdefault(self._event_part(event), {}).setdefault(event.user, {})
                days.setdefault(day, []).append(event)
        return {
            part: {
                user: {day: events for day, events in days.items() if suffices(self.world, events, self.query.activity)}
                for user, days in people.items()
            }
            for part, people in found.items()
        }

    def active_days(self, inside: Callable[[Slice], bool], day: date | None) -> dict[str, dict[date, list[Event]]]:
        """Person -> active day -> events, for those who are selected and stand in a slice on ``day``."""
        found: dict[str, dict[date, list[Event]]] = {}
        for part, people in self.chains.items():
            for user, days in people.items():
                if self.selected(user, day) and inside(self.slice_of(part, user, day)):
                    mine = found.setdefault(user, {})
                    for active_day, events in days.items():
                        mine.setdefault(active_day, []).extend(events)
        return found

    def active(self, inside: Callable[[Slice], bool], first: date, last: date, day: date | None) -> set[str]:
        """Who was active at least once from ``first`` to ``last``, judged on ``day`` (None: whatever the day)."""
        found = self.active_days(inside, day)
        return {user for user, days in found.items() if any(first <= active <= last for active in days)}
