"""What the planner must know about a workspace to turn a question into SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from regulars.domain.calendar import day_ends_at, local_day
from regulars.domain.population import PopulationRule
from regulars.domain.properties import PropertyNames
from regulars.domain.rules import SESSION_GAP_MINUTES
from regulars.domain.segments import CohortRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.actions import Action
    from regulars.domain.query import EventCondition


@dataclass(frozen=True)
class ActivityRule:
    """What makes an event qualify, and how many a day make a person active."""

    name: str
    events: EventCondition
    min_events: int = 1
    max_events: int | None = None


@dataclass(frozen=True)
class SessionRule:
    """When a new session begins, as the settings say."""

    gap_minutes: int = SESSION_GAP_MINUTES
    by_client: bool = False
    passive_extends: bool = False
    split_at_midnight: bool = False


@dataclass(frozen=True)
class Context:
    """The state of a workspace at one moment.

    ``watermark`` is the last day with data, ``first_day`` the first one; both are None while there are no events.
    ``types`` are the keys of the event types ever seen, ``actions`` what is known about them.
    ``fresh_activities`` have stored arrivals built with today's definitions, ``dimensions`` are the names of the slices
    their aggregates are kept by, ``missing_dimensions`` of those that the settings ask for and that are not there yet.
    ``slice_values`` is the number of values of each event property among them that the question names.
    ``dropped_through`` is the last day that a bounded workspace let go. ``raw_floor`` is the first day whose raw events
    are here, where older ones were dropped and what follows from them was kept.
    ``greatest_user_key`` is as great as can be until it is looked up.
    Without ``has_sequences`` nothing but time is known about the order of events.
    """

    timezone: str
    week_start: int
    now: datetime
    first_day: date | None = None
    watermark: date | None = None
    names: PropertyNames = field(default_factory=PropertyNames)
    actions: Mapping[str, Action] = field(default_factory=dict)
    types: Mapping[str, int] = field(default_factory=dict)
    greatest_action_key: int = 0
    greatest_user_key: int = 2**62
    activities: Mapping[str, ActivityRule] = field(default_factory=dict)
    core_features: tuple[str, ...] = ()
    population: PopulationRule = field(default_factory=PopulationRule)
    sessions: SessionRule = field(default_factory=SessionRule)
    rules: CohortRules = field(default_factory=CohortRules)
    fresh_activities: frozenset[str] = frozenset()
    dimensions: frozenset[str] = frozenset()
    missing_dimensions: frozenset[str] = frozenset()
    slice_values: Mapping[str, int] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    stale_sessions: bool = False
    first_instant: datetime | None = None
    last_instant: datetime | None = None
    dropped_through: date | None = None
    raw_floor: date | None = None
    has_sequences: bool = True

    @property
    def fresh_sessions(self) -> bool:
        """Whether the stored sessions, and the days counted from them, follow today's settings."""
        return not (self.stale or self.stale_sessions)

    @property
    def today(self) -> date:
        """The local day of now."""
        return local_day(self.now, self.timezone)

    def complete_through(self, watermark: date) -> date:
        """The last day that is over and has all its data, when data count up to ``watermark``."""
        over = self.now >= day_ends_at(watermark, self.timezone)
        return watermark if over else watermark - timedelta(days=1)
