"""Tiers: who comes how often, and who moved between two days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.oracle.answer import Group, every_slice, none_of, only
from tests.oracle.conditions import RefusedError
from tests.oracle.daily import refuse_unless_daily
from tests.oracle.metrics import Cell, warming_up
from tests.oracle.scope import Scope
from tests.oracle.sessions import sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from datetime import date

    from regulars.domain.query import Query
    from tests.oracle.clock import Bucket
    from tests.oracle.scope import Slice
    from tests.oracle.sessions import Session
    from tests.oracle.world import Event, World

TIERS = ("casual", "regular", "core", "power", "at_risk", "dormant")
NOT_YET_SEEN = "not_yet_seen"
DAYS = 30
DEPTH = 10
RISK_AFTER = 7


class Positive:
    """Every number above zero."""

    def __contains__(self, value: object) -> bool:
        return value is None or (isinstance(value, int | float) and value > 0)


OPTIONS: dict[str, Container[Any]] = {
    "scheme": (None, "days", "depth"),
    "with_risk": (None, True, False),
    "depth_threshold": Positive(),
}


def tier_on(days: dict[date, list[Event]], day: date, query: Query) -> str:  # noqa: PLR0911 -- one line per tier
    """The tier of a person, from the active days and what was done on them, in the window that ends on ``day``."""
    seen = [active for active in days if active <= day]
    recent = in_window(days, day, query)
    if not seen:
        return NOT_YET_SEEN
    if not recent:
        return "dormant"
    if query.options.get("with_risk") and (day - max(seen)).days > RISK_AFTER:
        return "at_risk"
    if query.options.get("scheme") == "depth":
        done = sum(len(days[active]) for active in recent)
        if done / len(recent) >= (query.options.get("depth_threshold") or DEPTH):
            return "power"
    elif len(recent) >= 20:
        return "power"
    if len(recent) >= 16:
        return "core"
    return "regular" if len(recent) >= 6 else "casual"


def in_window(days: dict[date, list[Event]], day: date, query: Query) -> list[date]:
    """The active days in the window that ends on ``day``."""
    first = day - timedelta(days=(query.window or DAYS) - 1)
    return [active for active in days if first <= active <= day]


# --- the metric ------------------------------------------------------------------------------------------


def tiers_rows(world: World, query: Query, **rules: Any) -> list[dict[str, Any]]:
    """The rows of the metric: date, breakdowns, tier, measures, flags; ``rules`` are those of :func:`sessions`."""
    rows = []
    for bucket, place, cell in tiers_cells(world, query, **rules):
        names = dict(zip(query.breakdown, place, strict=True))
        rows.append({"date": bucket.label, **names, **cell.values, "flags": sorted(cell.flags)})
    return rows


def tiers_cells(world: World, query: Query, **rules: Any) -> list[tuple[Bucket, Slice, Cell]]:
    """Every bucket, slice and tier of the scheme, empty ones included."""
    refuse_unless_daily(world, query, OPTIONS)
    if Scope.is_empty(world):
        return []
    scope, everything = Scope(world, query), sessions(world, **rules)
    time_axis = scope.buckets(query.grain)
    groups = _groups(scope, time_axis)
    return [
        (bucket, group.place, cell)
        for bucket in time_axis
        for group in groups
        for cell in _tiers_of(scope, bucket, group, everything)
    ]


def _groups(scope: Scope, time_axis: list[Bucket]) -> list[Group]:
    """The top slices by people with a tier in any bucket of the range, then by name; and the rest."""
    if not scope.query.breakdown:
        return [Group((), lambda _: True)]
    ends = [scope.day_in(bucket) for bucket in time_axis]
    ranks: dict[Slice, set[str]] = {}
    for place in every_slice(scope, ends):
        for day in ends:
            users = set(_tiers_on(scope, only(place), day))
            if users:
                ranks.setdefault(place, set()).update(users)
    ordered = sorted(ranks, key=lambda place: (-len(ranks[place]), place))
    top, rest = ordered[: scope.query.limit], ordered[scope.query.limit :]
    groups = [Group(place, only(place)) for place in top]
    if rest:
        groups.append(Group((None,) * len(scope.query.breakdown), none_of(top), is_other=True))
    return groups


def _tiers_on(scope: Scope, inside: Callable[[Slice], bool], day: date) -> dict[str, str]:
    """Person -> tier, for those seen by a day."""
    chains = scope.active_days(inside, day)
    found = {user: tier_on(days, day, scope.query) for user, days in chains.items()}
    return {user: tier for user, tier in found.items() if tier != NOT_YET_SEEN}


def _tiers_of(scope: Scope, bucket: Bucket, group: Group, everything: list[Session]) -> list[Cell]:
    day, window = scope.day_in(bucket), scope.query.window or DAYS
    first = day - timedelta(days=window - 1)
    chains, tiers = scope.active_days(group.inside, day), _tiers_on(scope, group.inside, day)
    flags = warming_up(scope, day, window) | ({"other"} if group.is_other else set())
    flags |= set() if scope.is_complete(bucket.last) else {"incomplete"}
    found = []
    for tier in TIERS:
        if tier == "at_risk" and not scope.query.options.get("with_risk"):
            continue
        users = {user for user, own in tiers.items() if own == tier}
        active = {user: in_window(chains[user], day, scope.query) for user in users}
        days = sum(len(recent) for recent in active.values())
        done = sum(len(chains[user][each]) for user, recent in active.items() for each in recent)
        visits = sum(session.user in users and first <= session.day <= day for session in everything)
        values = {
            "tier": tier,
            "users": len(users),
            "sessions_per_active_day": visits / days if days else None,
            "actions_per_active_day": done / days if days else None,
        }
        found.append(Cell(values, {"users": users}, users, set(flags)))
    return found


# --- transitions -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Transitions:
    """How many went from which tier to which, and who they were."""

    rows: list[dict[str, Any]]
    people: dict[tuple[str, str], set[str]]

    @property
    def movers(self) -> list[tuple[str, str, str]]:
        """Who did not stay where they were, and their two tiers."""
        moved = [(user, *pair) for pair, users in self.people.items() if len(set(pair)) > 1 for user in users]
        return sorted(moved)


def tier_transitions(world: World, query: Query) -> Transitions:
    """Tiers on the first day of the range against those on the last, of the people selected on the first.

    Only so do the rows of a tier add up to its size on the first day, whatever the filters.
    """
    refuse_unless_daily(world, query, OPTIONS)
    if query.breakdown:
        raise RefusedError("transitions have no breakdown")
    if Scope.is_empty(world):
        return Transitions([], {})
    scope = Scope(world, query)
    d1, asked_end = scope.asked_days()
    if d1 > asked_end:
        raise RefusedError("the range starts after its end")
    if d1 > scope.watermark:
        return Transitions([], {})
    people = _moves(scope, d1, min(asked_end, scope.watermark))
    flags = warming_up(scope, d1, query.window or DAYS)
    flags |= set() if scope.is_complete(asked_end) else {"incomplete"}
    order = [(before, after) for before in (*TIERS, NOT_YET_SEEN) for after in TIERS]
    rows = [
        {"from_tier": pair[0], "to_tier": pair[1], "users": len(people[pair]), "flags": sorted(flags)}
        for pair in order
        if pair in people
    ]
    return Transitions(rows, people)


def _moves(scope: Scope, d1: date, d2: date) -> dict[tuple[str, str], set[str]]:
    """The tiers on two days -> who had them, for those seen by the second."""
    found: dict[tuple[str, str], set[str]] = {}
    for user, days in scope.active_days(lambda _: True, d1).items():
        before, after = tier_on(days, d1, scope.query), tier_on(days, d2, scope.query)
        if after != NOT_YET_SEEN:
            found.setdefault((before, after), set()).add(user)
    return found
