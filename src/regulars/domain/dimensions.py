"""What aggregates are kept by: stored attributes of people, pairs of them, and properties of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.properties import EVENT_SLICES, Property, PropertyNames, resolve, split_name
from regulars.domain.schema import STORED_USER_ATTRIBUTES
from regulars.errors import SettingsError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regulars.domain.sql import Values

_CODE = "unknown_dimension"
_ONE_PER_EVENT = ("event.event_id", "event.session_id", "event.duration_seconds")
_ALLOWED = [name for name in EVENT_SLICES if name not in _ONE_PER_EVENT and f"event.{name}" not in _ONE_PER_EVENT]


@dataclass(frozen=True)
class Dimensions:
    """The slices that are counted ahead of time, in one order whatever the order in which they were named."""

    attributes: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    events: tuple[str, ...] = ()

    @property
    def read_attributes(self) -> tuple[str, ...]:
        """The stored attributes that slices depend on."""
        return tuple(sorted({*self.attributes, *(name for pair in self.pairs for name in pair)}))

    @property
    def of_people(self) -> list[str]:
        """Names of the slices by attributes and pairs, as ``agg_arrivals`` has them."""
        return [*self.attributes, *map(pair_name, self.pairs)]

    @property
    def of_events(self) -> list[str]:
        """Names of the slices by properties of events, as ``agg_arrivals`` has them."""
        return [event_property(name).stored_name for name in self.events]


def dimensions(attributes: Iterable[str], pairs: Iterable[tuple[str, str]], events: Iterable[str]) -> Dimensions:
    """Check the names that settings give, and bring them into one order.

    Raises:
        SettingsError: ``unknown_dimension``, a name cannot be a slice; the message suggests one that can.
    """
    attributes, pairs = set(attributes), set(pairs)
    for name in sorted(attributes):
        _check_attribute(name, "rollups.dimensions")
    for pair in sorted(pairs):
        for name in pair:
            _check_attribute(name, "rollups.pairs")
        if pair[0] == pair[1]:
            raise SettingsError(f"rollups.pairs: {pair[0]!r} twice is no pair; name two attributes", code=_CODE)
    spelled = {_checked_event_property(name).stored_name: name for name in events}
    return Dimensions(
        tuple(sorted(attributes)),
        tuple(sorted({(min(pair), max(pair)) for pair in pairs})),
        tuple(spelled[name] for name in sorted(spelled)),
    )


def pair_name(pair: Iterable[str]) -> str:
    """The name of the slices by two attributes.

    >>> pair_name(["plan", "country"])
    'country,plan'
    """
    return ",".join(sorted(pair))


def event_property(name: str, values: Values | None = None) -> Property:
    """The property of events that a name in ``rollups.event_dimensions`` means."""
    from regulars.domain.sql import Values  # noqa: PLC0415 -- brings a parser along, and most settings name none

    prefix, key = split_name(name)
    names = PropertyNames(event_properties=[key] if prefix == "event" and key else [])
    return resolve(name, names, Values() if values is None else values)


def _check_attribute(name: str, setting: str) -> None:
    if name not in STORED_USER_ATTRIBUTES:
        raise SettingsError(
            f"{setting}: {name!r} is no stored user attribute; {did_you_mean(name, STORED_USER_ATTRIBUTES)}",
            code=_CODE,
            value=name,
        )


def _checked_event_property(name: str) -> Property:
    try:
        found = event_property(name)
    except UnknownNameError:
        raise _no_event_slice(name, f"is no event property; {did_you_mean(name, _ALLOWED)}") from None
    if found.scope != "event":
        nearest = f"event.{found.key}"
        hint = f"use {nearest!r}" if nearest in _ALLOWED else "use a property of events"
        raise _no_event_slice(name, f"is a {found.words}; {hint}")
    if found.stored_name in _ONE_PER_EVENT:
        raise _no_event_slice(name, "differs from event to event; use a property that many events share")
    return found


def _no_event_slice(name: str, reason: str) -> SettingsError:
    text = f"rollups.event_dimensions: {name!r} {reason}; a property of your own is written event.NAME"
    return SettingsError(text, code=_CODE, value=name)
