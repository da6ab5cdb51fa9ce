"""Whose derived rows a load touches, and from when on: the only thing that a refresh has to find out.

Late events, merged identities, erased people, changed attributes and populations all end here, as people and the first
day and instant whose rows must be made anew.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regulars.domain.relations.scope import day_number
from regulars.domain.rollups.people import RESOLVED_LINKS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from regulars.domain.context import SessionRule
    from regulars.domain.rollups.arrivals import Chains

_BEGINNING = "DATE '1970-01-01'"
_FIRST_INSTANT = f"CAST({_BEGINNING} AS TIMESTAMP)"


def moved(load_id: int) -> str:
    """Anonymous identities that belong to another person since a load brought links."""
    return f"""
SELECT i.identity_key, i.user_key AS old_user, r.user_key AS new_user
FROM dim_identities i JOIN ({RESOLVED_LINKS}) r ON r.identity_key = i.identity_key
WHERE r.user_key <> i.user_key
  AND i.identity_key IN (SELECT anonymous_key FROM fact_identity_links WHERE load_id = {load_id})"""


def news(load_id: int) -> str:
    """The first new day and instant of each person, and how many ``events``; who moved, or is gone, starts over."""
    return f"""
SELECT user_key, min(day) AS day, min(instant) AS instant, count(*) AS events FROM (
  SELECT i.user_key, e.day, e.action_timestamp AS instant
  FROM fact_user_actions e JOIN dim_identities i ON i.identity_key = e.identity_key WHERE e.load_id = {load_id}
  UNION ALL SELECT new_user AS user_key, {_BEGINNING} AS day, {_FIRST_INSTANT} AS instant FROM moved
  UNION ALL SELECT old_user AS user_key, {_BEGINNING} AS day, {_FIRST_INSTANT} AS instant FROM moved
  UNION ALL SELECT user_key, {_BEGINNING} AS day, {_FIRST_INSTANT} AS instant FROM gone
) firsts GROUP BY user_key"""


def since(rule: SessionRule, first_day: date) -> str:
    """From which day and instant on each dirty person's rows must be made anew.

    A new event may stand in the run of sessions before it, or follow within the gap; then that run is made anew from
    its start. Derived sessions last 24 hours at most, so only those of the two days before are looked through;
    ``first_day`` is the first day of ``news``. What a client names by its own ids may reach back at will, and starts
    over.
    """
    if rule.by_client:
        return f"SELECT user_key, {_BEGINNING} AS day, {_FIRST_INSTANT} AS instant FROM news"
    gap = rule.gap_minutes * 60_000_000
    return f"""
SELECT user_key, CASE WHEN run_day < day THEN run_day ELSE day END AS day, coalesce(run_start, instant) AS instant
FROM (
  SELECT n.user_key, n.day, n.instant, max(x.run_start) AS run_start,
    rg_date_of_number(CAST({day_number("CAST(max(x.run_start) AS DATE)")} AS INTEGER) - 1) AS run_day
  FROM news n LEFT JOIN user_sessions x ON x.user_key = n.user_key
    AND x.session_start <= n.instant AND rg_epoch_us(n.instant) - rg_epoch_us(x.session_end) <= {gap}
    AND x.day >= DATE '{first_day - timedelta(days=2)}' AND {day_number("x.day")} >= {day_number("n.day")} - 2
  GROUP BY n.user_key, n.day, n.instant
) runs"""


# Events know their identity only: one join finds the dirty ones among them.
IDENTITIES = """
SELECT i.identity_key, s.user_key, s.day, s.instant, r.resumes
FROM since s JOIN dim_identities i ON i.user_key = s.user_key LEFT JOIN resumed r ON r.user_key = s.user_key"""


def touched(load_id: int) -> str:
    """People whose attributes may differ: moved ones, those a load says something about, and those it names first.

    Whoever only did something more stays as they are.
    """
    return f"""
SELECT new_user AS user_key FROM moved
UNION SELECT old_user AS user_key FROM moved
UNION SELECT user_key FROM gone
UNION SELECT i.user_key FROM fact_user_attributes f
JOIN dim_identities i ON i.identity_key = f.identity_key WHERE f.load_id = {load_id}
UNION SELECT i.user_key FROM fact_identity_links l
JOIN dim_identities i ON i.identity_key = l.known_key WHERE l.load_id = {load_id}
UNION SELECT i.user_key FROM fact_identity_links l
JOIN dim_identities i ON i.identity_key = l.anonymous_key WHERE l.load_id = {load_id}
UNION SELECT i.user_key FROM dim_identities i LEFT JOIN dim_users u ON u.user_key = i.user_key
WHERE i.identity_key = i.user_key AND u.user_key IS NULL"""


def changed(columns: Sequence[str]) -> str:
    """Touched people whose population or slices (``columns``) differ from the stored ones."""
    same = " AND ".join(f"o.{name} IS NOT DISTINCT FROM n.{name}" for name in columns)
    return f"""
SELECT t.user_key FROM touched t
JOIN dim_users o ON o.user_key = t.user_key LEFT JOIN new_users n ON n.user_key = t.user_key
WHERE NOT ({same}) OR n.user_key IS NULL"""


def moving(chains: Sequence[Chains], first_day: date) -> str:
    """Dirty people whose chains of active days change, from their first dirty day on.

    Most people who do something have been active on that day before: what is counted of their days stays the same.
    """
    differing = "\n  UNION ".join(_differing(each, first_day) for each in chains)
    return f"""
SELECT * FROM since WHERE user_key IN (
  {differing}
)"""


def _differing(chains: Chains, first_day: date) -> str:
    """People for whom an arrival, with its gap, is only among the stored ones or only among the remade ones."""
    wanted = ", ".join(("activity", *chains.own, "day", "days_since_prior"))
    stored = f"SELECT r.* FROM {chains.table.name} r JOIN since s ON s.user_key = r.user_key"
    return f"""SELECT user_key FROM (
    SELECT {wanted} FROM ({stored} WHERE r.day >= s.day AND r.day >= DATE '{first_day}') stored_rows
    UNION ALL SELECT {wanted} FROM {chains.remade}
  ) both_sides GROUP BY {wanted} HAVING count(*) = 1"""


def affected(look_back: int, first_day: date) -> str:
    """Arrivals that change, or change their slice (``counts``), and those up to ``look_back`` days before.

    ``first_day`` is the first day of ``since``.
    """
    wanted = "r.activity, r.user_key, r.day, r.days_since_prior"
    return f"""
SELECT {wanted}, s.day <= r.day AS counts
FROM arrivals r JOIN moving s ON s.user_key = r.user_key
WHERE {day_number("r.day")} >= {day_number("s.day")} - {look_back}
  AND r.day >= DATE '{first_day - timedelta(days=look_back)}'
  AND r.user_key NOT IN (SELECT user_key FROM changed)
UNION ALL
SELECT {wanted}, TRUE AS counts FROM arrivals r JOIN changed c ON c.user_key = r.user_key"""


def affected_slices(first_day: date) -> str:
    """Arrivals inside the slices of event properties that change, or whose person does; see :func:`affected`."""
    wanted = "r.activity, r.dimension, r.value, r.user_key, r.day, r.days_since_prior"
    return f"""
SELECT {wanted} FROM sliced_arrivals r JOIN moving s ON s.user_key = r.user_key
WHERE r.day >= s.day AND r.day >= DATE '{first_day}' AND r.user_key NOT IN (SELECT user_key FROM changed)
UNION ALL
SELECT {wanted} FROM sliced_arrivals r JOIN changed c ON c.user_key = r.user_key"""
