"""Worlds of clustered events: gaps at the limit, runs of days, markers, midnights, client session ids."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.oracle.world import Event, World
from tests.strategies import ANONYMOUS, FIRST_DAYS, KNOWN, MARKERS, clocks, moments, perhaps, settings, user

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from tests.oracle.world import Scalar

SENDERS = (*KNOWN[:3], ANONYMOUS[0])
KINDS = ("like", "like", "page_view", "purchase", "payment_success", "notification_open", "dance")
LENGTHS = (1, 2, 3, 5, 8, 13, 50, 100, 100)
MOST_EVENTS = 120
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
LOOKS: tuple[dict[str, Any], ...] = (
    {},
    {"platform": "app", "context": "home"},
    {"device_type": "ios", "context": "list"},
    {"platform": "ios", "device_type": "web"},
    {"platform": "web", "device_type": "ios", "client_session_id": "c1", "context": "home"},
    {"client_session_id": "c1", "country": "DE"},
    {"client_session_id": "it's", "context": "it's"},
)


@st.composite
def session_worlds(draw: DrawFn, *, gap_minutes: float = 30) -> World:
    """A workspace in which up to 4 people send up to 120 events in chains of equal steps near the gap."""
    chosen, gap = draw(settings()), timedelta(minutes=gap_minutes)
    first = draw(st.sampled_from(FIRST_DAYS))
    events: list[Event] = []
    for _ in range(draw(st.integers(1, 6))):
        # A chain may begin at, or just beside, an instant of another one: ties at the ends of sessions.
        beside = [event.at + shift for event in events[::7] for shift in (timedelta(), gap, -gap)]
        anywhere = moments(chosen.timezone, first)
        start = draw(st.one_of(st.sampled_from(beside), anywhere) if beside else anywhere)
        events += draw(chain(start, gap, number=len(events)))
    events = events[:MOST_EVENTS]
    days = [event.at.date() for event in events]
    known = draw(st.lists(st.sampled_from(SENDERS[:-1]), max_size=3, unique=True))
    people = {user_id: draw(user(user_id, days)) for user_id in known}
    return World(events, people, chosen, draw(clocks([event.at for event in events])))


@st.composite
def chain(draw: DrawFn, start: datetime, gap: timedelta, number: int) -> list[Event]:
    """What one person does in a row: a short pattern of events and steps, repeated; most runs never pause."""
    sender, at = draw(st.sampled_from(SENDERS)), start
    steady = (gap, gap, gap - MICROSECOND, gap / 2, timedelta(), MICROSECOND)
    uneven = (*steady, gap + MICROSECOND, gap * 3, DAY - MICROSECOND, DAY)
    sizes = draw(st.sampled_from(((gap,), steady, uneven)))
    steps = draw(st.lists(st.sampled_from(sizes), min_size=1, max_size=4))
    pattern = draw(st.lists(links(), min_size=1, max_size=4))
    events = []
    for n in range(draw(st.sampled_from(LENGTHS))):
        link = pattern[n % len(pattern)]
        # Ids go up and down against time, so that no answer can lean on them.
        event_id = f"s{(number + n) * 37 % 1009:04}"
        events.append(Event(user=sender, at=at, event_id=event_id, anonymous=sender in ANONYMOUS, **link))
        at += steps[n % len(steps)]
    return events


def links() -> SearchStrategy[dict[str, Any]]:
    """One event of a pattern, without its time; one in six is a marker."""
    kinds = st.sampled_from((*KINDS, *KINDS, *MARKERS))
    properties: SearchStrategy[dict[str, Scalar]] = st.sampled_from(({}, {"plan": "paid"}))
    looks = st.sampled_from(LOOKS)
    return st.builds(
        lambda kind, look, sequence, more: {
            "type": kind,
            **look,
            "sequence": sequence,
            "properties": {} if kind in MARKERS else more,
        },
        kinds,
        looks,
        perhaps((0, 1, 2)),
        properties,
    )


def session_rules(*, gap_minutes: float = 30) -> SearchStrategy[dict[str, Any]]:
    """The four settings of sessions, as keywords of the oracle's functions."""
    return st.fixed_dictionaries(
        {
            "gap_minutes": st.just(gap_minutes),
            "source": st.sampled_from(("derived", "client")),
            "passive_extends": st.booleans(),
            "split_at_midnight": st.booleans(),
        }
    )
