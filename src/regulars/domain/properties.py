"""What a property name means: whose it is, and which expression reads it.

A name is ``user.x``, ``event.x``, ``device.x``, ``geo.x``, ``feature.x``, ``cohort.x``, or bare. A bare name is the
user attribute; if there is none, the event property. *Stored* user attributes have one current value,
*time-dependent* ones are evaluated on a day, *event* properties belong to single events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from regulars.domain.schema import DEVICE_COLUMNS, GEOGRAPHY_COLUMNS, MISSING, STORED_USER_ATTRIBUTES
from regulars.domain.segments import PREFIX, SEGMENT
from regulars.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from regulars.domain.sql import Values

Scope = Literal["user", "moment", "event", "session"]
PREFIXES = ("user", "event", "device", "geo", "feature", "session", "cohort")

_USER_DATES = ("registration_date", "birth_date")
_USER_COLUMNS = ("user_id", "population", *STORED_USER_ATTRIBUTES)
_EVENT_COLUMNS = {
    "action": "a.action_type",
    "category": "a.category",
    "feature": "f.feature_name",
    "name": "e.event_name",
    "context": "e.action_context",
    "session_id": "e.client_session_id",
    "event_id": "e.event_id",
    "country": "g.country",
    "region": "g.region",
    "city": "g.city",
    **{name: f"v.{name}" for name in DEVICE_COLUMNS},
}
_NUMERIC_COLUMNS = {"duration_seconds": "e.duration_seconds"}
_SESSION_COLUMNS = {"type": "x.session_type", "entry_action": "x.entry_action", "exit_action": "x.exit_action"}
_FEATURE_COLUMNS = {"name": "f.feature_name", "category": "f.category", "owner": "f.owner"}
_COLUMNS: Mapping[str, tuple[Scope, Mapping[str, str]]] = {
    "device": ("event", {name: f"v.{name}" for name in DEVICE_COLUMNS}),
    "geo": ("event", {name: f"g.{name}" for name in GEOGRAPHY_COLUMNS}),
    "feature": ("event", _FEATURE_COLUMNS),
    "session": ("session", _SESSION_COLUMNS),
}
BUILT_IN_EVENT_PROPERTIES = (*_EVENT_COLUMNS, *_NUMERIC_COLUMNS)
# Where a column has several names, the last one is the name of its slices.
_NAME_OF_COLUMN = {
    **{expression: f"feature.{name}" for name, expression in _FEATURE_COLUMNS.items()},
    **{f"g.{name}": f"geo.{name}" for name in GEOGRAPHY_COLUMNS},
    **{expression: f"event.{name}" for name, expression in _EVENT_COLUMNS.items()},
}
EVENT_SLICES = (*_NAME_OF_COLUMN.values(), *(name for name in _EVENT_COLUMNS if name not in _USER_COLUMNS))


@dataclass(frozen=True)
class Band:
    """One value of a time-dependent attribute: it holds from ``low`` to ``high``, both included."""

    value: str
    low: int
    high: int


FAR = 1_000_000
TENURE_BANDS = (
    Band("(before registration)", -FAR, -1),
    Band("0-6 days", 0, 6),
    Band("7-29 days", 7, 29),
    Band("30-89 days", 30, 89),
    Band("90-364 days", 90, 364),
    Band("365+ days", 365, FAR),
)
AGE_BANDS = (
    Band("under 18", 0, 17),
    Band("18-24", 18, 24),
    Band("25-34", 25, 34),
    Band("35-44", 35, 44),
    Band("45-54", 45, 54),
    Band("55-64", 55, 64),
    Band("65+", 65, 130),
)
TIME_DEPENDENT = ("tenure_band", "age_band")
YES_NO = ("yes", "no")


@dataclass(frozen=True)
class Property:
    """A resolved property. ``expression`` reads it as text (``numeric``: as a number); missing is NULL.

    ``choices`` are the only values it can have, where that is known.
    """

    name: str
    scope: Scope
    key: str
    expression: str
    numeric: bool = False
    choices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The expression with missing values as the member ``(none)``."""
        text = f"rg_text({self.expression})" if self.numeric else self.expression
        return f"coalesce({text}, '{MISSING}')"

    @property
    def stored_name(self) -> str:
        """The one name of its slices in the aggregates, however the property is spelled in a question."""
        if self.scope != "event":
            return self.key if self.key in STORED_USER_ATTRIBUTES else f"{self.scope}.{self.key}"
        return _NAME_OF_COLUMN.get(self.expression, f"event.{self.key}")

    @property
    def words(self) -> str:
        """Which kind of property the name turned out to be."""
        return {
            "user": "user attribute",
            "moment": "time-dependent user attribute",
            "event": "event property",
            "session": "session property",
        }[self.scope]


@dataclass(frozen=True)
class PropertyNames:
    """The property names a workspace has seen beside the built-in ones, and how today's category of an action reads.

    ``cohorts`` are the declared ones, ``frozen`` those whose people were fixed; ``segments`` are in their order.
    """

    user_attributes: Collection[str] = ()
    event_properties: Collection[str] = ()
    category: str = _EVENT_COLUMNS["category"]
    cohorts: Collection[str] = ()
    frozen: Collection[str] = ()
    segments: tuple[str, ...] = ()

    def user(self) -> set[str]:
        """Every name that is a user attribute."""
        return {*_USER_COLUMNS, *_USER_DATES, *TIME_DEPENDENT, SEGMENT, *self.user_attributes}

    def event(self) -> set[str]:
        """Every name that is an event property."""
        return {*BUILT_IN_EVENT_PROPERTIES, *self.event_properties}


def resolve(name: str, names: PropertyNames, values: Values) -> Property:
    """Find what a property name means; an unknown one is an error that suggests the nearest."""
    prefix, key = split_name(name)
    scope, columns = _COLUMNS.get(prefix, ("event", {}))
    if key in columns:
        return Property(name, scope, key, columns[key])
    if prefix == "cohort":
        return _cohort(name, key, names, values)
    if prefix in ("user", "") and key in names.user():
        # An attribute of one's own that is called segment keeps its name; the segments are cohort.segment then.
        if key == SEGMENT and key not in names.user_attributes:
            return _segment(name, names)
        return _user_property(name, key, values)
    if prefix in ("event", "") and key in names.event():
        return _event_property(name, key, names, values)
    raise UnknownNameError("property", name, _allowed(prefix, names), code="unknown_property")


def split_name(name: str) -> tuple[str, str]:
    """Split off a known prefix; a name in double quotes is taken literally.

    >>> split_name("user.plan"), split_name("plan"), split_name('"geo.city"')
    (('user', 'plan'), ('', 'plan'), ('', 'geo.city'))
    """
    prefix, dot, key = name.partition(".")
    if not dot or prefix not in PREFIXES:
        prefix, key = "", name
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1].replace('""', '"')
    return prefix, key


def _user_property(name: str, key: str, values: Values) -> Property:
    if key in TIME_DEPENDENT:
        return Property(name, "moment", key, f"nullif({key}.value, '{MISSING}')")
    if key in _USER_DATES:
        return Property(name, "user", key, f"rg_text(u.{key})")
    if key in _USER_COLUMNS:
        return Property(name, "user", key, f"u.{key}")
    return Property(name, "user", key, f"rg_property(u.user_attributes, {values.add(key)})")


def _segment(name: str, names: PropertyNames) -> Property:
    return Property(name, "moment", SEGMENT, f"nullif({SEGMENT}.value, '{MISSING}')", choices=names.segments)


def _cohort(name: str, key: str, names: PropertyNames, values: Values) -> Property:
    if key == SEGMENT:
        return _segment(name, names)
    if key in names.cohorts:
        return Property(name, "moment", f"cohort_{key}", f"cohort_{key}.value", choices=YES_NO)
    if key in names.frozen:
        stored = f"coalesce(rg_property(u.user_attributes, {values.add(PREFIX + key)}), '')"
        return Property(name, "user", f"{PREFIX}{key}", f"CASE WHEN {stored} = 'yes' THEN 'yes' ELSE 'no' END",
                        choices=YES_NO)  # fmt: skip
    known = [f"{PREFIX}{each}" for each in (*names.cohorts, *names.frozen)]
    hint = "" if known else "declare one under [cohorts.NAME] in regulars.toml"
    raise UnknownNameError("cohort", name, known, code="unknown_cohort", hint=hint)


def _event_property(name: str, key: str, names: PropertyNames, values: Values) -> Property:
    if key == "category":
        return Property(name, "event", key, names.category)
    if key in _NUMERIC_COLUMNS:
        return Property(name, "event", key, _NUMERIC_COLUMNS[key], numeric=True)
    if key in _EVENT_COLUMNS:
        return Property(name, "event", key, _EVENT_COLUMNS[key])
    return Property(name, "event", key, f"rg_property(e.action_metadata, {values.add(key)})")


def _allowed(prefix: str, names: PropertyNames) -> list[str]:
    known = {
        "user": [f"user.{key}" for key in names.user()],
        "event": [f"event.{key}" for key in names.event()],
        "device": [f"device.{key}" for key in DEVICE_COLUMNS],
        "geo": [f"geo.{key}" for key in GEOGRAPHY_COLUMNS],
        "feature": [f"feature.{key}" for key in _FEATURE_COLUMNS],
        "session": [f"session.{key}" for key in _SESSION_COLUMNS],
    }
    return known.get(prefix) or sorted(names.user() | names.event())
