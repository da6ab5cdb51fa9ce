"""From the rule of a cohort to running numbers per person and a test on them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from regulars.domain.activity import chosen_events, qualifies
from regulars.domain.conditions import condition
from regulars.domain.properties import resolve, split_name
from regulars.domain.relations.scope import Scope
from regulars.domain.rules import TIER_WINDOW, TIERS_BY_DAYS
from regulars.domain.schema import MISSING
from regulars.domain.segments import PREFIX, SEGMENT
from regulars.domain.timezones import local_day_sql
from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from regulars.domain.cohorts import Rule
    from regulars.domain.context import Context
    from regulars.domain.properties import PropertyNames
    from regulars.domain.query import EventCondition, Filter
    from regulars.domain.sql import Values

Counted = Literal["times", "days", "days_since", "tenure", "moment"]


@dataclass(frozen=True)
class Level:
    """A number per person that goes up and down from day to day.

    ``times`` and ``days`` count what was done in the ``window``, or ever. The others are 1 while something holds: it
    was done last, or the person came, at least so many days ago (``after``); the value of a ``moment`` passes a
    ``test``. What was done comes from stored arrivals (``activity``) or from ``events``.
    """

    counted: Counted
    activity: str = ""
    events: Scope | None = None
    window: int | None = None
    after: int = 0
    moment: str = ""
    test: str = ""


@dataclass(frozen=True)
class Membership:
    """What one cohort, or the segments, are made of: levels, and the value they give (aliases ``s`` and ``u``)."""

    name: str
    levels: tuple[Level, ...]
    value: str

    @property
    def moments(self) -> tuple[str, ...]:
        """The other values that change with time and that the rule reads."""
        return tuple(level.moment for level in self.levels if level.moment)

    def exact_from(self, floor: date) -> date | None:
        """The first day on which it holds for certain where raw events before a floor were dropped.

        None: on every day, as it reads stored days only; the last day there is: on none, as it looks at all of history.
        """
        read = [level for level in self.levels if level.events is not None]
        if not read:
            return None
        windows = [level.window for level in read if level.window is not None]
        return floor + timedelta(days=max(windows) - 1) if len(windows) == len(read) else date.max


def membership(key: str, context: Context, values: Values) -> Membership:
    """The membership behind the property of a declared cohort (``cohort_NAME``), or of the segments.

    Raises:
        QueryError: The rule names a property that does not exist, or one that single events have.
    """
    made = _Levels(context, values)
    if key == SEGMENT:
        named = context.rules.segments.items()
        cases = " ".join(f"WHEN {made.named('segment', name, rule)} THEN '{name}'" for name, rule in named)
        return Membership(key, tuple(made.levels), f"CASE {cases} ELSE '{MISSING}' END")
    name = key.removeprefix("cohort_")
    value = f"CASE WHEN {made.named('cohort', name, context.rules.cohorts[name])} THEN 'yes' ELSE 'no' END"
    return Membership(key, tuple(made.levels), value)


def members(rule: Rule, context: Context, values: Values) -> Membership:
    """The membership of a rule without a name."""
    made = _Levels(context, values)
    value = f"CASE WHEN {made.test(rule)} THEN 'yes' ELSE 'no' END"
    return Membership("cohort", tuple(made.levels), value)


class _Levels:
    """The levels of one membership, each once, and the tests on them."""

    def __init__(self, context: Context, values: Values) -> None:
        self.context = context
        self.values = values
        self.levels: list[Level] = []

    def named(self, kind: str, name: str, rule: Rule) -> str:
        """The test of a rule that has a name, which every error says first."""
        try:
            return self.test(rule)
        except QueryError as exc:
            raise QueryError(f"{kind} {name!r}: {exc}", code=exc.code, **exc.fields) from exc

    def test(self, rule: Rule) -> str:
        """A rule as a condition that is never NULL."""
        if rule.members():
            word = " OR " if rule.any else " AND "
            joined = word.join(self.test(member) for member in rule.members())
            return f"({'NOT ' if rule.not_ is not None else ''}({joined}))"
        if rule.cohort is not None:
            return self.test(self.context.rules.cohorts[rule.cohort])
        if rule.segment is not None:
            return self._segment(rule.segment)
        if rule.tier is not None:
            return self._tiers(rule.tier)
        asked = rule.filter()
        return self._measure(rule) if asked is None else self._property(asked)

    def _segment(self, name: str) -> str:
        """The first that holds: none of those before it does."""
        segments = self.context.rules.segments
        order = list(segments)
        before = [f"NOT {self.test(segments[each])}" for each in order[: order.index(name)]]
        return f"({' AND '.join([*before, self.test(segments[name])])})"

    def _tiers(self, names: tuple[str, ...]) -> str:
        recent, ever = self._done("core", "days", TIER_WINDOW), self._done("core", "days", None)
        bounds = [*TIERS_BY_DAYS, ("", None)]
        tests = {"dormant": f"{recent} = 0 AND {ever} > 0", "not_yet_seen": f"{ever} = 0"}
        for (tier, least), (_, above) in itertools.pairwise(bounds):
            tests[tier] = f"{recent} >= {least}" + (f" AND {recent} < {above}" if above else "")
        return "(" + " OR ".join(f"({tests[name]})" for name in names) + ")"

    def _measure(self, rule: Rule) -> str:
        low, high = rule.bounds()
        if rule.measure in ("days_since", "tenure"):
            source = self._source("any" if rule.measure == "tenure" else rule.events(), rule.measure)
            passed = f"{self._add(replace(source, after=low))} > 0"
            return passed if high is None else f"({passed} AND {self._add(replace(source, after=high + 1))} = 0)"
        number = self._done(rule.events(), rule.measure or "times", rule.last_days)
        return f"({number} >= {low}" + (f" AND {number} <= {high})" if high is not None else ")")

    def _done(self, events: str | EventCondition, counted: Counted, window: int | None) -> str:
        return self._add(replace(self._source(events, counted), window=window))

    def _add(self, level: Level) -> str:
        if level not in self.levels:
            self.levels.append(level)
        return f"s.level_{self.levels.index(level) + 1}"

    def _source(self, events: str | EventCondition, counted: Counted) -> Level:
        """The level over days that are stored for an activity, else over events."""
        level, context = Level(counted), self.context
        rule = context.activities.get(events) if isinstance(events, str) else None
        by_days = rule is not None and (rule.min_events > 1 or rule.max_events is not None)
        if rule is None or (by_days and counted == "times"):
            known = replace(context, names=_with_explicit(events, context))
            return replace(level, events=self._scope(chosen_events(events, known, self.values)))
        if not context.stale and rule.name in context.fresh_activities:
            return replace(level, activity=rule.name)
        found = self._scope(qualifies(rule, context, self.values))
        return replace(level, events=replace(found, min_events=rule.min_events, max_events=rule.max_events))

    def _scope(self, condition_: str) -> Scope:
        day = local_day_sql("e.action_timestamp", self.context) if "timezone" in self.context.stale else "e.day"
        return Scope("", "all", (), (), (), (), (), (), 1, qualifies=condition_, day=day)

    def _property(self, filter_: Filter) -> str:
        prefix, key = split_name(filter_.property or "")
        names = self.context.names
        if prefix == "user":
            names = replace(names, user_attributes={*names.user_attributes, key})
        found = resolve(filter_.property or "", names, self.values)
        if found.scope == "moment" and found.choices:
            form = f"{{ segment = {filter_.value!r} }}" if found.key == SEGMENT else f"{{ cohort = {key!r} }}"
            raise QueryError(f"{filter_.property} inside a rule is written {form}", code="bad_rule")
        if found.scope not in ("user", "moment"):
            raise QueryError(
                f"{found.name} is an {found.words}, and a rule is about people; "
                "put it into the where of did, or name a user attribute",
                code="wrong_scope",
            )
        test = condition(filter_, names, self.values)
        return test if found.scope == "user" else f"{self._add(Level('moment', moment=found.key, test=test))} > 0"


def _with_explicit(events: str | EventCondition, context: Context) -> PropertyNames:
    """The known names with the event properties that a condition spells out, whether any event has them yet or not."""
    leaves = [] if isinstance(events, str) else [leaf for one in events.where for leaf in one.leaves()]
    split = [split_name(leaf.property or "") for leaf in leaves]
    own = {key for prefix, key in split if prefix == "event"}
    return replace(context.names, event_properties={*context.names.event_properties, *own})


def cohort_key(name: str, context: Context) -> str:
    """The property key of a declared cohort.

    Raises:
        UnknownNameError: ``unknown_cohort``.
    """
    if name not in context.rules.cohorts:
        raise UnknownNameError("cohort", name, context.rules.cohorts, code="unknown_cohort")
    return f"{PREFIX[:-1]}_{name}"
