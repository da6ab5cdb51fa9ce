"""Attributes that change with time: from which day to which day each person holds which value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.calendar import epoch_day
from regulars.domain.properties import AGE_BANDS, FAR, TENURE_BANDS
from regulars.domain.relations.membership import held_values
from regulars.domain.relations.scope import day_number, listed, where
from regulars.domain.schema import MISSING

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.frame import Frame
    from regulars.domain.membership import Membership
    from regulars.domain.relations.scope import Scope


def validities(scope: Scope, frame: Frame, judged_on: date | None = None) -> dict[str, str]:
    """One relation per attribute that changes with time and that the question reads, with what it is made of.

    Each has ``user_key``, ``valid_from``, ``valid_to``, ``value``, and is exact from the first day on which the frame
    judges anybody. ``judged_on``: the value is always the one held on that day.
    """
    named = {name: _band(name) for name in scope.moments if name not in scope.memberships}
    last = max(frame.scan_to, judged_on or frame.scan_to)
    for one in scope.memberships.values():
        named |= made_of(one, frame.judged_from, last)
    if judged_on is not None:
        named |= {name: _on_day(named[name], judged_on) for name in scope.moments}
    return named


def _on_day(validity: str, day: date) -> str:
    return f"""
SELECT user_key, {-FAR} AS valid_from, {FAR} AS valid_to, value
FROM ({validity}) v WHERE {epoch_day(day)} BETWEEN valid_from AND valid_to"""


def made_of(one: Membership, first: date, last: date, only: str = "") -> dict[str, str]:
    """The relations of one membership, with those of the other values that its rule reads."""
    return {name: _band(name) for name in one.moments} | held_values(one, first, last, only)


def _band(attribute: str) -> str:
    """From which day to which day each person holds which value of a time-dependent attribute."""
    bands = TENURE_BANDS if attribute == "tenure_band" else AGE_BANDS
    column = "registration_date" if attribute == "tenure_band" else "birth_date"
    rows = (f"SELECT {band.low} AS low, {band.high} AS high, '{band.value}' AS value" for band in bands)
    bands_listed = "\n  UNION ALL ".join(rows)
    if attribute == "tenure_band":
        start = day_number("u.registration_date")
        low, high = f"{start} + b.low", f"{start} + b.high"
        before = ""
    else:
        low = day_number("rg_add_years(u.birth_date, b.low)")
        high = f"{day_number('rg_add_years(u.birth_date, b.high + 1)')} - 1"
        before = f"""
UNION ALL
SELECT u.user_key, {-FAR} AS valid_from, {day_number("u.birth_date")} - 1 AS valid_to, '{MISSING}' AS value
FROM dim_users u WHERE u.birth_date IS NOT NULL"""
    return f"""
SELECT u.user_key, {low} AS valid_from, {high} AS valid_to, b.value
FROM dim_users u CROSS JOIN (
  {bands_listed}
) b
WHERE u.{column} IS NOT NULL{before}
UNION ALL
SELECT u.user_key, {-FAR} AS valid_from, {FAR} AS valid_to, '{MISSING}' AS value
FROM dim_users u WHERE u.{column} IS NULL"""


def held(scope: Scope) -> str:
    """Spans cut to the days on which the person holds a value, with that value as a segment."""
    first = "s.first_day"
    last = "s.last_day"
    # A group of conditions may put stored attributes beside those that change with time.
    reads_people = any("u." in test for test in scope.moment_conditions)
    joins = "\nJOIN dim_users u ON u.user_key = s.user_key" if reads_people else ""
    for name in scope.moments:
        joins += f"\nJOIN {name} ON {name}.user_key = s.user_key"
        joins += f" AND {name}.valid_from <= s.last_day AND {name}.valid_to >= s.first_day"
        first, last = f"greatest({first}, {name}.valid_from)", f"least({last}, {name}.valid_to)"
    own = ["slice"] if scope.by_event else list(dict(scope.stored_segments()))
    pairs = zip(scope.segments, scope.breakdown, strict=True)
    values = "".join(f"{p.key}.value AS {name}, " for name, p in pairs if p.scope == "moment")
    tests = [*scope.moment_conditions, *([f"{first} <= {last}"] if len(scope.moments) > 1 else [])]
    return f"""
SELECT s.measure, s.user_key, {listed(own, "s")}{values}{first} AS first_day, {last} AS last_day, s.amount
FROM spans s{joins}
{where(tests)}"""
