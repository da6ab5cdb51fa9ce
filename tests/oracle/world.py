"""What happened: events, people and settings, as plain records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from regulars.settings import Settings

Scalar = str | int | float | bool


@dataclass(frozen=True)
class Event:
    """One event; ``at`` is naive UTC."""

    user: str
    type: str
    at: datetime
    event_id: str
    sequence: int | None = None
    country: str | None = None
    region: str | None = None
    device_type: str | None = None
    platform: str | None = None
    feature: str | None = None
    properties: dict[str, Scalar] = field(default_factory=dict)
    duration_seconds: float | None = None
    anonymous: bool = False
    client_session_id: str | None = None
    context: str | None = None


@dataclass(frozen=True)
class User:
    """What was explicitly told about one person."""

    user_id: str
    attributes: dict[str, str] = field(default_factory=dict)
    registration_date: date | None = None
    birth_date: date | None = None
    population: str = "production"


@dataclass
class World:
    """Everything a workspace was given, in the order of arrival; ``now`` is naive UTC."""

    events: list[Event]
    users: dict[str, User]
    settings: Settings
    now: datetime

    def distinct_events(self) -> list[Event]:
        """The events with each id once: the first one wins."""
        seen: dict[str, Event] = {}
        for event in self.events:
            if event.event_id not in seen:
                seen[event.event_id] = event
        return list(seen.values())

    def people(self) -> list[str]:
        """Everybody who ever sent an event."""
        return sorted({event.user for event in self.distinct_events()})

    def user(self, user_id: str) -> User:
        """What is known about a person, perhaps nothing."""
        return self.users.get(user_id, User(user_id))

    def population_of(self, user_id: str) -> str:
        """The population of a person: the lists in the settings win over the flag."""
        listed = self.settings.population
        if user_id in listed.production_users:
            return "production"
        if user_id in listed.test_users:
            return "test"
        if user_id in listed.bots:
            return "bot"
        return self.user(user_id).population
