"""How many of the active people convert."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from regulars.domain.activity import chosen_events
from regulars.domain.calendar import epoch_day
from regulars.domain.intervals import wilson
from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.options import EVENTS_FORM, Option, read_events
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, counts, moments, rows, slices, spans
from regulars.domain.relations.scope import listed
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.metrics.record import Rows
    from regulars.domain.plan import Plan
    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Scope, Source
    from regulars.domain.statement import Statement

_KINDS = ("active_users", "converted")


def _shape(query: Query) -> Shape:
    by_period = query.calendar is not None or (query.window is None and query.bucket != "day")
    window = None if by_period else query.window or 1
    measures = tuple(Measure(kind, "period" if by_period else "rolling", window or 1) for kind in _KINDS)
    return Shape(
        measures,
        {name: name for name in ("converted", "active_users", "conversion_rate", "low", "high")},
        window=window,
        notes=(
            "a rate is empty where nobody was active, its bounds also where more people converted than were active",
        ),
        people={kind: (kind,) for kind in _KINDS},
    )


def _converts(statement: Statement) -> str:
    event = CONVERSION_RATE.option(statement.query, "event")
    return chosen_events(event, statement.context, statement.values)


def _qualifies(statement: Statement) -> list[str]:
    return [statement.scope.qualifies, _converts(statement)]


def _visits(statement: Statement, source: Source) -> dict[str, str]:
    """Days on which people were active, and days on which they converted."""
    scope, frame, values = statement.scope, statement.frame, statement.values
    first, last = values.add(frame.scan_from), values.add(frame.scan_to)
    converting = replace(scope, qualifies=_converts(statement), min_events=1, max_events=None)
    if source == "arrivals":
        active = rows.chain_from_arrivals(scope, frame, values)
    else:
        active = rows.user_days(scope, first, last)
    own = listed(["user_key", *dict(scope.stored_segments()), "day"])
    return {
        "active_days": active,
        "conversion_days": rows.user_days(converting, first, last),
        "visits": f"""
SELECT {own}'active_users' AS kind FROM active_days
UNION ALL
SELECT {own}'converted' AS kind FROM conversion_days""",
    }


def _ranked(scope: Scope, statement: Statement, table: str) -> str:
    """Slices by the active people of the range; those in which people only convert come last."""
    first, last = epoch_day(statement.frame.first), epoch_day(statement.frame.last)
    if table == "visits":
        counted = f"kind = 'active_users' AND day BETWEEN {first} AND {last}"
    else:
        table = f"""held h JOIN days d ON d.day = greatest(h.first_day, {first}) AND d.last_day <= h.last_day"""
        counted = "h.measure = 'active_users'"
    return slices.ranked(scope, f"count(DISTINCT CASE WHEN {counted} THEN user_key END)", "1", table)


def _spans(statement: Statement, source: Source) -> dict[str, str]:
    """The days on which each active day and each conversion counts its person."""
    scope, shape, frame = statement.scope, statement.shape, statement.frame
    named = moments.validities(scope, frame)
    named |= _visits(statement, source)
    own, table = list(dict(scope.stored_segments())), "visits"
    if scope.breakdown and (scope.by_event or not scope.moments):
        named["slices"] = _ranked(scope, statement, "visits")
    if scope.by_event:
        # What lies beyond the limit is one slice, in which a person's day counts once.
        own, table = ["slice"], "sliced"
        named["sliced"] = (
            f"SELECT DISTINCT v.user_key, k.slice, v.day, v.kind FROM visits v {cells.segment_join(scope, 'v')}"
        )
    for kind in _KINDS:
        partition = ", ".join(["user_key", *(["slice"] if scope.by_event else [])])
        named[f"chain_of_{kind}"] = f"""
SELECT user_key, {listed(own)}day, day - lag(day) OVER (PARTITION BY {partition} ORDER BY day) AS gap, 1 AS people
FROM {table} WHERE kind = '{kind}'"""
    named["days"] = counts.days(frame, statement.values)
    named["spans"] = spans.spans(scope, shape, frame, {kind: f"chain_of_{kind}" for kind in _KINDS})
    if scope.moments:
        named["held"] = moments.held(scope)
        if scope.breakdown and not scope.by_event:
            named["slices"] = _ranked(scope, statement, "held")
    return named


def _select(statement: Statement, source: Source) -> str:
    scope, shape, frame = statement.scope, statement.shape, statement.frame
    named = _spans(statement, source)
    named["changes"] = counts.changes(scope, shape, frame)
    named["counts"] = counts.counts(scope, shape)
    return with_relations(
        named,
        f"""
SELECT c.date, {slices.shown_columns(scope)}c.converted, c.active_users, {slices.is_other(scope)} AS is_other
FROM counts c JOIN ({slices.axis(scope)}) k ON k.slice = c.slice
WHERE c.day = c.last_day AND c.day >= {epoch_day(frame.first)}
ORDER BY c.date, k.slice""",
    )


def _people(statement: Statement, source: Source, cell: Cell, _: Mapping[str, Any]) -> str:
    return with_relations(_spans(statement, source), cells.people(statement.scope, cell, statement.values))


def _rates(_: Plan, found: Rows) -> Rows:
    return [{**row, **_rate(row["converted"], row["active_users"])} for row in found]


def _rate(converted: int, active: int) -> dict[str, float | None]:
    low, high = wilson(converted, active) if converted <= active else (None, None)
    return {"conversion_rate": converted / active if active else None, "low": low, "high": high}


CONVERSION_RATE = Metric(
    name="conversion_rate",
    title="Conversion rate",
    definition=(
        "People with a conversion event in the window, over the people active in it; without a window, in the bucket. "
        "Both are counted by themselves: a passive conversion, such as a renewed payment, counts its person whether "
        "they were active or not, so that the rate can exceed 1. low and high are the 95 % Wilson interval of "
        "converted out of active_users, and undefined where more people converted than were active."
    ),
    source="Share of active users who convert, as product analytics count it",
    columns=(
        DATE,
        ResultColumn("converted", "integer", "people", "People with a conversion event", counts_people=True),
        ResultColumn("active_users", "integer", "people", "People who were active", counts_people=True),
        ResultColumn("conversion_rate", "number", "ratio", "converted / active_users", is_derived=True),
        ResultColumn("low", "number", "ratio", "Lower bound of conversion_rate", is_derived=True),
        ResultColumn("high", "number", "ratio", "Upper bound of conversion_rate", is_derived=True),
    ),
    shape=_shape,
    options=(Option("event", "Which events convert", "conversion", read=read_events, form=EVENTS_FORM),),
    takes_window=True,
    takes_calendar=True,
    composition=Composition(_select, _people, "arrivals", finish=_rates, qualifies=_qualifies),
)
