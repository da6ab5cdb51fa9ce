"""NPS: how many of those who answer would recommend the product, less those who would not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from regulars.domain.actions import NPS_RESPONSE
from regulars.domain.inference.nps import PASSIVE_FROM, PROMOTER_FROM, Answers, nps
from regulars.domain.metrics.active import DATE
from regulars.domain.metrics.by_slice import by_slice, slice_flags, slice_values
from regulars.domain.metrics.options import Option, read_name
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, counts, slices
from regulars.domain.relations.hits import hits
from regulars.domain.relations.scope import day_number, listed, where
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.metrics.record import Row, Rows
    from regulars.domain.plan import Plan
    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Scope, Source
    from regulars.domain.sql import Values
    from regulars.domain.statement import Statement

_TEXT = "rg_property(e.action_metadata, 'score')"
_NUMBER = f"rg_number({_TEXT})"
_IS_USABLE = f"coalesce({_NUMBER} BETWEEN 0 AND 10 AND {_NUMBER} = floor({_NUMBER}), FALSE)"
_GROUPS = {
    "responses": "TRUE",
    "promoters": f"score >= {PROMOTER_FROM}",
    "passives": f"score >= {PASSIVE_FROM} AND score < {PROMOTER_FROM}",
    "detractors": f"score < {PASSIVE_FROM}",
}
_COUNTS = (*_GROUPS, "people")
_REASONS = {
    "no_score": "answers without a score, which do not count",
    "no_whole_number": "answers whose score is no whole number, which do not count",
    "out_of_range": "answers whose score is outside 0 to 10, which do not count",
}
# The newest answer of a person first; of equal times the one the client counted last, then the greatest id.
_NEWEST = "at DESC, coalesce(sequence, 9223372036854775807) DESC, event_id DESC"


def _is_latest(query: Query) -> bool:
    return bool(NPS.option(query, "repeats") == "latest_per_user")


def _shape(query: Query) -> Shape:
    return Shape(
        (Measure("responses", "period"),),
        {name: name for name in (*_COUNTS, *(f"total_{name}" for name in _COUNTS), "nps", "low", "high")},
        people={name: (name,) for name in _GROUPS} if _is_latest(query) else {},
        notes=(
            "a score is empty where nobody answered, its bounds also where one person's answers count several times",
        ),
    )


def _answers(query: Query, values: Values) -> str:
    """The condition on an event that it answers the survey, with whatever score."""
    survey = NPS.option(query, "survey")
    named = f" AND rg_property(e.action_metadata, 'survey') = {values.add(survey)}" if survey is not None else ""
    return f"a.action_type = '{NPS_RESPONSE}'{named}"


def _qualifies(query: Query, values: Values) -> str:
    return f"{_answers(query, values)} AND {_IS_USABLE}"


def _given(statement: Statement, scope: Scope, columns: str) -> dict[str, str]:
    """The answers of the range, each with its bucket."""
    days = counts.days(statement.frame, statement.values)
    join = f"JOIN days d ON d.day = {day_number(scope.day)}"
    found = hits(scope, statement.frame, statement.values, columns, judged="d.last_day", buckets=join)
    return {"days": days, **found}


def _ranked(statement: Statement) -> dict[str, str]:
    """The relations up to ``ranked``: answers with their place among those of the same person and slice."""
    scope = statement.scope
    own = f"d.date, d.last_day, rg_epoch_us(e.action_timestamp) AS at, e.sequence, e.event_id, {_NUMBER} AS score"
    named = _given(statement, scope, own)
    if scope.breakdown:
        named["slices"] = slices.ranked(scope, "count(DISTINCT user_key)", "1", "hits")
    slice_ = "k.slice" if scope.breakdown else "1"
    named["answers"] = f"""
SELECT h.user_key, {slice_} AS slice, h.date, h.last_day, h.at, h.sequence, h.event_id, h.score
FROM hits h {cells.segment_join(scope, "h")}"""
    named["ranked"] = f"""
SELECT user_key, slice, date, last_day, score,
  row_number() OVER (PARTITION BY user_key, slice, date ORDER BY {_NEWEST}) AS place,
  row_number() OVER (PARTITION BY user_key, slice ORDER BY {_NEWEST}) AS total_place
FROM answers"""
    return named


def _sums(statement: Statement, place: str, by: tuple[str, ...], prefix: str = "") -> str:
    """How many answers of each group count, and of how many people."""
    tests = {
        name: f"{test}{f' AND {place} = 1' if _is_latest(statement.query) else ''}" for name, test in _GROUPS.items()
    }
    columns = [f"count(CASE WHEN {test} THEN 1 END) AS {prefix}{name}" for name, test in tests.items()]
    return f"""
SELECT {listed(by)}{", ".join(columns)}, count(DISTINCT user_key) AS {prefix}people
FROM ranked GROUP BY {", ".join(by)}"""


def _select(statement: Statement, _: Source) -> str:
    scope = statement.scope
    named = _ranked(statement)
    named["sums"] = _sums(statement, "place", ("slice", "date"))
    named["totals"] = _sums(statement, "total_place", ("slice",), "total_")
    columns = [f"coalesce(s.{name}, 0) AS {name}" for name in _COUNTS]
    columns += [f"coalesce(t.total_{name}, 0) AS total_{name}" for name in _COUNTS]
    return with_relations(
        named,
        f"""
SELECT b.date, {slices.shown_columns(scope)}{", ".join(columns)}, {slices.is_other(scope)} AS is_other
FROM (SELECT DISTINCT date FROM days) b CROSS JOIN ({slices.axis(scope)}) k
LEFT JOIN sums s ON s.date = b.date AND s.slice = k.slice
LEFT JOIN totals t ON t.slice = k.slice
ORDER BY b.date, k.slice""",
    )


def _people(statement: Statement, _: Source, cell: Cell, __: Mapping[str, Any]) -> str:
    scope, values = statement.scope, statement.values
    shown = f"JOIN ({slices.axis(scope)}) k ON k.slice = r.slice" if scope.breakdown else ""
    tests = ["r.place = 1", _GROUPS[cell.measure], f"r.last_day = {cell.at}", *cells.slice_tests(scope, cell, values)]
    return with_relations(
        _ranked(statement), cells.ids(scope, f"SELECT r.user_key FROM ranked r {shown} {where(tests)}")
    )


def _left_out(statement: Statement) -> str:
    """The answers that are none, by reason."""
    test = f"{_answers(statement.query, statement.values)} AND NOT {_IS_USABLE}"
    reason = f"""CASE WHEN {_TEXT} IS NULL THEN 'no_score'
  WHEN {_NUMBER} = floor({_NUMBER}) THEN 'out_of_range' ELSE 'no_whole_number' END AS reason"""
    named = _given(statement, replace(statement.scope, qualifies=test, breakdown=()), reason)
    return with_relations(named, "SELECT reason, count(*) AS answers FROM hits GROUP BY reason")


def _scores(_: Plan, rows: Rows) -> Rows:
    return [row | _score(row) for row in rows]


def _score(row: Row, prefix: str = "") -> Row:
    """The score of a row's counts; several answers of one person are no sample, so their score has no interval."""
    promoters, passives, detractors, responses, people = (
        int(row[f"{prefix}{name}"]) for name in ("promoters", "passives", "detractors", "responses", "people")
    )
    found = nps(Answers(promoters, passives, detractors))
    low, high = (found.low, found.high) if responses == people else (None, None)
    return {"nps": found.score, "low": low, "high": high}


def _totals(plan: Plan, rows: Rows) -> Rows:
    """Each slice over the whole range, with the repeats of the range taken as those of one bucket are."""
    return [
        {
            **slice_values(plan, own[0]),
            **{name: own[0][f"total_{name}"] for name in _GROUPS},
            **_score(own[0], "total_"),
            "flags": [flag for flag in slice_flags(own[0]) if flag == "other"],
        }
        for own in by_slice(plan, rows)
    ]


NPS = Metric(
    name="nps",
    title="Net promoter score",
    definition=(
        "Of the answers to how likely somebody is to recommend the product, from 0 to 10: the share of promoters (9 "
        "and 10) less the share of detractors (0 to 6), in points from -100 to 100; passives are 7 and 8. An answer is "
        "an event nps_response with a whole-numbered score, and counts on its day. Of several answers of a person in a "
        "bucket the latest counts (repeats=latest_per_user), or each does (repeats=all). low and high are the "
        "adjusted-Wald 95 % interval, cut at -100 and 100. Event properties are those of the answer. The averages are "
        "the score of the whole range, in which of each person the latest answer counts."
    ),
    source="Net promoter score: Reichheld (2003); its interval: Rocks (2016)",
    columns=(
        DATE,
        ResultColumn("responses", "integer", "answers", "Answers that count", counts_people=True),
        ResultColumn("promoters", "integer", "answers", "Answers of 9 and 10", counts_people=True),
        ResultColumn("passives", "integer", "answers", "Answers of 7 and 8", counts_people=True),
        ResultColumn("detractors", "integer", "answers", "Answers from 0 to 6", counts_people=True),
        ResultColumn("people", "integer", "people", "Distinct people who answered", is_hidden=True),
        *(
            ResultColumn(f"total_{name}", "integer", "answers", f"{name} of the range", is_hidden=True)
            for name in _COUNTS
        ),
        ResultColumn("nps", "number", "points", "100 x (promoters - detractors) / responses", is_derived=True),
        ResultColumn("low", "number", "points", "Lower end of the 95 % interval", is_derived=True),
        ResultColumn("high", "number", "points", "Upper end of the 95 % interval", is_derived=True),
    ),
    shape=_shape,
    options=(
        Option("survey", "Answers to this survey only", None, read=read_name, form="the name of a survey"),
        Option("repeats", "Which answers of one person count", "latest_per_user", ("latest_per_user", "all")),
    ),
    takes_calendar=True,
    takes_activity=False,
    takes_actor=False,
    qualifies=_qualifies,
    composition=Composition(
        _select,
        _people,
        "events",
        needs_events=lambda _: True,
        finish=_scores,
        averages=_totals,
        left_out=_left_out,
        reasons=_REASONS,
    ),
)
