"""Churn risk: a score by rules, for people who came lately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.metrics.options import Option
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, habits, slices, visits
from regulars.domain.relations.scope import listed, where
from regulars.domain.rules import (
    CHURN_ACTIVE_DAYS,
    CHURN_LEVELS,
    CHURN_POPULATION_WINDOW,
    CHURN_RECENCY,
    CHURN_SESSIONS,
    CHURN_TREND,
    CHURN_TREND_BOUNDS,
    CHURN_WEEK,
    CHURN_WINDOW,
    churn_parts,
)
from regulars.domain.sql import with_relations
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.metrics.record import Row, Rows
    from regulars.domain.plan import Plan
    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

_LEVELS = ("level", "users", "share")
_PEOPLE = (
    "user_id", "level", "risk", "days_since_last", "active_days", "sessions_per_day", "trend", "reasons",
)  # fmt: skip
_MOST = 100_000


def _lists_people(query: Query) -> bool:
    return bool(CHURN_RISK.option(query, "show") == "people")


def _population_window(query: Query) -> int:
    return query.window or CHURN_POPULATION_WINDOW


def _shape(query: Query) -> Shape:
    if _lists_people(query) and query.breakdown:
        raise QueryError("a list of people takes no breakdown; filter instead", code="bad_breakdown")
    window = max(_population_window(query), CHURN_WINDOW)
    return Shape(
        (Measure("users", "rolling", window),),
        {name: name for name in (_PEOPLE if _lists_people(query) else _LEVELS)},
        window=window,
        people={} if _lists_people(query) else {"users": ("users",)},
        dated=False,
        needs_history=True,
        notes=("share is undefined: nobody was active in the window",),
    )


def _cases(tests: list[tuple[str, int]]) -> str:
    return f"CASE {' '.join(f'WHEN {test} THEN {tenths}' for test, tenths in tests)} ELSE 0 END"


def _tenths() -> str:
    """The score of a person (alias ``h``) in whole tenths, so that bounds are met exactly."""
    parts = (
        _cases([(f"h.days_since_last > {days}", tenths) for days, tenths in CHURN_RECENCY]),
        _cases([(f"h.active_days < {days}", tenths) for days, tenths in CHURN_ACTIVE_DAYS]),
        _cases([(f"2 * h.sessions < {pace} * h.tenure", tenths) for pace, tenths in CHURN_SESSIONS]),
        _cases([(f"h.trend = '{trend}'", tenths) for trend, tenths in CHURN_TREND.items() if tenths]),
    )
    return f"greatest(0, least(10, {' + '.join(parts)}))"


def _members(statement: Statement, source: Source) -> dict[str, str]:
    """Everybody of the population on the last day, with what the score is made of, and the score."""
    scope, own = statement.scope, listed(habits.own_columns(statement.scope), "c")
    named = habits.ticks(statement, source, every_bucket=False)
    named["recent"] = f"""
SELECT t.date, t.last_day, c.user_key, {own}t.last_day - max(c.day) AS days_since_last,
  least({CHURN_WINDOW}, t.last_day - min(c.day) + 1) AS tenure,
  count(CASE WHEN c.day > t.last_day - {CHURN_WINDOW} THEN 1 END) AS active_days,
  count(CASE WHEN c.day > t.last_day - {CHURN_WEEK} THEN 1 END) AS this_week,
  count(CASE WHEN c.day BETWEEN t.last_day - {2 * CHURN_WEEK - 1} AND t.last_day - {CHURN_WEEK} THEN 1 END)
    AS last_week
FROM chain c CROSS JOIN ticks t
WHERE c.day <= t.last_day
GROUP BY {own}t.date, t.last_day, c.user_key
HAVING max(c.day) > t.last_day - {_population_window(statement.query)}"""
    named |= visits.in_windows(statement.context, statement.values, CHURN_WINDOW)
    (rise, of_rise), (fall, of_fall) = CHURN_TREND_BOUNDS["increasing"], CHURN_TREND_BOUNDS["declining"]
    named["measured"] = f"""
SELECT r.date, r.last_day, r.user_key, {listed(habits.own_columns(scope), "r")}r.days_since_last, r.active_days,
  r.tenure, coalesce(v.sessions, 0) AS sessions,
  CASE WHEN {of_rise} * r.this_week > {rise} * r.last_week THEN 'increasing'
    WHEN {of_fall} * r.this_week < {fall} * r.last_week THEN 'declining' ELSE 'stable' END AS trend
FROM recent r LEFT JOIN visits v ON v.user_key = r.user_key AND v.date = r.date"""
    columns = f"h.days_since_last, h.active_days, h.tenure, h.sessions, h.trend, {_tenths()} AS tenths"
    named["members"] = habits.judged(scope, "measured", columns)
    return named | habits.rank(scope, "members")


def _level() -> str:
    cases = " ".join(f"WHEN m.tenths >= {least} THEN '{level}'" for level, least in CHURN_LEVELS)
    return f"CASE {cases} END"


def _select(statement: Statement, source: Source) -> str:
    if _lists_people(statement.query):
        return _select_people(statement, source)
    scope = statement.scope
    named = _members(statement, source)
    slice_, join = habits.slice_of(scope, "m")
    named["sized"] = f"""
SELECT {slice_} AS slice, {_level()} AS level, count(*) AS users
FROM members m {join} GROUP BY {slice_ + ", " if scope.breakdown else ""}{_level()}"""
    levels = " UNION ALL ".join(
        f"SELECT {place} AS place, '{level}' AS level" for place, (level, _) in enumerate(CHURN_LEVELS)
    )
    return with_relations(
        named,
        f"""
SELECT {slices.shown_columns(scope)}n.level, coalesce(s.users, 0) AS users,
  CAST(coalesce(s.users, 0) AS DOUBLE) / nullif(a.users, 0) AS share, {slices.is_other(scope)} AS is_other
FROM ({slices.axis(scope)}) k CROSS JOIN ({levels}) n
LEFT JOIN sized s ON s.slice = k.slice AND s.level = n.level
LEFT JOIN (SELECT slice, sum(users) AS users FROM sized GROUP BY slice) a ON a.slice = k.slice
ORDER BY k.slice, n.place""",
    )


def _select_people(statement: Statement, source: Source) -> str:
    return with_relations(
        _members(statement, source),
        f"""
SELECT u.user_id, {_level()} AS level, CAST(m.tenths AS DOUBLE) / 10 AS risk, m.days_since_last, m.active_days,
  CAST(m.sessions AS DOUBLE) / m.tenure AS sessions_per_day, m.trend, FALSE AS is_other
FROM members m JOIN dim_users u ON u.user_key = m.user_key
ORDER BY m.tenths DESC, m.days_since_last DESC, m.active_days, u.user_id
LIMIT {CHURN_RISK.option(statement.query, "top")}""",
    )


def _people(statement: Statement, source: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    scope, values = statement.scope, statement.values
    tests = [f"{_level()} = {values.add(str(cells.key(row, 'level')))}", *cells.slice_tests(scope, cell, values)]
    return with_relations(
        _members(statement, source),
        cells.ids(scope, f"SELECT m.user_key FROM members m {cells.slice_join(scope, 'm')} {where(tests)}"),
    )


def _with_reasons(plan: Plan, rows: Rows) -> Rows:
    return [{**row, "reasons": _reasons(row)} for row in rows] if _lists_people(plan.query) else rows


def _reasons(row: Row) -> str:
    """What adds to a score, and takes from it, in words and with its share."""
    since, active, pace, trend = (row[n] for n in ("days_since_last", "active_days", "sessions_per_day", "trend"))
    words = (
        f"{since} days since the last visit",
        f"{active} of {CHURN_WINDOW} days active",
        f"{pace:.2g} sessions a day",
        f"{trend} activity",
    )
    parts = zip(churn_parts(since, active, pace, trend), words, strict=True)
    return "; ".join(f"{said} ({tenths / 10:+})" for tenths, said in parts if tenths) or "no sign of leaving"


CHURN_RISK = Metric(
    name="churn_risk",
    title="Churn risk",
    definition=(
        "A score by rules on the last day of the range, for people active in the window (90 days) that ends on it. "
        "More than 7 days since the last active day add 0.4, more than 3 days 0.2; fewer than 3 active days of the "
        "last 30 add 0.3, fewer than 6 add 0.1; fewer than 0.5 sessions per day add 0.2, fewer than 1 add 0.1; a "
        "declining trend adds 0.2, an increasing one takes 0.1; the sum is cut to 0..1. Sessions per day are those of "
        "the last 30 days by min(30, days since the first activity, that day included). Trend: active days of the "
        "last 7 days, more than 1.2 times (increasing) or less than 0.8 times (declining) those of the 7 days before. "
        "High churn risk is a score of 0.6 or more, medium 0.3 or more, low everything below. show=people lists the "
        "people, most likely to leave first. It is no tier and no probability: the tier at_risk is about the last "
        "visit alone."
    ),
    source="Rule scores of customer success: recency, frequency, intensity and trend",
    columns=(
        ResultColumn("user_id", "text", "person", "The person (show=people only)"),
        ResultColumn("level", "text", "level", "high (0.6 or more), medium (0.3 or more) or low churn risk"),
        ResultColumn("users", "integer", "people", "People of that level", counts_people=True),
        ResultColumn("share", "number", "ratio", "Of the people active in the window"),
        ResultColumn("risk", "number", "score", "Score from 0 to 1"),
        ResultColumn("days_since_last", "integer", "days", "Days since the last active day"),
        ResultColumn("active_days", "integer", "days", "Active days of the last 30"),
        ResultColumn("sessions_per_day", "number", "sessions per day", "Over the last 30 days, or since the first"),
        ResultColumn("trend", "text", "trend", "increasing, stable or declining: this week against the last"),
        ResultColumn("reasons", "text", "reasons", "What the score is made of", is_derived=True),
    ),
    chart="bars",
    takes_actor=False,
    shape=_shape,
    grains=("day",),
    options=(
        Option("show", "Numbers by level, or the people themselves", "levels", ("levels", "people")),
        Option("top", "How many people to list at most", 50, largest=_MOST),
    ),
    takes_window=True,
    scopes=("user", "moment"),
    composition=Composition(_select, _people, "arrivals", shows_sessions=True, finish=_with_reasons),
)
