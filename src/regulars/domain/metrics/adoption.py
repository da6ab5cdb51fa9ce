"""Feature adoption: how many of the active people use a feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.options import Option, read_name
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, counts, habits, moments, rows, slices
from regulars.domain.relations.scope import day_number, listed, where
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

_COLUMNS = ("feature", "users", "active_users", "adoption")
_TABLES = {"users": "used", "active_users": "actives"}


def _shape(query: Query) -> Shape:
    return Shape(
        (Measure("active_users", "rolling" if query.window else "period", query.window or 1),),
        {name: name for name in _COLUMNS},
        window=query.window,
        people={name: (name,) for name in _TABLES},
        notes=("adoption is undefined: nobody was active",),
    )


def _uses(statement: Statement) -> str:
    """On which days each person used which feature, of the days on which they were active."""
    scope, frame, values = statement.scope, statement.frame, statement.values
    segments = dict(scope.stored_segments())
    day, wanted = day_number(scope.day), FEATURE_ADOPTION.option(statement.query, "feature")
    tests = [
        scope.qualifies,
        *scope.users_condition(),
        f"{scope.day} >= {values.add(frame.scan_from)}",
        f"{scope.day} <= {values.add(frame.scan_to)}",
        "f.feature_name IS NOT NULL" if wanted is None else f"f.feature_name = {values.add(wanted)}",
    ]
    own = "".join(f"{found.label} AS {name}, " for name, found in segments.items())
    is_bounded = scope.min_events > 1 or scope.max_events is not None
    active = f"\nJOIN user_days q ON q.user_key = i.user_key AND q.day = {day}" if is_bounded else ""
    labels = [found.label for found in segments.values()]
    return f"""
SELECT DISTINCT i.user_key, {own}{day} AS day, f.feature_name AS feature
{rows.event_tables(*labels, *tests)}{active}
{where(tests)}"""


def _counted(table: str, own: list[str], window: int | None) -> str:
    """Each person of a table of days once per tick in whose window, or bucket, one of the days lies."""
    columns = listed(own, "c")
    if window is None:
        fits = "c.day BETWEEN t.first_day AND t.last_day AND (c.gap IS NULL OR c.day - c.gap < t.first_day)"
    else:
        fits = (
            f"t.last_day >= c.day + CASE WHEN c.gap < {window} THEN {window} - c.gap ELSE 0 END"
            f" AND t.last_day <= c.day + {window - 1}"
        )
    return f"""
SELECT t.date, t.last_day, {columns}c.user_key
FROM {table} c CROSS JOIN ticks t
WHERE {fits}"""


def _relations(statement: Statement, source: Source) -> dict[str, str]:
    """Who was active per tick, and who of them used which feature."""
    scope, window = statement.scope, statement.query.window
    own = habits.own_columns(scope)
    named = moments.validities(scope, statement.frame) | statement.chain(source)
    named["days"] = counts.days(statement.frame, statement.values)
    named["ticks"] = "SELECT DISTINCT date, first_day, last_day FROM days"
    named["uses"] = _uses(statement)
    named["chained"] = f"""
SELECT user_key, {listed(own)}feature, day,
  day - lag(day) OVER (PARTITION BY user_key, feature ORDER BY day) AS gap
FROM uses"""
    named["present"] = _counted("chain", own, window)
    named["feature_days"] = _counted("chained", [*own, "feature"], window)
    named["actives"] = habits.judged(scope, "present", "1 AS people")
    named["used"] = habits.judged(scope, "feature_days", "h.feature")
    return named | habits.rank(scope, "actives")


def _features(statement: Statement) -> str:
    """The features that have rows, by people and then by name."""
    query, values = statement.query, statement.values
    wanted = FEATURE_ADOPTION.option(query, "feature")
    if wanted is not None:
        return f"SELECT {values.add(wanted)} AS feature, 1 AS place"
    return f"""
SELECT feature, row_number() OVER (ORDER BY reach DESC, feature) AS place
FROM (SELECT feature, count(DISTINCT user_key) AS reach FROM used GROUP BY feature) ranked
ORDER BY place LIMIT {FEATURE_ADOPTION.option(query, "top")}"""


def _select(statement: Statement, source: Source) -> str:
    scope = statement.scope
    named = _relations(statement, source)
    named["features"] = _features(statement)
    for name, table, column in (("users_of", "used", "feature"), ("people_of", "actives", "")):
        slice_, join = habits.slice_of(scope, "c")
        group = ", ".join([*(["k.slice"] if scope.breakdown else []), "c.date", *([f"c.{column}"] if column else [])])
        named[name] = f"""
SELECT {slice_} AS slice, c.date, {f"c.{column}, " if column else ""}count(*) AS users
FROM {table} c {join} GROUP BY {group}"""
    return with_relations(
        named,
        f"""
SELECT t.date, {slices.shown_columns(scope)}n.feature, coalesce(s.users, 0) AS users,
  coalesce(p.users, 0) AS active_users, CAST(coalesce(s.users, 0) AS DOUBLE) / nullif(p.users, 0) AS adoption,
  {slices.is_other(scope)} AS is_other
FROM ticks t CROSS JOIN ({slices.axis(scope)}) k CROSS JOIN features n
LEFT JOIN users_of s ON s.date = t.date AND s.slice = k.slice AND s.feature = n.feature
LEFT JOIN people_of p ON p.date = t.date AND p.slice = k.slice
ORDER BY t.date, k.slice, n.place""",
    )


def _people(statement: Statement, source: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    scope, values = statement.scope, statement.values
    tests = [f"c.last_day = {cell.at}", *cells.slice_tests(scope, cell, values)]
    if cell.measure == "users":
        tests.append(f"c.feature = {values.add(str(cells.key(row, 'feature')))}")
    return with_relations(
        _relations(statement, source),
        cells.ids(
            scope, f"SELECT c.user_key FROM {_TABLES[cell.measure]} c {cells.slice_join(scope, 'c')} {where(tests)}"
        ),
    )


FEATURE_ADOPTION = Metric(
    name="feature_adoption",
    title="Feature adoption",
    definition=(
        "Of the people active in the bucket, or in the window that ends on its last day, the share who used a feature "
        "there: with an event that qualifies for the activity and names the feature, on a day on which they were "
        "active. The features are those with the most people in the range (top), or the one named (feature). One "
        "person may use several, so shares do not add up."
    ),
    source="Feature adoption rate of product analytics",
    columns=(
        DATE,
        ResultColumn("feature", "text", "feature", "Name of the feature"),
        ResultColumn("users", "integer", "people", "Active people who used it", counts_people=True),
        ResultColumn("active_users", "integer", "people", "Active people", counts_people=True),
        ResultColumn("adoption", "number", "ratio", "users / active_users"),
    ),
    takes_actor=False,
    shape=_shape,
    options=(
        Option("feature", "One feature by its name; left out: the most used", None, read=read_name, form="a feature"),
        Option("top", "How many features to show at most", 12, largest=1000),
    ),
    takes_window=True,
    scopes=("user", "moment"),
    composition=Composition(_select, _people, "events", needs_events=lambda _: True),
)
