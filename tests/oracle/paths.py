"""Paths, one session or stretch of a person at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from regulars.domain.query import EventCondition
from tests.oracle.attributes import event_value, resolve
from tests.oracle.clock import local_day
from tests.oracle.conditions import RefusedError, holds_for_event
from tests.oracle.scope import Scope, qualifies, shown
from tests.oracle.sessions import visits

if TYPE_CHECKING:
    from regulars.domain.query import Query
    from tests.oracle.scope import Slice
    from tests.oracle.sessions import Visit
    from tests.oracle.world import Event, World

DAY = timedelta(days=1)
Node = tuple[str, str | None]
"""What stands in a cell: ``("node", its name)``, ``("rest", None)`` or ``("over", None)``."""
OVER: Node = ("over", None)
REST: Node = ("rest", None)


@dataclass(frozen=True)
class Path:
    """The events of one person that follow each other, and the day to which they belong."""

    user: str
    day: date
    events: list[Event]


@dataclass
class Row:
    """One row, and the people behind it."""

    values: dict[str, Any]
    people: set[str]


@dataclass
class Tally:
    """How often something was seen, and with whom."""

    paths: int = 0
    people: set[str] = field(default_factory=set)


class Paths:
    """One question about paths. Needs at least one event that has happened by now."""

    def __init__(self, world: World, query: Query) -> None:
        self.world, self.query, self.options = world, query, query.options
        declared = world.settings.activity.get(query.activity)
        if declared is not None and (declared.min_events > 1 or declared.max_events is not None):
            raise RefusedError("an activity of whole days makes no path")
        self.scope = Scope(world, msgspec.structs.replace(query, metric="active_users", options={}))
        self.node = resolve(world, self.options.get("node", "action"))
        if self.node.level != "event":
            raise RefusedError("a node is a property of an event")
        self.first, self.last = self.scope.asked_days()
        self.steps, self.top = self.options.get("steps", 5), self.options.get("top", 8)
        self.is_backward = "to_event" in self.options and "from_event" not in self.options
        self.by_event = any(prop.level == "event" for prop in self.scope.breakdown)

    # --- which events -----------------------------------------------------------------------------------

    def name_of(self, event: Event) -> str | None:
        """The name of an event's node, if it is one."""
        if self.scope.day_of[event.event_id] > self.scope.watermark or not self.scope.qualifies(event):
            return None
        return event_value(self.world, event, self.node)

    def part(self, event: Event) -> Slice:
        """What an event says about its slice."""
        return tuple(
            shown(event_value(self.world, event, prop)) if prop.level == "event" else None
            for prop in self.scope.breakdown
        )

    def nodes(self, user: str) -> list[Event]:
        """The events of a person that are nodes, in their order."""
        own = [e for e in self.world.distinct_events() if e.user == user and self.name_of(e) is not None]
        return sorted(own, key=in_order)

    # --- which paths ------------------------------------------------------------------------------------

    def paths(self, group: set[Slice] | None) -> list[Path]:
        """Every path that begins in the range; of the events of some slices only, where a slice is one of events."""
        found = []
        for user in self.world.people():
            nodes = [event for event in self.nodes(user) if group is None or self.slice(event) in group]
            cut = self.by_session if self.options.get("unit", "session") == "session" else self.by_pause
            found += [Path(user, day, self.anchored(events)) for day, events in cut(user, nodes)]
        return [
            path for path in found
            if path.events and self.first <= path.day <= self.last and self.scope.selected(path.user, path.day)
        ]  # fmt: skip

    def by_pause(self, _: str, nodes: list[Event]) -> list[tuple[date, list[Event]]]:
        """Stretches without a long pause."""
        gap = timedelta(seconds=self.options.get("gap", 86_400))
        stretches: list[list[Event]] = []
        for event in nodes:
            if stretches and event.at - stretches[-1][-1].at <= gap:
                stretches[-1].append(event)
            else:
                stretches.append([event])
        return [(self.scope.day_of[events[0].event_id], events) for events in stretches]

    def by_session(self, user: str, nodes: list[Event]) -> list[tuple[date, list[Event]]]:
        """The nodes of each session."""
        rules = msgspec.structs.asdict(self.world.settings.sessions)
        gap = timedelta(minutes=rules["gap_minutes"])
        own = [visit for visit in visits(self.world, **rules) if visit.user == user]
        found: dict[int, list[Event]] = {}
        for event in nodes:
            number = _visit_of(event, own, gap, by_client=rules["source"] == "client")
            if number is not None:
                found.setdefault(number, []).append(event)
        timezone = self.world.settings.timezone
        return [(local_day(own[number].members[0].at, timezone), events) for number, events in found.items()]

    def anchored(self, events: list[Event]) -> list[Event]:
        """From the first event that opens the path to the last one that closes it."""
        for option, is_last in (("from_event", False), ("to_event", True)):
            if option in self.options:
                places = [n for n, event in enumerate(events) if self.means(self.options[option], event)]
                if not places:
                    return []
                events = events[: places[-1] + 1] if is_last else events[places[0] :]
        return events

    def means(self, asked: str | EventCondition, event: Event) -> bool:
        """Whether an event is one that an activity, an event type or a condition means."""
        if isinstance(asked, str) and asked in self.world.settings.activities:
            return qualifies(self.world, event, asked)
        condition = EventCondition((asked,)) if isinstance(asked, str) else asked
        named = condition.events is None or event.type in condition.events
        return named and all(holds_for_event(self.world, one, event) for one in condition.where)

    # --- which slices -----------------------------------------------------------------------------------

    def slice(self, event: Event) -> Slice:
        """The slice of an event."""
        return self.scope.slice_of(self.part(event), event.user, None)

    def groups(self) -> list[tuple[Slice, bool, list[Path]]]:
        """The slices in their order, the rest last: what is shown, whether it is the rest, its paths."""
        if not self.query.breakdown:
            return [((), False, self.paths(None))]
        people: dict[Slice, set[str]] = {}
        by_slice: dict[Slice, list[Path]] = {}
        for path in [] if self.by_event else self.paths(None):
            place = self.scope.slice_of((None,) * len(self.query.breakdown), path.user, path.day)
            by_slice.setdefault(place, []).append(path)
            people.setdefault(place, set()).add(path.user)
        if self.by_event:
            people = self.met()
        ranked = sorted(people, key=lambda place: (-len(people[place]), place))
        top, rest = ranked[: self.query.limit], ranked[self.query.limit :]
        nothing: Slice = (None,) * len(self.query.breakdown)
        if not self.by_event:
            others = [path for place in rest for path in by_slice[place]]
            return [*((place, False, by_slice[place]) for place in top), (nothing, True, others)]
        everything = {self.slice(event) for user in self.world.people() for event in self.nodes(user)}
        return [
            *((place, False, self.paths({place})) for place in top),
            (nothing, True, self.paths(everything - set(top))),
        ]

    def met(self) -> dict[Slice, set[str]]:
        """Slices of event properties with the people who have a node in them in the range."""
        found: dict[Slice, set[str]] = {}
        for user in self.world.people():
            if self.scope.selected(user, None):
                for event in self.nodes(user):
                    if self.first <= self.scope.day_of[event.event_id] <= self.last:
                        found.setdefault(self.slice(event), set()).add(user)
        return found

    # --- rows -------------------------------------------------------------------------------------------

    def names(self, path: Path) -> list[str]:
        """The nodes of a path in the order in which its steps are counted."""
        names = [self.name_of(event) or "" for event in path.events]
        if self.options.get("collapse", True):
            names = [name for name, _ in groupby(names)]
        return names[::-1] if self.is_backward else names

    def rows(self) -> list[Row]:
        """Every row, with the people behind it."""
        flags = [] if self.scope.is_complete(self.last) else ["incomplete"]
        found = []
        for place, is_rest, paths in self.groups():
            names = dict(zip(self.query.breakdown, place, strict=True))
            more = [*flags, *(["other"] if is_rest else [])]
            found += [Row({**names, **row.values, "flags": sorted([*more, *row.values["flags"]])}, row.people)
                      for row in self._rows_of(paths)]  # fmt: skip
        return found

    def _rows_of(self, paths: list[Path]) -> list[Row]:
        walks = [(path.user, self.names(path)) for path in paths]
        found: dict[int, dict[tuple[Node, ...], Tally]] = {}
        tops = [self._top([names[step] for _, names in walks if step < len(names)]) for step in range(self.steps)]
        for user, names in walks:
            seen = [("node", name) if name in tops[step] else REST for step, name in enumerate(names[: self.steps])]
            seen += [OVER] * (self.steps - len(seen))
            for step, cell in self._cells(seen):
                tally = found.setdefault(step, {}).setdefault(cell, Tally())
                tally.paths += 1
                tally.people.add(user)
        rows = []
        for step, cells in sorted(found.items()):
            total = sum(tally.paths for tally in cells.values())
            ordered = sorted(cells.items(), key=lambda item: (-item[1].paths, [_rank(node) for node in item[0]]))
            rows += [self._row(step, cell, tally, total) for cell, tally in ordered]
        return rows

    def _top(self, names: list[str]) -> list[str]:
        return sorted(set(names), key=lambda name: (-names.count(name), name))[: self.top]

    def _cells(self, seen: list[Node]) -> list[tuple[int, tuple[Node, ...]]]:
        if self.options.get("view") == "matrix":
            return [(step, (node,)) for step, node in enumerate(seen, 1)]
        pairs = enumerate(pairwise(seen), 1)
        return [(step, pair) for step, pair in pairs if pair[0] != OVER]

    def _row(self, step: int, cell: tuple[Node, ...], tally: Tally, total: int) -> Row:
        columns = ("node",) if len(cell) == 1 else ("from_node", "to_node")
        nodes = dict(zip(columns[::-1] if self.is_backward else columns, cell, strict=True))
        flags = [f"{name}_other" for name, node in nodes.items() if node == REST]
        if OVER in nodes.values():
            flags.append("start" if self.is_backward else "end")
        values = {"step": step, **{name: nodes[name][1] for name in columns}, "paths": tally.paths}
        values |= {"users": len(tally.people), "share": tally.paths / total, "flags": flags}
        return Row(values, tally.people)


def in_order(event: Event) -> tuple[datetime, bool, int, str]:
    """The place of an event among those of its person."""
    return event.at, event.sequence is None, event.sequence or 0, event.event_id


def _visit_of(event: Event, visits: list[Visit], gap: timedelta, *, by_client: bool) -> int | None:
    """The session that began last before an event in its own stream, unless that is over for longer than the gap."""
    name = event.client_session_id if by_client else None
    before = [
        (in_order(visit.members[0]), number) for number, visit in enumerate(visits)
        if (visit.session_id == name if visit.is_named else name is None)
        and in_order(visit.members[0]) <= in_order(event)
    ]  # fmt: skip
    if not before:
        return None
    _, number = max(before)
    return number if name is not None or event.at <= visits[number].members[-1].at + gap else None


def _rank(node: Node) -> tuple[int, str]:
    return ("node", "rest", "over").index(node[0]), node[1] or ""


def paths(world: World, query: Query) -> list[Row]:
    """The rows of a question about paths."""
    return [] if Scope.is_empty(world) else _asked(world, query)


def _asked(world: World, query: Query) -> list[Row]:
    question = Paths(world, query)
    return question.rows() if question.first <= question.scope.watermark else []
