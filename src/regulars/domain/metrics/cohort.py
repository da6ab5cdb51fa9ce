"""A fixed set of people, followed day by day from the day that chose them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from regulars.domain.calendar import epoch_day
from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.habits import DEFAULT_WINDOW
from regulars.domain.metrics.options import Option
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, counts, habits, moments, slices, spans
from regulars.domain.relations.cohorts import UNDATED, undated
from regulars.domain.relations.scope import day_number, listed, where
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Scope, Source
    from regulars.domain.statement import Statement

_COLUMNS = {
    "day": "c.day - {start}",
    "cohort": "c.cohort",
    "active_users": "c.active_users",
    "window_users": "c.window_users",
    "stickiness": "CAST(c.active_users AS DOUBLE) / nullif(c.window_users, 0)",
}


def _shape(query: Query) -> Shape:
    window = query.window or DEFAULT_WINDOW
    is_new = STICKINESS_BY_COHORT.option(query, "cohort") == "first_activity"
    measures = (
        Measure("active_users", "rolling", 1),
        Measure("window_users", "rolling", window),
        Measure("cohort", "new" if is_new else "period"),
    )
    return Shape(
        measures,
        {name: name for name in _COLUMNS},
        window=window,
        people={measure.name: (measure.name,) for measure in (measures[2], *measures[:2])},
        from_start=True,
    )


def _followed(scope: Scope) -> Scope:
    """The scope after the first day: whatever changes with time was judged on it, and holds from then on."""
    fixed = tuple(replace(found, scope="user") for found in scope.breakdown)
    return replace(scope, breakdown=fixed, moments=(), moment_conditions=())


def _entered(statement: Statement) -> str:
    """Who is chosen on the first day, before values that change with time are looked at."""
    scope, start = statement.scope, epoch_day(statement.frame.first)
    by = STICKINESS_BY_COHORT.option(statement.query, "cohort")
    if by == "registration":
        own = "".join(f"{found.label} AS {name}, " for name, found in scope.stored_segments())
        tests = [f"{day_number('u.registration_date')} = {start}", *scope.users_condition()]
        return f"SELECT {start} AS date, {start} AS last_day, {own}u.user_key FROM dim_users u {where(tests)}"
    own = listed(habits.own_columns(scope), "c")
    tests = [f"c.day = {start}", *(["c.gap IS NULL"] if by == "first_activity" else [])]
    return f"SELECT {start} AS date, {start} AS last_day, {own}c.user_key FROM arrived c {where(tests)}"


def _spans(statement: Statement, source: Source) -> dict[str, str]:
    """The members, and the days on which each of them counts as active, in the window, and at all."""
    scope, shape, frame = statement.scope, statement.shape, statement.frame
    followed, start = _followed(scope), epoch_day(frame.first)
    named = moments.validities(scope, frame)
    arrived = statement.chain(source)
    named |= {("arrived" if name == "chain" else name): text for name, text in arrived.items()}
    named["entered"] = _entered(statement)
    named["members"] = habits.judged(scope, "entered", "1 AS people")
    if scope.breakdown:
        named["slices"] = slices.ranked(followed, "count(*)", "1", "members")
    own = listed(followed.segments, "m")
    # A visit before the first day covers nothing: no window begins before it.
    named["chain"] = f"""
SELECT m.user_key, {own}c.day, CASE WHEN c.day - c.gap >= {start} THEN c.gap END AS gap, m.people
FROM arrived c JOIN members m ON m.user_key = c.user_key
WHERE c.day >= {start}"""
    named["days"] = counts.days(frame, statement.values)
    visits = spans.spans(followed, replace(shape, measures=shape.measures[:2]), frame)
    named["spans"] = f"""{visits}
UNION ALL
SELECT 'cohort' AS measure, m.user_key, {own}{start} AS first_day, {epoch_day(frame.last)} AS last_day,
  CAST(m.people AS BIGINT) AS amount
FROM members m"""
    return named


def _select(statement: Statement, source: Source) -> str:
    followed, shape, frame = _followed(statement.scope), statement.shape, statement.frame
    named = _spans(statement, source)
    named["changes"] = counts.changes(followed, shape, frame)
    named["counts"] = counts.counts(followed, shape)
    start = epoch_day(frame.first)
    columns = ", ".join(f"{text.format(start=start)} AS {name}" for name, text in _COLUMNS.items())
    return with_relations(
        named,
        f"""
SELECT c.date, {slices.shown_columns(followed)}{columns}, {slices.is_other(followed)} AS is_other
FROM counts c JOIN ({slices.axis(followed)}) k ON k.slice = c.slice
ORDER BY c.date, k.slice""",
    )


def _people(statement: Statement, source: Source, cell: Cell, _: Mapping[str, Any]) -> str:
    named = _spans(statement, source)
    return with_relations(named, cells.people(_followed(statement.scope), cell, statement.values))


def _left_out(statement: Statement) -> str | None:
    by = STICKINESS_BY_COHORT.option(statement.query, "cohort")
    return undated(statement.scope) if by == "registration" else None


STICKINESS_BY_COHORT = Metric(
    name="stickiness_by_cohort",
    title="Stickiness of a cohort",
    definition=(
        "A fixed set of people, chosen on the first day of the range and followed to its last: by default those "
        "active for the first time ever on it; cohort=active takes everybody active on it, cohort=registration "
        "everybody registered on it. On each day, the members active on it over the members active in the window "
        "(30 days) that ends on it and opens no earlier than the first day. Undefined while none of them is in it. "
        "Attributes are those of the first day."
    ),
    source="DAU/MAU of a fixed set of users, as cohort analyses of engagement read it",
    columns=(
        DATE,
        ResultColumn("day", "integer", "days", "Days since the first day of the range, which is 0", names_row=True),
        ResultColumn("cohort", "integer", "people", "Size of the set, on every day the same", counts_people=True),
        ResultColumn("active_users", "integer", "people", "Members active on the day", counts_people=True),
        ResultColumn("window_users", "integer", "people", "Members active in the window", counts_people=True),
        ResultColumn("stickiness", "number", "ratio", "active_users / window_users"),
    ),
    shape=_shape,
    grains=("day",),
    options=(
        Option("cohort", "How its people are chosen", "first_activity", ("first_activity", "registration", "active")),
    ),
    takes_window=True,
    scopes=("user", "moment"),
    composition=Composition(_select, _people, "arrivals", left_out=_left_out, reasons=UNDATED),
)
