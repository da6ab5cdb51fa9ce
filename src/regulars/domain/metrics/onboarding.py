"""Onboarding: how many of those who sign up reach which milestone, and how soon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from regulars.domain.activity import chosen_events
from regulars.domain.calendar import epoch_day
from regulars.domain.intervals import wilson
from regulars.domain.metrics.options import STEPS_FORM, Option, read_steps
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.query import Step
from regulars.domain.relations import cells, habits, moments, slices
from regulars.domain.relations.cohorts import UNDATED, undated
from regulars.domain.relations.occurrences import at_entry, occurrences
from regulars.domain.relations.scope import day_number, listed, where
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.frame import Frame
    from regulars.domain.metrics.options import Events
    from regulars.domain.metrics.record import Row, Rows
    from regulars.domain.plan import Plan
    from regulars.domain.query import Filter, Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

NEW_WINDOW = 30
_COLUMNS = ("milestone", "name", "cohort", "users", "share", "low", "high", "median_days")


def _milestones(query: Query) -> tuple[Events, ...]:
    found: tuple[Events, ...] = ONBOARDING.option(query, "milestones")
    return found


def _days(query: Query) -> int:
    return int(ONBOARDING.option(query, "days"))


def _shape(query: Query) -> Shape:
    by_registration = ONBOARDING.option(query, "cohort") == "registration"
    return Shape(
        (Measure("cohort", "period" if by_registration else "new"),),
        {name: name for name in _COLUMNS},
        ahead_days=_days(query),
        people={"users": ("users",), "cohort": ("cohort",)},
        dated=False,
        needs_history=not by_registration,
        notes=("empty values are undefined: nobody signed up in the range, or nobody reached the milestone",),
    )


def _entered(statement: Statement) -> str:
    """Who signed up in the range, and on which day; before values that change with time are looked at."""
    scope, first, last = statement.scope, epoch_day(statement.frame.first), epoch_day(statement.frame.last)
    if ONBOARDING.option(statement.query, "cohort") == "registration":
        own = "".join(f"{found.label} AS {name}, " for name, found in scope.stored_segments())
        day = day_number("u.registration_date")
        tests = [f"{day} BETWEEN {first} AND {last}", *scope.users_condition()]
        return f"SELECT u.user_key, {own}{day} AS day FROM dim_users u {where(tests)}"
    own = listed(habits.own_columns(scope), "c")
    return f"SELECT c.user_key, {own}c.day FROM chain c WHERE c.gap IS NULL AND c.day BETWEEN {first} AND {last}"


def _reached(statement: Statement, source: Source) -> dict[str, str]:
    """The members of the cohort, and for each milestone those who reached it with the days it took."""
    scope, context, values = statement.scope, statement.context, statement.values
    asked, days = _milestones(statement.query), _days(statement.query)
    named = moments.validities(scope, statement.frame)
    if ONBOARDING.option(statement.query, "cohort") != "registration":
        named |= statement.chain(source)
    named["entered"] = _entered(statement)
    named["members"] = at_entry(scope, "entered", "1 AS people")
    if scope.breakdown:
        named["slices"] = slices.ranked(scope, "count(*)", "1", "members")
    marks = {f"is_{place}": chosen_events(one, context, values) for place, one in enumerate(asked, 1)}
    named["steps"] = occurrences(statement, marks, first=values.add(statement.frame.first))
    own = listed(scope.segments, "m")
    each = "\nUNION ALL\n".join(
        f"""SELECT {place} AS milestone, x.user_key, {listed(scope.segments, "x")}x.days FROM (
  SELECT m.user_key, {own}e.day - m.day AS days,
    row_number() OVER (PARTITION BY m.user_key ORDER BY e.day) AS number
  FROM members m JOIN steps e ON e.user_key = m.user_key
  WHERE e.is_{place} = 1 AND e.day BETWEEN m.day AND m.day + {days}
) x WHERE x.number = {one.times if isinstance(one, Step) else 1}"""
        for place, one in enumerate(asked, 1)
    )
    named["reached"] = each
    return named


def _select(statement: Statement, source: Source) -> str:
    scope, values = statement.scope, statement.values
    named = _reached(statement, source)
    slice_ = "k.slice" if scope.breakdown else "1"
    by = "k.slice, " if scope.breakdown else ""
    named["counted"] = f"""
SELECT {slice_} AS slice, r.milestone, count(*) AS users, rg_quantile(r.days, 0.5) AS median_days
FROM reached r {cells.segment_join(scope, "r")} GROUP BY {by}r.milestone"""
    named["sizes"] = f"""
SELECT {slice_} AS slice, count(*) AS cohort
FROM members m {cells.segment_join(scope, "m")} {"GROUP BY k.slice" if scope.breakdown else ""}"""
    asked = " UNION ALL ".join(
        f"SELECT {place} AS milestone, {values.add(words_of(one))} AS name"
        for place, one in enumerate(_milestones(statement.query), 1)
    )
    return with_relations(
        named,
        f"""
SELECT {slices.shown_columns(scope)}n.milestone, n.name, z.cohort, coalesce(c.users, 0) AS users, c.median_days,
  {slices.is_other(scope)} AS is_other
FROM ({slices.axis(scope)}) k CROSS JOIN ({asked}) n
JOIN sizes z ON z.slice = k.slice
LEFT JOIN counted c ON c.slice = k.slice AND c.milestone = n.milestone
ORDER BY k.slice, n.milestone""",
    )


def words_of(asked: Events) -> str:
    """A milestone in words.

    >>> words_of("core"), words_of(Step(("like", "share"), times=3))
    ('core', 'like, share, 3 times')
    """
    if isinstance(asked, str):
        return asked
    times = asked.times if isinstance(asked, Step) else 1
    conditions = " and ".join(_condition(filter_) for filter_ in asked.where)
    parts = [", ".join(asked.events or ("any",)), *([f"{times} times"] if times > 1 else [])]
    return ", ".join(parts) + (f" where {conditions}" if conditions else "")


def _condition(filter_: Filter) -> str:
    if filter_.property is None:
        word = " and " if filter_.all else " or "
        return f"({word.join(_condition(member) for member in filter_.members())})"
    value = ", ".join(map(str, filter_.value)) if isinstance(filter_.value, tuple) else filter_.value
    return f"{filter_.property} {filter_.op}{'' if value is None else f' {value}'}"


def _people(statement: Statement, source: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    scope, values = statement.scope, statement.values
    tests = cells.slice_tests(scope, cell, values)
    if cell.measure == "users":
        tests.append(f"r.milestone = {values.add(int(cells.key(row, 'milestone')))}")
    table = "reached" if cell.measure == "users" else "members"
    return with_relations(
        _reached(statement, source),
        cells.ids(scope, f"SELECT r.user_key FROM {table} r {cells.segment_join(scope, 'r')} {where(tests)}"),
    )


def _qualifies(statement: Statement) -> list[str]:
    by_activity = ONBOARDING.option(statement.query, "cohort") == "first_activity"
    asked = [chosen_events(one, statement.context, statement.values) for one in _milestones(statement.query)]
    return [*([statement.scope.qualifies] if by_activity else []), *asked]


def _left_out(statement: Statement) -> str | None:
    by_registration = ONBOARDING.option(statement.query, "cohort") == "registration"
    return undated(statement.scope) if by_registration else None


def _flags(plan: Plan, _: Row) -> list[str]:
    frame = cast("Frame", plan.frame)  # where there are rows, there is one
    flags = ["incomplete"] if (frame.complete_through - frame.asked_end).days < _days(plan.query) else []
    # Whoever is new in the first window of the data may be older than the data; before it, nothing was seen of anybody.
    is_young = (frame.first - frame.first_day).days < (NEW_WINDOW if plan.shape.needs_history else 0)
    return [*flags, "warming_up"] if is_young else flags


def _with_shares(_: Plan, rows: Rows) -> Rows:
    found = []
    for row in rows:
        low, high = wilson(row["users"], row["cohort"])
        share = row["users"] / row["cohort"] if row["cohort"] else None
        found.append({**row, "share": share, "low": low, "high": high})
    return found


ONBOARDING = Metric(
    name="onboarding",
    title="Onboarding",
    definition=(
        "Of the people who signed up in the range, the share who reached each milestone within so many days (7), the "
        "day of the sign-up being day 0: milestones are events in any order, each for itself. People sign up on their "
        "registration date (those without one are left out, and counted in a warning), or with cohort=first_activity "
        "on their first active day ever. Events before that day do not count. low and high are the Wilson 95 % "
        "interval; median_days is over those who reached it. Attributes are those of the day of the sign-up. Flagged "
        "incomplete until the days of the last who signed up are over."
    ),
    source="Onboarding progression and activation rates of product analytics; E. B. Wilson (1927)",
    columns=(
        ResultColumn("milestone", "integer", "place", "Place in the list, from 1", names_row=True),
        ResultColumn("name", "text", "words", "The milestone in words"),
        ResultColumn("cohort", "integer", "people", "People who signed up", counts_people=True),
        ResultColumn("users", "integer", "people", "People who reached it in time", counts_people=True),
        ResultColumn("share", "number", "ratio", "users / cohort", is_derived=True),
        ResultColumn("low", "number", "ratio", "Lower end of the 95 % interval", is_derived=True),
        ResultColumn("high", "number", "ratio", "Upper end of the 95 % interval", is_derived=True),
        ResultColumn("median_days", "number", "days", "Median days from the sign-up to it"),
    ),
    chart="bars",
    takes_actor=False,
    shape=_shape,
    grains=("day",),
    options=(
        Option("milestones", "What is to be reached", "core", read=read_steps, form=STEPS_FORM),
        Option("days", "Within how many days after the day of the sign-up", 7, largest=366),
        Option("cohort", "On which day people sign up", "registration", ("registration", "first_activity")),
    ),
    scopes=("user", "moment"),
    composition=Composition(
        _select,
        _people,
        "events",
        needs_events=lambda _: True,
        finish=_with_shares,
        flags=_flags,
        qualifies=_qualifies,
        left_out=_left_out,
        reasons=UNDATED,
    ),
)
