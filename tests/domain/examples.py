"""Small workspaces for the specification of the domain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import regulars
from regulars.settings import Settings
from regulars.workspace import Workspace

if TYPE_CHECKING:
    from regulars.domain.result import Result

LATER = datetime(2030, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


def did(user: str, at: str, kind: str = "like", **more: Any) -> Row:
    """One event at an ISO time in UTC."""
    return {"user_id": user, "event_type": kind, "timestamp": f"{at}Z", **more}


def workspace(*events: Row, users: tuple[Row, ...] = (), now: datetime = LATER, **settings: Any) -> Workspace:
    """A workspace in memory whose data are over, unless told otherwise."""
    ws = regulars.open(settings=Settings(**settings), clock=lambda: now)
    if users:
        ws.load(list(users), kind="users")
    if events:
        ws.load(list(events), kind="events")
    return ws


def under(ws: Workspace, **settings: Any) -> Workspace:
    """A second workspace over the same database, opened with other settings."""
    return Workspace(ws.engine, Settings(**settings), clock=lambda: LATER)


def column(result: Result, name: str) -> list[Any]:
    """One column of a result."""
    return [row[name] for row in result.rows]
