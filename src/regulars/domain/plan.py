"""From a question to one SQL statement: names resolved, cheapest exact source chosen, relations put together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from regulars.domain.activity import category, find_activity, qualifies, weight
from regulars.domain.conditions import condition, sort_filters
from regulars.domain.conventions import find_convention, in_convention, notes
from regulars.domain.frame import Frame, frame_of
from regulars.domain.limited import limited_frame, limited_query, reads_events
from regulars.domain.membership import membership
from regulars.domain.metrics import ALIASES, find_metric
from regulars.domain.population import population_of
from regulars.domain.properties import TIME_DEPENDENT, Property, resolve
from regulars.domain.relations.scope import SOURCES, Scope, Source
from regulars.domain.sql import Values
from regulars.domain.statement import Statement
from regulars.domain.timezones import local_day_sql
from regulars.errors import QueryError, did_you_mean

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.conditions import SortedFilters
    from regulars.domain.context import Context
    from regulars.domain.metrics.record import Metric, Shape
    from regulars.domain.properties import PropertyNames
    from regulars.domain.query import Query
    from regulars.domain.sql import BoundSql


@dataclass(frozen=True)
class Plan:
    """How a question is answered. ``statement`` and ``ledger`` are None when there is nothing to show.

    ``left_out`` counts what the rows leave out, by reason, where the metric has such reasons. ``source`` tells
    which stored rows answer it: aggregates, arrivals or events.
    """

    query: Query
    metric: Metric
    shape: Shape
    frame: Frame | None
    breakdown: tuple[Property, ...]
    source: Source = "aggregates"
    statement: BoundSql | None = None
    ledger: BoundSql | None = None
    left_out: BoundSql | None = None
    warnings: tuple[str, ...] = ()

    @property
    def hourly(self) -> bool:
        """Whether the time axis has hours."""
        return self.metric.has_hours(self.query)

    @property
    def additive(self) -> bool:
        """Whether the slices add up to the whole."""
        return not any(_overlaps(found, self.shape) for found in self.breakdown)


# Why slices do not add up.
_OVERLAPS = {
    "event": "is an event property: a person counts in every slice they were active in",
    "session": "is a session property: a person counts in every slice they had a session in",
    "moment": "changes with time, and a person may begin more than once: they count in every slice they began in",
}


def _overlaps(found: Property, shape: Shape) -> bool:
    """Whether one person can count in several slices of a row."""
    return found.scope in ("event", "session") or (found.scope == "moment" and shape.many_entries)


def plan(query: Query, context: Context, sources: tuple[Source, ...] = SOURCES) -> Plan:
    """Turn a question into SQL; refuse what has no meaning, with the reason and the way out.

    Of the allowed ``sources`` the cheapest that gives exact rows is read; raw events always do.
    """
    said = list(notes(query))
    query = without_alias(query)
    planned = _plan(query, context, sources)
    if context.raw_floor is None or planned.frame is None:
        return replace(planned, warnings=(*planned.warnings, *said))
    if reads_events(planned.statement, planned.ledger, planned.left_out):
        query, narrowed = limited_query(query, planned.frame, context)
        planned = _plan(query, context, sources, raw_floor=context.raw_floor)
        said += [narrowed] if narrowed else []
    return replace(planned, warnings=(*planned.warnings, *said))


def _plan(query: Query, context: Context, sources: tuple[Source, ...], raw_floor: date | None = None) -> Plan:
    """The plan of a question; with a ``raw_floor`` it is one that needs raw events, and misses those before it."""
    metric = find_metric(query.metric)
    statement, scope, shape = resolve_question(query, metric, context)
    if statement is None:
        return Plan(query, metric, shape, None, scope.breakdown)
    if raw_floor is not None:
        statement = replace(statement, frame=limited_frame(statement.frame, raw_floor))
    source = choose_source(statement, sources)
    is_late = source == "events" and statement.waits_for_rebuild()
    statement = statement.reading(source)
    return Plan(
        query,
        metric,
        shape,
        statement.frame,
        scope.breakdown,
        source,
        statement.values.bind(statement.select(source)),
        statement.values.bind(statement.ledger(source)),
        _left_out(statement),
        tuple(_warnings(query, scope, shape, context, is_late=is_late)),
    )


def _left_out(statement: Statement) -> BoundSql | None:
    composition = statement.metric.composition
    if composition is None or composition.left_out is None:
        return None
    text = composition.left_out(statement)
    return None if text is None else statement.values.bind(text)


def resolve_question(
    query: Query, metric: Metric, context: Context, *, keep_people: bool = False
) -> tuple[Statement | None, Scope, Shape]:
    """Check a question and resolve its names; no statement while there is nothing to show."""
    metric.check(query)
    shape = metric.shape(query)
    shape.check_steps(query)
    values = Values()
    scope = replace(_scope(query, metric, context, values), keep_people=keep_people or metric.composition is not None)
    if shape.judged_once and scope.moments and query.as_of is None:
        raise QueryError(
            f"{metric.name} compares periods, so {scope.moments[0]} must be judged on one day for all of them; "
            "give that day as as_of",
            code="needs_as_of",
        )
    frame = frame_of(query, shape, context)
    statement = None if frame is None else Statement(query, metric, shape, frame, scope, values, context)
    return statement, scope, shape


def choose_source(statement: Statement, sources: tuple[Source, ...] = SOURCES) -> Source:
    """The cheapest of the allowed sources that gives exact rows."""
    return next(source for source in SOURCES if source in (*sources, "events") and statement.can_read(source))


def without_alias(query: Query) -> Query:
    """``dau``, ``wau``, ``mau`` are active_users with a window; a convention fills in what the question leaves open."""
    query = in_convention(query)
    if query.metric not in ALIASES:
        return query
    name, window = ALIASES[query.metric]
    found = find_convention(query)
    window = (found and found.window) or window
    if query.window not in (None, window) or query.calendar is not None:
        raise QueryError(
            f"{query.metric} always has a window of {window} days; use active_users for another one",
            code="alias_with_window",
        )
    return msgspec.structs.replace(query, metric=name, window=window)


def _scope(query: Query, metric: Metric, context: Context, values: Values) -> Scope:
    rule = find_activity(query.activity, context)
    names = replace(context.names, category=category(context, values))
    breakdown = tuple(resolve(name, names, values) for name in query.breakdown)
    filters = sort_filters(query.filters, names, values)
    used = [*(p.key for p in breakdown if p.scope == "moment"), *_moment_keys(query, context, values)]
    _check_scopes(metric, breakdown, filters)
    say = partial(condition, names=names, values=values)
    stale_population = "population" in context.stale
    scope = Scope(
        activity=rule.name,
        population=query.population,
        breakdown=breakdown,
        event_conditions=tuple(say(f) for f in filters.event),
        user_conditions=tuple(say(f) for f in filters.user),
        moment_conditions=tuple(say(f) for f in filters.moment),
        session_conditions=tuple(say(f) for f in filters.session),
        moments=tuple(sorted(set(used))),
        memberships={key: membership(key, context, values) for key in sorted({*used} - {*TIME_DEPENDENT})},
        limit=query.limit,
        min_events=rule.min_events,
        max_events=rule.max_events,
        qualifies=metric.qualifies(query, values) if metric.qualifies else qualifies(rule, context, values),
        weight=weight(context, values),
        day=local_day_sql("e.action_timestamp", context) if "timezone" in context.stale else "e.day",
        population_column=population_of(context.population, values) if stale_population else "u.population",
    )
    return scope if query.actor == "user" else _about(query, scope, names, values)


def _about(query: Query, scope: Scope, names: PropertyNames, values: Values) -> Scope:
    """The scope with another actor, which has many users: what belongs to a user belongs to their events then."""
    actor = resolve("event.session_id" if query.actor == "session" else query.actor, names, values)
    unfit = [found for found in (actor, *scope.breakdown) if found.scope not in ("user", "event")]
    if unfit or scope.moments:
        raise QueryError(
            f"with {query.actor!r} as the actor, only event properties and stored user attributes can be read, not "
            f"{', '.join(found.name for found in unfit) or scope.moments[0]}",
            code="bad_actor",
        )
    if "registration" in query.options.values():
        raise QueryError(f"only users have a registration date, and {query.actor!r} is counted", code="bad_actor")
    return replace(
        scope,
        key=actor.expression if not actor.numeric else f"rg_text({actor.expression})",
        breakdown=tuple(replace(found, scope="event") for found in scope.breakdown),
        event_conditions=(*scope.event_conditions, *scope.user_conditions, f"{actor.expression} IS NOT NULL"),
        user_conditions=(),
    )


def _check_scopes(metric: Metric, breakdown: tuple[Property, ...], filters: SortedFilters) -> None:
    read = {p.scope for p in breakdown}
    if {"event", "moment"} <= read:
        raise QueryError(
            "a breakdown cannot combine an event property with tenure_band, age_band, a cohort or segment; "
            "filter by one of them",
            code="mixed_breakdown",
        )
    read |= {kind for kind in ("event", "session") if getattr(filters, kind)}
    for kind in sorted(read - set(metric.scopes)):
        ways = {
            "user": "user attributes",
            "event": "event properties",
            "session": "session.type, session.entry_action, session.exit_action",
        }
        allowed = " or ".join(words for each, words in ways.items() if each in metric.scopes)
        raise QueryError(
            f"{metric.name} cannot be sliced or filtered by {kind} properties; use {allowed}", code="wrong_scope"
        )


def _moment_keys(query: Query, context: Context, values: Values) -> list[str]:
    leaves = [leaf for filter_ in query.filters for leaf in filter_.leaves()]
    found = [resolve(leaf.property or "", context.names, values) for leaf in leaves]
    return [p.key for p in found if p.scope == "moment"]


def _warnings(query: Query, scope: Scope, shape: Shape, context: Context, *, is_late: bool) -> tuple[str, ...]:
    found = []
    never_stored = ("conversion", "core_feature")
    composition = find_metric(query.metric).composition
    shows_sessions = composition is not None and composition.shows_sessions
    stale = context.stale or is_late or query.activity not in (*context.fresh_activities, *never_stored)
    if stale or (shows_sessions and context.stale_sessions):
        found.append(
            "stale_rollups: the settings changed since the stored rows were built; "
            "answered from raw events, which is exact but slower; run: regulars refresh"
        )
    found += _unseen(query, context)
    found += [f"{p.name} {_OVERLAPS[p.scope]}, so slices do not add up" for p in scope.breakdown if _overlaps(p, shape)]
    return tuple(found)


def _unseen(query: Query, context: Context) -> list[str]:
    """Event types that a question names and no event ever had: its rows count nobody because of that."""
    asked = find_metric(query.metric).events(query)
    types = [(one,) if isinstance(one, str) else one.events or () for one in asked if one not in context.activities]
    names = dict.fromkeys(name for each in types for name in each)
    return [
        f"unseen_event: no event {name!r} was ever loaded; {did_you_mean(name, context.actions)}"
        for name in names if name not in context.actions
    ]  # fmt: skip
