"""Sessions: how many, how long, how deep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.calendar import epoch_day
from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.options import Option
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, counts, moments, slices, visits
from regulars.domain.relations.scope import day_number, where
from regulars.domain.sql import with_relations
from regulars.domain.timezones import local_hour_sql
from regulars.errors import QueryError

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


def _profile(query: Query) -> str | None:
    found = SESSIONS.option(query, "profile")
    return None if found is None else str(found)


def _shape(query: Query) -> Shape:
    profile = _profile(query)
    if profile and query.grain != "day":
        raise QueryError(
            f"a profile by {profile} is over the whole range, so it has no {query.grain} grain; leave the grain out",
            code="bad_grain",
        )
    names = (*([profile] if profile else ()), *_COLUMNS)
    return Shape(
        (Measure("users", "period"),),
        {name: name for name in names},
        people={"users": ("users",)},
        dated=profile is None,
    )


def _visits(statement: Statement, source: Source) -> dict[str, str]:
    """Sessions in scope with the row they belong to (its date, hour or weekday) and their segments."""
    scope, frame, values, context = statement.scope, statement.frame, statement.values, statement.context
    profile = _profile(statement.query)
    named = moments.validities(scope, frame)
    named |= visits.user_sessions(context, values, source)
    named["days"] = counts.days(frame, values)
    # 1970-01-01 was a Thursday, ISO weekday 4.
    place = {"hour": local_hour_sql("x.session_start", context), "weekday": "(d.day + 3) % 7 + 1"}.get(
        str(profile), "d.date"
    )
    judged = str(epoch_day(frame.last)) if profile else "d.last_day"
    joins = "".join(
        f"\nJOIN {name} ON {name}.user_key = x.user_key AND {judged} BETWEEN {name}.valid_from AND {name}.valid_to"
        for name in scope.moments
    )
    tests = [*scope.users_condition(), *scope.moment_conditions, *scope.session_conditions]
    listed = "".join(f"{label} AS {name}, " for name, label in scope.labels().items())
    named["visits"] = f"""
SELECT x.user_key, {listed}{place} AS place, d.last_day, x.duration_seconds, x.actions_count, x.screens_visited
FROM user_sessions x JOIN dim_users u ON u.user_key = x.user_key
JOIN days d ON d.day = {day_number("x.day")}{joins}
{where([*visits.in_range(frame, values), *tests])}"""
    if scope.breakdown:
        named["slices"] = slices.ranked(scope, "count(DISTINCT user_key)", "1", "visits")
    return named


def _places(profile: str | None) -> str:
    """Every row there is, whether a session belongs to it or not; dim_dates serves as a list of numbers."""
    if profile is None:
        return "SELECT DISTINCT date AS place FROM days"
    first, last = (0, 23) if profile == "hour" else (1, 7)
    return f"SELECT epoch_day AS place FROM dim_dates WHERE epoch_day BETWEEN {first} AND {last}"


def _select(statement: Statement, source: Source) -> str:
    scope, profile = statement.scope, _profile(statement.query)
    named = _visits(statement, source)
    slice_ = "k.slice" if scope.breakdown else "1"
    named["measured"] = f"""
SELECT {slice_} AS slice, v.place, count(*) AS sessions, count(DISTINCT v.user_key) AS users,
  avg(v.duration_seconds) AS duration_mean, rg_quantile(v.duration_seconds, 0.5) AS duration_median,
  rg_quantile(v.duration_seconds, 0.9) AS duration_p90, avg(v.actions_count) AS actions_per_session,
  avg(v.screens_visited) AS screens_per_session,
  avg(CASE WHEN v.actions_count = 1 THEN 1.0 ELSE 0.0 END) AS bounce_share
FROM visits v {cells.segment_join(scope, "v")}
GROUP BY {"k.slice, " if scope.breakdown else ""}v.place"""
    columns = ", ".join(f"{text} AS {name}" for name, text in _COLUMNS.items())
    shown = slices.shown_columns(scope)
    head = f"{shown}b.place AS {profile}, " if profile else f"b.place AS date, {shown}"
    return with_relations(
        named,
        f"""
SELECT {head}{columns}, {slices.is_other(scope)} AS is_other
FROM ({_places(profile)}) b CROSS JOIN ({slices.axis(scope)}) k
LEFT JOIN measured m ON m.place = b.place AND m.slice = k.slice
ORDER BY {"k.slice, b.place" if profile else "b.place, k.slice"}""",
    )


def _people(statement: Statement, source: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    scope, values, profile = statement.scope, statement.values, _profile(statement.query)
    here = f"v.place = {values.add(int(cells.key(row, profile)))}" if profile else f"v.last_day = {cell.at}"
    tests = where([here, *cells.slice_tests(scope, cell, values)])
    return with_relations(
        _visits(statement, source),
        cells.ids(scope, f"SELECT v.user_key FROM visits v {cells.segment_join(scope, 'v')} {tests}"),
    )


SESSIONS = Metric(
    name="sessions",
    title="Sessions",
    definition=(
        "Stretches of core actions of one person without a pause longer than the setting (30 minutes; exactly 30 "
        "continue). A session_start begins a new one, a session_end ends it, and an unbroken run is split every 24 "
        "hours. A session belongs to the local day of its start; midnight does not split it. Duration is from its "
        "first action to its last; a bounce is a session of one action. profile=hour or weekday puts the sessions of "
        "the whole range together by the local hour of their start, or by its ISO weekday."
    ),
    source="Inactivity sessions, as web analytics defines them",
    columns=(
        DATE,
        ResultColumn("hour", "integer", "hour", "Local hour of the start, 0 to 23 (profile=hour only)", names_row=True),
        ResultColumn("weekday", "integer", "weekday", "1 Monday to 7 Sunday (profile=weekday only)", names_row=True),
        ResultColumn("sessions", "integer", "sessions", "Sessions that start in it"),
        ResultColumn("users", "integer", "people", "Distinct people who had one", counts_people=True),
        ResultColumn("sessions_per_user", "number", "sessions per person", "sessions / users"),
        ResultColumn("duration_mean", "number", "seconds", "Mean duration"),
        ResultColumn("duration_median", "number", "seconds", "Median duration"),
        ResultColumn("duration_p90", "number", "seconds", "Duration that 90 % of the sessions do not exceed"),
        ResultColumn("actions_per_session", "number", "actions per session", "Mean actions"),
        ResultColumn("screens_per_session", "number", "screens per session", "Mean distinct screens or pages"),
        ResultColumn("bounce_share", "number", "ratio", "Share of sessions with one action"),
    ),
    takes_actor=False,
    shape=_shape,
    options=(
        Option("profile", "By hour of the day or weekday, over the whole range", None, (None, "hour", "weekday")),
    ),
    takes_activity=False,
    scopes=("user", "moment", "session"),
    composition=Composition(_select, _people, "sessions", shows_sessions=True),
)
