"""Survival: the life of each person walked along day by day, the curve in fractions, the band by its formula."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.oracle.answer import Group
from tests.oracle.conditions import RefusedError
from tests.oracle.daily import refuse_unless_daily
from tests.oracle.groups import rows_of
from tests.oracle.metrics import Cell
from tests.oracle.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Collection

    from regulars.domain.query import Query
    from tests.oracle.groups import Placed
    from tests.oracle.scope import Slice
    from tests.oracle.world import World

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Life:
    """How many days somebody stayed as far as is known, and whether they left then."""

    days: int
    has_left: bool


def life(active: Collection[date], watermark: date, silent: int) -> Life | None:
    """The life of a person; None when they began too late to be followed."""
    start, end = min(active), watermark - silent * DAY
    if start > end:
        return None
    day = start
    while day <= end:
        if day in active and not any(day + n * DAY in active for n in range(1, silent + 1)):
            return Life((day - start).days, has_left=True)
        day += DAY
    return Life((end - start).days, has_left=False)


def curve(lives: dict[str, Life]) -> list[Cell]:
    """One cell per day, with the people who are followed, leave, and are followed no longer."""
    found: list[Cell] = []
    stay, spread = Fraction(1), Fraction(0)
    for day in range(max((one.days for one in lives.values()), default=-1) + 1):
        people = {
            "at_risk": {user for user, one in lives.items() if one.days >= day},
            "churned": {user for user, one in lives.items() if one.days == day and one.has_left},
            "censored": {user for user, one in lives.items() if one.days == day and not one.has_left},
        }
        n, d = len(people["at_risk"]), len(people["churned"])
        stay *= 1 - Fraction(d, n)
        spread += Fraction(d, n * (n - d)) if n > d else 0
        low = high = None
        if 0 < stay < 1:
            theta = 1.959963984540054 * math.sqrt(spread) / math.log(stay)
            low, high = float(stay) ** math.exp(-theta), float(stay) ** math.exp(theta)
        sizes = {name: len(users) for name, users in people.items()}
        found.append(Cell({"day": day, **sizes, "survival": float(stay), "low": low, "high": high}, people))
    return found


def survival_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """The rows of the metric: breakdowns, day, at_risk, churned, censored, survival, low, high, flags."""
    return rows_of(query.breakdown, survival_cells(world, query))


def survival_cells(world: World, query: Query) -> Placed:
    """Every slice and day."""
    refuse_unless_daily(world, query, {"silent_days": range(1, 367)})
    if query.grain != "day" or query.window:
        raise RefusedError("a life has days")
    if Scope.is_empty(world):
        return []
    scope = Scope(world, query)
    if any(prop.level == "event" for prop in scope.breakdown) or scope.event_filters:
        raise RefusedError("people have one life, whatever the event")
    axis = scope.buckets("day")
    if not axis:
        return []
    silent = query.options.get("silent_days", 30)
    flags = set() if scope.is_complete(scope.watermark) else {"incomplete"}
    flags |= {"warming_up"} if axis[0].first < scope.first_day + silent * DAY else set()
    lives = _lives(scope, axis[0].first, scope.day_in(axis[-1]), silent)
    found: Placed = []
    for group, own in _groups(scope, lives):
        for cell in curve(own):
            cell.flags = flags | ({"other"} if group.is_other else set())
            found.append((group.place, cell))
    return found


def _lives(scope: Scope, first: date, last: date, silent: int) -> dict[Slice, dict[str, Life]]:
    """Slice at the first active day -> person -> life, of those who begin in the range."""
    nothing: Slice = (None,) * len(scope.breakdown)
    found: dict[Slice, dict[str, Life]] = {}
    for user, days in scope.chains.get(nothing, {}).items():
        if days and first <= min(days) <= last and scope.selected(user, min(days)):
            own = life(days, scope.watermark, silent)
            if own:
                found.setdefault(scope.slice_of(nothing, user, min(days)), {})[user] = own
    return found


def _groups(scope: Scope, lives: dict[Slice, dict[str, Life]]) -> list[tuple[Group, dict[str, Life]]]:
    ordered = sorted(lives, key=lambda place: (-len(lives[place]), place))
    top, rest = ordered[: scope.query.limit], ordered[scope.query.limit :]
    found = [(Group(place, lambda _: True), lives[place]) for place in top]
    if rest:
        together = {user: one for place in rest for user, one in lives[place].items()}
        found.append((Group((None,) * len(scope.breakdown), lambda _: True, is_other=True), together))
    return found
