"""Active days with their gaps: of people, and of people inside the slices of an event property."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.schema import ARRIVALS, SLICED_ARRIVALS

if TYPE_CHECKING:
    from regulars.domain.context import ActivityRule
    from regulars.domain.schema import Table
    from regulars.domain.sql import Values

EVENT_DAYS_ALL = """
SELECT day, count(*) AS events, min(action_timestamp) AS first_timestamp, max(action_timestamp) AS last_timestamp
FROM fact_user_actions GROUP BY day"""


@dataclass(frozen=True)
class Chains:
    """Stored chains of active days, and the temporary table of the days that they are made from."""

    table: Table
    days: str
    own: tuple[str, ...]

    @property
    def remade(self) -> str:
        """The temporary table of a refresh with the new rows."""
        return f"remade_{self.table.name}"

    @property
    def order(self) -> str:
        """The physical order of the rows."""
        return ", ".join(self.table.order_by)


OF_PEOPLE = Chains(ARRIVALS, "active_days", ("user_key",))
OF_SLICES = Chains(SLICED_ARRIVALS, "sliced_days", ("dimension", "value", "user_key"))


def _of(alias: str, columns: tuple[str, ...]) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)


def _within(rule: ActivityRule, number: int) -> str:
    test = f"n{number} >= {rule.min_events}"
    return test if rule.max_events is None else f"{test} AND n{number} <= {rule.max_events}"


def all_arrivals(chains: Chains, rule: ActivityRule, number: int, values: Values) -> str:
    """Every arrival of an activity."""
    own = ", ".join(chains.own)
    return f"""
SELECT {values.add(rule.name)} AS activity, {own}, day,
  date_diff('day', lag(day) OVER (PARTITION BY {own} ORDER BY day), day) AS days_since_prior, n{number} AS actions
FROM {chains.days} WHERE {_within(rule, number)}"""


def changed_arrivals(chains: Chains, rule: ActivityRule, number: int, values: Values) -> str:
    """Arrivals of dirty people since their first dirty day; the first one of a chain follows its last day before."""
    name = values.add(rule.name)
    stored, days = _of("r", chains.own), _of("t", chains.own)
    same = " AND ".join(f"b.{column} = t.{column}" for column in chains.own)
    return f"""
WITH last_before AS (
  SELECT {stored}, max(r.day) AS day FROM {chains.table.name} r JOIN since s ON s.user_key = r.user_key
  WHERE r.activity = {name} AND r.day < s.day GROUP BY {stored}
)
SELECT {name} AS activity, {days}, t.day,
  date_diff('day', coalesce(lag(t.day) OVER (PARTITION BY {days} ORDER BY t.day), b.day), t.day)
    AS days_since_prior, t.n{number} AS actions
FROM {chains.days} t LEFT JOIN last_before b ON {same}
WHERE {_within(rule, number)}"""
