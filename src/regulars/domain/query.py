"""The question. One frozen record with one JSON form for Python, command line, HTTP and dashboard."""

from __future__ import annotations

import math
from datetime import date
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from regulars.domain.rules import MAX_WINDOW
from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable

Grain = Literal["hour", "day", "week", "month"]
Calendar = Literal["week", "month", "quarter", "year"]
Population = Literal["production", "test", "bot", "all"]
Scalar = str | int | float | bool

OPERATORS = (
    "=", "!=", "in", "not_in", "<", "<=", ">", ">=", "between", "contains", "icontains", "not_contains",
    "starts_with", "istarts_with", "is_set", "is_not_set",
)  # fmt: skip
CONVENTION_NAMES = ("regulars", "posthog", "amplitude", "mixpanel", "statsig")
MAX_FILTER_NODES = 200
MAX_FILTER_DEPTH = 8
MAX_BREAKDOWNS = 3
LONGEST_BUCKETS: dict[Grain, int] = {"hour": 1, "day": 366, "week": 52, "month": 12}
MAX_TIMES = 1000


# Decoded questions have the right types already; those that a program puts together may not.
def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise QueryError(f"{name} must be a name, not {value!r}", code="bad_query")


def _check_choice(name: str, value: object, allowed: Iterable[str], code: str) -> None:
    _check_text(name, value)
    if value not in (names := tuple(allowed)):
        raise UnknownNameError(name, str(value), names, code=code)


def _check_whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise QueryError(f"{name} must be a whole number, not {value!r}", code="bad_query")


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One condition on a property, or a group of conditions.

    Either ``property`` + ``op`` (+ ``value``), or ``all`` = every one of them, or ``any`` = at least one.
    ``!=`` and ``not_in`` are complements, so missing values match them. A number compares numerically; values
    that are no number never match it.

    >>> Filter(property="plan", op="=", value="paid")
    Filter(property='plan', op='=', value='paid', all=None, any=None)
    """

    property: str | None = None
    op: str = "="
    value: Scalar | tuple[Scalar, ...] | None = None
    all: tuple[Filter, ...] | None = None
    any: tuple[Filter, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse a condition that is incomplete or says two things at once."""
        kinds = [k for k in (self.property, self.all, self.any) if k is not None]
        if len(kinds) != 1:
            raise QueryError("a filter has exactly one of: property, all, any", code="bad_filter")
        if self.property is not None:
            _check_operator(self)
        elif not (self.all or self.any):
            raise QueryError("a filter group needs at least one condition", code="bad_filter")

    def members(self) -> tuple[Filter, ...]:
        """The conditions of a group; empty for a single condition."""
        return self.all or self.any or ()

    def leaves(self) -> list[Filter]:
        """Every single condition in the tree, left to right."""
        if self.property is not None:
            return [self]
        return [leaf for member in self.members() for leaf in member.leaves()]


class EventCondition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events qualify: event types (``None`` = any action) and conditions on their properties."""

    events: tuple[str, ...] | None = None
    where: tuple[Filter, ...] = ()


class Step(EventCondition, frozen=True, forbid_unknown_fields=True):
    """One step of a way: which events take it, and how many of them it needs."""

    times: int = 1

    def __post_init__(self) -> None:
        """Refuse a number of times that asks for nothing, or for too much."""
        if not 1 <= self.times <= MAX_TIMES:
            raise QueryError(f"times must be between 1 and {MAX_TIMES}, not {self.times}", code="bad_times")


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Days from ``start`` to ``end``, both included; widened to whole buckets of ``grain``.

    A bucket has ``every`` units of the grain, counted from ``anchor``; without one from ``start``, where several make a
    bucket.
    """

    start: date | None = None
    end: date | None = None
    grain: Grain = "day"
    every: int = 1
    anchor: date | None = None

    def __post_init__(self) -> None:
        """Refuse a range that runs backwards, and buckets that no axis can have."""
        _check_choice("grain", self.grain, LONGEST_BUCKETS, "bad_grain")
        _check_whole("every", self.every)
        most = LONGEST_BUCKETS[self.grain]
        if not 1 <= self.every <= most:
            raise QueryError(
                f"every must be from 1 to {most} per {self.grain} grain, not {self.every}", code="bad_every"
            )
        if self.anchor is not None and self.grain == "hour":
            raise QueryError("hours are those of the clock, so they take no anchor", code="bad_every")
        if self.start and self.end and self.start > self.end:
            raise QueryError(f"the range starts on {self.start}, after its end {self.end}; swap them", code="bad_range")


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One question to the workspace.

    ``window`` (days) and ``calendar`` (whole periods) exclude each other. ``as_of`` puts the watermark at an earlier
    day, or at a later one up to today: a day without events counts as silent then. ``limit`` is the number of slices a
    breakdown keeps; the rest becomes ``other``. ``convention`` counts as another tool does, see
    :mod:`regulars.domain.conventions`. ``actor`` is who is counted: users, or whatever a property names: accounts,
    teams, the client's sessions. Events without it are left out.

    >>> Query(metric="active_users", window=28, breakdown=("country",)).window
    28
    """

    metric: str
    window: int | None = None
    calendar: Calendar | None = None
    range: Range = Range()
    activity: str = "core"
    population: Population = "production"
    breakdown: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    options: dict[str, Any] = {}
    limit: int = 12
    as_of: date | None = None
    convention: str = "regulars"
    actor: str = "user"

    def __post_init__(self) -> None:
        """Refuse what no metric could answer; metrics check the rest."""
        for name in ("metric", "activity", "actor"):
            _check_text(name, getattr(self, name))
        _check_choice("convention", self.convention, CONVENTION_NAMES, "unknown_convention")
        _check_choice("population", self.population, get_args(Population), "unknown_population")
        if self.calendar is not None:
            _check_choice("calendar", self.calendar, get_args(Calendar), "bad_calendar")
        if self.window is not None:
            _check_whole("window", self.window)
        _check_whole("limit", self.limit)
        if self.window is not None and self.calendar is not None:
            raise QueryError("window and calendar exclude each other; give one of them", code="window_and_calendar")
        check_window(self.window)
        if self.limit < 1 or self.limit > 1000:  # noqa: PLR2004 -- the bound is stated in the message
            raise QueryError(f"limit must be between 1 and 1000, not {self.limit}", code="bad_limit")
        if self.calendar is not None and (self.range.every > 1 or self.range.anchor is not None):
            raise QueryError("every and anchor belong to a grain; a calendar period is what it is", code="bad_every")
        _check_breakdown(self.breakdown)
        _check_filter_size(self.filters)

    @property
    def grain(self) -> Grain:
        """The unit of the time axis."""
        return self.range.grain

    @property
    def bucket(self) -> str:
        """One step of the time axis in words: ``day``, ``2 weeks``."""
        return self.grain if self.range.every == 1 else f"{self.range.every} {self.grain}s"


def check_window(window: int | None, name: str = "window") -> None:
    """Refuse a rolling window outside 1..366 days."""
    if window is not None and not 1 <= window <= MAX_WINDOW:
        raise QueryError(f"{name} must be between 1 and {MAX_WINDOW} days, not {window}", code="bad_window")


def query_from_json(data: bytes | str) -> Query:
    """Decode the JSON form; the error names the field and what is wrong with it."""
    try:
        return msgspec.json.decode(data, type=Query)
    except msgspec.ValidationError as exc:
        cause = exc.__cause__
        if isinstance(cause, QueryError):
            raise cause from exc
        raise QueryError(f"the query is not valid: {exc}", code="bad_query") from exc
    except msgspec.DecodeError as exc:
        raise QueryError(f"the query is not valid JSON: {exc}", code="bad_json") from exc


def _check_operator(condition: Filter) -> None:
    if condition.op not in OPERATORS:
        raise UnknownNameError("operator", condition.op, OPERATORS, code="unknown_operator")
    value, op = condition.value, condition.op
    takes_none = op in ("is_set", "is_not_set")
    takes_many = op in ("in", "not_in", "between")
    if takes_none != (value is None):
        need = "no value" if takes_none else "a value"
        raise QueryError(f"{op} on {condition.property!r} takes {need}", code="bad_filter")
    if takes_many != isinstance(value, tuple) and not takes_none:
        need = "a list" if takes_many else "one value"
        raise QueryError(f"{op} on {condition.property!r} takes {need}", code="bad_filter")
    for one in value if isinstance(value, tuple) else (value,):
        _check_scalar(one, condition)
    if op == "between" and isinstance(value, tuple) and len(value) != 2:  # noqa: PLR2004 -- low and high
        raise QueryError(f"between on {condition.property!r} takes two values", code="bad_filter")


def _check_scalar(value: Scalar | None, condition: Filter) -> None:
    """Refuse what no database can hold."""
    try:
        is_fit = not isinstance(value, int | float) or math.isfinite(value)
    except OverflowError:
        is_fit = False
    if not is_fit:
        raise QueryError(f"{condition.op} on {condition.property!r} takes finite numbers", code="bad_filter")
    if isinstance(value, str) and not _is_unicode(value):
        raise QueryError(f"the value of {condition.property!r} is not valid Unicode text", code="bad_filter")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_breakdown(breakdown: tuple[str, ...]) -> None:
    if len(breakdown) > MAX_BREAKDOWNS:
        raise QueryError(
            f"at most {MAX_BREAKDOWNS} breakdowns at once, not {len(breakdown)}", code="too_many_breakdowns"
        )
    if len(set(breakdown)) < len(breakdown):
        raise QueryError(f"a breakdown is named twice: {', '.join(breakdown)}", code="bad_breakdown")


def _check_filter_size(filters: tuple[Filter, ...]) -> None:
    nodes, level, depth = 0, list(filters), 0
    while level:
        depth, nodes = depth + 1, nodes + len(level)
        if depth > MAX_FILTER_DEPTH or nodes > MAX_FILTER_NODES:
            raise QueryError(
                f"filters may have at most {MAX_FILTER_NODES} conditions in {MAX_FILTER_DEPTH} levels",
                code="filter_too_large",
            )
        level = [member for group in level for member in group.members()]
