"""What a check of the data is made of: one record that every face, the settings and the documentation read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from regulars.domain.dimensions import Dimensions
from regulars.domain.sql import Values

if TYPE_CHECKING:
    from datetime import date, datetime

    from regulars.domain.quality.declared import ValueRange

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
Judge = Literal["count", "share"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the SQL of a check may depend on: the state of the workspace, and what settings say about the check.

    ``types`` are the event types ever seen, by key, ``declared`` those that settings describe. ``through`` is the last
    complete day. ``is_current`` says that stored rows were made with today's settings. With ``load_id`` only what that
    import brought is looked at; ``since`` leaves out what is older. ``raw_floor`` is the first day whose raw events are
    here, where older ones were dropped.
    """

    now: datetime
    types: Mapping[str, int] = field(default_factory=dict)
    declared: frozenset[str] = frozenset()
    first_day: date | None = None
    through: date | None = None
    gap_minutes: int = 30
    is_current: bool = True
    dimensions: Dimensions = field(default_factory=Dimensions)
    ranges: Mapping[str, ValueRange] = field(default_factory=dict)
    load_id: int | None = None
    since: date | None = None
    raw_floor: date | None = None
    limit: float = 0.0
    property: str = ""

    def complete_days(self, *, stored: bool = False) -> int:
        """How many days there are to look at, up to the last complete one: of raw events, or of what is ``stored``."""
        if self.first_day is None or self.through is None:
            return 0
        first = self.first_day if stored else max(self.first_day, self.raw_floor or self.first_day)
        return max((self.through - first).days + 1, 0)

    def events(self, alias: str = "e") -> str:
        """The condition that an event, or whatever has ``day`` and ``load_id``, is to be looked at."""
        return self._chosen(f"{alias}.day", f"{alias}.load_id")

    def loads(self, alias: str = "l") -> str:
        """The condition that an import is to be looked at."""
        return self._chosen(f"CAST({alias}.loaded_at AS DATE)", f"{alias}.load_id")

    def days(self, column: str) -> str:
        """The condition that a day is to be looked at."""
        return "TRUE" if self.since is None else f"{column} >= DATE '{self.since}'"

    def raw_days(self, column: str) -> str:
        """The condition that a day is to be looked at, and that its raw events are here."""
        kept = "TRUE" if self.raw_floor is None else f"{column} >= DATE '{self.raw_floor}'"
        return f"{self.days(column)} AND {kept}"

    def _chosen(self, day: str, load: str) -> str:
        return self.days(day) if self.load_id is None else f"{load} = {self.load_id} AND {self.days(day)}"


Select = Callable[[Look, Values], str]


@dataclass(frozen=True)
class Need:
    """What a check cannot do without. It is there when ``exists``, a SELECT, has a row; else ``reason`` says why."""

    reason: str
    exists: Select


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check: what it looks for, when it fails, and what to do then.

    ``rows`` is a SELECT of what is wrong, grouped so that a few rows tell the story; ``counts`` adds them up to the
    number that was found, and ``whole`` is a SELECT of the number that it is a share of. The check fails when the
    count, or the share, is above ``threshold``. ``limit`` is a number inside the SELECT that settings may change,
    described by ``limit_words``. ``is_cheap`` checks run after every import, on what the import brought.
    """

    name: str
    title: str
    words: str
    fix: str
    severity: Severity
    rows: Select
    whole: Select
    noun: str = "events"
    judge: Judge = "count"
    threshold: float = 0.0
    counts: str = "sum(found)"
    order: str = "found DESC"
    needs: tuple[Need, ...] = ()
    limit: float | None = None
    limit_words: str = ""
    property: str | None = None
    is_cheap: bool = False
    is_own: bool = False
    since: date | None = None

    def look(self, look: Look) -> Look:
        """The state of the workspace as this check looks at it."""
        return replace(look, limit=self.limit or 0.0, property=self.property or "", since=self.since)

    def fails(self, found: float, whole: float) -> bool:
        """Whether so many of so many are too many."""
        return found > (self.threshold * whole if self.judge == "share" else self.threshold)


def _text(select: str) -> Select:
    return lambda _look, _values: select


def needs_row(reason: str, select: str) -> Need:
    """A need for a row of a SELECT that depends on nothing."""
    return Need(reason, _text(select))


EVENTS = needs_row("there are no events yet", "SELECT 1 FROM event_days LIMIT 1")
CURRENT = Need(
    "settings changed since the stored rows were made; run: regulars refresh",
    lambda look, _: f"SELECT 1 WHERE {str(look.is_current).upper()}",
)
DESCRIBED = needs_row(
    "nobody was described: no table of users was imported, and no event sets an attribute",
    "SELECT 1 FROM fact_user_attributes WHERE is_explicit LIMIT 1",
)


def complete_days(least: int, *, stored: bool = False) -> Need:
    """A need for a history of so many days: of raw events, or of what is ``stored``."""
    return Need(
        f"fewer than {least} complete days of events",
        lambda look, _: f"SELECT 1 WHERE {str(look.complete_days(stored=stored) >= least).upper()}",
    )


def all_events(look: Look, _: Values) -> str:
    """How many events are looked at."""
    return f"SELECT count(*) FROM fact_user_actions e WHERE {look.events()}"
