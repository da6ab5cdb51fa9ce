"""One person, as somebody looks at them: a profile and the newest events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime


@dataclass(frozen=True)
class Profile:
    """Who a person is and how they stand.

    ``ids`` are all ids that resolve to the person, the known one first. Days, sessions and actions count up to the last
    day with data; an active day has a core action. ``tier`` is judged on that day, at risk first: active in the last 30
    days, but not in the last 7.
    """

    user_id: str
    ids: tuple[str, ...]
    population: str
    registration_date: date | None
    birth_date: date | None
    attributes: Mapping[str, str]
    first_day: date | None
    last_day: date | None
    active_days: int
    sessions: int
    actions: int
    tier: str


@dataclass(frozen=True)
class Moment:
    """One event, in the workspace's time zone. ``session_start`` names the session around it, if there is one."""

    at: datetime
    action: str
    category: str
    name: str | None
    feature: str | None
    context: str | None
    platform: str | None
    country: str | None
    properties: Mapping[str, Any]
    session_start: datetime | None


@dataclass(frozen=True)
class Timeline:
    """A person's profile and their newest events, newest first."""

    profile: Profile
    events: tuple[Moment, ...]
