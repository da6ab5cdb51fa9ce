"""Retention, one start and one return at a time."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from regulars.domain.query import EventCondition
from tests.oracle.attributes import event_value
from tests.oracle.clock import Bucket, bucket_of, end_of_day
from tests.oracle.conditions import holds_for_event
from tests.oracle.scope import Scope, qualifies, shown, suffices

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.domain.query import Query
    from tests.oracle.scope import Slice
    from tests.oracle.world import Event, World

DAY = timedelta(days=1)
LENGTHS = {"hour": timedelta(hours=1), "day": DAY, "week": 7 * DAY, "month": 30 * DAY}
HORIZONS = {"hour": 24, "day": 30, "week": 12, "month": 12}
Inside = "Callable[[Slice], bool]"


@dataclass(frozen=True)
class Start:
    """One entry into a cohort; a registration has a day and no event."""

    user: str
    day: date
    event: Event | None = None


@dataclass
class Row:
    """One cell: the row, the day on which its period opens, and the people behind its two counts."""

    values: dict[str, Any]
    opens: date
    cohort: set[str]
    back: set[str]


class Retention:
    """One question about retention. Needs at least one event that has happened by now."""

    def __init__(self, world: World, query: Query) -> None:
        self.world, self.query, self.options = world, query, query.options
        self.unit = query.range.grain
        plain = msgspec.structs.replace(query.range, grain="day" if self.unit == "hour" else self.unit)
        self.scope = Scope(world, msgspec.structs.replace(query, metric="active_users", options={}, range=plain))
        self.buckets = self.scope.buckets(plain.grain)
        self.length = LENGTHS[self.unit] * query.range.every
        self.clock = self.options.get("clock") or "calendar"
        self.cohort = self.options.get("cohort") or "first_time"
        self.least = self.options.get("min_occurrences") or 1
        self.start = self.options.get("start_event") or query.activity
        self.back = self.options.get("return_event") or query.activity
        self.by_event = any(prop.level == "event" for prop in self.scope.breakdown)
        horizon = self.options.get("horizon") or HORIZONS[self.unit]
        self.spans = self.options.get("brackets") or [(n, n) for n in range(horizon + 1)]
        self.is_open = self.options.get("kind") == "on_or_after"

    # --- events -----------------------------------------------------------------------------------------

    def matching(self, asked: str | EventCondition) -> list[Event]:
        """The events up to the watermark that an activity, an event type or a condition means, in their order."""
        seen = [e for e in self.world.distinct_events() if self.scope.day_of[e.event_id] <= self.scope.watermark]
        found = [event for event in seen if self._means(asked, event)]
        return sorted(found, key=lambda e: (e.at, e.sequence is None, e.sequence or 0, e.event_id))

    def _means(self, asked: str | EventCondition, event: Event) -> bool:
        if isinstance(asked, str) and asked in self.world.settings.activities:
            return qualifies(self.world, event, asked) and self._on_active_day(asked, event)
        if not qualifies(self.world, event, "any"):
            return False
        condition = EventCondition((asked,)) if isinstance(asked, str) else asked
        named = condition.events is None or event.type in condition.events
        return named and all(holds_for_event(self.world, one, event) for one in condition.where)

    def _on_active_day(self, activity: str, event: Event) -> bool:
        declared = self.world.settings.activity.get(activity)
        if declared is None or (declared.min_events == 1 and declared.max_events is None):
            return True
        day = self.scope.day_of[event.event_id]
        same = [
            other for other in self.world.distinct_events()
            if other.user == event.user and self.scope.day_of[other.event_id] == day
            and qualifies(self.world, other, activity)
        ]  # fmt: skip
        return suffices(self.world, same, activity)

    def passes(self, event: Event, option: str) -> bool:
        """Whether an event passes the filters of the question, and those for starts or returns only."""
        own = self.options.get(option) or ()
        return all(holds_for_event(self.world, one, event) for one in (*self.scope.event_filters, *own))

    @cached_property
    def returns(self) -> dict[str, list[Event]]:
        """The return events of each person."""
        found: dict[str, list[Event]] = {}
        for event in self.matching(self.back):
            if self.passes(event, "return_where"):
                found.setdefault(event.user, []).append(event)
        return found

    def part(self, event: Event) -> Slice:
        """What an event says about its slice."""
        return tuple(
            shown(event_value(self.world, event, prop)) if prop.level == "event" else None
            for prop in self.scope.breakdown
        )

    # --- entries ----------------------------------------------------------------------------------------

    def place(self, start: Start) -> Slice:
        """The slice of a start."""
        nothing: Slice = (None,) * len(self.scope.breakdown)
        return self.scope.slice_of(self.part(start.event) if start.event else nothing, start.user, start.day)

    def entries(self, inside: Callable[[Slice], bool]) -> list[Start]:
        """The starts of a slice, in the range."""
        if self.cohort == "registration":
            found = [Start(user.user_id, user.registration_date) for user in self.world.users.values()
                     if user.registration_date]  # fmt: skip
        else:
            found = self._starts(inside)
        first, last = self.buckets[0].first, self.scope.day_in(self.buckets[-1])
        return [
            start for start in found
            if first <= start.day <= last and self.scope.selected(start.user, start.day) and inside(self.place(start))
        ]  # fmt: skip

    def _starts(self, inside: Callable[[Slice], bool]) -> list[Start]:
        chosen: dict[Any, Start] = {}
        for event in self.matching(self.start):
            day, passed = self.scope.day_of[event.event_id], self.passes(event, "start_where")
            start = Start(event.user, day, event)
            if self.cohort == "first_time":
                chosen.setdefault(event.user, start)
                continue
            if not passed or (self.by_event and not inside(self.place(start))):
                continue
            bucket = next((b.first for b in self.buckets if b.first <= day <= self.scope.day_in(b)), None)
            if bucket is None and self.cohort != "first_matching":
                continue
            key: Any = event.user
            if self.cohort == "recurring":
                key = event.event_id if self.clock == "rolling" else (event.user, bucket)
            chosen.setdefault(key, start)
        return [start for start in chosen.values() if start.event and self.passes(start.event, "start_where")]

    # --- periods ----------------------------------------------------------------------------------------

    def number(self, start: Start, event: Event) -> int:
        """In which period after a start an event lies."""
        if self.clock == "rolling":
            assert start.event
            return (event.at - start.event.at) // self.length
        day = self.scope.day_of[event.event_id]
        if self.clock == "anchored":
            return (day - start.day) // self.length
        steps, bucket = 0, self.calendar(start.day, 0)
        while bucket.last < day:
            steps, bucket = steps + 1, self.calendar(bucket.last + DAY, 0)
        return steps

    def calendar(self, day: date, ahead: int) -> Bucket:
        """The calendar period so many after that of a day."""
        found = bucket_of(day, self.unit, self.world.settings.week_start, *self.scope.steps)
        for _ in range(ahead):
            found = bucket_of(found.last + DAY, self.unit, self.world.settings.week_start, *self.scope.steps)
        return found

    def came_back(self, start: Start, span: tuple[int, int], is_same_slice: Callable[[Slice], bool]) -> bool:
        """Whether a start has enough return events in some periods."""
        is_same = self.start == self.back and self.options.get("start_where") == self.options.get("return_where")
        counts_start = is_same and (self.clock == "calendar" or self.least > 1)
        events = []
        for event in self.returns.get(start.user, []):
            if start.event is None:
                is_fit = self.scope.day_of[event.event_id] >= start.day
            else:
                is_itself = event.event_id == start.event.event_id
                is_fit = counts_start if is_itself else event.at >= start.event.at
            if self.options.get("match_breakdown") and self.by_event:
                is_fit = is_fit and is_same_slice(self.scope.slice_of(self.part(event), event.user, start.day))
            if is_fit:
                events.append(self.number(start, event))
        if self.is_open:
            return any(events.count(n) >= self.least for n in events if span[0] <= n <= self.spans[-1][1])
        return sum(span[0] <= n <= span[1] for n in events) >= self.least

    def bounds(self, bucket: Bucket, first: int, last: int) -> tuple[date, date]:
        """The day on which the earliest of a cohort can return in a period, and the last day for the latest."""
        if self.clock == "calendar":
            return self.calendar(bucket.first, first).first, self.calendar(bucket.first, last).last
        end = self.scope.day_in(bucket)
        if self.unit == "hour":
            return bucket.first + first // 24 * DAY, end + (last + 1) // 24 * DAY + DAY
        days = self.length.days
        return bucket.first + first * days * DAY, end + (last * days + days - 1) * DAY

    def is_over(self, starts: list[Start], closes: date, last: int) -> bool:
        """Whether nothing can change in a cell any more."""
        if self.clock != "rolling" or not starts:
            return self.scope.is_complete(closes)
        done = self.scope.watermark if self.scope.is_complete(self.scope.watermark) else self.scope.watermark - DAY
        newest: datetime = max(start.event.at for start in starts if start.event)
        return newest + (last + 1) * self.length <= end_of_day(done, self.world.settings.timezone)

    # --- rows -------------------------------------------------------------------------------------------

    def groups(self) -> list[tuple[Slice, Callable[[Slice], bool], bool]]:
        """The largest slices, and the rest."""
        if not self.query.breakdown:
            return [((), lambda _: True, False)]
        everything = self.entries(lambda _: True)
        places = {self.place(start) for start in everything}
        if self.by_event:
            places |= {self.scope.slice_of(self.part(e), e.user, self.scope.day_of[e.event_id])
                       for e in self.matching(self.start)}  # fmt: skip
        sizes = {place: len({s.user for s in self.entries(lambda p, own=place: p == own)}) for place in places}
        ordered = sorted((place for place in sizes if sizes[place]), key=lambda place: (-sizes[place], place))
        top = ordered[: self.query.limit]
        groups: list[Any] = [(place, lambda p, own=place: p == own, False) for place in top]
        if len(ordered) > len(top):
            groups.append(((None,) * len(self.query.breakdown), lambda p: p not in top, True))
        return groups

    def rows(self) -> list[Row]:
        """Every cell that has begun."""
        if not self.buckets:
            return []
        groups = [(place, inside, is_other, self.entries(inside)) for place, inside, is_other in self.groups()]
        found = []
        for bucket in self.buckets:
            for place, inside, is_other, entries in groups:
                starts = [s for s in entries if bucket.first <= s.day <= self.scope.day_in(bucket)]
                for span in self.spans:
                    row = self.cell(bucket, place, span, starts, inside)
                    if row is not None:
                        row.values["flags"] = sorted([*row.values["flags"], *(["other"] if is_other else [])])
                        found.append(row)
        return found

    def cell(
        self, bucket: Bucket, place: Slice, span: tuple[int, int], starts: list[Start], inside: Callable[[Slice], bool]
    ) -> Row | None:
        """One cell, unless it has not begun."""
        last = self.spans[-1][1] if self.is_open else span[1]
        opens, closes = self.bounds(bucket, span[0], last)
        if opens > self.scope.watermark:
            return None
        cohort = {start.user for start in starts}
        back = {start.user for start in starts if self.came_back(start, span, inside)}
        low, high = wilson(len(back), len(cohort))
        flags = set() if self.is_over(starts, closes, last) else {"incomplete"}
        young = bucket.first < self.scope.first_day + 30 * DAY
        young = bucket.first < self.scope.first_day if self.cohort == "registration" else young
        may_be_older = self.cohort in ("first_time", "first_matching", "registration")
        flags |= {"warming_up"} if young and may_be_older else set()
        ended = {"period_end": span[1]} if self.options.get("brackets") else {}
        values = {
            "date": bucket.first, **dict(zip(self.query.breakdown, place, strict=True)), "period": span[0], **ended,
            "cohort_size": len(cohort), "retention_users": len(back),
            "retention": len(back) / len(cohort) if cohort else None, "low": low, "high": high, "flags": flags,
        }  # fmt: skip
        return Row(values, opens, cohort, back)

    def averages(self) -> list[dict[str, Any]]:
        """Each slice and period over its cohorts: cells that are over, and whose returns could be seen."""
        names = [*self.query.breakdown, "period"]
        found: dict[Any, list[Row]] = {}
        for row in self.rows():
            own = found.setdefault(("other" in row.values["flags"], *(row.values[name] for name in names)), [])
            is_unseen = self.cohort == "registration" and row.opens < self.scope.first_day
            if "incomplete" not in row.values["flags"] and not is_unseen:
                own.append(row)
        return [
            {"is_other": key[0], **dict(zip(names, key[1:], strict=True)), **self._average(own)}
            for key, own in found.items()
        ]

    def _average(self, rows: list[Row]) -> dict[str, Any]:
        size, back = (sum(row.values[name] for row in rows) for name in ("cohort_size", "retention_users"))
        rates = [row.values["retention"] for row in rows if row.cohort]
        low, high = wilson(back, size) if self.cohort != "recurring" else (None, None)
        share = back / size if size else None
        if self.options.get("average") == "simple":
            low, high, share = None, None, statistics.fmean(rates) if rates else None
        return {
            "cohorts": len(rows), "cohort_size": size, "retention_users": back, "retention": share, "low": low,
            "high": high,
        }  # fmt: skip


def retention(world: World, query: Query) -> list[Row]:
    """The cells of a question about retention."""
    return [] if Scope.is_empty(world) else Retention(world, query).rows()


def averages(world: World, query: Query) -> list[dict[str, Any]]:
    """Its cells put together over the cohorts."""
    return [] if Scope.is_empty(world) else Retention(world, query).averages()


def wilson(part: int, whole: int) -> tuple[float | None, float | None]:
    """The shares whose score test does not refuse what was seen: the roots of a quadratic."""
    if not whole:
        return None, None
    z2 = 1.959963984540054**2
    a, b, c = whole + z2, -(2 * part + z2), part * part / whole
    root = math.sqrt(max(b * b - 4 * a * c, 0))
    return max((-b - root) / (2 * a), 0.0), min((-b + root) / (2 * a), 1.0)
