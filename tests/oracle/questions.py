"""Valid questions about a world."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import strategies as st

from regulars.domain.query import Filter, Query, Range
from tests.oracle import clock
from tests.oracle.attributes import event_value, resolve, user_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

    from tests.oracle.world import World

USER_LEVEL = ("country", "user.plan", "region", "device_type", "gender", "account_status", "user.user_id",
              "registration_date", "user.birth_date")  # fmt: skip
TIME_LEVEL = ("tenure_band", "user.age_band")
EVENT_LEVEL = ("geo.country", "geo.region", "event.country", "device.device_type", "event.device_type",
               "platform", "action", "event.action", "category", "feature", "feature.name")  # fmt: skip
OWN = ("label", "event.score", "score", "flag", "event.plan")
WINDOWS = (1, 2, 3, 7, 28, 30, 90, 365, 366)
TEXT_OPS = (
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "contains",
    "icontains",
    "not_contains",
    "starts_with",
    "istarts_with",
)
VALUES = ("DE", "FR", "paid", "Paid", "it's", "100%", "{0}", "back\\slash", "Ü", "i", "7-29 days", "18-24",
          "u1", "o'", "true", "7", "10", "like", "social", "2026-03-01", "editor")  # fmt: skip
NUMBERS = (0, 1, 2, 7, 10, 2.0, 0.5, -3, 1000)


METRICS = ("active_users", "active_users", "dau", "wau", "mau", "new_vs_returning", "stickiness", "stickiness",
           "actions", "depth", "lifecycle", "lifecycle")  # fmt: skip


@st.composite
def queries(draw: DrawFn, world: World, metrics: tuple[str, ...] = METRICS) -> Query:
    """A question that the contract answers, of one of the metrics, about this world."""
    metric = draw(st.sampled_from(metrics))
    by_hour = metric in ("active_users", "actions") and draw(st.integers(0, 5)) == 0
    grain = "hour" if by_hour else draw(st.sampled_from(("day", "day", "week", "month")))
    shape = {} if by_hour else draw(_shapes(metric, grain))
    asked = draw(ranges(world, grain))
    if "calendar" in shape:
        asked = msgspec.structs.replace(asked, every=1, anchor=None)
    breakdown = draw(st.lists(st.sampled_from(names(world)), max_size=draw(st.sampled_from((0, 1, 2))), unique=True))
    return Query(
        metric=metric,
        range=asked,
        activity=draw(st.sampled_from(("core", "core", "any", *world.settings.activities))),
        population=draw(st.sampled_from(("production",) * 9 + ("all", "all", "test", "bot"))),
        breakdown=tuple(breakdown),
        filters=draw(st.just(()) | st.just(()) | st.lists(filters(world), max_size=2).map(tuple)),
        limit=draw(st.sampled_from((1, 2, 12))),
        as_of=draw(st.one_of(*[st.none()] * 5, days(world))),
        options=draw(_options(metric, shape.get("window"))),
        **shape,
    )


@st.composite
def sliced_queries(draw: DrawFn, world: World) -> Query:
    """A question about one event property, or about two user attributes, as aggregates may hold them."""
    query = draw(queries(world).filter(lambda q: q.metric != "actions" and q.grain != "hour"))
    rollups = world.settings.rollups
    kinds = [(name,) for name in rollups.event_dimensions] + list(rollups.pairs) + [("feature",), ("country", "plan")]
    asked = draw(st.sampled_from(kinds))
    by = draw(st.sampled_from([(), asked, asked[::-1], asked[:1]]))
    left = draw(st.sampled_from([asked, asked[1:], asked[:0]])) if by else asked
    conditions = tuple(Filter(property=name, value=draw(st.sampled_from(_some(world, name)))) for name in left)
    return msgspec.structs.replace(
        query, breakdown=by, filters=conditions, limit=draw(st.sampled_from((2, 12, 12, 12)))
    )


def _some(world: World, name: str) -> tuple[str | bool, ...]:
    return (*values(world, name), *values(world, name), True, "nobody", "(none)")


def _shapes(metric: str, grain: str) -> SearchStrategy[dict[str, Any]]:
    window = st.sampled_from(WINDOWS).map(lambda days: {"window": days})
    if metric == "stickiness":
        return st.just({}) | window
    if metric != "active_users":
        return st.just({})
    lengths = ("week", "month", "quarter", "year")
    coarser = lengths[max(0, ("day", *lengths).index(grain) - 1) :]
    return st.just({}) | window | st.sampled_from(coarser).map(lambda unit: {"calendar": unit})


@st.composite
def _options(draw: DrawFn, metric: str, window: int | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if metric in ("new_vs_returning", "lifecycle"):
        found["new_by"] = draw(st.sampled_from((None, "registration")))
    elif metric == "actions":
        found["weighted"] = draw(st.sampled_from((None, True)))
    elif metric == "stickiness":
        # A return share takes no window; how it refuses one is shown elsewhere.
        own = None if window else "return"
        found["method"] = draw(st.sampled_from((None, "ratio", own, "mean" if (window or 30) <= 30 else None)))
        found["summary"] = draw(st.sampled_from((None, None, "mean", "min", "max", "median")))
        short = [days for days in WINDOWS[:4] if days <= (window or 30)]
        found["numerator"] = None if found["method"] == "return" else draw(st.none() | st.sampled_from(short))
    return {name: value for name, value in found.items() if value is not None}


def days(world: World) -> SearchStrategy[date]:
    """A day near an event."""
    seen = sorted({clock.local_day(event.at, world.settings.timezone) for event in world.events})
    near = st.sampled_from(seen or [date(2026, 1, 1)])
    return st.builds(lambda day, shift: day + timedelta(days=shift), near, st.integers(-2, 2))


@st.composite
def ranges(draw: DrawFn, world: World, grain: str, *, dated: bool = True) -> Range:
    """A range near some event, short for hours; sometimes open at an end. Only a time axis has steps of several."""
    start = draw(days(world))
    length = draw(st.integers(0, 2 if grain == "hour" else 35))
    end = start + timedelta(days=length)
    kind = "both" if grain == "hour" else draw(st.sampled_from(("both", "both", "both", "end", "default")))
    steps = {"grain": grain}
    if dated and grain != "hour" and draw(st.integers(0, 4)) == 0:
        steps |= {"every": draw(st.integers(1, 5)), "anchor": draw(st.none() | days(world))}
    if kind == "default":
        return Range(**steps)
    return Range(start=None if kind == "end" else start, end=end, **steps)


def names(world: World) -> list[str]:
    """The properties that mean something here."""
    sent = {name for event in world.distinct_events() for name in event.properties}
    own = [name for name in OWN if name.removeprefix("event.") in sent]
    told = {name for user in world.users.values() for name in user.attributes}
    return [*USER_LEVEL, *TIME_LEVEL, *EVENT_LEVEL, *own, *(["team", "user.team"] if "team" in told else [])]


def values(world: World, name: str) -> tuple[str, ...]:
    """The values of an event property or stored attribute in this world."""
    prop = resolve(world, name)
    found = {event_value(world, event, prop) for event in world.events} if prop.level == "event" else set()
    found |= {user_value(world, user, prop.name) for user in world.people()} if prop.level == "user" else set()
    return tuple(sorted(value for value in found if value is not None))


@st.composite
def conditions(draw: DrawFn, world: World, among: Sequence[str] = ()) -> Filter:
    """One condition on one property, perhaps one of some; dates are compared with text only, as text."""
    name = draw(st.sampled_from(among or names(world)))
    kind = draw(st.sampled_from(("text", "text", "many", "between", "number", "set")))
    here = values(world, name)
    texts, numbers = (
        st.sampled_from((*VALUES, *here * (len(VALUES) // (len(here) or 1)))),
        st.sampled_from(NUMBERS),
    )
    if kind == "set":
        return Filter(property=name, op=draw(st.sampled_from(("is_set", "is_not_set"))))
    if kind == "number":
        return Filter(property=name, op=draw(st.sampled_from(TEXT_OPS[:6])), value=draw(numbers))
    if kind == "text":
        return Filter(property=name, op=draw(st.sampled_from(TEXT_OPS)), value=draw(texts))
    if kind == "between":
        pair = st.tuples(texts, texts) | st.tuples(numbers, numbers)
        return Filter(property=name, op="between", value=draw(pair))
    several = draw(st.lists(texts | numbers, min_size=1, max_size=4))
    return Filter(property=name, op=draw(st.sampled_from(("in", "not_in"))), value=tuple(several))


def filters(world: World, among: Sequence[str] = ()) -> SearchStrategy[Filter]:
    """A condition, or a group of them that may stand together: no property of events beside what changes with time."""
    levels = {name: resolve(world, name).level for name in among or names(world)}
    kinds = [[name for name, level in levels.items() if level != apart] for apart in ("event", "time")]
    return st.one_of([_groups(world, kind) for kind in kinds if kind])


def _groups(world: World, among: Sequence[str]) -> SearchStrategy[Filter]:
    one = conditions(world, among)
    members = st.lists(one, min_size=1, max_size=3).map(tuple)
    grouped = st.builds(lambda each: Filter(all=each), members) | st.builds(lambda each: Filter(any=each), members)
    return one | grouped | st.builds(lambda first, second: Filter(any=(first, second)), grouped, one)
