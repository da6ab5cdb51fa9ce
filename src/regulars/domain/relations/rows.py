"""Active days of people with the gap to the day before: from aggregates, stored arrivals, or raw events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from regulars.domain.calendar import epoch_day
from regulars.domain.relations.scope import USER_KEY, Scope, Source, day_number, listed, where

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regulars.domain.frame import Frame
    from regulars.domain.sql import Values

DESCRIBED = {
    "a": ("dim_actions", "action_key"),
    "f": ("dim_features", "feature_key"),
    "v": ("dim_devices", "device_key"),
    "g": ("dim_geographies", "geography_key"),
}
"""What describes an event besides itself: the table by its alias, and the key it has in events. All have an action."""


Who = Literal["people", "identities", "dirty"]
_WHO: Mapping[Who, tuple[str, ...]] = {
    "people": (
        "JOIN dim_identities i ON i.identity_key = e.identity_key",
        "JOIN dim_users u ON u.user_key = i.user_key",
    ),
    "identities": ("JOIN dim_identities i ON i.identity_key = e.identity_key",),
    "dirty": ("JOIN dirty i ON i.identity_key = e.identity_key",),
}


def event_tables(*texts: str, who: Who = "people") -> str:
    """FROM clause over events with exactly the dimensions that the given expressions read.

    ``who`` sent them: people with their attributes (``u``), identities with their person (``i``), or only those
    whose rows a refresh makes anew.
    """
    joins = [
        f"{'JOIN' if alias == 'a' else 'LEFT JOIN'} {table} {alias} ON {alias}.{key} = e.{key}"
        for alias, (table, key) in DESCRIBED.items()
        if alias == "a" or any(f"{alias}." in text for text in texts)
    ]
    return "\n".join(("FROM fact_user_actions e", *_WHO[who], *joins))


def user_days(scope: Scope, first: str, last: str, *, registered: bool = False) -> str:
    """Active days straight from events: user_key, segments, day, actions, weight."""
    segments = [(name, found.label) for name, found in scope.stored_segments()]
    listed = "".join(f"{label} AS {name}, " for name, label in segments)
    conditions = _between(scope, first, last)
    having = [f"count(*) >= {scope.min_events}"] if scope.min_events > 1 else []
    having += [f"count(*) <= {scope.max_events}"] if scope.max_events is not None else []
    reading = [label for _, label in segments] + conditions + [scope.weight, scope.key]
    return f"""
SELECT {scope.key} AS user_key, {listed}{day_number(scope.day)} AS day, count(*) AS actions,
  sum({scope.weight}) AS weight{_registered(registered)}
{event_tables(*reading)}
{where(conditions)}
GROUP BY {scope.key}, {"".join(f"{label}, " for _, label in segments)}{day_number(scope.day)}{
        ", u.registration_date" if registered else ""
    }
{"HAVING " + " AND ".join(having) if having else ""}"""


def _between(scope: Scope, first: str, last: str) -> list[str]:
    """The conditions on qualifying events of some days."""
    return [
        scope.qualifies,
        *scope.event_conditions,
        *scope.users_condition(),
        *([f"{scope.day} >= {first}"] if first else []),
        f"{scope.day} <= {last}",
    ]


def _registered(wanted: bool) -> str:  # noqa: FBT001 -- private, one caller
    return f",\n  {day_number('u.registration_date')} AS registered" if wanted else ""


def chain_from_events(scope: Scope, frame: Frame, *, registered: bool = False, firsts: bool = False) -> str:
    """Gaps on the fly: the active day before, per person and slice."""
    own = ["slice"] if scope.by_event else list(dict(scope.stored_segments()))
    partition = "user_key, slice" if scope.by_event else "user_key"
    table = "sliced_days" if scope.by_event else "user_days"
    return f"""
SELECT user_key, {listed(own)}day, gap, 1 AS people, actions, weight{", registered" if registered else ""}
FROM (
  SELECT user_key, {listed(own)}day, actions, weight{", registered" if registered else ""},
    day - lag(day) OVER (PARTITION BY {partition} ORDER BY day) AS gap
  FROM {table}
) active_days
WHERE day >= {epoch_day(frame.scan_from)}{" OR gap IS NULL" if firsts else ""}"""


def sliced_days(scope: Scope, *, registered: bool = False) -> str:
    """Active days per slice: what lies beyond the limit is one slice in which a person's day counts once."""
    matches = " AND ".join(f"d.{name} = k.{name}" for name in scope.segments)
    extra = ", d.registered" if registered else ""
    return f"""
SELECT d.user_key, k.slice, d.day, sum(d.actions) AS actions, sum(d.weight) AS weight{extra}
FROM user_days d JOIN slices k ON {matches}
GROUP BY d.user_key, k.slice, d.day{extra}"""


def chain_of_single_days(scope: Scope, frame: Frame) -> str:
    """Active days per slice, counted: for measures that look at no day but their own, so that no gap is needed.

    A person is met once on a day in a slice that is shown, and perhaps in several values of those beyond the limit.
    """
    matches = " AND ".join(f"d.{name} = k.{name}" for name in scope.segments)
    beyond = f"k.slice > {scope.limit}"
    return f"""
SELECT k.slice, d.day, CAST(NULL AS BIGINT) AS gap,
  sum(CASE WHEN {beyond} THEN 0 ELSE 1 END) + count(DISTINCT CASE WHEN {beyond} THEN d.user_key END) AS people,
  sum(d.actions) AS actions, sum(d.weight) AS weight
FROM user_days d JOIN slices k ON {matches}
WHERE d.day >= {epoch_day(frame.scan_from)}
GROUP BY k.slice, d.day"""


def chain_from_arrivals(
    scope: Scope, frame: Frame, values: Values, *, registered: bool = False, firsts: bool = False
) -> str:
    """Stored gaps, as a histogram unless an attribute that changes with time asks for single people."""
    segments = [(name, found.label) for name, found in scope.stored_segments()]
    listed = "".join(f"{label} AS {name}, " for name, label in segments)
    conditions = [
        f"r.activity = {values.add(scope.activity)}",
        f"(r.day >= {values.add(frame.scan_from)}{' OR r.days_since_prior IS NULL' if firsts else ''})",
        f"r.day <= {values.add(frame.scan_to)}",
        *scope.users_condition(),
    ]
    reads_people = registered or any("u." in text for text in (listed, *conditions))
    people = " JOIN dim_users u ON u.user_key = r.user_key" if reads_people else ""
    body = f"FROM arrivals r{people}\n{where(conditions)}"
    day = day_number("r.day")
    if scope.per_person:
        return f"""
SELECT r.user_key, {listed}{day} AS day, r.days_since_prior AS gap, 1 AS people, r.actions{_registered(registered)}
{body}"""
    grouped = "".join(f"{label}, " for _, label in segments)
    return f"""
SELECT {listed}{day} AS day, r.days_since_prior AS gap, count(*) AS people, sum(r.actions) AS actions{
        _registered(registered)
    }
{body}
GROUP BY {grouped}{day}, r.days_since_prior{", u.registration_date" if registered else ""}"""


@dataclass(frozen=True)
class StoredSlice:
    """Which part of the aggregates to read: one dimension, a condition on its values, the columns of the breakdown."""

    dimension: str = "overall"
    condition: str | None = None
    columns: tuple[str, ...] = ()


def chain_from_aggregates(scope: Scope, frame: Frame, values: Values, stored: StoredSlice) -> str:
    """Stored histograms of gaps: nothing is left to do but to add them up."""
    segments = "".join(f"{column} AS {name}, " for column, name in zip(stored.columns, scope.segments, strict=True))
    conditions = [
        f"activity = {values.add(scope.activity)}",
        f"dimension = {values.add(stored.dimension)}",
        *([] if scope.population == "all" else [f"population = '{scope.population}'"]),
        f"day >= {values.add(frame.scan_from)}",
        f"day <= {values.add(frame.scan_to)}",
        *([stored.condition] if stored.condition else []),
    ]
    return f"""
SELECT {segments}{day_number("day")} AS day, gap, users AS people
FROM agg_arrivals
{where(conditions)}"""


def ledger(scope: Scope, frame: Frame, values: Values, source: Source, stored: StoredSlice) -> str:
    """People with a qualifying event in the range, by population; conditions that hold only on a day are left out."""
    first, last = values.add(frame.first), values.add(frame.last)
    if source == "aggregates":
        # Every dimension holds every person once, and without a value to compare the fewest rows do.
        dimension = stored.dimension if stored.condition else StoredSlice().dimension
        tests = [f"activity = {values.add(scope.activity)}", f"dimension = {values.add(dimension)}"]
        tests += [f"day >= {first}", f"day <= {last}", *([stored.condition] if stored.condition else [])]
        tests.append(f"(gap IS NULL OR {day_number('day')} - gap < {epoch_day(frame.first)})")
        return f"SELECT population, sum(users) AS users FROM agg_arrivals {where(tests)} GROUP BY population"
    people = scope.population_column
    if source == "arrivals":
        tests = [f"r.activity = {values.add(scope.activity)}", f"r.day >= {first}", f"r.day <= {last}"]
        prior = f"{day_number('r.day')} - r.days_since_prior"
        tests.append(f"(r.days_since_prior IS NULL OR {prior} < {epoch_day(frame.first)})")
        tests += scope.user_conditions
        return f"""SELECT {people} AS population, count(*) AS users
FROM arrivals r JOIN dim_users u ON u.user_key = r.user_key {where(tests)} GROUP BY {people}"""
    return _by_population(scope, user_days(_everyone(scope), first, last))


def ledger_of(scope: Scope, frame: Frame, values: Values, source: Source, own: Sequence[str]) -> str:
    """The ledger of people who qualify by any of some conditions on events; the activity among them, by its days."""
    first, last, everyone = values.add(frame.first), values.add(frame.last), _everyone(scope)
    is_about_days = source == "arrivals" or scope.min_events > 1 or scope.max_events is not None
    by_day = [test for test in own if test == scope.qualifies and is_about_days]
    by_event = " OR ".join(f"({test})" for test in own if test not in by_day)
    parts = []
    if by_day and source == "arrivals":
        tests = [f"r.activity = {values.add(scope.activity)}", f"r.day >= {first}", f"r.day <= {last}"]
        tests += scope.user_conditions
        parts.append(f"SELECT r.user_key FROM arrivals r JOIN dim_users u ON u.user_key = r.user_key {where(tests)}")
    elif by_day:
        parts.append(f"SELECT a.user_key FROM ({user_days(everyone, first, last)}) a")
    if by_event:
        single = replace(everyone, qualifies=f"({by_event})", min_events=1, max_events=None)
        tests = _between(single, first, last)
        parts.append(f"SELECT DISTINCT {single.key} AS user_key\n{event_tables(*tests, single.key)}\n{where(tests)}")
    return _by_population(scope, "\nUNION ALL\n".join(parts))


def _everyone(scope: Scope) -> Scope:
    return replace(scope, population="all", breakdown=(), key=USER_KEY)


def _by_population(scope: Scope, people: str) -> str:
    of = scope.population_column
    return f"""SELECT {of} AS population, count(DISTINCT d.user_key) AS users
FROM ({people}) d JOIN dim_users u ON u.user_key = d.user_key GROUP BY {of}"""
