"""Answer a question: read the state, plan, run, put the rows together."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from regulars.application.raw_floor import raw_floor
from regulars.application.reads import StateReads
from regulars.domain.calendar import local_day
from regulars.domain.context import ActivityRule, Context, SessionRule
from regulars.domain.dialect import render
from regulars.domain.drilldown import plan_events, plan_people
from regulars.domain.events import CLOCK_TOLERANCE
from regulars.domain.explanation import Evidence
from regulars.domain.metrics import METRICS
from regulars.domain.plan import Plan, plan
from regulars.domain.population import PopulationRule
from regulars.domain.properties import BUILT_IN_EVENT_PROPERTIES, PropertyNames, resolve, split_name
from regulars.domain.query import EventCondition
from regulars.domain.result import Result, finished_rows, result_columns, shown_rows, told_reasons
from regulars.domain.rollups.arrivals import EVENT_DAYS_ALL
from regulars.domain.segments import FROZEN, PREFIX
from regulars.domain.sql import Values
from regulars.domain.truncation import TRUNCATED, words
from regulars.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from regulars.application.ports import Engine, Reader
    from regulars.application.reads import Read
    from regulars.domain.dialect import Dialect
    from regulars.domain.query import Query
    from regulars.settings import Settings

# A change of one of these makes every stored row doubtful.
_ASKS_FOR_EVENTS = ("schema", "timezone", "actions", "population")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def analyze(engine: Reader, settings: Settings, query: Query, now: datetime, reads: StateReads | None = None) -> Result:
    """Answer one question on an engine, at the instant ``now`` (naive UTC).

    Everything in the answer comes from one committed state. ``reads`` remembers what several questions on one engine
    read alike.
    """
    with engine.snapshot() as snapshot:
        read = (reads or StateReads()).on(snapshot)
        context = _context(read, engine.dialect, settings, now, names_in(query))
        planned = plan(query, context)
        sql, rows, reasons = "", [], []
        ledger: dict[str, int] = {}
        left_out: dict[str, int] = {}
        if planned.statement is None or planned.ledger is None:
            reasons = [
                f"{'the workspace has no data' if context.watermark is None else 'there are no data in this range'} yet"
            ]
        else:
            sql = render(planned.statement, engine.dialect)
            rows = snapshot.query(sql).rows
            ledger = dict(read(render(planned.ledger, engine.dialect)))
            if planned.left_out is not None:
                left_out = dict(read(render(planned.left_out, engine.dialect)))
    return replace(
        _result(planned, context, str(sql), rows, ledger, (*reasons, *told_reasons(planned, left_out))),
        definitions=settings.definitions_hash,
        open_cell=partial(list_people, engine, context, planned.query),
        open_events=partial(list_events, engine, context, planned.query),
    )


def list_people(
    engine: Reader, context: Context, query: Query, row: Mapping[str, Any], column: str | None
) -> list[str]:
    """Ids of the people whom one cell of a result counts, sorted; as many as the cell says."""
    statement = plan_people(query, context, row, column)
    if statement is None:
        return []
    return [user_id for (user_id,) in engine.query(render(statement, engine.dialect)).rows]


def list_events(
    engine: Reader, context: Context, query: Query, row: Mapping[str, Any], people: list[str]
) -> list[Evidence]:
    """The events that make given people count in a row, in their order."""
    statement = plan_events(query, context, row, people)
    if statement is None:
        return []
    zone, found = ZoneInfo(context.timezone), engine.query(render(statement, engine.dialect)).rows
    return [
        Evidence(user_id, (_EPOCH + timedelta(microseconds=at)).astimezone(zone), action, event_id)
        for user_id, at, action, event_id in found
    ]


def render_query(engine: Engine, settings: Settings, query: Query, now: datetime, dialect: Dialect) -> str:
    """The SQL that answers a question, for any dialect; empty while there are no data."""
    planned = plan(query, read_context(engine, settings, now, names=names_in(query)))
    return "" if planned.statement is None else str(render(planned.statement, dialect))  # encoders take no subclass


def _result(  # noqa: PLR0917 -- the parts of one record
    planned: Plan,
    context: Context,
    sql: str,
    rows: list[tuple[Any, ...]],
    ledger: dict[str, int],
    reasons: Sequence[str],
) -> Result:
    frame = planned.frame
    columns, found = result_columns(planned), finished_rows(planned, rows, context.timezone)
    shown = shown_rows(planned, found)
    values = [each.name for each in columns if each.name in planned.shape.columns and each.type != "text"]
    undefined = any(row[name] is None for name in values for row in shown)
    averages = planned.metric.composition.averages if planned.metric.composition else None
    notes = planned.shape.notes or ("empty values are undefined: nothing to divide by, or not yet observed",)
    return Result(
        query=planned.query,
        columns=columns,
        rows=shown,
        definition=f"{planned.metric.title}. {planned.metric.definition}",
        sql=sql,
        watermark=context.watermark,
        complete_through=frame.complete_through if frame else None,
        timezone=context.timezone,
        source=planned.source,
        population=_population(ledger, planned.query),
        warnings=(*reasons, *planned.warnings, *_truncated(planned, context, shown), *(notes if undefined else ())),
        additive=planned.additive,
        people_columns=tuple(planned.shape.people),
        averages=averages(planned, found) if averages else [],
    )


def _truncated(planned: Plan, context: Context, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    dropped = planned.frame and planned.frame.dropped_through
    is_marked = dropped and any(TRUNCATED in row["flags"] for row in rows)
    return [words(dropped, is_bounded=context.dropped_through is not None)] if dropped and is_marked else []


def _population(ledger: dict[str, int], query: Query) -> dict[str, Any]:
    wanted = ledger if query.population == "all" else {query.population: ledger.get(query.population, 0)}
    excluded = {name: int(count) for name, count in sorted(ledger.items()) if name not in wanted}
    return {"total": sum(int(count) for count in wanted.values()), "excluded": excluded}


def read_context(
    engine: Engine, settings: Settings, now: datetime, names: Iterable[str] = (), *, read: Read | None = None
) -> Context:
    """What the planner must know: settings, state of the stored rows, and whether the names exist.

    It is of the last committed state, or of what ``read`` sees: a snapshot, or the open transaction.
    """
    if read is not None:
        return _context(read, engine.dialect, settings, now, names)
    with engine.snapshot() as snapshot:
        return _context(lambda sql: snapshot.query(sql).rows, engine.dialect, settings, now, names)


def _context(read: Read, dialect: Dialect, settings: Settings, now: datetime, names: Iterable[str]) -> Context:
    stored = stored_definitions(read)
    wanted = settings.definitions()
    stale = tuple(part for part in _ASKS_FOR_EVENTS if stored and stored.get(part) != wanted[part])
    fresh = frozenset(
        name for name in settings.stored_activities
        if not stale and (not stored or stored.get(f"activity.{name}") == wanted[f"activity.{name}"])
    )  # fmt: skip
    types: dict[str, int] = dict(read("SELECT action_type, action_key FROM dim_actions"))
    first_day, watermark, first_instant, last_instant = _extent(read, settings, now, stale)
    dimensions = _slice_names(wanted if not stored or "schema" in stale else stored)
    rules, names = settings.rules, list(names)
    known = _known_names(read, dialect, [*names, *rules.property_names(names)])
    known = replace(known, cohorts=rules.cohorts, frozen=_frozen(read, names), segments=tuple(rules.segments))
    return Context(
        timezone=settings.timezone,
        week_start=settings.week_start_number,
        now=now,
        first_day=first_day,
        watermark=watermark,
        names=known,
        actions={name: settings.action(name) for name in types},
        types=types,
        greatest_action_key=max(types.values(), default=0),
        greatest_user_key=read("SELECT coalesce(max(user_key), 0) AS greatest FROM dim_users")[0][0],
        activities=activity_rules(settings),
        core_features=settings.core_features,
        population=_population_rule(settings),
        sessions=_session_rule(settings),
        rules=rules,
        fresh_activities=fresh,
        dimensions=dimensions,
        missing_dimensions=frozenset(json.loads(wanted["event_dimensions"])) - dimensions,
        slice_values=_slice_values(read, dialect, names, known, dimensions),
        stale=stale,
        stale_sessions=bool(stored) and stored.get("sessions") != wanted["sessions"],
        first_instant=first_instant,
        last_instant=last_instant,
        dropped_through=dropped_through(read),
        raw_floor=raw_floor(read),
        has_sequences=bool(read("SELECT 1 AS known FROM fact_user_actions WHERE sequence IS NOT NULL LIMIT 1")),
    )


def _population_rule(settings: Settings) -> PopulationRule:
    named = settings.population
    return PopulationRule(named.production_users, named.test_users, named.bots)


def _session_rule(settings: Settings) -> SessionRule:
    own = settings.sessions
    return SessionRule(own.gap_minutes, own.source == "client", own.passive_extends, own.split_at_midnight)


def activity_rules(settings: Settings) -> dict[str, ActivityRule]:
    """Every activity that a query may name, as rules for the planner."""
    built_in = {name: ActivityRule(name, EventCondition()) for name in settings.activities}
    declared = {
        name: ActivityRule(name, EventCondition(a.events, a.where), a.min_events, a.max_events)
        for name, a in settings.activity.items()
    }
    return {**built_in, **declared}


def stored_definitions(read: Read) -> dict[str, str]:
    """The definitions that the stored rows were built with; empty before the first load."""
    rows = read("SELECT value FROM workspace_state WHERE name = 'definitions'")
    return json.loads(rows[0][0]) if rows else {}


def dropped_through(read: Read) -> date | None:
    """The last day that a bounded workspace let go, if there is one."""
    rows = read("SELECT value FROM workspace_state WHERE name = 'dropped_through'")
    return date.fromisoformat(rows[0][0]) if rows else None


def _slice_names(definitions: Mapping[str, str]) -> frozenset[str]:
    return frozenset(json.loads(definitions["dimensions"]) + json.loads(definitions["event_dimensions"]))


def _slice_values(
    read: Read, dialect: Dialect, names: Iterable[str], known: PropertyNames, stored: Collection[str]
) -> dict[str, int]:
    """How many values each stored event property has, of those that a question names."""
    named = set()
    for name in names:
        with suppress(UnknownNameError):  # the planner says so, with all it has to say about the question
            found = resolve(name, known, Values())
            named |= {found.stored_name} & set(stored) if found.scope == "event" else set()
    values = Values()
    text = f"""SELECT dimension, count(DISTINCT value) AS slice_values FROM agg_arrivals
WHERE dimension IN ({values.add_all(tuple(sorted(named)))}) GROUP BY dimension"""
    return {name: int(count) for name, count in read(render(values.bind(text), dialect))} if named else {}


def _extent(
    read: Read, settings: Settings, now: datetime, stale: tuple[str, ...]
) -> tuple[date | None, date | None, datetime | None, datetime | None]:
    """First day, watermark, first and last instant of the events."""
    # Stored days that an older version wrote may be gone.
    days = f"({EVENT_DAYS_ALL})" if "schema" in stale else "event_days"
    rows = read(f"SELECT day, first_timestamp, last_timestamp FROM {days} x ORDER BY day")
    if not rows:
        return None, None, None, None
    first, last = min(row[1] for row in rows), max(row[2] for row in rows)
    latest = now + CLOCK_TOLERANCE
    if "timezone" in stale:
        moment = latest.isoformat(sep=" ")
        newest = read(f"SELECT max(action_timestamp) FROM fact_user_actions WHERE action_timestamp <= '{moment}'")[0][0]
        watermark = local_day(newest, settings.timezone) if newest else None
        return local_day(first, settings.timezone), watermark, first, last
    past = [row[0] for row in rows if row[1] <= latest]
    return rows[0][0], max(past, default=None), first, last


def names_in(query: Query) -> list[str]:
    """The property names that a question reads."""
    leaves = [leaf for filter_ in query.filters for leaf in filter_.leaves()]
    record = METRICS.get(query.metric)
    named = record.property_names(query) if record else []
    actor = [] if query.actor in ("user", "session") else [query.actor]
    return [*query.breakdown, *(leaf.property or "" for leaf in leaves), *named, *actor]


def _frozen(read: Read, names: Iterable[str]) -> frozenset[str]:
    """The cohorts whose people were fixed, where a question names a cohort."""
    if not any(name.startswith(PREFIX) for name in names):
        return frozenset()
    return frozenset(
        name for (name,) in read(f"SELECT segment_name FROM dim_user_segments WHERE category = '{FROZEN}'")
    )


def _known_names(read: Read, dialect: Dialect, names: Iterable[str]) -> PropertyNames:
    """User attributes that were ever set, and those event properties of the question that some event carries."""
    split = [split_name(name) for name in names]
    keys = {key for prefix, key in split if prefix != "cohort"} - set(BUILT_IN_EVENT_PROPERTIES)
    if not keys:
        return PropertyNames()
    attributes = {row[0] for row in read("SELECT DISTINCT key FROM fact_user_attributes")}
    found = {key for key in keys if _some_event_has(read, dialect, key)}
    return PropertyNames(frozenset(attributes), frozenset(found or _sampled_properties(read)))


def _some_event_has(read: Read, dialect: Dialect, key: str) -> bool:
    values = Values()
    text = f"""SELECT 1 FROM fact_user_actions e
WHERE rg_property(e.action_metadata, {values.add(key)}) IS NOT NULL LIMIT 1"""
    return bool(read(render(values.bind(text), dialect)))


def _sampled_properties(read: Read) -> set[str]:
    """Property names among some events, to suggest one for a name that none has."""
    rows = read("SELECT action_metadata FROM fact_user_actions WHERE action_metadata IS NOT NULL LIMIT 5000")
    return {key for (text,) in rows for key in _keys(text)}


@lru_cache(maxsize=1024)
def _keys(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))
