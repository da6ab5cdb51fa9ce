"""On which days an active day counts its person, per measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.calendar import epoch_day
from regulars.domain.relations.scope import listed, where

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.frame import Frame
    from regulars.domain.metrics.record import Measure, Shape
    from regulars.domain.relations.scope import Scope


def spans(scope: Scope, shape: Shape, frame: Frame, chains: Mapping[str, str] | None = None) -> str:
    """Per measure: the days from first_day to last_day on which an active day counts its person.

    ``chains`` names the chain of a measure that is not about the one activity of the question.
    """
    own = (["user_key"] if scope.per_person else []) + (
        ["slice"] if scope.by_event else list(dict(scope.stored_segments()))
    )
    of = chains or {}
    found = [_span(m, own, frame, amount_type(shape), of.get(m.name, "chain")) for m in shape.measures]
    return "\nUNION ALL\n".join(found)


def amount_type(shape: Shape) -> str:
    """One type for the amounts of all measures: branches of a union must agree."""
    return "DOUBLE" if any(measure.sql_type == "DOUBLE" for measure in shape.measures) else "BIGINT"


def _span(measure: Measure, own: list[str], frame: Frame, amount_type: str, chain: str) -> str:
    people = f"CAST(c.people AS {amount_type})"
    head = f"SELECT '{measure.name}' AS measure, {listed(own, 'c')}"
    if measure.rule == "rolling":
        w = measure.window
        first = f"c.day + CASE WHEN c.gap < {w} THEN {w} - c.gap ELSE 0 END"
        last = f"c.day + {w - 1}"
        return f"{head}{first} AS first_day, {last} AS last_day, {people} AS amount\nFROM {chain} c"
    if measure.rule == "next_day":
        return (
            f"{head}c.day - 1 AS first_day, c.day - 1 AS last_day, {people} AS amount\nFROM {chain} c WHERE c.gap = 1"
        )
    if measure.rule in ("retained", "joined", "previous"):
        return _beside(measure, head, people)
    amount = {"actions": "actions", "weight": "weight"}.get(measure.rule, "people")
    once = "(c.gap IS NULL OR c.day - c.gap < d.first_day)"
    test = {
        "period": once,
        "new": "c.gap IS NULL",
        "registered": f"{once} AND c.registered BETWEEN d.first_day AND d.last_day",
    }.get(measure.rule)
    conditions = [f"c.day >= {epoch_day(frame.first)}", *([test] if test else [])]
    return f"""{head}d.last_day AS first_day, d.last_day AS last_day, CAST(c.{amount} AS {amount_type}) AS amount
FROM {chain} c JOIN days d ON d.day = c.day
{where(conditions)}"""


def _beside(measure: Measure, head: str, people: str) -> str:
    """What an arrival says about two buckets side by side: its own and the one before, or its own and the next."""
    once = "c.day - c.gap < d.first_day"
    if measure.rule == "retained":
        return f"""{head}d.last_day AS first_day, d.last_day AS last_day, {people} AS amount
FROM chain c JOIN days d ON d.day = c.day JOIN days b ON b.day = c.day - c.gap
WHERE {once} AND b.last_day = d.first_day - 1"""
    if measure.rule == "joined":
        return f"""{head}d.last_day AS first_day, d.last_day AS last_day, {people} AS amount
FROM chain c JOIN days d ON d.day = c.day LEFT JOIN days b ON b.day = c.day - c.gap AND b.last_day = d.first_day - 1
WHERE (c.gap IS NULL OR {once}) AND c.registered BETWEEN d.first_day AND d.last_day AND b.day IS NULL"""
    return f"""{head}n.last_day AS first_day, n.last_day AS last_day, {people} AS amount
FROM chain c JOIN days d ON d.day = c.day JOIN days n ON n.day = d.last_day + 1
WHERE (c.gap IS NULL OR {once})"""
