"""Survival: how long people stay, from their first active day to the last one before a long silence."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from regulars.domain.calendar import epoch_day
from regulars.domain.metrics.by_slice import by_slice, slice_flags, slice_values
from regulars.domain.metrics.options import Option
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.product_limit import Step, log_rank, median_day, product_limit
from regulars.domain.relations import cells, habits, moments, slices
from regulars.domain.relations.occurrences import at_entry
from regulars.domain.relations.scope import listed, where
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.frame import Frame
    from regulars.domain.metrics.record import Row, Rows
    from regulars.domain.plan import Plan
    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.statement import Statement

_COLUMNS = ("day", "at_risk", "churned", "censored", "survival", "low", "high")
_TO_THE_WATERMARK = 36_600
_BEHIND = {"at_risk": "l.lived >= {day}", "churned": "l.lived = {day} AND l.churned = 1",
           "censored": "l.lived = {day} AND l.churned = 0"}  # fmt: skip


def _silent_days(query: Query) -> int:
    return int(SURVIVAL.option(query, "silent_days"))


def _shape(_: Query) -> Shape:
    return Shape(
        (Measure("at_risk", "new"),),
        {name: name for name in _COLUMNS},
        ahead_days=_TO_THE_WATERMARK,
        people={name: (name,) for name in _BEHIND},
        dated=False,
        needs_history=True,
        notes=("low and high are undefined while nobody has left, and where nobody is left",),
    )


def _lives(statement: Statement, source: Source) -> dict[str, str]:
    """Everybody who begins in the range and can be followed: how many days they stayed, and whether they left."""
    scope, frame, silent = statement.scope, statement.frame, _silent_days(statement.query)
    end = epoch_day(frame.scan_to) - silent
    own = listed(habits.own_columns(scope), "c")
    named = moments.validities(scope, statement.frame) | statement.chain(source)
    named["entered"] = f"""
SELECT c.user_key, {own}c.day FROM chain c
WHERE c.gap IS NULL AND c.day >= {epoch_day(frame.first)} AND c.day <= {min(epoch_day(frame.last), end)}"""
    named["members"] = at_entry(scope, "entered", "1 AS people")
    named["ends"] = f"""
SELECT c.user_key, coalesce(min(CASE WHEN c.gap > {silent} THEN c.day - c.gap END), max(c.day)) AS last_seen
FROM chain c JOIN entered n ON n.user_key = c.user_key
GROUP BY c.user_key"""
    named["lives"] = f"""
SELECT m.user_key, {listed(scope.segments, "m")}least(x.last_seen, {end}) - m.day AS lived,
  CASE WHEN x.last_seen <= {end} THEN 1 ELSE 0 END AS churned
FROM members m JOIN ends x ON x.user_key = m.user_key"""
    if scope.breakdown:
        named["slices"] = slices.ranked(scope, "count(*)", "1", "members")
    return named


def _select(statement: Statement, source: Source) -> str:
    scope = statement.scope
    named = _lives(statement, source)
    slice_ = "k.slice" if scope.breakdown else "1"
    named["ended"] = f"""
SELECT {slice_} AS slice, l.lived, CAST(sum(l.churned) AS BIGINT) AS churned, count(*) AS people
FROM lives l {cells.segment_join(scope, "l")}
GROUP BY {"k.slice, " if scope.breakdown else ""}l.lived"""
    return with_relations(
        named,
        f"""
SELECT {slices.shown_columns(scope)}d.lived AS day, d.churned, d.people - d.churned AS censored,
  {slices.is_other(scope)} AS is_other
FROM ended d JOIN ({slices.axis(scope)}) k ON k.slice = d.slice
ORDER BY d.slice, d.lived""",
    )


def _people(statement: Statement, source: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    scope, values = statement.scope, statement.values
    day = values.add(int(cells.key(row, "day")))
    tests = where([_BEHIND[cell.measure].format(day=day), *cells.slice_tests(scope, cell, values)])
    return with_relations(
        _lives(statement, source),
        cells.ids(scope, f"SELECT l.user_key FROM lives l {cells.segment_join(scope, 'l')} {tests}"),
    )


def _flags(plan: Plan, _: Row) -> list[str]:
    frame = cast("Frame", plan.frame)  # where there are rows, there is one
    flags = ["incomplete"] if frame.complete_through < frame.scan_to else []
    is_young = (frame.first - frame.first_day).days < _silent_days(plan.query)
    return [*flags, "warming_up"] if is_young else flags


def _curves(plan: Plan, rows: Rows) -> Rows:
    """One row per day of each slice, up to the last day on which anybody leaves or is followed."""
    return [
        {**slice_values(plan, own[0]), **asdict(step), "flags": slice_flags(own[0])}
        for own in by_slice(plan, rows)
        for step in product_limit({row["day"]: (row["churned"], row["censored"]) for row in own})
    ]


def _summaries(plan: Plan, rows: Rows) -> Rows:
    """Per curve its people, those who left and the median; and of several curves whether they differ."""
    curves = [[Step(**{name: row[name] for name in _COLUMNS}) for row in own] for own in by_slice(plan, rows)]
    found = [
        {
            **slice_values(plan, own[0]),
            "users": curve[0].at_risk,
            "churned": sum(step.churned for step in curve),
            "median_days": median_day(curve),
            "flags": slice_flags(own[0]),
        }
        for own, curve in zip(by_slice(plan, rows), curves, strict=True)
    ]
    if not plan.breakdown:
        return found
    test = log_rank(curves)
    told = {"log_rank": test.statistic, "degrees_of_freedom": test.degrees, "p_value": test.p_value}
    return [{**row, "expected_churned": expected, **told} for row, expected in zip(found, test.expected, strict=True)]


SURVIVAL = Metric(
    name="survival",
    title="Survival",
    definition=(
        "How many people stay how long: Kaplan-Meier of the days from the first active day ever, which lies in the "
        "range, to the last active day before the first 30 full days of silence (silent_days). Follow-up ends that "
        "many days before the last day with data: people active later are censored there, and people who begin later "
        "are left out. Attributes are those of the first active day. low and high are a 95 % band on the log-log "
        "scale. The averages hold, per slice, the median and, with a breakdown, the log-rank test of the hypothesis "
        "that people leave alike in all slices."
    ),
    source="Survival analysis: Kaplan and Meier (1958), Mantel (1966)",
    columns=(
        ResultColumn("day", "integer", "days", "Days since the first active day", names_row=True),
        ResultColumn(
            "at_risk", "integer", "people", "Still followed when the day begins", counts_people=True, is_derived=True
        ),
        ResultColumn("churned", "integer", "people", "Last active on the day, then silent", counts_people=True),
        ResultColumn("censored", "integer", "people", "Whose follow-up ends on the day", counts_people=True),
        ResultColumn("survival", "number", "ratio", "Share that stays longer than the day", is_derived=True),
        ResultColumn("low", "number", "ratio", "Lower end of the 95 % band", is_derived=True),
        ResultColumn("high", "number", "ratio", "Upper end of the 95 % band", is_derived=True),
    ),
    chart="curve",
    shape=_shape,
    grains=("day",),
    options=(Option("silent_days", "Full days of silence after which a person has left", 30, largest=366),),
    scopes=("user", "moment"),
    composition=Composition(_select, _people, "arrivals", finish=_curves, flags=_flags, averages=_summaries),
)
