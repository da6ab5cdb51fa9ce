"""Sessions: how many, how long, how deep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, counts, moments, slices, visits
from regulars.domain.relations.scope import day_number, where
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

_COLUMNS = {
    "sessions": "coalesce(m.sessions, 0)",
    "users": "coalesce(m.users, 0)",
    "sessions_per_user": "CAST(m.sessions AS DOUBLE) / nullif(m.users, 0)",
    "duration_mean": "m.duration_mean",
    "duration_median": "m.duration_median",
    "duration_p90": "m.duration_p90",
    "actions_per_session": "m.actions_per_session",
    "screens_per_session": "m.screens_per_session",
    "bounce_share": "m.bounce_share",
}


def _shape(_: Query) -> Shape:
    return Shape((Measure("users", "period"),), {name: name for name in _COLUMNS}, people={"users": ("users",)})


def _visits(statement: Statement, source: Source) -> dict[str, str]:
    """Sessions in scope with their bucket and segments."""
    scope, frame, values = statement.scope, statement.frame, statement.values
    named = {name: moments.validity(name) for name in scope.moments}
    named |= visits.user_sessions(statement.context, values, source)
    day = visits.session_day(statement.context)
    named["days"] = counts.days(frame, values)
    labels = scope.labels()
    joins = "".join(
        f"\nJOIN {name} ON {name}.user_key = x.user_key AND d.last_day BETWEEN {name}.valid_from AND {name}.valid_to"
        for name in scope.moments
    )
    tests = [*scope.users_condition(), *scope.moment_conditions, *scope.session_conditions]
    listed = "".join(f"{label} AS {name}, " for name, label in labels.items())
    named["visits"] = f"""
SELECT x.user_key, {listed}d.date, d.last_day, x.duration_seconds, x.actions_count, x.screens_visited
FROM user_sessions x JOIN dim_users u ON u.user_key = x.user_key
JOIN days d ON d.day = {day_number(day)}{joins}
{where([*visits.in_range(statement.context, frame, values), *tests])}"""
    if scope.breakdown:
        named["slices"] = slices.ranked(scope, "count(DISTINCT user_key)", "1", "visits")
    return named


def _select(statement: Statement, source: Source) -> str:
    scope = statement.scope
    named = _visits(statement, source)
    slice_ = "k.slice" if scope.breakdown else "1"
    named["measured"] = f"""
SELECT {slice_} AS slice, v.date, count(*) AS sessions, count(DISTINCT v.user_key) AS users,
  avg(v.duration_seconds) AS duration_mean, rg_quantile(v.duration_seconds, 0.5) AS duration_median,
  rg_quantile(v.duration_seconds, 0.9) AS duration_p90, avg(v.actions_count) AS actions_per_session,
  avg(v.screens_visited) AS screens_per_session,
  avg(CASE WHEN v.actions_count = 1 THEN 1.0 ELSE 0.0 END) AS bounce_share
FROM visits v {cells.segment_join(scope, "v")}
GROUP BY {"k.slice, " if scope.breakdown else ""}v.date"""
    columns = ", ".join(f"{text} AS {name}" for name, text in _COLUMNS.items())
    shown = slices.shown_columns(scope)
    return with_relations(
        named,
        f"""
SELECT b.date, {shown}{columns}, {slices.is_other(scope)} AS is_other
FROM (SELECT DISTINCT date FROM days) b CROSS JOIN ({slices.axis(scope)}) k
LEFT JOIN measured m ON m.date = b.date AND m.slice = k.slice
ORDER BY b.date, k.slice""",
    )


def _people(statement: Statement, source: Source, cell: Cell, _: Mapping[str, Any]) -> str:
    scope = statement.scope
    tests = where([f"v.last_day = {cell.at}", *cells.slice_tests(scope, cell, statement.values)])
    return with_relations(
        _visits(statement, source),
        f"""
SELECT u.user_id FROM dim_users u
WHERE u.user_key IN (SELECT v.user_key FROM visits v {cells.segment_join(scope, "v")} {tests})
ORDER BY u.user_id""",
    )


SESSIONS = Metric(
    name="sessions",
    title="Sessions",
    definition=(
        "Stretches of core actions of one person without a pause longer than the setting (30 minutes; exactly 30 "
        "continue). A session_start begins a new one, a session_end ends it, and an unbroken run is split every 24 "
        "hours. A session belongs to the local day of its start; midnight does not split it. Duration is from its "
        "first action to its last; a bounce is a session of one action."
    ),
    source="Inactivity sessions, as web analytics defines them",
    columns=(
        DATE,
        ResultColumn("sessions", "integer", "sessions", "Sessions that start in the bucket"),
        ResultColumn("users", "integer", "people", "Distinct people who had one", counts_people=True),
        ResultColumn("sessions_per_user", "number", "sessions per person", "sessions / users"),
        ResultColumn("duration_mean", "number", "seconds", "Mean duration"),
        ResultColumn("duration_median", "number", "seconds", "Median duration"),
        ResultColumn("duration_p90", "number", "seconds", "Duration that 90 % of the sessions do not exceed"),
        ResultColumn("actions_per_session", "number", "actions per session", "Mean actions"),
        ResultColumn("screens_per_session", "number", "screens per session", "Mean distinct screens or pages"),
        ResultColumn("bounce_share", "number", "ratio", "Share of sessions with one action"),
    ),
    shape=_shape,
    takes_activity=False,
    scopes=("user", "moment", "session"),
    composition=Composition(_select, _people, "sessions"),
)
