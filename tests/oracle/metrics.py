"""The metrics, each as a function of one bucket and one slice."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.oracle import clock
from tests.oracle.clock import days_between

if TYPE_CHECKING:
    from datetime import date

    from tests.oracle.clock import Bucket
    from tests.oracle.scope import Scope, Slice
    from tests.oracle.world import Event

ALIASES = {"dau": 1, "wau": 7, "mau": 30}
SUMMARIES: dict[str, Callable[[list[float]], float]] = {
    "mean": statistics.fmean,
    "min": min,
    "max": max,
    "median": statistics.median,
}
METHODS = ("ratio", "mean", "return")


@dataclass
class Cell:
    """The numbers of one row, the people behind them, and everybody the row counts in its slice."""

    values: dict[str, Any]
    people: dict[str, set[str]] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)
    flags: set[str] = field(default_factory=set)


Inside = Callable[["Slice"], bool]
Metric = Callable[["Scope", "Bucket", Inside], Cell]


# --- active users ----------------------------------------------------------------------------------------


def active_users(scope: Scope, bucket: Bucket, inside: Inside) -> Cell:
    """Distinct people: in the rolling window that ends at the bucket's day, or in the whole bucket."""
    day, window = scope.day_in(bucket), rolling_window(scope)
    if window is None:
        users = {event.user for event in events_in(scope, bucket, inside)}
    else:
        users = scope.active(inside, day - timedelta(days=window - 1), day, day)
    flags = warming_up(scope, day, window or 0)
    return Cell({"active_users": len(users)}, {"active_users": users}, users, flags)


def rolling_window(scope: Scope) -> int | None:
    """The window of active_users in days; None when whole periods are counted."""
    query = scope.query
    window = query.window
    if window is None and query.calendar is None:
        window = ALIASES.get(query.metric)
    if window is None and query.calendar is None and query.grain == "day" and query.range.every == 1:
        return 1
    return window


def events_in(scope: Scope, bucket: Bucket, inside: Inside) -> list[Event]:
    """The qualifying events of active user-days that fall into a bucket."""
    found = [
        event
        for days in scope.active_days(inside, scope.day_in(bucket)).values()
        for day, events in days.items()
        for event in events
        if bucket.first <= day <= bucket.last
    ]
    if bucket.start is None or bucket.end is None:
        return found
    return [event for event in found if bucket.start <= event.at < bucket.end]


def warming_up(scope: Scope, day: date, days: int) -> set[str]:
    """The flag of a value that looks at ``days`` days up to ``day``, some of them before the first day."""
    return {"warming_up"} if days and day - timedelta(days=days - 1) < scope.first_day else set()


# --- new and returning -----------------------------------------------------------------------------------


def new_vs_returning(scope: Scope, bucket: Bucket, inside: Inside) -> Cell:
    """People active in the bucket, split by whether their first active day ever lies in it."""
    chains = scope.active_days(inside, scope.day_in(bucket))
    active = {user for user, days in chains.items() if any(bucket.first <= d <= bucket.last for d in days)}
    by_registration = scope.query.options.get("new_by") == "registration"
    new = set()
    for user in active:
        began = scope.world.user(user).registration_date if by_registration else min(chains[user])
        if began is not None and bucket.first <= began <= bucket.last:
            new.add(user)
    people = {"new": new, "returning": active - new, "active_users": active}
    settled = scope.first_day + timedelta(days=scope.query.window or 30)
    flags = {"warming_up"} if bucket.first < settled else set()
    return Cell({name: len(users) for name, users in people.items()}, people, active, flags)


# --- stickiness ------------------------------------------------------------------------------------------


def stickiness(scope: Scope, bucket: Bucket, inside: Inside) -> Cell:
    """The share of the people of a long window who are active in a short one."""
    if scope.query.options.get("summary") is None:
        return ratio_on(scope, scope.day_in(bucket), inside)
    cells = {day: ratio_on(scope, day, inside) for day in days_between(bucket.first, scope.day_in(bucket))}
    final = [cell.values["stickiness"] for day, cell in cells.items() if is_final(scope, day)]
    ratios = [ratio for ratio in final if ratio is not None]
    summary = SUMMARIES[scope.query.options["summary"]](ratios) if ratios else None
    return Cell(
        {"numerator": None, "denominator": None, "stickiness": summary},
        counted={user for cell in cells.values() for user in cell.counted},
        flags=warming_up(scope, bucket.first, lookback(scope) + 1),
    )


def stickiness_windows(scope: Scope) -> tuple[int, int]:
    """Days of the numerator and of the denominator."""
    return scope.query.options.get("numerator") or 1, scope.query.window or 30


def is_final(scope: Scope, day: date) -> bool:
    """Whether the ratio of a day can change no more: a return needs the next day to be over, too."""
    if scope.query.options.get("method") == "return":
        return scope.is_complete(day + timedelta(days=1))
    return scope.is_complete(day)


def ratio_on(scope: Scope, day: date, inside: Inside) -> Cell:
    """The ratio of one day, by the method asked for."""
    short, long = stickiness_windows(scope)
    method = scope.query.options.get("method") or "ratio"

    def active(last: date, days: int, judged: date) -> set[str]:
        return scope.active(inside, last - timedelta(days=days - 1), last, judged)

    people: dict[str, set[str]] = {}
    numerator: float | None
    if method == "return":
        people["denominator"] = active(day, 1, day)
        numerator = None
        if day < scope.watermark:
            people["numerator"] = people["denominator"] & active(day + timedelta(days=1), 1, day)
            numerator = len(people["numerator"])
    elif method == "mean":
        people["denominator"] = active(day, long, day)
        past = days_between(day - timedelta(days=long - 1), day)
        numerator = sum(len(active(d, short, d)) for d in past) / long
    else:
        people = {"numerator": active(day, short, day), "denominator": active(day, long, day)}
        numerator = len(people["numerator"])
    denominator = len(people["denominator"])
    share = numerator / denominator if denominator and numerator is not None else None
    values = {"numerator": numerator, "denominator": denominator, "stickiness": share}
    flags = warming_up(scope, day, lookback(scope) + 1)
    return Cell(values, people, people["denominator"], flags)


# --- actions ---------------------------------------------------------------------------------------------


def actions(scope: Scope, bucket: Bucket, inside: Inside) -> Cell:
    """How much was done, by how many people."""
    events = events_in(scope, bucket, inside)
    users = {event.user for event in events}
    values: dict[str, Any] = {
        "actions": len(events),
        "users": len(users),
        "actions_per_user": len(events) / len(users) if users else None,
    }
    if scope.query.options.get("weighted"):
        settings = scope.world.settings
        values["weighted_actions"] = sum(settings.action(event.type).engagement_weight for event in events)
    return Cell(values, {"users": users}, users)


# --- depth -----------------------------------------------------------------------------------------------


def depth(scope: Scope, bucket: Bucket, inside: Inside) -> Cell:
    """How much the active people of a bucket do: their qualifying events, and all sessions they begin in it."""
    done: dict[str, list[Event]] = {}
    for event in events_in(scope, bucket, inside):
        done.setdefault(event.user, []).append(event)
    begun = [s for s in scope.visits if s.user in done and bucket.first <= s.day <= scope.day_in(bucket)]
    settings = scope.world.settings
    actions_done = [settings.action(event.type) for events in done.values() for event in events]
    creation = sum(action.category == "creation" for action in actions_done)
    consumption = sum(action.category == "consumption" for action in actions_done)

    def per_user(total: float) -> float | None:
        return total / len(done) if done else None

    values = {
        "users": len(done),
        "actions_per_user": per_user(len(actions_done)),
        "sessions_per_user": per_user(len(begun)),
        "seconds_per_user": per_user(sum(session.duration_seconds for session in begun)),
        "action_types_per_user": per_user(sum(len({event.type for event in events}) for events in done.values())),
        "features_per_user": per_user(sum(len({e.feature for e in events} - {None}) for events in done.values())),
        "creation_share": creation / (creation + consumption) if creation + consumption else None,
        "score_per_user": per_user(sum(action.engagement_weight for action in actions_done)),
    }
    return Cell(values, {"users": set(done)}, set(done))


# --- lifecycle -------------------------------------------------------------------------------------------


def lifecycle(scope: Scope, bucket: Bucket, inside: Inside) -> Cell:
    """The people of a bucket and of the one before, by what they did in both and ever."""
    chains = scope.active_days(inside, scope.query.as_of or scope.day_in(bucket))
    before = bucket_before(scope, bucket)
    active = {user for user, days in chains.items() if any(bucket.first <= day <= bucket.last for day in days)}
    previous = {user for user, days in chains.items() if any(before.first <= day <= before.last for day in days)}
    new = {user for user in active if min(chains[user]) >= bucket.first}
    if scope.query.options.get("new_by") == "registration":
        registered = {user: scope.world.user(user).registration_date for user in active - previous}
        new = {user for user, day in registered.items() if day and bucket.first <= day <= bucket.last}
    people = {
        "new": new,
        "retained": active & previous,
        "resurrected": active - previous - new,
        "churned": previous - active,
        "active_users": active,
    }
    values: dict[str, Any] = {name: len(users) for name, users in people.items()}
    came, went = values["new"] + values["resurrected"], values["churned"]
    flags = {"warming_up"} if bucket.first < scope.first_day + timedelta(days=30) else set()
    return Cell({**values, "quick_ratio": came / went if went else None}, people, active | previous, flags)


def bucket_before(scope: Scope, bucket: Bucket) -> Bucket:
    """The bucket that ends on the day before."""
    return clock.bucket_of(
        bucket.first - timedelta(days=1), scope.query.grain, scope.world.settings.week_start, *scope.steps
    )


METRICS: dict[str, Metric] = {
    "active_users": active_users,
    **dict.fromkeys(ALIASES, active_users),
    "new_vs_returning": new_vs_returning,
    "stickiness": stickiness,
    "actions": actions,
    "depth": depth,
    "lifecycle": lifecycle,
}


def lookback(scope: Scope) -> int:
    """How many days before the range belong to its first value."""
    if scope.query.metric == "stickiness":
        short, long = stickiness_windows(scope)
        method = scope.query.options.get("method")
        return 0 if method == "return" else short + long - 2 if method == "mean" else max(short, long) - 1
    if METRICS[scope.query.metric] is lifecycle:
        return {"day": 1, "week": 7, "month": 31}[scope.query.grain] * scope.query.range.every
    if METRICS[scope.query.metric] is active_users:
        return (rolling_window(scope) or 1) - 1
    return 0
