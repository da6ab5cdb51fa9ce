"""How much people do when they are active."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.activity import category
from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.options import Option
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
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


_MEAN = "CAST({} AS DOUBLE) / nullif(p.users, 0)"
_DEPTH = {
    "users": "coalesce(p.users, 0)",
    "actions_per_user": _MEAN.format("s.actions"),
    "sessions_per_user": _MEAN.format("p.sessions"),
    "seconds_per_user": _MEAN.format("p.seconds"),
    "action_types_per_user": _MEAN.format("t.pairs"),
    "features_per_user": _MEAN.format("coalesce(f.pairs, 0)"),
    "creation_share": "CAST(s.creation AS DOUBLE) / nullif(s.creation + s.consumption, 0)",
    "score_per_user": _MEAN.format("s.score"),
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


def _pairs(key: str) -> str:
    """How many pairs of a person and a key there are: its distinct number per person, added up."""
    return f"""
SELECT d.slice, d.date, count(*) AS pairs
FROM (SELECT DISTINCT slice, date, user_key, {key} FROM placed WHERE {key} IS NOT NULL) d
GROUP BY d.slice, d.date"""


def _measures(statement: Statement, source: Source) -> dict[str, str]:
    """Per slice and date the sums (s), the people with their sessions (p), types (t) and features (f)."""
    scope, frame, values, context = statement.scope, statement.frame, statement.values, statement.context
    named = visits.user_sessions(context, values, source) | _hits(statement)
    named["placed"] = f"""
SELECT {"k.slice" if scope.breakdown else "1"} AS slice, h.date, h.user_key, h.action_key, h.feature_key,
  h.weight, h.category
FROM hits h {cells.segment_join(scope, "h")}"""
    named["sums"] = """
SELECT slice, date, count(*) AS actions, sum(weight) AS score,
  count(CASE WHEN category = 'creation' THEN 1 END) AS creation,
  count(CASE WHEN category = 'consumption' THEN 1 END) AS consumption
FROM placed GROUP BY slice, date"""
    named["types"] = _pairs("action_key")
    named["features"] = _pairs("feature_key")
    named["visits"] = visits.per_person(frame, values)
    named["people"] = """
SELECT d.slice, d.date, count(*) AS users, coalesce(sum(v.sessions), 0) AS sessions,
  coalesce(sum(v.seconds), 0) AS seconds
FROM (SELECT DISTINCT slice, date, user_key FROM placed) d
LEFT JOIN visits v ON v.user_key = d.user_key AND v.date = d.date
GROUP BY d.slice, d.date"""
    return named


def _select_depth(statement: Statement, source: Source) -> str:
    scope = statement.scope
    columns = ", ".join(f"{text} AS {name}" for name, text in _DEPTH.items())
    tables = {"s": "sums", "p": "people", "t": "types", "f": "features"}
    joins = (f"LEFT JOIN {table} {a} ON {a}.date = b.date AND {a}.slice = k.slice" for a, table in tables.items())
    return with_relations(
        _measures(statement, source),
        f"""
SELECT b.date, {slices.shown_columns(scope)}{columns}, {slices.is_other(scope)} AS is_other
FROM (SELECT DISTINCT date FROM days) b CROSS JOIN ({slices.axis(scope)}) k
{" ".join(joins)}
ORDER BY b.date, k.slice""",
    )


def _people(statement: Statement, _: Source, cell: Cell, __: Mapping[str, Any]) -> str:
    scope = statement.scope
    tests = where([f"h.last_day = {cell.at}", *cells.slice_tests(scope, cell, statement.values)])
    return with_relations(
        _hits(statement),
        cells.ids(scope, f"SELECT h.user_key FROM hits h {cells.segment_join(scope, 'h')} {tests}"),
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
    takes_actor=False,
    shape=_depth,
    composition=Composition(_select_depth, _people, "sessions", shows_sessions=True),
)
