"""What may happen to a workspace, in any order: loads in parts, repeats, merges, erasures, test flags, attributes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

import regulars
from regulars.errors import QueryError
from tests.oracle.wire import event_rows, user_rows
from tests.oracle.world import Event, User, World
from tests.strategies import ANONYMOUS, KNOWN, TEXTS

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from regulars.workspace import Workspace

MICROSECOND = timedelta(microseconds=1)
Step = tuple[Any, ...]
Name = tuple[str, bool]  # an id, and whether it is anonymous


@st.composite
def histories(draw: DrawFn, world: World) -> list[Step]:
    """Every event of a world in parts and in any order, with corrections before, between and after them."""
    order = draw(st.permutations(world.events)) if world.events else []
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=3)))
    edges = [0, *cuts, len(order)]
    steps: list[Step] = [("load", order[a:b]) for a, b in pairwise(edges) if a < b]
    for step in draw(st.lists(corrections(world), max_size=6)):
        steps.insert(draw(st.integers(0, len(steps))), step)
    return steps


@st.composite
def corrections(draw: DrawFn, world: World) -> Step:
    """One thing that is known better later."""
    user, stranger = st.sampled_from((*KNOWN, *ANONYMOUS)), st.sampled_from(ANONYMOUS)
    attribute = st.sampled_from(("plan", "country", "team"))
    kinds: list[st.SearchStrategy[Step]] = [
        st.tuples(st.just("population"), user, st.sampled_from(("production", "test", "bot"))),
        st.tuples(st.just("attribute"), user, attribute, st.none() | st.sampled_from(TEXTS)),
        st.tuples(st.just("link"), stranger, st.sampled_from(KNOWN)),
        st.tuples(st.just("erase"), user),
        st.tuples(st.just("refresh")),
    ]
    if world.events:
        kinds.append(st.tuples(st.just("load"), st.lists(st.sampled_from(world.events), min_size=1, max_size=8)))
    if world.users:
        some = st.lists(st.sampled_from(sorted(world.users)), min_size=1, unique=True)
        kinds += [st.tuples(st.just("people"), some)] * 2
    return draw(st.one_of(kinds))


@dataclass
class Ledger:
    """The same history on paper: which events and people there are in the end."""

    world: World
    events: dict[str, Event] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    ids: set[Name] = field(default_factory=set)
    links: dict[str, str] = field(default_factory=dict)
    erased: dict[Name, datetime] = field(default_factory=dict)

    def load(self, events: list[Event], at: datetime) -> None:
        for event in events:
            name = (event.user, event.anonymous)
            if event.at > self.erased.get(name, datetime.min):
                self.ids.add(name)
                self.events.setdefault(event.event_id, event)

    def people(self, names: list[str], at: datetime) -> None:
        for name in names:
            if (name, False) in self.ids or (name, False) not in self.erased:
                self.ids.add((name, False))
                known, told = self.users.get(name, User(name)), self.world.users[name]
                self.users[name] = User(
                    name,
                    known.attributes | told.attributes,
                    told.registration_date or known.registration_date,
                    told.birth_date or known.birth_date,
                    told.population,
                )

    def owner(self, name: str) -> Name | None:
        """Whom an id means: a known id before an anonymous one, and whoever an anonymous one was linked to."""
        if (name, False) in self.ids:
            return name, False
        if (name, True) not in self.ids:
            return None
        return (self.links[name], False) if name in self.links else (name, True)

    def population(self, name: str, population: str, at: datetime) -> None:
        person = self.owner(name)
        if person and not self.listed(name):
            self.users[person[0]] = replace(self.users.get(person[0], User(person[0])), population=population)

    def attribute(self, name: str, key: str, value: str | None, at: datetime) -> None:
        person = self.owner(name)
        if person:
            known = self.users.get(person[0], User(person[0]))
            self.users[person[0]] = replace(known, attributes={**known.attributes, key: value})  # type: ignore[dict-item]

    def link(self, stranger: str, known: str, at: datetime) -> None:
        if (stranger, True) in self.ids and (known, False) in self.ids and stranger not in self.links:
            self.links[stranger] = known

    def erase(self, name: str, at: datetime) -> None:
        person = self.owner(name)
        if person is None:
            return
        gone = {person} | {(stranger, True) for stranger, known in self.links.items() if (known, False) == person}
        self.events = {key: e for key, e in self.events.items() if (e.user, e.anonymous) not in gone}
        self.users.pop(person[0], None)
        self.ids -= gone
        self.links = {stranger: known for stranger, known in self.links.items() if (stranger, True) not in gone}
        self.erased |= dict.fromkeys(gone, at)

    def refresh(self, at: datetime) -> None:
        """Nothing is left to do after a load."""

    def listed(self, name: str) -> bool:
        """Whether the settings name a person, and win."""
        listed = self.world.settings.population
        return name in (*listed.production_users, *listed.test_users, *listed.bots)

    def outcome(self) -> World:
        """The world that a single load would have had to bring."""
        events = [
            replace(e, user=self.links[e.user], anonymous=False) if e.anonymous and e.user in self.links else e
            for e in self.events.values()
        ]
        return World(events, self.users, self.world.settings, self.world.now)


@dataclass
class Clock:
    """A clock that is moved on by hand."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now.replace(tzinfo=UTC)


def live(ws: Workspace, clock: Clock, world: World, steps: list[Step]) -> World:
    """Let a history happen to a workspace, and return what it must amount to."""
    ledger = Ledger(world)
    for kind, *arguments in steps:
        clock.now += MICROSECOND
        getattr(ledger, kind)(*arguments, at=clock.now)
        _STEPS[kind](ws, world, *arguments)
    clock.now = world.now
    return ledger.outcome()


def opened(world: World) -> tuple[Workspace, Clock]:
    """An empty workspace with the settings of a world, and its clock."""
    clock = Clock(world.now)
    return regulars.open(settings=world.settings, clock=clock), clock


def _load(ws: Workspace, world: World, events: list[Event]) -> None:
    ws.load(event_rows(World(events, {}, world.settings, world.now)), kind="events")


def _people(ws: Workspace, world: World, names: list[str]) -> None:
    some = {name: world.users[name] for name in names}
    ws.load(user_rows(World([], some, world.settings, world.now)), kind="users")


def _correct(name: str, *arguments: Any) -> Any:
    def step(ws: Workspace, _: World, *given: Any) -> None:
        try:
            getattr(ws, name)(*given)
        except QueryError as exc:
            if exc.code not in ("unknown_user", "already_linked", "population_in_settings"):
                raise

    return step


def _attribute(ws: Workspace, _: World, user: str, key: str, value: str | None) -> None:
    _correct("set_attributes")(ws, _, user, {key: value})


_STEPS: dict[str, Any] = {
    "load": _load,
    "people": _people,
    "population": _correct("set_population"),
    "attribute": _attribute,
    "link": _correct("link"),
    "erase": _correct("erase"),
    "refresh": _correct("refresh"),
}
