"""Cohorts and segments as rules: who belongs on a day, as ``regulars.toml`` or Python declares it: one rule.

A rule is a tree. Its leaves ask for an attribute, for what a person did (how many times, on how many days, how long
ago), for how long they have been here, for a tier, or for another cohort or segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from regulars.domain.query import EventCondition, Filter, Scalar
from regulars.domain.rules import MAX_WINDOW, TIERS_BY_DAYS
from regulars.errors import QueryError, SettingsError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Measured = Literal["times", "days", "days_since", "tenure"]
TIERS = (*(tier for tier, _ in TIERS_BY_DAYS), "dormant", "not_yet_seen")
_KINDS = ("all", "any", "not_", "property", "tier", "cohort", "segment")


class Rule(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, rename={"not_": "not"}
):
    """Who belongs on a day: one condition, or a group of rules.

    A group is ``all``, ``any`` or ``not``. A condition is one of

    - ``property`` + ``op`` + ``value``: an attribute of the person;
    - ``did`` (an activity, an event type, or a condition on events) with ``at_least``, ``at_most`` or ``exactly``, in
      the ``last_days`` or ever. ``measure`` says what is counted: ``times`` by default, ``days`` on which it was done,
      ``days_since`` it was done last;
    - ``measure = "tenure"``: days since registration, or since the first action where there is no registration date;
    - ``tier``: the engagement tiers by active days of 30; ``cohort``, ``segment``: another one by name.

    >>> Rule(did="purchase", at_least=3, last_days=30).bounds()
    (3, None)
    """

    all: tuple[Rule, ...] | None = None
    any: tuple[Rule, ...] | None = None
    not_: Rule | None = None
    property: str | None = None
    op: str = "="
    value: Scalar | tuple[Scalar, ...] | None = None
    did: str | EventCondition | None = None
    measure: Measured | None = None
    at_least: int | None = None
    at_most: int | None = None
    exactly: int | None = None
    last_days: int | None = None
    tier: tuple[str, ...] | None = None
    cohort: str | None = None
    segment: str | None = None

    def __post_init__(self) -> None:
        """Refuse a rule that is incomplete, says two things at once, or can never be what was meant."""
        kinds = [kind.rstrip("_") for kind in _KINDS if getattr(self, kind) is not None]
        kinds += ["did"] if self._measures() else []
        if len(kinds) != 1:
            found = f"not {' and '.join(kinds)}" if kinds else "and this one has none"
            raise bad_rule(
                f"a rule has exactly one of all, any, not, property, did, measure, tier, cohort, segment, {found}"
            )
        _check_group(self)
        _check_property(self)
        _check_tier(self)
        _check_measure(self)

    def _measures(self) -> bool:
        return self.did is not None or self.measure is not None

    def members(self) -> tuple[Rule, ...]:
        """The rules of a group; empty for a condition."""
        return (self.not_,) if self.not_ is not None else self.all or self.any or ()

    def bounds(self) -> tuple[int, int | None]:
        """The least and the greatest number that the condition takes; None: any."""
        if self.exactly is not None:
            return self.exactly, self.exactly
        least = 1 if self.at_most is None else 0
        return least if self.at_least is None else self.at_least, self.at_most

    def filter(self) -> Filter | None:
        """The condition on an attribute."""
        return None if self.property is None else Filter(property=self.property, op=self.op, value=self.value)

    def events(self) -> str | EventCondition:
        """Which events are meant: an activity or event type by name, or a condition."""
        return "core" if self.did is None else _events(self.did)

    def tree(self) -> Iterator[Rule]:
        """The rule and everything below it."""
        yield self
        for member in self.members():
            yield from member.tree()


class Cohort(Rule, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A declared cohort or segment: its rule, and what it is meant to be."""

    description: str = ""


def _events(did: str | EventCondition) -> str | EventCondition:
    # The reader of texts comes with the metrics, which come with everything.
    from regulars.domain.metrics.options import read_events  # noqa: PLC0415

    return read_events(did)


def _check_group(rule: Rule) -> None:
    for name, members in (("all", rule.all), ("any", rule.any)):
        if members is not None and not members:
            raise bad_rule(f"the group {name!r} is empty; give it at least one rule")


def _check_property(rule: Rule) -> None:
    if rule.property is None:
        if rule.value is not None or rule.op != "=":
            raise bad_rule("op and value belong to a property; name one")
        return
    try:
        _ = rule.filter()
    except QueryError as exc:
        raise bad_rule(str(exc)) from exc


def _check_tier(rule: Rule) -> None:
    if rule.tier is None:
        return
    if not rule.tier:
        raise bad_rule("tier needs at least one tier")
    for name in rule.tier:
        if name not in TIERS:
            raise bad_rule(f"unknown tier {name!r}; {did_you_mean(name, TIERS)}")


def _check_measure(rule: Rule) -> None:
    given = {name: getattr(rule, name) for name in ("at_least", "at_most", "exactly", "last_days")}
    named = [name for name, number in given.items() if number is not None]
    if rule.did is None and rule.measure is None:
        if named:
            raise bad_rule(f"{named[0]} belongs to did or measure; name what is counted")
        return
    _check_numbers(given)
    _check_kind(rule, named)
    if isinstance(rule.did, str):
        try:
            _events(rule.did)
        except QueryError as exc:
            raise bad_rule(str(exc)) from exc


def _check_numbers(given: Mapping[str, int | None]) -> None:
    for name in ("at_least", "at_most", "exactly"):
        number = given[name]
        if number is not None and number < 0:
            raise bad_rule(f"{name} must be 0 or more, not {number}")
    least, most, window = given["at_least"], given["at_most"], given["last_days"]
    if given["exactly"] is not None and (least is not None or most is not None):
        raise bad_rule("exactly stands alone; leave at_least and at_most out")
    if least is not None and most is not None and least > most:
        raise bad_rule(f"at_least {least} is above at_most {most}, so nobody could belong; swap them")
    if window is not None and not 1 <= window <= MAX_WINDOW:
        raise bad_rule(f"last_days must be between 1 and {MAX_WINDOW}, not {window}; leave it out for ever")


def _check_kind(rule: Rule, named: list[str]) -> None:
    if rule.measure == "times" and rule.did is None:
        raise bad_rule("measure = 'times' counts events; say which with did")
    if rule.measure == "tenure" and rule.did is not None:
        raise bad_rule("tenure is counted from the registration, so it takes no did; use days_since for an event")
    if rule.measure in ("days_since", "tenure"):
        if rule.last_days is not None:
            raise bad_rule(f"{rule.measure} looks at all days, so it takes no last_days; use at_least and at_most")
        if not named:
            raise bad_rule(f"{rule.measure} needs a number of days: at_least, at_most or exactly")


def bad_rule(message: str) -> SettingsError:
    """A rule that cannot be meant."""
    return SettingsError(message, code="bad_rule")
