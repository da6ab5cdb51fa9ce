"""Which column plays which role: guessed from its name, unless a mapping says so.

Names are compared without case and separators, so ``userId``, ``USER_ID`` and ``User-Id`` are one name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regulars.domain.schema import DEVICE_COLUMNS, GEOGRAPHY_COLUMNS, GEOGRAPHY_DETAILS
from regulars.errors import SourceError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OBJECTS = ("device", "geo", "properties", "user", "details")
GEO_ROLES = (*GEOGRAPHY_COLUMNS, *GEOGRAPHY_DETAILS)
WATCH_MINUTES = "watch_minutes"
SCALAR_ROLES: Mapping[str, tuple[str, ...]] = {
    "event_id": ("uuid", "messageid", "insertid", "eventuuid", "id"),
    "user_id": (
        "userid", "distinctid", "customerid", "memberid", "uid", "learnerid", "studentid", "playerid", "user",
        "customer", "member",
    ),
    "anonymous_id": ("anonid", "deviceuuid", "visitorid", "cookieid", "userpseudoid"),
    "previous_id": ("previousid", "alias", "oldid"),
    "event_type": ("event", "type", "action", "activity", "actiontype", "activitytype", "eventname"),
    "timestamp": (
        "eventtime", "time", "ts", "createdat", "occurredat", "datetime", "date", "eventtimestamp", "happenedat",
        "eventdate",
    ),
    "sequence": ("seq", "sequencenumber"),
    "session_id": ("session", "clientsessionid"),
    "name": ("eventname",),
    "feature": ("featurename", "courseid"),
    "duration_seconds": ("duration", "durationsec", "durations"),
    WATCH_MINUTES: ("durationminutes",),
    "context": ("actioncontext", "screen", "screenname", "page", "path", "url"),
    "client_ip": ("ip", "ipaddress"),
    "received_at": ("receivedtime", "serverreceivedtime"),
    "device_type": (),
    "platform": (),
    "os_version": (),
    "app_version": (),
    "browser_name": ("browser",),
    "browser_version": (),
    "device_id": (),
    **{name: {"country": ("countrycode",), "postal_code": ("zip", "zipcode")}.get(name, ()) for name in GEO_ROLES
       if name != "timezone"},
}  # fmt: skip
ROLES = (*SCALAR_ROLES, "timezone", *OBJECTS)
NESTED_ALIASES: Mapping[str, tuple[str, ...]] = {
    "device_type": ("device_type", "type"),
    "device_id": ("device_id", "id"),
    "browser_name": ("browser_name", "browser"),
    "postal_code": ("postal_code", "zip"),
}
DEVICE_ROLES = DEVICE_COLUMNS
# A users table has these where an events table has the time of the event.
USER_TIMES = ("createdat", "updatedat")
WHO, WHAT, WHEN = ("user_id", "anonymous_id"), ("event_type",), ("timestamp",)


@dataclass(frozen=True)
class Field:
    """One column of a source: its name, its DuckDB type, and the SQL that reads it.

    ``tidy`` says that no value of it needs trimming, is blank, or is an id that names nobody; ``complete``
    that no value is missing; ``short`` that no text is over the limit. All are only claimed when somebody looked.
    """

    name: str
    type: str
    sql: str
    tidy: bool = False
    complete: bool = False
    short: bool = False


@dataclass(frozen=True)
class Columns:
    """The roles that were found, and every other column."""

    roles: Mapping[str, Field]
    others: tuple[Field, ...] = field(default=())

    def __contains__(self, role: str) -> bool:
        return role in self.roles

    def get(self, role: str) -> Field | None:
        """The column that plays a role."""
        return self.roles.get(role)


def plain_name(name: str) -> str:
    """A name without case, separators and signs.

    >>> plain_name("$insert_id"), plain_name("Event-Time")
    ('insertid', 'eventtime')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def recognised_names() -> set[str]:
    """Every plain name that some role is known by."""
    names = {plain_name(role) for role in ROLES}
    return names.union(*SCALAR_ROLES.values())


def assign(fields: Iterable[Field], mapping: Mapping[str, str] | None = None) -> Columns:
    """Give each role its column: mapped ones first, then exact names, then known other names.

    Errors: :class:`UnknownNameError` for a role that does not exist, :class:`SourceError` with code
    ``missing_column`` for a mapped column that the source does not have.
    """
    free = {item.name: item for item in fields}
    roles: dict[str, Field] = {}
    for role, name in (mapping or {}).items():
        if role not in ROLES:
            raise UnknownNameError("role", role, ROLES)
        roles[role] = _named(name, free, role)
    for item in roles.values():
        free.pop(item.name, None)
    _assign_objects(roles, free)
    for role in SCALAR_ROLES:
        _take(role, (plain_name(role),), roles, free)
    for role, names in SCALAR_ROLES.items():
        _take(role, names, roles, free)
    return Columns(roles, tuple(free.values()))


def _named(name: str, free: Mapping[str, Field], role: str) -> Field:
    if name in free:
        return free[name]
    found = [item for item in free.values() if item.name.lower() == name.lower()]
    if len(found) == 1:
        return found[0]
    raise SourceError(
        f"--map {role}={name}: there is no column {name!r}; the columns are: {', '.join(free)}",
        code="missing_column", role=role, columns=list(free),
    )  # fmt: skip


def _assign_objects(roles: dict[str, Field], free: dict[str, Field]) -> None:
    for role in OBJECTS:
        for item in list(free.values()):
            if role not in roles and item.name.lower() == role and is_nested(item):
                roles[role] = free.pop(item.name)


def _take(role: str, names: tuple[str, ...], roles: dict[str, Field], free: dict[str, Field]) -> None:
    for name in names:
        if role in roles:
            return
        for item in list(free.values()):
            if plain_name(item.name) == name and not item.type.startswith("OBJECT"):
                roles[role] = free.pop(item.name)
                break


def is_nested(item: Field) -> bool:
    """Whether a column holds objects or lists; ``OBJECT`` is JSON text in which one was seen."""
    return item.type.startswith(("STRUCT", "MAP", "OBJECT", "JSON")) or item.type.endswith("[]")


def decide_kind(columns: Columns) -> str:
    """``users`` for a table of people: somebody, but neither an action nor its time; else ``events``."""
    if "user_id" not in columns and "event_id" not in columns:
        return "events"
    when = columns.get("timestamp")
    timeless = when is None or plain_name(when.name) in USER_TIMES
    what = columns.get("event_type")
    vague = what is None or (when is None and plain_name(what.name) == "type")
    return "users" if timeless and vague else "events"


def require_events(columns: Columns, source: str) -> None:
    """Refuse a source that does not say who did what when."""
    for roles, meaning in ((WHO, "who"), (WHAT, "what happened"), (WHEN, "when")):
        if not any(role in columns for role in roles):
            raise SourceError(
                f"{source} has no column for {meaning} ({' or '.join(roles)}); it has: {_all_names(columns)}; "
                f"name it with --map {roles[0]}=COLUMN",
                code="missing_column", role=roles[0], columns=_all_names(columns).split(", "),
            )  # fmt: skip


def require_users(columns: Columns, source: str) -> None:
    """Refuse a table of people that does not say who they are."""
    if "user_id" not in columns:
        raise SourceError(
            f"{source} has no column for who (user_id); it has: {_all_names(columns)}; "
            "name it with --map user_id=COLUMN",
            code="missing_column", role="user_id", columns=_all_names(columns).split(", "),
        )  # fmt: skip


def _all_names(columns: Columns) -> str:
    return ", ".join([item.name for item in columns.roles.values()] + [item.name for item in columns.others])
