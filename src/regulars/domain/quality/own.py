"""Checks that settings declare: a SELECT of bad rows, or a number of events expected on every day."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from regulars.domain.activity import chosen_events
from regulars.domain.properties import split_name
from regulars.domain.quality.record import EVENTS, Check, Look, Need
from regulars.domain.relations.rows import event_tables

if TYPE_CHECKING:
    from regulars.domain.context import Context
    from regulars.domain.quality.declared import CheckSettings
    from regulars.domain.sql import Values

_COMPLETE = Need(
    "there is no complete day yet", lambda look, _: f"SELECT 1 WHERE {str(look.through is not None).upper()}"
)
_FIX = "see what regulars.toml says about it"


def own_check(name: str, said: CheckSettings, context: Context) -> Check:
    """The check that a section of settings declares."""
    is_sql = said.sql is not None
    low, high = said.at_least_per_day, said.at_most_per_day
    expected = " and ".join(
        f"at {end} {number:,}" for end, number in (("least", low), ("most", high)) if number is not None
    )
    return Check(
        name=name,
        title=said.description or (f"Own check {name}" if is_sql else f"Days without the expected events ({expected})"),
        words=said.description or (f"Rows that `checks.{name}` selects." if is_sql else f"Expected: {expected} a day."),
        fix=said.fix or _FIX,
        severity=said.severity or "error",
        rows=partial(_selected, said.sql) if said.sql is not None else partial(_unexpected, said, context),
        whole=_one if is_sql else _days,
        noun="rows" if is_sql else "days",
        threshold=said.threshold or 0.0,
        counts="count(*)",
        order="" if is_sql else "day",
        needs=() if is_sql else (EVENTS, _COMPLETE),
        is_own=True,
        since=said.since,
    )


def _selected(sql: str, _look: Look, _: Values) -> str:
    return f"{sql.strip().rstrip(';')}\n"  # its last line may be a comment


def _one(_look: Look, _: Values) -> str:
    return "SELECT CAST(NULL AS BIGINT)"


def _unexpected(said: CheckSettings, context: Context, look: Look, values: Values) -> str:
    """Complete days, silent ones included, with fewer or more qualifying events than expected."""
    leaves = [leaf for filter_ in said.where for leaf in filter_.leaves()]
    named = frozenset(split_name(leaf.property or "")[1] for leaf in leaves)
    # A property that no event has yet is missing everywhere, and no mistake.
    names = replace(context.names, event_properties=frozenset(context.names.event_properties) | named)
    test = chosen_events(said.condition(), replace(context, names=names), values)
    low, high = said.at_least_per_day, said.at_most_per_day
    tests = [f"events < {low}"] if low is not None else []
    tests += [f"events > {high}"] if high is not None else []
    expected = "-".join("" if number is None else str(number) for number in (low, high))
    return f"""SELECT day, events, '{expected}' AS expected FROM (
  SELECT d.full_date AS day, coalesce(c.events, 0) AS events FROM dim_dates d LEFT JOIN (
    SELECT e.day, count(*) AS events {event_tables(test)} WHERE {test} GROUP BY e.day
  ) c ON c.day = d.full_date WHERE {_between(look)}
) days_of_events WHERE {" OR ".join(tests)}"""


def _days(look: Look, _: Values) -> str:
    return f"SELECT count(*) FROM dim_dates d WHERE {_between(look)}"


def _between(look: Look) -> str:
    return f"d.full_date BETWEEN DATE '{look.first_day}' AND DATE '{look.through}' AND {look.raw_days('d.full_date')}"
