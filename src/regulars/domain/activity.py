"""Which events qualify for an activity, and who belongs to which population, as conditions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from regulars.domain.conditions import condition, scopes
from regulars.domain.properties import PropertyNames, split_name
from regulars.domain.query import EventCondition
from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.domain.actions import Action
    from regulars.domain.context import ActivityRule, Context
    from regulars.domain.sql import Value, Values

_FLAGS: dict[str, tuple[str, Callable[[Action], bool]]] = {
    "core": ("a.is_core_action", lambda action: action.is_core_action),
    "conversion": ("a.is_conversion_event", lambda action: action.is_conversion_event),
}


def find_activity(name: str, context: Context) -> ActivityRule:
    """The rule of an activity; an unknown name is an error that suggests the nearest."""
    if name in context.activities:
        return context.activities[name]
    raise UnknownNameError("activity", name, context.activities, code="unknown_activity")


def qualifies(rule: ActivityRule, context: Context, values: Values) -> str:
    """The condition on an event: aliases ``e`` event, ``a`` action, ``f`` feature, ``v`` device, ``g`` place."""
    if rule.name in _FLAGS:
        return _flag(rule.name, context, values)
    if rule.name == "core_feature":
        features = values.add_all(context.core_features) if context.core_features else ""
        return f"NOT a.is_marker AND coalesce(f.feature_name IN ({features}), FALSE)" if features else "FALSE"
    tests = ["NOT a.is_marker"]
    if rule.events.events is not None:
        tests.append(f"a.action_type IN ({values.add_all(rule.events.events)})" if rule.events.events else "FALSE")
    names = replace(activity_properties(rule), category=category(context, values))
    tests += [condition(filter_, names, values) for filter_ in rule.events.where]
    return " AND ".join(tests)


def chosen_events(asked: str | EventCondition, context: Context, values: Values) -> str:
    """The condition that an event counts: for an activity, for an event type of that name, or as a condition says."""
    if isinstance(asked, EventCondition):
        return _meets(asked, context, values)
    if asked not in context.activities:
        return _meets(EventCondition((asked,)), context, values)
    rule = context.activities[asked]
    if rule.min_events > 1 or rule.max_events is not None:
        raise QueryError(
            f"activity {asked!r} is about whole days (min_events, max_events), so no single event makes it; "
            "name an event type, or an activity without them",
            code="bad_events",
        )
    return qualifies(rule, context, values)


def _meets(asked: EventCondition, context: Context, values: Values) -> str:
    """Of conditions in a question, properties may be anything that is known of an event or its person."""
    tests = ["NOT a.is_marker"]
    if asked.events is not None:
        tests.append(f"a.action_type IN ({values.add_all(asked.events)})" if asked.events else "FALSE")
    names = replace(context.names, category=category(context, values))
    for filter_ in asked.where:
        unfit = scopes(filter_, names, values) & {"moment", "session"}
        if unfit:
            raise QueryError(
                "a condition on events reads event properties and stored user attributes, "
                "not tenure_band, age_band, cohorts, segments or session properties",
                code="wrong_scope",
            )
        tests.append(condition(filter_, names, values))
    return " AND ".join(tests)


def activity_properties(rule: ActivityRule) -> PropertyNames:
    """The properties an activity's conditions read: event properties, whether any event has them yet or not."""
    leaves = [leaf for filter_ in rule.events.where for leaf in filter_.leaves()]
    return PropertyNames(event_properties=frozenset(split_name(leaf.property or "")[1] for leaf in leaves))


def _flag(name: str, context: Context, values: Values) -> str:
    column, has_flag = _FLAGS[name]
    if "actions" not in context.stale:
        return column
    # The stored flags were built with other settings, so today's list is spelled out.
    types = tuple(sorted(action.action_type for action in context.actions.values() if has_flag(action)))
    return f"a.action_type IN ({values.add_all(types)})" if types else "FALSE"


def core_condition(context: Context, values: Values) -> str:
    """The condition that an event's action is a core action."""
    return _flag("core", context, values)


def weight(context: Context, values: Values) -> str:
    """The engagement weight of an event's action."""
    if "actions" not in context.stale:
        return "a.engagement_weight"
    return _by_type(lambda action: float(action.engagement_weight), "1.0", context, values)


def category(context: Context, values: Values) -> str:
    """The category of an event's action."""
    if "actions" not in context.stale:
        return "a.category"
    return _by_type(lambda action: action.category, "'other'", context, values)


def _by_type(of: Callable[[Action], Value], unknown: str, context: Context, values: Values) -> str:
    """What today's settings say of an event's action, type by type."""
    cases = " ".join(
        f"WHEN {values.add(action.action_type)} THEN {values.add(of(action))}"
        for action in sorted(context.actions.values(), key=lambda action: action.action_type)
    )
    return f"CASE a.action_type {cases} ELSE {unknown} END" if cases else unknown
