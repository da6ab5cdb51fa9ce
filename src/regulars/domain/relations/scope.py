"""A question with every name resolved, ready to be put into relations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regulars.domain.membership import Membership
    from regulars.domain.properties import Property

Source = Literal["aggregates", "arrivals", "sessions", "events"]
SOURCES: tuple[Source, ...] = (
    "aggregates",
    "arrivals",
    "sessions",
    "events",
)  # from the cheapest to the one that always can
USER_KEY = "i.user_key"
EPOCH = "CAST('1970-01-01' AS DATE)"


def day_number(column: str) -> str:
    """A date column as days since 1970-01-01."""
    return f"date_diff('day', {EPOCH}, {column})"


@dataclass(frozen=True)
class Scope:
    """A question with every name resolved: the conditions and the breakdown, ready to be put into relations."""

    activity: str
    population: str
    breakdown: tuple[Property, ...]
    event_conditions: tuple[str, ...]
    user_conditions: tuple[str, ...]
    moment_conditions: tuple[str, ...]
    moments: tuple[str, ...]
    session_conditions: tuple[str, ...]
    limit: int
    memberships: Mapping[str, Membership] = field(default_factory=dict)
    min_events: int = 1
    max_events: int | None = None
    qualifies: str = ""
    weight: str = "a.engagement_weight"
    day: str = "e.day"
    population_column: str = "u.population"
    key: str = USER_KEY
    keep_people: bool = False
    is_summed: bool = False

    @property
    def is_about_users(self) -> bool:
        """Whether users are counted, and not whatever else acts."""
        return self.key == USER_KEY

    @property
    def by_event(self) -> bool:
        """Whether a slice is a property of single events, whose chains are yet to be made (not ``is_summed``)."""
        return not self.is_summed and any(found.scope == "event" for found in self.breakdown)

    @property
    def per_person(self) -> bool:
        """Whether spans must be kept per person: to list the people, or because an attribute changes with time."""
        return self.keep_people or bool(self.moments)

    @property
    def segments(self) -> tuple[str, ...]:
        """Column names of the breakdown inside the relations."""
        return tuple(f"segment_{number}" for number, _ in enumerate(self.breakdown, 1))

    def stored_segments(self) -> list[tuple[str, Property]]:
        """The breakdown columns that do not depend on the day."""
        pairs = zip(self.segments, self.breakdown, strict=True)
        return [(name, found) for name, found in pairs if found.scope != "moment"]

    def labels(self) -> dict[str, str]:
        """Every breakdown column with its expression, where time-dependent values are joined by their name."""
        pairs = zip(self.segments, self.breakdown, strict=True)
        return {name: f"{p.key}.value" if p.scope == "moment" else p.label for name, p in pairs}

    def users_condition(self) -> list[str]:
        """Conditions on a person (alias ``u``): population and stored attributes."""
        wanted = [] if self.population == "all" else [f"{self.population_column} = '{self.population}'"]
        return [*wanted, *self.user_conditions]


def where(conditions: list[str]) -> str:
    """A WHERE clause of conditions that must all hold, or nothing."""
    return "WHERE " + "\n  AND ".join(conditions) if conditions else ""


def listed(names: Sequence[str], alias: str = "") -> str:
    """Columns for the middle of a SELECT list: each followed by a comma."""
    prefix = f"{alias}." if alias else ""
    return "".join(f"{prefix}{name}, " for name in names)
