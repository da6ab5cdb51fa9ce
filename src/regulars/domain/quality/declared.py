"""What ``regulars.toml`` says about checks: changes of the shipped ones, checks of one's own, and ranges of values."""

from __future__ import annotations

import math
import re
from datetime import date
from typing import TYPE_CHECKING, Literal

import msgspec

from regulars.domain.properties import split_name
from regulars.domain.query import EventCondition, Filter
from regulars.errors import SettingsError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class CheckSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Changes of a shipped check; or a check of one's own, which has ``sql``, or a number of events per day.

    >>> CheckSettings(events=("purchase",), at_least_per_day=10).is_own()
    True
    """

    enabled: bool = True
    severity: Literal["error", "warning", "info"] | None = None
    threshold: float | None = None
    limit: float | None = None
    property: str | None = None
    since: date | None = None
    after_import: bool | None = None
    description: str | None = None
    fix: str | None = None
    sql: str | None = None
    events: tuple[str, ...] | None = None
    where: tuple[Filter, ...] = ()
    at_least_per_day: int | None = None
    at_most_per_day: int | None = None

    def is_own(self) -> bool:
        """Whether it says what a check of one's own looks for."""
        return self.sql is not None or self.counts_events()

    def counts_events(self) -> bool:
        """Whether it expects a number of events on each day."""
        return self.at_least_per_day is not None or self.at_most_per_day is not None

    def condition(self) -> EventCondition:
        """The events that are counted."""
        return EventCondition(self.events, self.where)


class ValueRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The values that a property of events may have, both ends included."""

    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        """Refuse a range that everything, or nothing, is in."""
        given = [end for end in (self.at_least, self.at_most) if end is not None]
        if not given or not all(map(math.isfinite, given)):
            raise SettingsError("a range has at_least, at_most, or both, as finite numbers", code="bad_range")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise SettingsError(f"at_least {self.at_least:g} is above at_most {self.at_most:g}", code="bad_range")


def check_range_names(names: Iterable[str]) -> None:
    """Refuse a range of something that no event carries.

    Raises:
        SettingsError: ``bad_range``.
    """
    for name in names:
        prefix = split_name(name)[0]
        if prefix not in ("", "event"):
            raise SettingsError(
                f"ranges.{name}: ranges are about event properties; {prefix} is not one, write event.NAME or NAME",
                code="bad_range", name=name,
            )  # fmt: skip


def check_declared(name: str, declared: CheckSettings, shipped: Collection[str]) -> None:
    """Refuse a section of settings that changes no check and makes none.

    Raises:
        SettingsError: ``bad_check``.
    """
    if declared.threshold is not None and not 0 <= declared.threshold < math.inf:
        raise _bad(name, f"threshold must be a number from 0 on, not {declared.threshold:g}")
    if declared.limit is not None and not math.isfinite(declared.limit):
        raise _bad(name, f"limit must be a finite number, not {declared.limit:g}")
    if name in shipped:
        if declared.is_own() or declared.events is not None or declared.where:
            raise _bad(name, "a shipped check has its own SQL; choose another name for a check of your own")
        return
    if not _NAME.fullmatch(name):
        raise _bad(name, "the name must be lower-case letters, digits and _")
    if not declared.is_own():
        raise _bad(
            name,
            f"no check has this name, {did_you_mean(name, shipped)}; a check of your own has sql, or "
            "at_least_per_day or at_most_per_day with events",
        )
    _check_own(name, declared)


def _check_own(name: str, declared: CheckSettings) -> None:
    if declared.sql is not None and (declared.counts_events() or declared.events is not None or declared.where):
        raise _bad(name, "give sql, or a number of events per day, not both")
    if declared.limit is not None or declared.property is not None or declared.after_import is not None:
        raise _bad(name, "limit, property and after_import belong to shipped checks")
    low, high = declared.at_least_per_day, declared.at_most_per_day
    if low is not None and high is not None and low > high:
        raise _bad(name, f"at_least_per_day {low} is above at_most_per_day {high}")


def _bad(name: str, what: str) -> SettingsError:
    return SettingsError(f"checks.{name}: {what}", code="bad_check", name=name)
