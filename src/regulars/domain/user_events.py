"""What one person did: an event, and a session that a program began and ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 -- records are converted by their types
from typing import Any, Literal

from regulars.domain.plain import Plain

SessionStatus = Literal["active", "ended", "expired"]


@dataclass(frozen=True)
class UserEvent(Plain):
    """One event as it was kept.

    ``user_id`` is the id of the person, whichever of their ids sent it. ``timestamp`` is in UTC. ``properties`` hold
    whatever was said beside the other fields.

    >>> UserEvent("e1", "ada", "like", datetime(2026, 1, 5, 9)).to_dict()["timestamp"]
    '2026-01-05T09:00:00'
    """

    event_id: str
    user_id: str
    event_type: str
    timestamp: datetime
    event_name: str | None = None
    session_id: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class UserSession(Plain):
    """All events of a person that carry one session id. Instants are in UTC.

    ``started_at`` is the first event, ``last_event_at`` the latest; ``actions`` counts all but markers. The session is
    ``ended`` once there is a ``session_end``, at ``ended_at``, and ``expired`` without one when its person was silent
    for longer than the gap of the settings (30 minutes).
    """

    session_id: str
    user_id: str
    started_at: datetime
    last_event_at: datetime
    ended_at: datetime | None
    actions: int
    status: SessionStatus

    @property
    def duration_seconds(self) -> float:
        """Seconds from the start to the end, or to the latest event where nothing ended it."""
        return ((self.ended_at or self.last_event_at) - self.started_at).total_seconds()

    def to_dict(self) -> dict[str, Any]:
        """The record as a dictionary ready for JSON, with its duration."""
        return {**super().to_dict(), "duration_seconds": self.duration_seconds}
