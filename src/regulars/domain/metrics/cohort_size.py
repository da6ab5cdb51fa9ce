"""How many people belong to a cohort or segment, day by day, whether they were active or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.cohorts import Rule
from regulars.domain.membership import Membership, members, membership
from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.options import Option, read_name
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.properties import resolve
from regulars.domain.relations import cells, counts, moments, slices
from regulars.domain.relations.scope import where
from regulars.domain.segments import PREFIX
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

_KNOWN_BY_THEN = Rule(measure="tenure", at_least=0)


def _read_cohort(given: object) -> str:
    return f"{PREFIX}{read_name(given).removeprefix(PREFIX)}"


def _shape(_: Query) -> Shape:
    return Shape(
        (Measure("cohort_size", "rolling", 1),),
        {"cohort_size": "cohort_size"},
        people={"cohort_size": ("cohort_size",)},
    )


def _members(statement: Statement) -> tuple[Membership, list[str]]:
    """Who belongs from when to when, and the conditions on its rows (alias ``m``) and people (``u``)."""
    context, values = statement.context, statement.values
    name = COHORT_SIZE.option(statement.query, "cohort")
    if name is None:
        return members(_KNOWN_BY_THEN, context, values), ["m.value = 'yes'"]
    found = resolve(str(name), context.names, values)
    if found.scope == "moment":
        return membership(found.key, context, values), ["m.value = 'yes'"]
    return Membership("cohort", (), "'yes'"), [f"{found.expression} = 'yes'"]


def _spans(statement: Statement) -> dict[str, str]:
    """The days on which each person belongs, cut where a value changes that the question reads."""
    scope, frame = statement.scope, statement.frame
    named = moments.validities(scope, frame)
    one, tests = _members(statement)
    labels = "".join(f"{found.label} AS {name}, " for name, found in scope.stored_segments())
    named |= moments.made_of(one, frame.judged_from, frame.scan_to)
    named["days"] = counts.days(frame, statement.values)
    named["spans"] = f"""
SELECT 'cohort_size' AS measure, m.user_key, {labels}m.valid_from AS first_day, m.valid_to AS last_day,
  CAST(1 AS BIGINT) AS amount
FROM {one.name} m JOIN dim_users u ON u.user_key = m.user_key
{where([*tests, *scope.users_condition()])}"""
    named["held"] = moments.held(scope)
    if scope.breakdown:
        named["slices"] = slices.slices(scope, statement.shape, frame, "held")
    return named


def _select(statement: Statement, _: Source) -> str:
    scope, frame = statement.scope, statement.frame
    named = _spans(statement)
    named["changes"] = counts.changes(scope, statement.shape, frame)
    named["counts"] = counts.counts(scope, statement.shape)
    return with_relations(
        named,
        f"""
SELECT c.date, {slices.shown_columns(scope)}c.cohort_size, {slices.is_other(scope)} AS is_other
FROM counts c JOIN ({slices.axis(scope)}) k ON k.slice = c.slice
WHERE c.day = c.last_day
ORDER BY c.date, k.slice""",
    )


def _people(statement: Statement, _: Source, cell: Cell, __: Mapping[str, Any]) -> str:
    return with_relations(_spans(statement), cells.people(statement.scope, cell, statement.values))


COHORT_SIZE = Metric(
    name="cohort_size",
    title="Size of a cohort",
    definition=(
        "People who belong to a cohort on the bucket's last day, whether they were active on it or not. Without a "
        "cohort, everybody who was registered, or seen for the first time, by then: broken down by segment, that is "
        "the size of every segment. Whoever belongs to a declared cohort is judged on each day anew; the people of a "
        "frozen one stay."
    ),
    source="Behavioural cohorts, as product analytics keep them",
    columns=(DATE, ResultColumn("cohort_size", "integer", "people", "People who belong to it", counts_people=True)),
    takes_actor=False,
    shape=_shape,
    options=(
        Option("cohort", "Which cohort, declared or frozen; without one, everybody known by then", None,
               read=_read_cohort, form="the name of a cohort", names_property=True),
    ),
    takes_activity=False,
    scopes=("user", "moment"),
    composition=Composition(_select, _people, "arrivals"),
)  # fmt: skip
