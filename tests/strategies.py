"""Small worlds full of the days, ties and texts that analytics software gets wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from hypothesis import settings as profile
from hypothesis import strategies as st

from regulars.domain.query import Filter
from regulars.settings import (
    WEEKDAYS,
    ActionSettings,
    Activity,
    EngineSettings,
    PopulationSettings,
    RollupSettings,
    Settings,
)
from tests.oracle.questions import queries, sliced_queries
from tests.oracle.wire import event_rows, user_rows
from tests.oracle.world import Event, Scalar, User, World

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = ["FEWER", "MANY", "event_rows", "queries", "sliced_queries", "some", "user_rows", "worlds"]

MANY = profile.default.max_examples


def some(short: int) -> profile:
    """So many examples in the short form, for what takes long or others show as well; in the long form all of them."""
    return profile(max_examples=MANY if MANY > 100 else short)


FEWER = some(25)
TIMEZONES = (
    "UTC", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Pago_Pago", "Australia/Lord_Howe", "America/New_York",
)  # fmt: skip
FIRST_DAYS = (
    date(2020, 12, 26),  # ISO week 53
    date(2024, 2, 27),  # leap day
    date(2026, 3, 6),  # America, spring
    date(2026, 3, 27),  # Europe, spring; Lord Howe, autumn
    date(2026, 10, 2),  # Lord Howe, spring; Europe and America, autumn
)
CLOCK = (
    time(0), time(0, 0, 0, 1), time(0, 30), time(1, 30), time(1, 59, 59), time(2), time(2, 15), time(3),
    time(12), time(23, 30), time(23, 59, 59, 999_999),
)  # fmt: skip
KNOWN = ("u1", "U1", "o'brien", "back\\slash", "100%_{0}", "Zoë")
ANONYMOUS = ("anon-1", "anon-2")
TEXTS = (
    "paid",
    "Paid",
    "free",
    "it's",
    'quo"te',
    "back\\slash",
    "100%",
    "a_b",
    "{0}",
    "Übung",
    "日本",
    "--",
    ";",
)
COUNTRIES = ("DE", "FR", "o'", "100%", "Åland")
DEVICES = ("ios", "android", "web")
STORED = ("country", "plan", "device_type", "region", "gender", "account_status")
PAIRS = (("country", "device_type"), ("plan", "country"), ("device_type", "country"), ("gender", "region"))
SLICED = ("feature", "feature.name", "action", "category", "device.platform", "event.country", "geo.region",
          "event.label", "event.score", "event.flag")  # fmt: skip
NUMBERS: tuple[Scalar, ...] = (0, 1, 2, 10, -3, 2.0, 0.5, 10.25)
NUMBER_LIKE = ("7", "007", "10.0", "1e3", "1_000", "0x10", "nan", "Infinity", " 7", "+7", "7.", ".5", "x")
ACTIONS = (
    "like", "like", "page_view", "purchase", "payment_success", "support_ticket", "notification_open",
    "dance", "it's 100% {0}",
)  # fmt: skip
MARKERS = ("session_start", "session_end", "identify")
DAY = timedelta(days=1)


def perhaps(values: tuple[Any, ...]) -> SearchStrategy[Any]:
    """One of the values, or None."""
    return st.none() | st.sampled_from(values)


@st.composite
def worlds(draw: DrawFn, *, conflicts: bool = True) -> World:
    """A workspace with up to 8 people and 60 events.

    ``conflicts=False`` leaves out events that share an id but not their content, for tests that load in
    another order.
    """
    chosen = draw(settings())
    first = draw(st.sampled_from(FIRST_DAYS))
    is_sparse = draw(st.integers(0, 9)) == 0
    instants = draw(st.lists(moments(chosen.timezone, first), min_size=0 if is_sparse else 5, max_size=25))
    senders = draw(st.lists(st.sampled_from((*KNOWN, *ANONYMOUS)), min_size=1, max_size=8, unique=True))
    size = draw(st.integers(0, 5) if is_sparse else st.integers(10, 60)) if instants else 0
    events = [draw(event(n, senders, instants)) for n in range(size)]
    for _ in range(draw(st.integers(0, 3)) if events else 0):
        again = draw(st.sampled_from(events))
        other = draw(event(0, senders, instants)) if conflicts and draw(st.booleans()) else again
        events.append(Event(**{**vars(other), "event_id": again.event_id}))
    days = [instant.date() for instant in instants] or [FIRST_DAYS[0]]
    known = draw(st.lists(st.sampled_from(KNOWN), max_size=6, unique=True))
    users = {user_id: draw(user(user_id, days)) for user_id in known}
    return World(events, users, chosen, draw(clocks([e.at for e in events])))


@st.composite
def moments(draw: DrawFn, timezone: str, first: date) -> datetime:
    """A naive UTC instant, mostly within 50 days, near local midnight or a change of the clock."""
    far = draw(st.sampled_from((0,) * 16 + (-365, 366, 367, 420)))
    day = first + (draw(st.integers(0, 6) | st.integers(0, 50)) + far) * DAY
    wall = draw(st.sampled_from(CLOCK) | st.times())
    here = datetime.combine(day, wall, ZoneInfo(timezone)).replace(fold=draw(st.integers(0, 1)))
    return here.astimezone(UTC).replace(tzinfo=None)


@st.composite
def event(draw: DrawFn, number: int, senders: list[str], instants: list[datetime]) -> Event:
    """One event; instants are shared, so that ties are common."""
    kind = draw(st.sampled_from((*ACTIONS, *ACTIONS, *MARKERS)))
    sender = draw(st.sampled_from(senders))
    return Event(
        user=sender,
        type=kind,
        at=draw(st.sampled_from(instants)),
        event_id=f"e{number * 7 % 64:02}",
        sequence=draw(perhaps((0, 1, 2))),
        country=draw(perhaps(COUNTRIES)),
        region=draw(perhaps(("BE", "it's"))),
        device_type=draw(perhaps(DEVICES)),
        platform=draw(perhaps(("web", "app"))),
        feature=draw(perhaps(("editor", "search", "it's"))),
        properties={} if kind in MARKERS else draw(properties()),
        duration_seconds=draw(perhaps((0.0, 1.5, 60.0))),
        anonymous=sender in ANONYMOUS,
    )


def properties() -> SearchStrategy[dict[str, Scalar]]:
    """Texts, numbers, truth values, and texts that only look like numbers."""
    optional = {
        "label": st.sampled_from(TEXTS),
        "score": st.sampled_from((*NUMBERS, *NUMBER_LIKE)),
        "flag": st.booleans(),
        "plan": st.sampled_from(TEXTS[:4]),
        "gender": st.sampled_from(("f", "m")),
    }
    return st.fixed_dictionaries({}, optional=optional)


@st.composite
def user(draw: DrawFn, user_id: str, days: list[date]) -> User:
    """What is known about a person: near the bounds of every band."""
    optional = {
        "country": st.sampled_from(COUNTRIES),
        "plan": st.sampled_from(TEXTS),
        "device_type": st.sampled_from(DEVICES),
        "team": st.sampled_from((*TEXTS, *NUMBER_LIKE)),
        "account_status": st.sampled_from(("active", "closed")),
    }
    day = draw(st.sampled_from(days))
    ages = st.sampled_from([day.replace(year=day.year - n, day=min(day.day, 28)) for n in (0, 17, 18, 25, 65)])
    return User(
        user_id,
        draw(st.fixed_dictionaries({}, optional=optional)),
        draw(st.none() | st.sampled_from((-3, 0, 6, 7, 29, 30, 89, 90, 364, 365)).map(lambda n: day - n * DAY)),
        draw(st.none() | ages | st.sampled_from((date(2004, 2, 29), date(2008, 2, 29), date(2008, 3, 1)))),
        draw(st.sampled_from(("production",) * 6 + ("test", "bot"))),
    )


@st.composite
def settings(draw: DrawFn) -> Settings:
    """Settings in which every definition that a query uses may differ from the default."""
    premium = Filter(property="event.plan", op="in", value=("paid", "it's"))
    scored = Filter(any=(Filter(property="event.score", op=">=", value=1), Filter(property="geo.country", value="DE")))
    activity = {
        "busy": Activity(min_events=2),
        "once": Activity(events=("like", "session_start", "dance"), max_events=1),
        "premium": Activity(where=(premium,)),
        "scored": Activity(events=("like", "page_view"), where=(scored,), min_events=2, max_events=3),
    }
    listed = draw(st.booleans())
    people = PopulationSettings(test_users=("U1",), bots=("anon-2",), production_users=("u1",))
    return Settings(
        timezone=draw(st.sampled_from(TIMEZONES)),
        week_start=draw(st.sampled_from(("monday", *WEEKDAYS))),
        actions={"dance": ActionSettings(weight=2.5, core=draw(st.booleans()), conversion=True)},
        activity=activity,
        core_features=("editor", "it's"),
        population=people if listed else PopulationSettings(),
        rollups=draw(rollups()),
        engine=EngineSettings(threads=1),  # so few rows are read by one thread anyway
    )


@st.composite
def rollups(draw: DrawFn) -> RollupSettings:
    """What is counted ahead of time: often more than the default, spelled in any way that means the same."""
    if draw(st.booleans()):
        return RollupSettings()
    return RollupSettings(
        dimensions=tuple(draw(st.lists(st.sampled_from(STORED), max_size=3, unique=True))),
        pairs=tuple(draw(st.lists(st.sampled_from(PAIRS), max_size=2, unique=True))),
        event_dimensions=tuple(draw(st.lists(st.sampled_from(SLICED), max_size=3, unique=True))),
    )


@st.composite
def clocks(draw: DrawFn, instants: list[datetime]) -> datetime:
    """Now: around the newest event, well after it, or while some events still lie ahead."""
    if not instants:
        return datetime(2026, 1, 1, 12)
    near = draw(st.sampled_from((*[max(instants)] * 4, sorted(instants)[len(instants) // 2])))
    minutes = draw(st.sampled_from((-6, -5, -4, 0, 1, 60, 24 * 60, 3 * 24 * 60)))
    return near + timedelta(minutes=minutes)
