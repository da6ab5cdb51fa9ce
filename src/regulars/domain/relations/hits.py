"""Qualifying events, each with its person, its segments and the bucket in which it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.relations import moments, rows
from regulars.domain.relations.scope import day_number, where

if TYPE_CHECKING:
    from regulars.domain.frame import Frame
    from regulars.domain.relations.scope import Scope
    from regulars.domain.sql import Values


def hits(scope: Scope, frame: Frame, values: Values, columns: str, *, judged: str, buckets: str = "") -> dict[str, str]:
    """The relations up to ``hits``: one row per qualifying event of the range, on days on which its person is active.

    ``columns`` ends the SELECT list, ``judged`` is the day on which values that change with time are read, and
    ``buckets`` joins the relation that these two may need.
    """
    named = moments.validities(scope, frame)
    labels = scope.labels()
    day, first, last = day_number(scope.day), values.add(frame.first), values.add(frame.last)
    conditions = [
        scope.qualifies,
        *scope.event_conditions,
        *scope.users_condition(),
        *scope.moment_conditions,
        f"{scope.day} >= {first}",
        f"{scope.day} <= {last}",
    ]
    joins = f"\n{buckets}" if buckets else ""
    joins += "".join(
        f"\nJOIN {name} ON {name}.user_key = i.user_key AND {judged} BETWEEN {name}.valid_from AND {name}.valid_to"
        for name in scope.moments
    )
    if scope.min_events > 1 or scope.max_events is not None:
        named["user_days"] = rows.user_days(scope, first, last)
        same = "".join(f" AND q.{name} = {found.label}" for name, found in scope.stored_segments())
        joins += f"\nJOIN user_days q ON q.user_key = {scope.key} AND q.day = {day}{same}"
    listed = "".join(f"{label} AS {name}, " for name, label in labels.items())
    named["hits"] = f"""
SELECT {scope.key} AS user_key, {listed}{columns}
{rows.event_tables(*labels.values(), *conditions, columns, scope.key)}{joins}
{where(conditions)}"""
    return named
