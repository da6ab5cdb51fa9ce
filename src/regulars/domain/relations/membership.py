"""From which day to which day a rule holds for each person: running numbers, exact on every day.

::

    changes   what is added to a person's numbers on a day, and taken away when it leaves the window
    levels    the running numbers after each of these days
    judged    the value that the rule gives with them
    turns     the days on which it becomes another one

Nothing is done per day: a person who comes twice a year has a handful of rows. Changes before the first day that
anybody is judged on are taken together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from regulars.domain.calendar import EPOCH, epoch_day
from regulars.domain.properties import FAR
from regulars.domain.relations import rows
from regulars.domain.relations.scope import day_number, where

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.membership import Level, Membership

_SIGNS = "(SELECT 1 AS sign UNION ALL SELECT -1 AS sign) g"


def held_values(one: Membership, first: date, last: date, only: str = "") -> dict[str, str]:
    """The relations up to the one that bears the membership's name: user_key, valid_from, valid_to, value.

    It is exact from ``first`` to ``last``; ``only`` is a condition on the people (alias ``u``) to look at.
    """
    name = one.name
    numbers = [f"level_{number}" for number, _ in enumerate(one.levels, 1)]
    every, latest = ("PARTITION BY user_key ORDER BY day", "PARTITION BY user_key ORDER BY day DESC")
    running = "".join(f", sum({n}) OVER ({every} ROWS UNBOUNDED PRECEDING) AS {n}" for n in numbers)
    return {
        f"changes_of_{name}": _changes(one, first, last, only),
        f"levels_of_{name}": f"SELECT user_key, day{running} FROM changes_of_{name}",
        f"judged_of_{name}": f"""
SELECT s.user_key, s.day, {one.value} AS value
FROM levels_of_{name} s JOIN dim_users u ON u.user_key = s.user_key""",
        f"turns_of_{name}": f"""
SELECT user_key, day, value, row_number() OVER ({latest}) AS place FROM (
  SELECT user_key, day, value, lag(value) OVER ({every}) AS value_before, row_number() OVER ({every}) AS place
  FROM judged_of_{name}
) compared
WHERE place = 1 OR value <> value_before""",
        name: f"""
SELECT user_key, day AS valid_from,
  CASE WHEN place = 1 THEN {FAR} ELSE lead(day) OVER ({every}) - 1 END AS valid_to, value
FROM turns_of_{name}""",
    }


def _changes(one: Membership, first: date, last: date, only: str) -> str:
    start, end = epoch_day(first), epoch_day(last)
    sums = "".join(
        f", CAST(sum(CASE WHEN level = {number} THEN amount ELSE 0 END) AS BIGINT) AS level_{number}"
        for number, _ in enumerate(one.levels, 1)
    )
    parts = "".join(
        f"\n  UNION ALL\n  SELECT user_key, greatest(day, {start}) AS day, {number} AS level, amount"
        f" FROM ({_edges(level, first, last, only)}) x{number}"
        for number, level in enumerate(one.levels, 1)
    )
    return f"""
SELECT user_key, day{sums}
FROM (
  SELECT u.user_key, CAST({start} AS BIGINT) AS day, 0 AS level, CAST(0 AS BIGINT) AS amount
  FROM dim_users u {where([only] if only else [])}{parts}
) edges
WHERE day <= {end}
GROUP BY user_key, day"""


def _edges(level: Level, first: date, last: date, only: str) -> str:
    """What a level gains and loses: user_key, day, amount."""
    if level.counted == "moment":
        return _moment(level, only)
    if level.counted == "tenure":
        return _tenure(level, last, only)
    if level.counted == "days_since":
        return _days_since(level, last, only)
    amount = "d.actions" if level.counted == "times" else "1"
    if level.window is None:
        return f"SELECT d.user_key, d.day, CAST({amount} AS BIGINT) AS amount FROM ({_days(level, None, last, only)}) d"
    earliest = epoch_day(first) - level.window + 1
    return f"""
SELECT d.user_key, CASE WHEN g.sign = 1 THEN d.day ELSE d.day + {level.window} END AS day,
  CAST(g.sign * {amount} AS BIGINT) AS amount
FROM ({_days(level, earliest, last, only)}) d CROSS JOIN {_SIGNS}"""


def _moment(level: Level, only: str) -> str:
    """While another value that changes with time passes the test."""
    name = level.moment
    return f"""
SELECT {name}.user_key, CAST(CASE WHEN g.sign = 1 THEN {name}.valid_from ELSE {name}.valid_to + 1 END AS BIGINT) AS day,
  CAST(g.sign AS BIGINT) AS amount
FROM {name} CROSS JOIN {_SIGNS}
{where([level.test, *([f"{name}.{_keys(only)}"] if only else [])])}"""


def _days(level: Level, earliest: int | None, last: date, only: str) -> str:
    """The days on which it was done, and how often: user_key, day, actions; stored ones with the gap before."""
    since = "" if earliest is None or earliest <= 0 else f"{_date(earliest)}"
    if level.events is not None:
        scope = replace(level.events, user_conditions=(only,)) if only else level.events
        found = rows.user_days(scope, since, _date(epoch_day(last)))
        return f"SELECT user_key, day, actions FROM ({found}) done"
    tests = [f"r.activity = '{level.activity}'", f"r.day <= {_date(epoch_day(last))}"]
    tests += [f"r.day >= {since}"] if since else []
    tests += [f"r.{_keys(only)}"] if only else []
    day = day_number("r.day")
    return f"SELECT r.user_key, {day} AS day, r.actions, r.days_since_prior AS gap FROM arrivals r {where(tests)}"


def _gaps(level: Level, last: date, only: str) -> str:
    """Every day on which it was done, with the gap to the one before."""
    days = _days(level, None, last, only)
    if level.events is None:
        return days
    return f"SELECT user_key, day, day - lag(day) OVER (PARTITION BY user_key ORDER BY day) AS gap FROM ({days}) d"


def _days_since(level: Level, last: date, only: str) -> str:
    """From so many days after it was done last until it is done again: only longer gaps have such days."""
    gaps = _gaps(level, last, only)
    if level.after == 0:
        return f"SELECT x.user_key, x.day, CAST(1 AS BIGINT) AS amount FROM ({gaps}) x WHERE x.gap IS NULL"
    return f"""
SELECT x.user_key, CASE WHEN g.sign = 1 THEN x.day - x.gap + {level.after} ELSE x.day END AS day,
  CAST(g.sign AS BIGINT) AS amount
FROM ({gaps}) x CROSS JOIN {_SIGNS}
WHERE x.gap > {level.after}
UNION ALL
SELECT y.user_key, max(y.day) + {level.after} AS day, CAST(1 AS BIGINT) AS amount FROM ({gaps}) y GROUP BY y.user_key"""


def _tenure(level: Level, last: date, only: str) -> str:
    """From so many days after the registration, or the first action, on."""
    return f"""
SELECT b.user_key, b.day + {level.after} AS day, CAST(1 AS BIGINT) AS amount
FROM (
  SELECT u.user_key, coalesce({day_number("u.registration_date")}, f.day) AS day
  FROM dim_users u LEFT JOIN (SELECT x.user_key, x.day FROM ({_gaps(level, last, only)}) x WHERE x.gap IS NULL) f
    ON f.user_key = u.user_key {where([only] if only else [])}
) b
WHERE b.day IS NOT NULL"""


def _keys(only: str) -> str:
    return f"user_key IN (SELECT u.user_key FROM dim_users u WHERE {only})"


def _date(day: int) -> str:
    return f"CAST('{EPOCH.fromordinal(EPOCH.toordinal() + day).isoformat()}' AS DATE)"
