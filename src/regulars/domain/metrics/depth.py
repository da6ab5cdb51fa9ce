"""How much people do when they are active."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.activity import category
from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.record import Composition, Measure, Metric, Option, ResultColumn, Shape
from regulars.domain.relations import cells, counts, hits, slices, visits
from regulars.domain.relations.scope import day_number, where
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement


def _actions(query: Query) -> Shape:
    measures = [Measure("actions", "actions"), Measure("users", "period")]
    columns = {
        "actions": "actions",
        "users": "users",
        "actions_per_user": "CAST(actions AS DOUBLE) / nullif(users, 0)",
    }
    if ACTIONS.option(query, "weighted"):
        measures.append(Measure("weighted_actions", "weight"))
        columns["weighted_actions"] = "CAST(weighted_actions AS DOUBLE)"
    return Shape(tuple(measures), columns, people={"users": ("users",)})


ACTIONS = Metric(
    name="actions",
    title="Actions",
    definition=(
        "Actions that qualify for the activity, on days on which their user was active, per bucket; the distinct "
        "people who did them, and actions per person. weighted=true adds the sum of the action weights."
    ),
    source="Event counts; break down by action for counts by type",
    columns=(
        DATE,
        ResultColumn("actions", "integer", "actions", "Qualifying actions"),
        ResultColumn("users", "integer", "people", "Distinct people who did them", counts_people=True),
        ResultColumn("actions_per_user", "number", "actions per person", "actions / users"),
        ResultColumn("weighted_actions", "number", "weight points", "Sum of action weights (weighted=true only)"),
    ),
    shape=_actions,
    grains=("hour", "day", "week", "month"),
    options=(Option("weighted", "Add the sum of action weights", default=False, choices=(False, True)),),
)


_MEAN = "CAST(m.{} AS DOUBLE) / nullif(m.users, 0)"
_DEPTH = {
    "users": "coalesce(m.users, 0)",
    "actions_per_user": _MEAN.format("actions"),
    "sessions_per_user": _MEAN.format("sessions"),
    "seconds_per_user": _MEAN.format("seconds"),
    "action_types_per_user": _MEAN.format("action_types"),
    "features_per_user": _MEAN.format("features"),
    "creation_share": "CAST(m.creation AS DOUBLE) / nullif(m.creation + m.consumption, 0)",
    "score_per_user": _MEAN.format("score"),
}


def _depth(_: Query) -> Shape:
    return Shape((Measure("users", "period"),), {name: name for name in _DEPTH}, people={"users": ("users",)})


def _hits(statement: Statement) -> dict[str, str]:
    """Qualifying events on active days with the bucket in which they count."""
    scope, frame, values = statement.scope, statement.frame, statement.values
    named = {"days": counts.days(frame, values)}
    kind = category(statement.context, values)
    named |= hits.hits(
        scope,
        frame,
        values,
        f"d.date, d.last_day, e.action_key, e.feature_key, {scope.weight} AS weight, {kind} AS category",
        judged="d.last_day",
        buckets=f"JOIN days d ON d.day = {day_number(scope.day)}",
    )
    if scope.breakdown:
        named["slices"] = slices.ranked(scope, "count(DISTINCT user_key)", "1", "hits")
    return named


def _select_depth(statement: Statement, source: Source) -> str:
    scope, context = statement.scope, statement.context
    named = visits.user_sessions(context, statement.values, source) | _hits(statement)
    slice_ = "k.slice" if scope.breakdown else "1"
    by_slice = "k.slice, " if scope.breakdown else ""
    named["did"] = f"""
SELECT {slice_} AS slice, h.date, h.user_key, count(*) AS actions, count(DISTINCT h.action_key) AS action_types,
  count(DISTINCT h.feature_key) AS features, sum(h.weight) AS score,
  count(CASE WHEN h.category = 'creation' THEN 1 END) AS creation,
  count(CASE WHEN h.category = 'consumption' THEN 1 END) AS consumption
FROM hits h {cells.segment_join(scope, "h")}
GROUP BY {by_slice}h.date, h.user_key"""
    named["visits"] = visits.per_person(context, statement.frame, statement.values)
    done = ("actions", "action_types", "features", "score", "creation", "consumption")
    named["measured"] = f"""
SELECT p.slice, p.date, count(*) AS users, {", ".join(f"sum(p.{name}) AS {name}" for name in done)},
  coalesce(sum(v.sessions), 0) AS sessions, coalesce(sum(v.seconds), 0) AS seconds
FROM did p LEFT JOIN visits v ON v.user_key = p.user_key AND v.date = p.date
GROUP BY p.slice, p.date"""
    columns = ", ".join(f"{text} AS {name}" for name, text in _DEPTH.items())
    return with_relations(
        named,
        f"""
SELECT b.date, {slices.shown_columns(scope)}{columns}, {slices.is_other(scope)} AS is_other
FROM (SELECT DISTINCT date FROM days) b CROSS JOIN ({slices.axis(scope)}) k
LEFT JOIN measured m ON m.date = b.date AND m.slice = k.slice
ORDER BY b.date, k.slice""",
    )


def _people(statement: Statement, _: Source, cell: Cell, __: Mapping[str, Any]) -> str:
    scope = statement.scope
    tests = where([f"h.last_day = {cell.at}", *cells.slice_tests(scope, cell, statement.values)])
    return with_relations(
        _hits(statement),
        f"""
SELECT u.user_id FROM dim_users u
WHERE u.user_key IN (SELECT h.user_key FROM hits h {cells.segment_join(scope, "h")} {tests})
ORDER BY u.user_id""",
    )


DEPTH = Metric(
    name="depth",
    title="Depth",
    definition=(
        "How much the active people of a bucket do, on average. Actions, their types, features and weights are of "
        "events that qualify for the activity, on days on which their person was active. Sessions are all sessions "
        "of these people that start in the bucket, whatever was done in them and whatever the activity. Creation "
        "share is creation / (creation + consumption) actions, by the category of the action."
    ),
    source="Depth and breadth of engagement, as practised by product analytics",
    columns=(
        DATE,
        ResultColumn("users", "integer", "people", "Distinct people who were active", counts_people=True),
        ResultColumn("actions_per_user", "number", "actions per person", "Qualifying actions"),
        ResultColumn("sessions_per_user", "number", "sessions per person", "Sessions that start in the bucket"),
        ResultColumn("seconds_per_user", "number", "seconds per person", "Time in these sessions"),
        ResultColumn("action_types_per_user", "number", "types per person", "Mean distinct action types"),
        ResultColumn("features_per_user", "number", "features per person", "Mean distinct features used"),
        ResultColumn("creation_share", "number", "ratio", "creation / (creation + consumption) actions"),
        ResultColumn("score_per_user", "number", "weight points per person", "Sum of action weights"),
    ),
    shape=_depth,
    composition=Composition(_select_depth, _people, "sessions", shows_sessions=True),
)
