"""Short words for worlds that are counted by hand."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from regulars.domain.query import Query, Range
from regulars.settings import Settings
from tests.oracle import Event, User, World, answer


def event(user: str, at: str, kind: str = "like", **more: Any) -> Event:
    """One event at an ISO time in UTC; its id follows from what it is."""
    return Event(user, kind, datetime.fromisoformat(at), f"{user} {at} {kind} {more}", **more)


def world(*events: Event, now: str = "2030-01-01", users: tuple[User, ...] = (), **settings: Any) -> World:
    """A world that is over, unless told otherwise."""
    known = {user.user_id: user for user in users}
    return World(list(events), known, Settings(**settings), datetime.fromisoformat(now))


def ask(where: World, metric: str, start: str, end: str, grain: str = "day", **more: Any) -> list[dict[str, Any]]:
    """The rows of a question about some days."""
    days = Range(start=date.fromisoformat(start), end=date.fromisoformat(end), grain=grain)  # type: ignore[arg-type]
    return answer(where, Query(metric=metric, range=days, **more))


def column(rows: list[dict[str, Any]], name: str) -> list[Any]:
    """One column of some rows."""
    return [row[name] for row in rows]
