"""What a record about a tool's export is made of.

A row of any export is one JSON object, whatever file it came from. A *path* is a chain of its keys with slashes
between them, ``properties/$insert_id``; a number is a place in a list. A :class:`Value` is SQL over the texts at
some paths, each written in braces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.report import Kind

_PATH = re.compile(r"\{([^{}]+)\}")
_NAIVE = r"'^\d\d\d\d-\d\d-\d\d([T ][\d:.,]+)?$'"


@dataclass(frozen=True)
class Value:
    """SQL of a text, with paths in braces, and how a preview names it."""

    sql: str
    shown: str

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that the SQL reads, once.

        >>> first("user_id", "properties/uid").paths
        ('user_id', 'properties/uid')
        """
        return tuple(dict.fromkeys(_PATH.findall(self.sql)))

    def filled(self, texts: Mapping[str, str]) -> str:
        """The SQL with what stands for each path."""
        return _PATH.sub(lambda found: texts[found[1]], self.sql)


@dataclass(frozen=True)
class Shape:
    """One kind of row that a tool hands out.

    ``keys`` must all be there for a row to be recognised (``a|b``: one of them), none of ``absent`` may be, and a file
    or its folder must be named by one of ``named`` where that says anything. ``values`` give the roles of
    :data:`~regulars.infrastructure.importers.columns.SCALAR_ROLES`; ``actions`` rename event types. ``properties`` and
    ``user`` are paths of objects whose members become event properties and user attributes, ``kept`` top-level keys
    that become properties under their own names; a trailing ``*`` takes all keys that begin so, a leading ``!`` leaves
    some out. ``objects`` are keys that may hold an object as JSON text, ``lists`` keys that hold an object as a list of
    ``{key, value}``. ``merges`` says that the tool takes both ids on any event for one person, not only on a call that
    says so; ``snapshots`` that each event repeats all attributes.
    """

    name: str
    keys: tuple[str, ...]
    values: Mapping[str, Value]
    kind: Kind = "events"
    absent: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    actions: Mapping[str, str] = field(default_factory=dict)
    properties: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    registered: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    merges: bool = False
    snapshots: bool = False
    wall_clock: bool = False

    def fits(self, keys: frozenset[str]) -> bool:
        """Whether rows with these keys (and paths of two keys) have this shape."""
        wanted = all(any(name in keys for name in choice.split("|")) for choice in self.keys)
        return wanted and not any(name in keys for name in self.absent)


@dataclass(frozen=True)
class Export:
    """A tool, and the shapes of its rows, the most telling first."""

    tool: str
    title: str
    shapes: tuple[Shape, ...]


def first(*paths: str) -> Value:
    """The first of several texts that is there and not blank."""
    given = [f"nullif(trim({{{path}}}), '')" for path in paths]
    return Value(f"coalesce({', '.join(given)})", shown(paths))


def utc(*paths: str) -> Value:
    """A time that the tool documents as UTC, whether its text says so or not."""
    time = first(*paths)
    return Value(f"{time.sql} || CASE WHEN regexp_matches({time.sql}, {_NAIVE}) THEN 'Z' ELSE '' END", time.shown)


def constant(text: str) -> Value:
    """The same text for every row."""
    return Value(f"'{text}'", repr(text))


def joined(*paths: str) -> Value:
    """Several texts as one, when all are there: an id that is unique only together with another."""
    given = [f"nullif(trim({{{path}}}), '')" for path in paths]
    return Value(" || '.' || ".join(given), " + ".join(path.replace("/", ".") for path in paths))


def chosen(condition: str, then: Value, otherwise: Value | None = None) -> Value:
    """One value where a condition holds, and another, or none, where it does not."""
    rest = f" ELSE {otherwise.sql}" if otherwise else ""
    names = [then.shown, otherwise.shown] if otherwise else [then.shown]
    return Value(f"CASE WHEN {condition} THEN {then.sql}{rest} END", " or ".join(dict.fromkeys(names)))


def shown(paths: tuple[str, ...]) -> str:
    """Paths as a preview names them."""
    return " or ".join(path.replace("/", ".") for path in paths)
