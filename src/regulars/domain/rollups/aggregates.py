"""What is counted ahead of time, as data: each aggregate is a sum over arrivals, so a change is a difference.

An aggregate says what given arrivals add to it. A refresh takes that sum over the arrivals that may change, before
and after, and adds the difference; a rebuild takes it over all arrivals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.dimensions import Dimensions, pair_name
from regulars.domain.relations.scope import day_number
from regulars.domain.rules import TIER_WINDOW, TIERS_BY_DAYS
from regulars.domain.schema import AGG_ARRIVALS, AGG_RETENTION, AGG_TIER_CHANGES, GAP_CAP, MISSING

if TYPE_CHECKING:
    from regulars.domain.schema import Table


@dataclass(frozen=True)
class Rows:
    """The tables whose arrivals are added up.

    ``people`` has ``activity``, ``user_key``, ``day``, ``days_since_prior``, and ``counts``: arrivals that do not count
    are there for those who do to look back on, up to :data:`LOOK_BACK` days. ``slices`` has ``dimension`` and ``value``
    too, and holds only arrivals that count.
    """

    people: str
    slices: str


Sums = Callable[[Rows, Dimensions], str]


@dataclass(frozen=True)
class Aggregate:
    """One table of sums. ``sums`` gives the SELECT of its rows over given arrivals."""

    table: Table
    sums: Sums

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart; the last column, ``users``, is the sum."""
        return self.table.column_names[:-1]

    @property
    def before(self) -> str:
        """The temporary table that keeps what the affected arrivals added before they changed."""
        return f"before_{self.table.name}"

    def matches(self, left: str, right: str) -> str:
        """SQL that two rows have the same key."""
        nullable = {column.name for column in self.table.columns if column.nullable}
        pairs = ((f"{left}.{name}", f"{right}.{name}", name in nullable) for name in self.key)
        # A join on equal values is far cheaper than one on IS NOT DISTINCT FROM; no key column is ever negative.
        return " AND ".join(f"coalesce({a}, -1) = coalesce({b}, -1)" if null else f"{a} = {b}" for a, b, null in pairs)


LOOK_BACK = TIER_WINDOW


def _arrivals(rows: Rows, by: Dimensions) -> str:
    """How many people arrived after which gap, per day and slice."""
    value = {name: f"coalesce(u.{name}, '{MISSING}')" for name in by.read_attributes}
    slices = [("overall", "''", "''")]
    slices += [(name, value[name], "''") for name in by.attributes]
    slices += [(pair_name(pair), value[pair[0]], value[pair[1]]) for pair in by.pairs]
    parts = [_histogram(rows.people, f"'{name}'", one, two, "WHERE r.counts") for name, one, two in slices]
    parts += [_histogram(rows.slices, "r.dimension", "r.value", "''", "")] if by.events else []
    return "\nUNION ALL\n".join(parts)


def _histogram(rows: str, dimension: str, value: str, second: str, condition: str) -> str:
    # least() would turn a missing gap (first ever) into the cap.
    gap = f"CASE WHEN r.days_since_prior > {GAP_CAP} THEN {GAP_CAP} ELSE r.days_since_prior END"
    # A constant tells no rows apart, and hashing it for each of them is not free.
    own = "".join(f"{text}, " for text in (dimension, value, second) if not text.startswith("'"))
    return f"""SELECT r.activity, u.population, {dimension} AS dimension, {value} AS value, {second} AS second_value,
  r.day, {gap} AS gap, count(*) AS users
FROM {rows} r JOIN dim_users u ON u.user_key = r.user_key {condition}
GROUP BY r.activity, u.population, {own}r.day, {gap}"""


def _retention(rows: Rows, _: Dimensions) -> str:
    """How many people of each first day were active how many days later."""
    offset = f"{day_number('r.day')} - {day_number('b.day')}"
    return f"""
SELECT r.activity, u.population, b.day AS cohort_day, {offset} AS days_later, count(*) AS users
FROM {rows.people} r JOIN dim_users u ON u.user_key = r.user_key
JOIN (SELECT activity, user_key, day FROM arrivals WHERE days_since_prior IS NULL) b
  ON b.user_key = r.user_key AND b.activity = r.activity
WHERE r.counts GROUP BY r.activity, u.population, b.day, {offset}"""


def _tier_changes(rows: Rows, _: Dimensions) -> str:
    """How many people enter a tier on a day, less those who leave it.

    A person has at least k active days in the window from the day of an arrival on, if the arrival k - 1 before it lies
    in the window too, until that one leaves the window. The arrival k before it, where there is one in the window, has
    told so already: the stretch that this arrival adds begins when that one leaves. So each arrival adds one stretch
    per k at most, and the stretches of a person never overlap.
    """
    day = day_number("r.day")
    lags = sorted({lag for _, least in TIERS_BY_DAYS for lag in (least - 1, least)} - {0})
    looks = "".join(f",\n      {day} - lag({day}, {lag}) OVER ordered AS back_{lag}" for lag in lags)
    stretches = [_counted("at", 0, "", "is_first")]
    stretches += [text for _, least in TIERS_BY_DAYS for text in _stretch(least)]
    union = "\n    UNION ALL ".join(stretches)
    entered = " ".join(f"WHEN {least} THEN '{tier}'" for tier, least in _TIERS)
    left = " ".join(f"WHEN {_TIERS[i + 1][1]} THEN '{tier}'" for i, (tier, _) in enumerate(_TIERS[:-1]))
    return f"""
WITH looked AS (
  SELECT a.*, u.population FROM (
    SELECT r.activity, r.user_key, r.counts, {day} AS at, r.days_since_prior IS NULL AS is_first{looks}
    FROM {rows.people} r WINDOW ordered AS (PARTITION BY r.activity, r.user_key ORDER BY r.day)
  ) a JOIN dim_users u ON u.user_key = a.user_key WHERE a.counts
), reached AS (
  SELECT activity, population, at, least, sum(users) AS users FROM (
    {union}
  ) stretches GROUP BY activity, population, at, least
)
SELECT activity, population, rg_date_of_number(CAST(at AS INTEGER)) AS day, tier, CAST(sum(users) AS BIGINT) AS users
FROM (
  SELECT activity, population, at, CASE least {entered} END AS tier, users FROM reached
  UNION ALL
  SELECT activity, population, at, CASE least {left} END AS tier, -users AS users FROM reached WHERE least > 0
) changes GROUP BY activity, population, at, tier HAVING sum(users) <> 0"""


_TIERS = (("dormant", 0), *TIERS_BY_DAYS)


def _stretch(least: int) -> list[str]:
    """Begin and end of the stretch of days that an arrival adds to those with at least so many active days."""
    span = f"back_{least - 1}" if least > 1 else "0"
    begins = f"at + CASE WHEN back_{least} < {TIER_WINDOW} THEN {TIER_WINDOW} - back_{least} ELSE 0 END"
    ends = f"at - {span} + {TIER_WINDOW}"
    condition = f"{span} < {TIER_WINDOW}"
    return [_counted(begins, least, "", condition), _counted(ends, least, "-", condition)]


def _counted(day: str, least: int, sign: str, condition: str) -> str:
    # Counting each alone hashes no constant, and adds no ones.
    return f"""SELECT activity, population, {day} AS at, {least} AS least, {sign}CAST(count(*) AS BIGINT) AS users
    FROM looked WHERE {condition} GROUP BY activity, population, {day}"""


AGGREGATES = (
    Aggregate(AGG_ARRIVALS, _arrivals),
    Aggregate(AGG_RETENTION, _retention),
    Aggregate(AGG_TIER_CHANGES, _tier_changes),
)
