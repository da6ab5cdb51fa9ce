"""Churn risk: the score of a person, added up in fractions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.oracle.clock import bucket_of
from tests.oracle.conditions import RefusedError
from tests.oracle.daily import refuse_unless_daily
from tests.oracle.groups import groups_with, rows_of
from tests.oracle.metrics import Cell, warming_up
from tests.oracle.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regulars.domain.query import Query
    from tests.oracle.groups import Placed
    from tests.oracle.metrics import Inside
    from tests.oracle.world import World

LEVELS = ("high", "medium", "low")
OPTIONS: dict[str, Any] = {"show": (None, "levels", "people"), "top": range(1, 1000)}


@dataclass(frozen=True)
class Risk:
    """One person on one day."""

    risk: Fraction
    days_since_last: int
    active_days: int
    sessions_per_day: Fraction
    trend: str

    @property
    def level(self) -> str:
        """High from 0.6, medium from 0.3."""
        if self.risk >= Fraction(6, 10):
            return "high"
        return "medium" if self.risk >= Fraction(3, 10) else "low"


def trend(this_week: int, last_week: int) -> str:
    """More than a fifth up or down."""
    if Fraction(this_week) > Fraction(12, 10) * last_week:
        return "increasing"
    return "declining" if Fraction(this_week) < Fraction(8, 10) * last_week else "stable"


def risk_of(active: Iterable[date], visits: Iterable[date], day: date) -> Risk:
    """The score of a person by the days on which they were active and began sessions."""
    days = sorted(each for each in active if each <= day)

    def between(ago: int, until: int) -> int:
        return sum(ago >= (day - each).days >= until for each in days)

    since, recent = (day - days[-1]).days, between(29, 0)
    sessions = sum(0 <= (day - each).days <= 29 for each in visits)
    pace = Fraction(sessions, min(30, (day - days[0]).days + 1))
    direction = trend(between(6, 0), between(13, 7))
    score = Fraction(4, 10) if since > 7 else Fraction(2, 10) if since > 3 else Fraction(0)
    score += Fraction(3, 10) if recent < 3 else Fraction(1, 10) if recent < 6 else 0
    score += Fraction(2, 10) if pace < Fraction(1, 2) else Fraction(1, 10) if pace < 1 else 0
    score += {"declining": Fraction(2, 10), "increasing": Fraction(-1, 10)}.get(direction, Fraction(0))
    return Risk(min(max(score, Fraction(0)), Fraction(1)), since, recent, pace, direction)


def risks_on(scope: Scope, inside: Inside, day: date) -> dict[str, Risk]:
    """Everybody active in the window that ends on a day."""
    opens = day - timedelta(days=(scope.query.window or 90) - 1)
    found = {}
    for user, active in scope.active_days(inside, day).items():
        if any(opens <= each <= day for each in active):
            found[user] = risk_of(active, [s.day for s in scope.visits if s.user == user], day)
    return found


def churn_rows(world: World, query: Query) -> list[dict[str, Any]]:
    """The rows of the metric: levels by slice, or people in the order of their risk."""
    return rows_of(query.breakdown, churn_cells(world, query))


def churn_cells(world: World, query: Query) -> Placed:
    """Every slice and level, or every person to be shown."""
    refuse_unless_daily(world, query, OPTIONS)
    listed = query.options.get("show") == "people"
    if query.grain != "day" or (listed and query.breakdown):
        raise RefusedError("churn risk is of one day, and a list has no slices")
    if Scope.is_empty(world):
        return []
    scope = Scope(world, query)
    if any(prop.level == "event" for prop in scope.breakdown) or scope.event_filters:
        raise RefusedError("people have one risk, whatever the event")
    buckets = scope.buckets("day")
    if not buckets:
        return []
    day, (_, end) = scope.day_in(buckets[-1]), scope.asked_days()
    flags = warming_up(scope, day, max(query.window or 90, 30))
    asked_last = bucket_of(end, "day", world.settings.week_start, *scope.steps).last
    flags |= set() if scope.is_complete(asked_last) else {"incomplete"}
    return _list(scope, day, flags) if listed else _levels(scope, day, flags)


def _levels(scope: Scope, day: date, flags: set[str]) -> Placed:
    found: Placed = []
    for group in groups_with(scope, day, lambda inside: risks_on(scope, inside, day)):
        risks = risks_on(scope, group.inside, day)
        for level in LEVELS:
            users = {user for user, risk in risks.items() if risk.level == level}
            share = len(users) / len(risks) if risks else None
            own = flags | ({"other"} if group.is_other else set())
            values = {"level": level, "users": len(users), "share": share}
            found.append((group.place, Cell(values, {"users": users}, users, own)))
    return found


def _list(scope: Scope, day: date, flags: set[str]) -> Placed:
    risks = risks_on(scope, lambda _: True, day)
    order = sorted(risks, key=lambda u: (-risks[u].risk, -risks[u].days_since_last, risks[u].active_days, u))
    return [((), _person(user, risks[user], flags)) for user in order[: scope.query.options.get("top") or 50]]


def _person(user: str, risk: Risk, flags: set[str]) -> Cell:
    values = {"user_id": user, "level": risk.level, **vars(risk)}
    values |= {"risk": float(risk.risk), "sessions_per_day": float(risk.sessions_per_day)}
    return Cell(values, flags=set(flags))
