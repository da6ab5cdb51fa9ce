"""Retention: who of a cohort comes back in which period after the start."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from regulars.domain.activity import chosen_events
from regulars.domain.calendar import epoch_day
from regulars.domain.intervals import wilson
from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.options import (
    BRACKETS_FORM,
    EVENTS_FORM,
    LARGEST_PERIOD,
    WHERE_FORM,
    Option,
    read_brackets,
    read_events,
    read_where,
)
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, counts, returns
from regulars.domain.relations.cohorts import UNDATED, Cohort, Entry, members, undated
from regulars.domain.relations.returns import Clock, Periods
from regulars.domain.relations.scope import day_number, where
from regulars.domain.sql import with_relations
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.metrics.record import Row, Rows
    from regulars.domain.plan import Plan
    from regulars.domain.query import EventCondition, Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

KINDS = ("on", "on_or_after", "bracket")
CLOCKS = ("calendar", "anchored", "rolling")
COHORTS = ("first_time", "first_matching", "first_in_range", "recurring", "registration")
_BRACKETS = ((0, 0), (1, 1), (2, 3), (4, 7), (8, 14), (15, 30))
_HORIZONS = {"hour": 24, "day": 30, "week": 12, "month": 12}


def _option(query: Query, name: str) -> Any:
    return RETENTION.option(query, name)


def _spans(query: Query) -> tuple[tuple[int, int], ...]:
    brackets, horizon = _option(query, "brackets"), _option(query, "horizon")
    if _option(query, "kind") == "bracket":
        if horizon is not None:
            raise QueryError("brackets say how far to look, so horizon is left out", code="bad_option")
        return cast("tuple[tuple[int, int], ...]", brackets or _BRACKETS)
    if brackets is not None:
        raise QueryError("brackets are for kind=bracket; add that, or leave them out", code="bad_option")
    return tuple((period, period) for period in range((horizon or _HORIZONS[query.grain]) + 1))


def _shape(query: Query) -> Shape:
    _check(query)
    spans = _spans(query)
    names = [
        "period",
        *(["period_end"] if _option(query, "kind") == "bracket" else []),
        "cohort_size",
        "retention_users",
    ]
    names += ["retention", "is_complete", "is_seen", "low", "high"]
    days = 1 if query.grain == "hour" else {"day": 1, "week": 7, "month": 31}[query.grain]
    return Shape(
        (Measure("cohort_size", "period"),),
        {name: name for name in names},
        ahead_days=(spans[-1][1] + 1) * days * query.range.every,
        people={"cohort_size": ("cohort_size",), "retention_users": ("retention_users",)},
        needs_history=True,
        many_entries=_is_each(query),
    )


def _is_each(query: Query) -> bool:
    """Whether every start event opens a count of its own."""
    return bool(_option(query, "cohort") == "recurring" and _option(query, "clock") == "rolling")


def _check(query: Query) -> None:
    """Refuse options that contradict each other."""
    cohort, clock = _option(query, "cohort"), _option(query, "clock")
    if query.grain == "hour" and clock != "rolling":
        raise QueryError("hours are counted from each start: add clock=rolling, or take a day grain", code="bad_grain")
    if cohort == "registration" and clock == "rolling":
        raise QueryError(
            "a registration has a date and no time of day; use clock=calendar or clock=anchored", code="bad_option"
        )
    if cohort == "registration" and (_option(query, "start_event") or _option(query, "start_where")):
        raise QueryError(
            "cohort=registration begins with the registration, so it takes no start event", code="bad_option"
        )


def _events(statement: Statement) -> tuple[str | EventCondition, str | EventCondition]:
    query = statement.query
    start = _option(query, "start_event") or query.activity
    return start, _option(query, "return_event") or query.activity


def _is_same(statement: Statement) -> bool:
    """Whether every return event is a start event, and the other way round."""
    start, back = _events(statement)
    query = statement.query
    return start == back and _option(query, "start_where") == _option(query, "return_where")


def _needs_events(statement: Statement) -> bool:
    """Whether active days are not enough: a moment, a property or another event matters."""
    start, back = _events(statement)
    query, scope = statement.query, statement.scope
    rule = statement.context.activities.get(query.activity)
    by_day = start == back == query.activity and not (_option(query, "start_where") or _option(query, "return_where"))
    if by_day and rule is not None and (rule.min_events > 1 or rule.max_events is not None):
        return False
    return not by_day or _option(query, "clock") == "rolling" or scope.by_event or bool(scope.event_conditions)


def _entry(statement: Statement) -> Entry:
    query, by_event = statement.query, _needs_events(statement)
    cohort = cast("Cohort", _option(query, "cohort"))
    if cohort == "registration" and statement.scope.by_event:
        raise QueryError(
            "a registration is no event, so it has no event property to be sliced by; use user attributes, "
            "or a cohort that starts with an event",
            code="wrong_scope",
        )
    if not by_event:
        _refuse_unless_days(statement)
        return Entry(cohort)
    context, values = statement.context, statement.values
    start, back = (chosen_events(one, context, values) for one in _events(statement))

    def also(test: str, option: str) -> str:
        own = _option(query, option)
        more = [*statement.scope.event_conditions, *([chosen_events(own, context, values)] if own else [])]
        return " AND ".join([f"({test})", *(f"coalesce({one}, FALSE)" for one in more)])

    marks = {"begins": start, "starts": also(start, "start_where"), "returns": also(back, "return_where")}
    return Entry(cohort, marks, _is_each(query))


def _refuse_unless_days(statement: Statement) -> None:
    scope = statement.scope
    if statement.scope.by_event or scope.event_conditions or _option(statement.query, "clock") == "rolling":
        raise QueryError(
            f"activity {scope.activity!r} is about whole days (min_events, max_events), so single events cannot be "
            "filtered, sliced or timed; name an event type as start_event and return_event",
            code="bad_events",
        )


def _periods(statement: Statement) -> Periods:
    query = statement.query
    clock, least = cast("Clock", _option(query, "clock")), int(_option(query, "min_occurrences"))
    is_same = _is_same(statement) and _option(query, "cohort") != "registration"
    counts_start = is_same and (clock == "calendar" or least > 1)
    spans = _spans(query)
    # On active days the start cannot be told from the day's other events, so one more of them is asked for.
    is_by_day = not _needs_events(statement)
    in_first = least + (is_by_day and is_same and not counts_start and spans[0][0] == 0)
    return Periods(
        clock, query.grain, query.range.every, spans, _option(query, "kind") == "on_or_after", least, in_first,
        counts_start, bool(_option(query, "match_breakdown")) and statement.scope.by_event,
    )  # fmt: skip


def _without_event_conditions(statement: Statement) -> Statement:
    """Conditions on events stand in the marks of the entry, where each applies."""
    return replace(statement, scope=replace(statement.scope, event_conditions=()))


def _is_stored(statement: Statement) -> bool:
    """Whether the stored sums answer: everybody from their first active day on, day by day."""
    query, periods = statement.query, _periods(statement)
    first = _option(query, "cohort") in ("first_time", "first_matching")
    plain = periods.is_plain and not periods.is_open and periods.least == 1 and not query.filters
    return first and plain and periods.clock == "calendar" and query.bucket == "day" and not query.breakdown


def _relations(statement: Statement, source: Source) -> dict[str, str]:
    entry, periods = _entry(statement), _periods(statement)
    bare = statement if entry.marks is None else _without_event_conditions(statement)
    return members(bare, source, entry) | returns.kept(bare, source, entry, periods)


def _select(statement: Statement, source: Source) -> str:
    periods = _periods(statement)
    named = _stored(statement) if source == "aggregates" else _relations(statement, source)
    wanted = returns.counted(statement, _entry(statement), periods)
    named |= {name: text for name, text in wanted.items() if name not in named}
    return with_relations(named, returns.rows(statement, periods))


def _stored(statement: Statement) -> dict[str, str]:
    scope, frame, values = statement.scope, statement.frame, statement.values
    tests = [f"activity = {values.add(scope.activity)}"]
    tests += [f"cohort_day >= {values.add(frame.first)}", f"cohort_day <= {values.add(frame.last)}"]
    tests += [f"{day_number('cohort_day')} + days_later <= {epoch_day(frame.scan_to)}"]
    tests += [] if scope.population == "all" else [f"population = '{scope.population}'"]
    summed = f"""
SELECT cohort_day AS date, 1 AS slice, days_later AS period, sum(users) AS people, 0 AS last_at
FROM agg_retention {where(tests)} GROUP BY cohort_day, days_later"""
    return {
        "days": counts.days(frame, values),
        "backs": summed,
        "sizes": "SELECT date, slice, people, last_at FROM backs WHERE period = 0",
    }


def _people(statement: Statement, source: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    scope, periods = statement.scope, _periods(statement)
    tests = [f"m.last_day = {cell.at}", *_slice_tests(statement, cell)]
    table = "members"
    if cell.measure == "retention_users":
        table = "kept"
        tests.append(f"m.period {'>=' if periods.is_open else '='} {int(cells.key(row, 'period'))}")
    axis = f"JOIN (SELECT DISTINCT slice, {', '.join(f'shown_{n}' for n in scope.segments)} FROM slices) k"
    join = f"{axis} ON k.slice = m.slice" if scope.breakdown else ""
    return with_relations(
        _relations(statement, source),
        cells.ids(scope, f"SELECT m.user_key FROM {table} m {join} {where(tests)}"),
    )


def _slice_tests(statement: Statement, cell: Cell) -> list[str]:
    return cells.slice_tests(statement.scope, cell, statement.values)


def _qualifies(statement: Statement) -> list[str]:
    """Starts and returns; a registration is no event."""
    scope, start, back = statement.scope, *_events(statement)
    is_activity = start == back == statement.query.activity
    marks = _entry(statement).marks
    if marks is None or (is_activity and not _option(statement.query, "start_where") and _is_same(statement)):
        return [scope.qualifies]
    starts = [] if _option(statement.query, "cohort") == "registration" else [marks["starts"]]
    return [*starts, marks["returns"]]


def _left_out(statement: Statement) -> str | None:
    return undated(statement.scope) if _option(statement.query, "cohort") == "registration" else None


def _flags(plan: Plan, row: Row) -> list[str]:
    frame = plan.frame
    flags = [] if row["is_complete"] else ["incomplete"]
    # Registrations may lie before the data, where no return can be seen.
    young = {"first_time": _WARM_UP_DAYS, "first_matching": _WARM_UP_DAYS, "registration": 0}
    days = young.get(_option(plan.query, "cohort"))
    if days is not None and frame is not None and (row["date"] - frame.first_day).days < days:
        flags.append("warming_up")
    return flags


_WARM_UP_DAYS = 30


def _finish(_: Plan, rows: Rows) -> Rows:
    return [
        row | dict(zip(("low", "high"), wilson(row["retention_users"], row["cohort_size"]), strict=True))
        for row in rows
    ]


def _averages(plan: Plan, rows: Rows) -> Rows:
    """Per slice and period, over the cells that are complete; of registrations, those that lie within the data."""
    query = plan.query
    may_be_unseen = _option(query, "cohort") == "registration"
    keys = [*query.breakdown, "period"]
    done: dict[tuple[Any, ...], Rows] = {}
    for row in rows:
        cell = done.setdefault(("other" in row["flags"], *(row[name] for name in keys)), [])
        if "incomplete" not in row["flags"] and (row["is_seen"] or not may_be_unseen):
            cell.append(row)
    return [
        _average(query, {"is_other": key[0], **dict(zip(keys, key[1:], strict=True))}, found)
        for key, found in done.items()
    ]


def _average(query: Query, place: dict[str, Any], found: Rows) -> Row:
    size, users = (sum(row[name] for row in found) for name in ("cohort_size", "retention_users"))
    # The same people stand in several recurring cohorts, so their pooled rate has no interval of this kind.
    is_pooled = _option(query, "average") == "pooled"
    has_interval = is_pooled and _option(query, "cohort") != "recurring"
    low, high = wilson(users, size) if has_interval else (None, None)
    rates = [row["retention"] for row in found if row["retention"] is not None]
    simple = sum(rates) / len(rates) if rates else None
    pooled = users / size if size else None
    return place | {
        "cohorts": len(found), "cohort_size": size, "retention_users": users,
        "retention": pooled if is_pooled else simple, "low": low, "high": high,
    }  # fmt: skip


RETENTION = Metric(
    name="retention",
    title="Retention",
    definition=(
        "Of the people who started in a period (their cohort), those who came back in the n-th period after it. "
        "kind=on counts returns in exactly that period, on_or_after in it or any later one up to the horizon, bracket "
        "in ranges of periods. clock=calendar counts calendar periods of the grain, anchored local days from each "
        "person's own start day (week 1 is days 7 to 13, a month 30 days), rolling exact multiples of 24 hours from "
        "the start. cohort says what starts: the first event ever, the first that passes the filters, the first in the "
        "range, every period with a start (recurring), or the registration. Period 0 is 100 % when start and return "
        "are the same activity on calendar periods; otherwise a return is at or after the start, and another event. "
        "The slice is that of the start. A cell is complete when its period has ended; averages pool the complete "
        "cells, zeros included, without periods of registrations that begin before the data. low and high are Wilson "
        "95 % intervals."
    ),
    source="Cohort retention as PostHog, Amplitude and Mixpanel compute it, each choice an option",
    columns=(
        DATE,
        ResultColumn("period", "integer", "periods", "Periods since the start, which is in 0", names_row=True),
        ResultColumn(
            "period_end", "integer", "periods", "Last period of the bracket (kind=bracket only)", names_row=True
        ),
        ResultColumn(
            "cohort_size", "integer", "people", "People who started in the period of date", counts_people=True
        ),
        ResultColumn("retention_users", "integer", "people", "Those of them who came back", counts_people=True),
        ResultColumn("retention", "number", "ratio", "retention_users / cohort_size"),
        ResultColumn("is_complete", "integer", "yes or no", "Whether the period is over", is_hidden=True),
        ResultColumn("is_seen", "integer", "yes or no", "Whether the period lies within the data", is_hidden=True),
        ResultColumn("low", "number", "ratio", "Lower end of the 95 % interval", is_derived=True),
        ResultColumn("high", "number", "ratio", "Upper end of the 95 % interval", is_derived=True),
    ),
    shape=_shape,
    grains=("hour", "day", "week", "month"),
    options=(
        Option("kind", "In which periods a return counts", "on", KINDS),
        Option("clock", "From where periods are counted", "calendar", CLOCKS),
        Option("cohort", "What makes a person a member of a cohort", "first_time", COHORTS),
        Option("start_event", "What starts, if not the activity", None, read=read_events, form=EVENTS_FORM),
        Option(
            "return_event", "What counts as a return, if not the activity", None, read=read_events, form=EVENTS_FORM
        ),
        Option("start_where", "Conditions on start events only", None, read=read_where, form=WHERE_FORM),
        Option("return_where", "Conditions on return events only", None, read=read_where, form=WHERE_FORM),
        Option("horizon", "How many periods to look ahead; 30 days, 12 weeks, 12 months", None, largest=LARGEST_PERIOD),
        Option(
            "brackets",
            "Ranges of periods for kind=bracket; 0,1,2-3,4-7,8-14,15-30",
            None,
            read=read_brackets,
            form=BRACKETS_FORM,
        ),
        Option("min_occurrences", "Return events needed within one period", 1, largest=1000),
        Option("match_breakdown", "The return must have the value of the start", default=False, choices=(True, False)),
        Option("average", "Pool people over cohorts, or average the cohorts' rates", "pooled", ("pooled", "simple")),
    ),
    composition=Composition(
        _select,
        _people,
        "arrivals",
        is_stored=_is_stored,
        needs_events=_needs_events,
        finish=_finish,
        flags=_flags,
        averages=_averages,
        qualifies=_qualifies,
        left_out=_left_out,
        reasons=UNDATED,
    ),
    chart="triangle",
)
