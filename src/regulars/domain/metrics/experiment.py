"""An experiment: what people did after they first saw a variant, variant by variant, and whether it differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.metrics.by_slice import by_slice, slice_flags, slice_values
from regulars.domain.metrics.experiment_effects import EFFECTS, SUMS, arms_of, summary, with_effects
from regulars.domain.metrics.experiment_options import OPTIONS, Trial, trial_of
from regulars.domain.metrics.record import Composition, Measure, Metric, ResultColumn, Shape
from regulars.domain.relations import cells, rows, slices
from regulars.domain.relations.exposures import VARIANT, entered, is_exposure, measured, members
from regulars.domain.relations.scope import where
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.metrics.record import Row, Rows
    from regulars.domain.plan import Plan
    from regulars.domain.query import Query
    from regulars.domain.relations.cells import Cell
    from regulars.domain.relations.scope import Source
    from regulars.domain.sql import Values
    from regulars.domain.statement import Statement

_BEHIND = {"users": "", "converted": "v.now <> 0", "immature": "v.is_mature = 0"}
_COLUMNS = ("variant", *_BEHIND, *SUMS, "cap", "several", "mean", *EFFECTS, "verdict", "reason")
_REASONS = {
    "several_variants": "people who saw several variants, and are left out of all",
    "unplanned_variant": "people whose variant is none of those planned, and who are left out",
    "no_variant": "exposures without a variant, which do not count",
}


def _trial(query: Query) -> Trial:
    return trial_of(EXPERIMENT, query)


def _shape(query: Query) -> Shape:
    trial = _trial(query)
    return Shape(
        (Measure("users", "period"),),
        {name: name for name in _COLUMNS},
        ahead_days=trial.ahead_days,
        people={name: (name,) for name in _BEHIND},
        dated=False,
        needs_history=True,
        notes=("the control has no effect of its own; why another number is empty stands in reason",),
    )


def _qualifies(query: Query, values: Values) -> str:
    return is_exposure(_trial(query), values)


def _values(statement: Statement, trial: Trial) -> dict[str, str]:
    """The relations up to ``valued``: the value of each person, cut where that is asked for."""
    named = members(statement, trial) | measured(statement, trial)
    cap = "CAST(NULL AS DOUBLE)"
    if trial.percentile is not None:
        # The same cap for all variants; where most have nothing, a percentile of all would be nothing too.
        share = trial.percentile / 100
        named["caps"] = f"SELECT slice, rg_quantile(now, {share}) AS cap FROM measured WHERE now <> 0 GROUP BY slice"
        cap = "c.cap"
    join = "LEFT JOIN caps c ON c.slice = m.slice" if trial.percentile is not None else ""
    named["valued"] = f"""
SELECT m.user_key, m.slice, m.variant, m.is_mature, CASE WHEN m.now > {cap} THEN {cap} ELSE m.now END AS now, m.other,
  {cap} AS cap
FROM measured m {join}"""
    return named


def _select(statement: Statement, _: Source) -> str:
    scope, trial = statement.scope, _trial(statement.query)
    named = _values(statement, trial)
    named["sums"] = """
SELECT slice, variant, count(*) AS users, count(CASE WHEN now <> 0 THEN 1 END) AS converted,
  count(CASE WHEN is_mature = 0 THEN 1 END) AS immature, sum(now) AS sum, sum(now * now) AS sum_squares,
  sum(other) AS other_sum, sum(other * other) AS other_squares, sum(now * other) AS sum_products, max(cap) AS cap
FROM valued GROUP BY slice, variant"""
    # Those who saw several variants stand in no slice, so that they are told of the whole only.
    several = (
        "SELECT count(*) AS several FROM judged WHERE saw_several = 1" if not scope.breakdown else "SELECT 0 AS several"
    )
    columns = [f"coalesce(s.{name}, 0) AS {name}" for name in _BEHIND]
    columns += [f"coalesce(s.{name}, 0.0) AS {name}" for name in SUMS]
    return with_relations(
        named,
        f"""
SELECT {slices.shown_columns(scope)}v.variant, {", ".join(columns)}, s.cap, o.several,
  {slices.is_other(scope)} AS is_other
FROM ({_variants(statement, trial)}) v CROSS JOIN ({slices.axis(scope)}) k CROSS JOIN ({several}) o
LEFT JOIN sums s ON s.variant = v.variant AND s.slice = k.slice
ORDER BY k.slice, v.variant""",
    )


def _variants(statement: Statement, trial: Trial) -> str:
    if not trial.planned:
        return "SELECT DISTINCT variant FROM members"
    return " UNION ALL ".join(f"SELECT {statement.values.add(name)} AS variant" for name in trial.planned)


def _people(statement: Statement, _: Source, cell: Cell, row: Mapping[str, Any]) -> str:
    scope, values, trial = statement.scope, statement.values, _trial(statement.query)
    shown = f"JOIN ({slices.axis(scope)}) k ON k.slice = v.slice" if scope.breakdown else ""
    tests = [f"v.variant = {values.add(str(cells.key(row, 'variant')))}", *cells.slice_tests(scope, cell, values)]
    tests += [_BEHIND[cell.measure]] if _BEHIND[cell.measure] else []
    return with_relations(
        _values(statement, trial), cells.ids(scope, f"SELECT v.user_key FROM valued v {shown} {where(tests)}")
    )


def _left_out(statement: Statement) -> str:
    """People and exposures that do not count, by reason."""
    scope, values, trial = statement.scope, statement.values, _trial(statement.query)
    named = entered(statement, trial)
    parts = ["SELECT 'several_variants' AS reason, count(*) AS people FROM judged WHERE saw_several = 1"]
    if trial.planned:
        planned = values.add_all(tuple(trial.planned))
        parts.append(f"""SELECT 'unplanned_variant' AS reason, count(*) AS people FROM judged
WHERE saw_several = 0 AND variant NOT IN ({planned})""")
    tests = [is_exposure(trial, values), f"{VARIANT} IS NULL", *scope.event_conditions, *scope.users_condition()]
    tests += [
        f"{scope.day} >= {values.add(statement.frame.first)}",
        f"{scope.day} <= {values.add(statement.frame.last)}",
    ]
    parts.append(f"SELECT 'no_variant' AS reason, count(*) AS people\n{rows.event_tables(*tests)}\n{where(tests)}")
    return with_relations(named, "\nUNION ALL\n".join(parts))


def _flags(_: Plan, row: Row) -> list[str]:
    return ["incomplete"] if row["immature"] else []


def _finish(plan: Plan, found: Rows) -> Rows:
    trial = _trial(plan.query)
    return [row for own in by_slice(plan, found) for row in with_effects(arms_of(own, trial), trial)]


def _summaries(plan: Plan, found: Rows) -> Rows:
    """Per slice whether people are split as planned, which interval is shown, and what to think of it."""
    trial = _trial(plan.query)
    told = []
    for own in by_slice(plan, found):
        flags = [flag for flag in slice_flags(own[0]) if flag == "other"]
        told.append({**slice_values(plan, own[0]), **summary(arms_of(own, trial), trial), "flags": flags})
    return told


def _number(name: str, unit: str, description: str) -> ResultColumn:
    return ResultColumn(name, "number", unit, description, is_derived=True)


EXPERIMENT = Metric(
    name="experiment",
    title="Experiment",
    definition=(
        "What people did within a time (within) after they first saw a variant, which lies in the range, variant by "
        "variant: the share who did it, a count, a sum, a ratio of two sums, the share active on a later day, or the "
        "active days. Events at the instant of the exposure count. People who saw several variants are left out. "
        "Each variant is compared with the control: difference with an interval that may be looked at at any time, or "
        "with Welch's once everybody planned is there; one p-value, on the difference; the lift relative to the "
        "control; chance to win and expected loss. A broken split allows no verdict; the averages tell it, with the "
        "people whose window is not over. Properties are those of the first exposure."
    ),
    source="Controlled experiments as experimentation platforms report them; sources stand with each statistic",
    columns=(
        ResultColumn("variant", "text", "variant", "The variant; the control stands first"),
        ResultColumn("users", "integer", "people", "People who first saw it in the range", counts_people=True),
        ResultColumn("converted", "integer", "people", "Those whose value is not zero", counts_people=True),
        ResultColumn("immature", "integer", "people", "Those whose window is not over", counts_people=True),
        *(ResultColumn(name, "number", "sum", f"{name} of the values", is_hidden=True) for name in SUMS),
        ResultColumn("cap", "number", "value", "Where values are cut", is_hidden=True),
        ResultColumn("several", "integer", "people", "Those who saw several variants", is_hidden=True),
        _number("mean", "value", "Mean value per person, the share, or the ratio"),
        _number("difference", "value", "mean less that of the control (with CUPED, of the adjusted means)"),
        _number("low", "value", "Lower end of the 95 % interval of the difference"),
        _number("high", "value", "Upper end of the 95 % interval of the difference"),
        _number("p_value", "chance", "How often chance alone makes such a difference"),
        _number("p_adjusted", "chance", "p_value for the number of variants (Holm)"),
        _number("lift", "ratio", "difference / mean of the control"),
        _number("lift_low", "ratio", "Lower end of the 95 % interval of the lift"),
        _number("lift_high", "ratio", "Upper end of the 95 % interval of the lift"),
        _number("chance_to_win", "ratio", "Chance that it is better than the control"),
        _number("expected_loss", "value", "Mean loss if it is chosen: nothing where it is better"),
        ResultColumn("verdict", "text", "words", "What follows from the comparison with the control", is_derived=True),
        ResultColumn("reason", "text", "words", "Why a number is missing", is_derived=True),
    ),
    shape=_shape,
    grains=("day",),
    options=OPTIONS,
    takes_activity=False,
    takes_actor=False,
    scopes=("user", "moment", "event"),
    qualifies=_qualifies,
    composition=Composition(
        _select,
        _people,
        "events",
        needs_events=lambda _: True,
        finish=_finish,
        flags=_flags,
        averages=_summaries,
        left_out=_left_out,
        reasons=_REASONS,
    ),
    chart="effects",
)
