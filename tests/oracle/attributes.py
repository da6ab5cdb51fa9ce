"""What a property name means, and its value on an event, on a person, or on a person at a day."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.schema import STORED_USER_ATTRIBUTES
from tests.oracle.cohorts import value_on

if TYPE_CHECKING:
    from datetime import date

    from tests.oracle.world import Event, Scalar, World

TIME_DEPENDENT = ("tenure_band", "age_band")
RECORDED = ("registration_date", "birth_date", "user_id", "population")
TENURE = ((6, "0-6 days"), (29, "7-29 days"), (89, "30-89 days"), (364, "90-364 days"))
AGES = ((17, "under 18"), (24, "18-24"), (34, "25-34"), (44, "35-44"), (54, "45-54"), (64, "55-64"))


@dataclass(frozen=True)
class Property:
    """A resolved name: ``level`` is user, time or event; ``source`` says where on the event to look."""

    level: str
    name: str
    source: str = ""


def resolve(world: World, name: str) -> Property:  # noqa: PLR0911 -- one line per kind of name
    """Find out what a property name means in this world."""
    prefix, dot, rest = name.partition(".")
    if name == "segment" or prefix == "cohort":
        return Property("time", name)
    if dot and prefix == "user":
        return Property("time" if rest in TIME_DEPENDENT else "user", rest)
    if dot and prefix in ("device", "geo"):
        return Property("event", rest, "field")
    if name == "feature.name":
        return Property("event", "feature", "field")
    if dot and prefix == "event":
        return _on_event(rest, ("country", "region", "device_type", "platform", "feature"))
    explicit = {key for user in world.users.values() for key in user.attributes}
    if name in STORED_USER_ATTRIBUTES or name in RECORDED or name in explicit:
        return Property("user", name)
    if name in TIME_DEPENDENT:
        return Property("time", name)
    return _on_event(name, ("feature", "platform"))


def _on_event(name: str, fields: tuple[str, ...]) -> Property:
    if name in ("action", "category"):
        return Property("event", name, name)
    return Property("event", name, "field" if name in fields else "properties")


def event_value(world: World, event: Event, prop: Property) -> str | None:
    """The value of an event property as text; None when it is missing."""
    if prop.source == "action":
        return event.type
    if prop.source == "category":
        return world.settings.action(event.type).category
    if prop.source == "field":
        return getattr(event, prop.name)  # type: ignore[no-any-return]
    value = event.properties.get(prop.name)
    return None if value is None else as_text(value)


def user_value(world: World, user_id: str, name: str) -> str | None:
    """The current value of a stored attribute: the explicit one, else that of the first event with one."""
    user = world.user(user_id)
    if name == "user_id":
        return user_id
    if name == "population":
        return world.population_of(user_id)
    if name in ("registration_date", "birth_date"):
        day: date | None = getattr(user, name)
        return None if day is None else day.isoformat()
    if name in user.attributes:
        return user.attributes[name]
    return _first_seen(world, user_id, name) if name in STORED_USER_ATTRIBUTES else None


def _first_seen(world: World, user_id: str, name: str) -> str | None:
    own = [event for event in world.distinct_events() if event.user == user_id]
    own.sort(key=lambda e: (e.at, e.sequence is None, e.sequence or 0, e.event_id))
    source = "field" if name in ("country", "region", "device_type") else "properties"
    for event in own:
        value = event_value(world, event, Property("event", name, source))
        if value is not None:
            return value
    return None


def value_at(world: World, user_id: str, name: str, day: date) -> str | None:
    """The value of a time-dependent attribute on a day."""
    if name == "segment" or name.startswith("cohort."):
        return value_on(world, user_id, name, day)
    user = world.user(user_id)
    if name == "tenure_band":
        return tenure_band(user.registration_date, day)
    return age_band(user.birth_date, day)


def tenure_band(registered: date | None, day: date) -> str | None:
    """How long a person has been registered."""
    if registered is None:
        return None
    days = (day - registered).days
    if days < 0:
        return "(before registration)"
    return next((band for most, band in TENURE if days <= most), "365+ days")


def age_band(born: date | None, day: date) -> str | None:
    """How old a person is; somebody born on 29 February has their birthday on the 28th in common years."""
    if born is None or day < born:
        return None
    try:
        birthday = born.replace(year=day.year)
    except ValueError:
        birthday = born.replace(year=day.year, day=28)
    years = day.year - born.year - (day < birthday)
    return next((band for most, band in AGES if years <= most), "65+")


def as_text(value: Scalar) -> str:
    """A value as text: strings as they are, everything else as JSON prints it."""
    return value if isinstance(value, str) else json.dumps(value)
