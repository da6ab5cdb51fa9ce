"""Revenue: what people pay, per active and per paying person, and how many payments fail."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from regulars.domain.activity import chosen_events
from regulars.domain.calendar import epoch_day
from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.options import EVENTS_FORM, Option, read_events, read_name
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.properties import resolve
from regulars.domain.relations import cells, counts, moments, rows, slices
from regulars.domain.relations.scope import day_number, listed, where
from regulars.domain.sql import with_relations
from regulars.errors import QueryError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

_COLUMNS = {
    "revenue": "coalesce(s.revenue, 0.0)",
    "payments": "coalesce(s.payments, 0)",
    "paying_users": "coalesce(s.paying_users, 0)",
    "active_users": "coalesce(p.active_users, 0)",
    "revenue_per_active_user": "coalesce(s.revenue, 0.0) / nullif(p.active_users, 0)",
    "revenue_per_paying_user": "coalesce(s.revenue, 0.0) / nullif(s.paying_users, 0)",
    "failed_payments": "coalesce(s.failed_payments, 0)",
    "failed_payment_rate": "CAST(s.failed_payments AS DOUBLE) / nullif(s.payments + s.failed_payments, 0)",
}
_AGES = {"day": 1, "week": 7, "month": 30}


def _age(query: Query) -> int | None:
    """How many days one step of the cohort age has; None for a time axis."""
    return _AGES.get(str(REVENUE.option(query, "cohort_age")))


def _shape(query: Query) -> Shape:
    if _age(query) and query.grain != "day":
        raise QueryError(
            f"revenue by cohort age is over the whole range, so it has no {query.grain} grain; leave the grain out",
            code="bad_grain",
        )
    return Shape(
        (Measure("active_users", "period"),),
        {name: name for name in ("age", *_COLUMNS) if name != "age" or _age(query)},
        people={"paying_users": ("paying_users",), "active_users": ("active_users",)},
        dated=_age(query) is None,
        notes=("empty values are undefined: nobody to divide by, or no payment tried",),
    )


def _amount(statement: Statement) -> str:
    """The number that an event carries; missing where it carries none."""
    name = REVENUE.option(statement.query, "property")
    try:
        found = resolve(name, statement.context.names, statement.values)
    except UnknownNameError as exc:
        raise QueryError(f"{exc}; the option property names the number to add up", code=exc.code) from exc
    if found.scope != "event":
        raise QueryError(f"{name} is a {found.words}; revenue adds up a property of events", code="wrong_scope")
    return found.expression if found.numeric else f"rg_number({found.expression})"


@dataclass(frozen=True)
class _Row:
    """To which row an event belongs: its key, the day on which values that change with time are read, the joins."""

    key: str
    judged: str
    joins: str


def _row_of(statement: Statement, day: str) -> _Row:
    age, joins = _age(statement.query), f"\nJOIN days d ON d.day = {day}"
    if age is None:
        return _Row("d.date", "d.last_day", joins)
    key = f"CAST(floor(greatest(0, {day} - b.day) / {age}.0) AS BIGINT)"
    return _Row(key, str(epoch_day(statement.frame.last)), f"{joins}\nJOIN began b ON b.user_key = i.user_key")


def _began(statement: Statement) -> dict[str, str]:
    """The first active day ever of each person, whatever the conditions on events; nothing on a time axis."""
    if _age(statement.query) is None:
        return {}
    everything = replace(statement.scope, breakdown=(), event_conditions=())
    ever = rows.user_days(everything, "", statement.values.add(statement.frame.last))
    return {"began": f"SELECT b.user_key, min(b.day) AS day FROM ({ever}) b GROUP BY b.user_key"}


def _marks(statement: Statement) -> dict[str, str]:
    """What an event may be: an activity, a payment, a failed one."""
    query, context, values = statement.query, statement.context, statement.values
    paid, failed = (chosen_events(REVENUE.option(query, name), context, values) for name in ("events", "failed"))
    return {"is_active": statement.scope.qualifies, "is_paid": paid, "is_failed": failed}


def _qualifies(statement: Statement) -> list[str]:
    return list(_marks(statement).values())


def _events(statement: Statement) -> str:
    """Events that are any of these, each with its row and its segments."""
    scope, frame, values = statement.scope, statement.frame, statement.values
    labels, day, marks = scope.labels(), day_number(scope.day), _marks(statement)
    row, amount = _row_of(statement, day), _amount(statement)
    tests = [
        f"({' OR '.join(f'({test})' for test in marks.values())})",
        *scope.event_conditions,
        *scope.users_condition(),
        *scope.moment_conditions,
        f"{scope.day} >= {values.add(frame.first)}",
        f"{scope.day} <= {values.add(frame.last)}",
    ]
    changing = "".join(
        f"\nJOIN {name} ON {name}.user_key = i.user_key AND {row.judged} BETWEEN {name}.valid_from AND {name}.valid_to"
        for name in scope.moments
    )
    own = "".join(f"{label} AS {name}, " for name, label in labels.items())
    flags = "".join(f"CASE WHEN {test} THEN 1 ELSE 0 END AS {name}, " for name, test in marks.items())
    return f"""
SELECT i.user_key, {own}{row.key} AS place, d.last_day, {day} AS day,
  {flags}CASE WHEN {marks["is_paid"]} THEN {amount} END AS amount
{rows.event_tables(*labels.values(), *tests, amount)}{row.joins}{changing}
{where(tests)}"""


def _marked(statement: Statement) -> dict[str, str]:
    """The relations up to the marked events, and the days on which they make somebody active."""
    scope = statement.scope
    named = moments.validities(scope, statement.frame)
    named["days"] = counts.days(statement.frame, statement.values)
    named |= _began(statement)
    named["marked"] = _events(statement)
    if scope.breakdown:
        named["slices"] = slices.ranked(scope, "count(DISTINCT user_key)", "1", "marked")
    bounds = [f"count(*) >= {scope.min_events}", *([f"count(*) <= {scope.max_events}"] if scope.max_events else [])]
    named["actives"] = f"""
SELECT user_key, {listed(scope.segments)}place, last_day, day FROM marked
WHERE is_active = 1 GROUP BY user_key, {listed(scope.segments)}place, last_day, day
HAVING {" AND ".join(bounds)}"""
    return named


def _select(statement: Statement, _: Source) -> str:
    scope, is_dated = statement.scope, _age(statement.query) is None
    named = _marked(statement)
    slice_, by = ("k.slice", "k.slice, ") if scope.breakdown else ("1", "")
    named["sums"] = f"""
SELECT {slice_} AS slice, m.place, sum(m.amount) AS revenue, sum(m.is_paid) AS payments,
  count(DISTINCT CASE WHEN m.is_paid = 1 THEN m.user_key END) AS paying_users, sum(m.is_failed) AS failed_payments
FROM marked m {cells.segment_join(scope, "m")} GROUP BY {by}m.place"""
    named["people_of"] = f"""
SELECT {slice_} AS slice, c.place, count(DISTINCT c.user_key) AS active_users
FROM actives c {cells.segment_join(scope, "c")} GROUP BY {by}c.place"""
    columns = ", ".join(f"{text} AS {name}" for name, text in _COLUMNS.items())
    shown = slices.shown_columns(scope)
    places = "SELECT DISTINCT date AS place FROM days" if is_dated else "SELECT DISTINCT place FROM marked"
    return with_relations(
        named,
        f"""
SELECT {f"b.place AS date, {shown}" if is_dated else f"{shown}b.place AS age, "}{columns},
  {slices.is_other(scope)} AS is_other
FROM ({places}) b CROSS JOIN ({slices.axis(scope)}) k
LEFT JOIN sums s ON s.place = b.place AND s.slice = k.slice
LEFT JOIN people_of p ON p.place = b.place AND p.slice = k.slice
ORDER BY {"b.place, k.slice" if is_dated else "k.slice, b.place"}""",
    )


def _people(statement: Statement, _: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    scope, values = statement.scope, statement.values
    age = _age(statement.query)
    tests = [f"m.place = {values.add(int(cells.key(row, 'age')))}" if age else f"m.last_day = {cell.at}"]
    tests += cells.slice_tests(scope, cell, values)
    tests += ["m.is_paid = 1"] if cell.measure == "paying_users" else []
    table = "marked" if cell.measure == "paying_users" else "actives"
    return with_relations(
        _marked(statement),
        cells.ids(scope, f"SELECT m.user_key FROM {table} m {cells.segment_join(scope, 'm')} {where(tests)}"),
    )


REVENUE = Metric(
    name="revenue",
    title="Revenue",
    definition=(
        "The sum of a number (amount) that events of a payment (payment_success) carry; values that are no numbers "
        "add nothing. Per active person: over those active in the bucket, whether they paid or not; per paying "
        "person: over those with a payment. failed_payment_rate is failed payments (payment_failed) by all that were "
        "tried. cohort_age puts the whole range together by the days, weeks or 30-day months since a person's first "
        "active day ever; payments before it count at 0, and people never active are left out."
    ),
    source="Average revenue per user and per paying user, as subscription businesses report them",
    columns=(
        DATE,
        ResultColumn(
            "age", "integer", "periods", "Periods since the first active day (cohort_age only)", names_row=True
        ),
        ResultColumn("revenue", "number", "amount", "Sum of the property"),
        ResultColumn("payments", "integer", "payments", "Events that pay"),
        ResultColumn("paying_users", "integer", "people", "Distinct people who paid", counts_people=True),
        ResultColumn("active_users", "integer", "people", "Distinct people who were active", counts_people=True),
        ResultColumn("revenue_per_active_user", "number", "amount per person", "revenue / active_users"),
        ResultColumn("revenue_per_paying_user", "number", "amount per person", "revenue / paying_users"),
        ResultColumn("failed_payments", "integer", "payments", "Payments that failed"),
        ResultColumn("failed_payment_rate", "number", "ratio", "failed_payments / (payments + failed_payments)"),
    ),
    takes_actor=False,
    shape=_shape,
    options=(
        Option("property", "The number to add up", "amount", read=read_name, form="a property", names_property=True),
        Option("events", "Which events pay", "payment_success", read=read_events, form=EVENTS_FORM),
        Option("failed", "Which events are failed payments", "payment_failed", read=read_events, form=EVENTS_FORM),
        Option(
            "cohort_age",
            "By periods since the first active day, over the whole range",
            None,
            (None, "day", "week", "month"),
        ),
    ),
    composition=Composition(_select, _people, "events", needs_events=lambda _: True, qualifies=_qualifies),
)
