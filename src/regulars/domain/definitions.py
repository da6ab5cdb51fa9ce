"""What a changed definition asks for: which stored rows follow from which part of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

REBUILD_STEPS = ("facts", "people", "sessions", "days", "arrivals", "slices", "aggregates")
"""The steps of a rebuild, in their order."""
READING_EVENTS = frozenset({"sessions", "days", "slices"})
"""The steps that raw events are needed for, wherever a change asks for them."""

_ASKS_FOR: Mapping[str, tuple[str, ...]] = {
    "actions": ("facts", "sessions", "days", "arrivals", "slices", "aggregates"),
    "population": ("people", "aggregates"),
    "sessions": ("sessions", "days"),
    "dimensions": ("aggregates",),
    "event_dimensions": ("slices", "aggregates"),
    "activity": ("days", "arrivals", "slices", "aggregates"),
}


def changed_parts(stored: Mapping[str, str], wanted: Mapping[str, str]) -> tuple[str, ...]:
    """The parts of the definitions that differ from those that the stored rows were built with."""
    return tuple(sorted(part for part in {*stored, *wanted} if stored.get(part) != wanted.get(part)))


def steps_for(changed: Collection[str]) -> tuple[str, ...]:
    """The steps of a rebuild that changed parts ask for; the time zone, and whatever is not listed, asks for all.

    >>> steps_for(["sessions"]), steps_for(["population", "activity.search"])
    (('sessions', 'days'), ('people', 'days', 'arrivals', 'slices', 'aggregates'))
    """
    asked = {step for part in changed for step in _ASKS_FOR.get(part.partition(".")[0], REBUILD_STEPS)}
    return tuple(step for step in REBUILD_STEPS if step in asked)


@dataclass(frozen=True)
class Pending:
    """What a change of the settings leaves to do: the parts that changed, the steps they ask for, and the rows to read.

    Until it is done, questions that the change concerns are answered from raw events: exact, and slower.
    """

    changed: tuple[str, ...]
    steps: tuple[str, ...]
    events: int
