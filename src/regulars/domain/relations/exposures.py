"""Who saw which variant first, and what they did after that: one row per person of an experiment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from regulars.domain.actions import EXPERIMENT_KEYS, EXPOSURES, VARIANT_KEYS
from regulars.domain.activity import chosen_events
from regulars.domain.calendar import day_ends_at, epoch_day
from regulars.domain.properties import resolve
from regulars.domain.relations import cells, moments, rows, slices
from regulars.domain.relations.cohorts import ORDER
from regulars.domain.relations.occurrences import at_entry
from regulars.domain.relations.scope import day_number, listed, where
from regulars.domain.timezones import epoch_second
from regulars.errors import QueryError

if TYPE_CHECKING:
    from regulars.domain.metrics.experiment_options import Trial
    from regulars.domain.sql import Values
    from regulars.domain.statement import Statement

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_AT = "rg_epoch_us(e.action_timestamp)"


def _of(keys: tuple[str, ...]) -> str:
    read = (f"rg_property(e.action_metadata, '{key}')" for key in keys)
    return f"coalesce({', '.join(read)})"


VARIANT = _of(VARIANT_KEYS)


def is_exposure(trial: Trial, values: Values) -> str:
    """The condition on an event that it exposes somebody to the experiment, whatever the variant."""
    names = ", ".join(f"'{name}'" for name in EXPOSURES)
    tests = [f"a.action_type IN ({names})", f"{_of(EXPERIMENT_KEYS)} = {values.add(trial.experiment)}"]
    tests += [f"{_AT} >= {values.add(trial.since)}"] if trial.since is not None else []
    tests += [f"{_AT} <= {values.add(trial.until)}"] if trial.until is not None else []
    return " AND ".join(tests)


def exposures(statement: Statement, trial: Trial) -> str:
    """Every exposure up to the end of what is looked at: a first one is the first ever, whatever the range."""
    scope, values = statement.scope, statement.values
    labels = {name: found.label for name, found in scope.stored_segments()}
    passes = " AND ".join(f"coalesce({test}, FALSE)" for test in scope.event_conditions) or "TRUE"
    last = values.add(statement.frame.scan_to)
    tests = [is_exposure(trial, values), f"{VARIANT} IS NOT NULL", *scope.users_condition(), f"{scope.day} <= {last}"]
    own = "".join(f"{label} AS {name}, " for name, label in labels.items())
    return f"""
SELECT i.user_key, {own}{day_number(scope.day)} AS day, {_AT} AS at, e.sequence, e.event_id, {VARIANT} AS variant,
  CASE WHEN {passes} THEN 1 ELSE 0 END AS passes
{rows.event_tables(*labels.values(), *tests, passes)}
{where(tests)}"""


def firsts(statement: Statement) -> str:
    """The first exposure of each person, and whether they saw several variants; of those that pass, in the range."""
    own = listed([*dict(statement.scope.stored_segments())])
    first, last = epoch_day(statement.frame.first), epoch_day(statement.frame.last)
    return f"""
SELECT user_key, {own}day, at, variant, CASE WHEN least_variant = most_variant THEN 0 ELSE 1 END AS saw_several
FROM (
  SELECT user_key, {own}day, at, variant, passes, row_number() OVER (PARTITION BY user_key ORDER BY {ORDER}) AS place,
    min(variant) OVER (PARTITION BY user_key) AS least_variant,
    max(variant) OVER (PARTITION BY user_key) AS most_variant
  FROM exposures
) ranked
WHERE place = 1 AND passes = 1 AND day BETWEEN {first} AND {last}"""


def members(statement: Statement, trial: Trial) -> dict[str, str]:
    """The relations up to ``members``: per person the first exposure, its slice, and whether the window is over."""
    scope = statement.scope
    named = entered(statement, trial)
    if scope.breakdown:
        named["slices"] = slices.ranked(scope, "count(*)", "1", "entered")
    slice_ = "k.slice" if scope.breakdown else "1"
    named["members"] = f"""
SELECT n.user_key, {slice_} AS slice, n.day, n.at, n.variant, n.is_mature
FROM entered n {cells.segment_join(scope, "n")}"""
    return named


def entered(statement: Statement, trial: Trial) -> dict[str, str]:
    """The relations up to ``entered``: who takes part, judged on the day of the first exposure."""
    values = statement.values
    named = moments.validities(statement.scope, statement.frame)
    named["exposures"] = exposures(statement, trial)
    named["firsts"] = firsts(statement)
    named["judged"] = at_entry(statement.scope, "firsts", "h.at, h.variant, h.saw_several")
    tests = ["saw_several = 0"]
    if trial.planned:
        tests.append(f"variant IN ({values.add_all(tuple(trial.planned))})")
    if trial.only_complete:
        tests.append(_is_over(statement, trial))
    named["entered"] = f"""
SELECT *, CASE WHEN {_is_over(statement, trial)} THEN 1 ELSE 0 END AS is_mature FROM judged
{where(tests)}"""
    return named


def _is_over(statement: Statement, trial: Trial) -> str:
    """Whether nothing that a person does can count any more."""
    complete = statement.frame.complete_through
    if trial.measure == "retention":
        return f"day + {trial.day} <= {epoch_day(complete)}"
    end = epoch_second(day_ends_at(complete, statement.context.timezone)) * _SECOND
    return f"at + {trial.within * _SECOND} < {end}"


def measured(statement: Statement, trial: Trial) -> dict[str, str]:
    """The relation ``measured``: per person the value (``now``) and the other one, of a ratio or of CUPED."""
    return {"deeds": _deeds(statement, trial), "measured": _measured(trial)}


def _deeds(statement: Statement, trial: Trial) -> str:
    """The events that are measured, of those who take part."""
    scope, values, frame = replace(statement.scope, breakdown=()), statement.values, statement.frame
    is_own = chosen_events(trial.event, statement.context, values)
    amount = _amount(statement, trial.number)
    is_per = chosen_events(trial.per_event, statement.context, values) if trial.per_event is not None else "FALSE"
    per = _amount(statement, trial.per_number)
    first = epoch_day(frame.first) - (trial.before or 0) - 1
    day = day_number(scope.day)
    tests = [f"(({is_own}) OR ({is_per}))", f"{day} >= {first}", f"{scope.day} <= {values.add(frame.scan_to)}"]
    return f"""
SELECT m.user_key, {_AT} AS did_at, {day} AS did_on,
  CASE WHEN {is_own} THEN 1 ELSE 0 END AS is_own, CASE WHEN {is_own} THEN coalesce({amount}, 0.0) ELSE 0.0 END AS own,
  CASE WHEN {is_per} THEN coalesce({per}, 0.0) ELSE 0.0 END AS per
{rows.event_tables(*tests, amount, per)}
JOIN members m ON m.user_key = i.user_key
{where(tests)}"""


def _amount(statement: Statement, name: str | None) -> str:
    """The number that an event carries, or 1 where events are counted."""
    if name is None:
        return "1.0"
    found = resolve(name, statement.context.names, statement.values)
    if found.scope != "event":
        raise QueryError(f"{name} is a {found.words}; what is added up is a property of events", code="wrong_scope")
    return found.expression if found.numeric else f"rg_number({found.expression})"


def _measured(trial: Trial) -> str:
    """What each person did in the window, and before it; those who did nothing have zeros."""
    inside = f"d.did_at >= m.at AND d.did_at <= m.at + {trial.within * _SECOND}"
    before = f"d.did_at < m.at AND d.did_at >= m.at - {(trial.before or 0) * _DAY}"
    now = _value(trial, f"d.did_on = m.day + {trial.day}" if trial.measure == "retention" else inside)
    other = "0.0"
    if trial.measure == "ratio":
        other = f"sum(CASE WHEN {inside} THEN d.per ELSE 0.0 END)"
    elif trial.before is not None:
        other = _value(trial, before)
    return f"""
SELECT m.user_key, m.slice, m.variant, m.is_mature, CAST(coalesce({now}, 0) AS DOUBLE) AS now,
  CAST(coalesce({other}, 0) AS DOUBLE) AS other
FROM members m LEFT JOIN deeds d ON d.user_key = m.user_key
GROUP BY m.user_key, m.slice, m.variant, m.is_mature"""


def _value(trial: Trial, test: str) -> str:
    if trial.measure in ("proportion", "retention"):
        return f"max(CASE WHEN {test} THEN d.is_own ELSE 0 END)"
    if trial.measure == "active_days":
        return f"count(DISTINCT CASE WHEN {test} AND d.is_own = 1 THEN d.did_on END)"
    return f"sum(CASE WHEN {test} THEN d.own ELSE 0.0 END)"
