"""Active people per slice of an event property and day, where no day is compared with another one.

The days of a person in a slice are the bits of a number, so that events become few rows: one per person, slice and
stretch of days. Values are told apart by the key of a row that has them, and get their names when they are counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.calendar import epoch_day
from regulars.domain.relations import slices
from regulars.domain.relations.rows import DESCRIBED, event_tables
from regulars.domain.relations.scope import day_number, where
from regulars.domain.schema import MISSING

if TYPE_CHECKING:
    from regulars.domain.frame import Frame
    from regulars.domain.properties import Property
    from regulars.domain.relations.scope import Scope
    from regulars.domain.sql import Values

_BITS = 62  # of a whole number that stays positive
_ALIAS = re.compile(r"\b([a-z]+)\.")


@dataclass(frozen=True)
class DaySets:
    """The days of people in slices; ``scope`` asks for nothing but whether somebody was active."""

    scope: Scope
    frame: Frame
    values: Values

    def relations(self) -> dict[str, str]:
        """Named relations up to ``chain``: slice, day, and how many people were active in the slice on it."""
        named = {f"values_{number}": _values(found, alias) for number, (found, alias) in self._coded.items()}
        return named | {"day_sets": self._day_sets(), "slices": self._slices(), "chain": self._chain()}

    @property
    def _coded(self) -> dict[int, tuple[Property, str]]:
        """The segments by number whose value follows from one key of the event, with the alias of its table."""
        pairs = enumerate(self.scope.stored_segments(), 1)
        read = {number: (found, set(_ALIAS.findall(found.expression))) for number, (_, found) in pairs}
        return {
            number: (found, *aliases)
            for number, (found, aliases) in read.items()
            if len(aliases) == 1 and aliases <= set(DESCRIBED)
        }

    @property
    def _length(self) -> int:
        """Days of a stretch; all are of about one length, because each day of a stretch is looked at."""
        days = (self.frame.scan_to - self.frame.scan_from).days + 1
        return -(-days // -(-days // _BITS))

    def _day_sets(self) -> str:
        scope, coded = self.scope, self._coded
        own = [
            f"coalesce(n_{number}.code, 0)" if number in coded else found.label
            for number, (_, found) in enumerate(scope.stored_segments(), 1)
        ]
        joins = "".join(
            f"\nLEFT JOIN values_{number} n_{number} ON n_{number}.key = e.{DESCRIBED[alias][1]}"
            for number, (_, alias) in coded.items()
        )
        first, last = (self.values.add(day) for day in (self.frame.scan_from, self.frame.scan_to))
        tests = [scope.qualifies, *scope.event_conditions, *scope.users_condition()]
        tests += [f"{scope.day} >= {first}", f"{scope.day} <= {last}"]
        day = f"({day_number(scope.day)} - {epoch_day(self.frame.scan_from)})"
        keys = [scope.key, *own, f"{day} // {self._length}"]
        named = zip(keys, ("user_key", *scope.segments, "stretch"), strict=True)
        return f"""
SELECT {", ".join(f"{text} AS {name}" for text, name in named)}, bit_or(rg_bit({day} % {self._length})) AS bits
{event_tables(*own, *tests, scope.key)}{joins}
{where(tests)}
GROUP BY {", ".join(keys)}"""

    def _slices(self) -> str:
        names = ", ".join(self.scope.segments)
        shown, joins = {name: f"r.{name}" for name in self.scope.segments}, ""
        for number in self._coded:
            shown[f"segment_{number}"] = f"coalesce(n_{number}.value, '{MISSING}')"
            joins += f"\nLEFT JOIN (SELECT DISTINCT code, value FROM values_{number}) n_{number}"
            joins += f" ON n_{number}.code = r.segment_{number}"
        columns = "".join(f"{text} AS {name}, r.{name} AS {_met(name)}, " for name, text in shown.items())
        reached = f"""SELECT {columns}r.reach, 1 AS seen
FROM (SELECT {names}, count(DISTINCT user_key) AS reach FROM day_sets GROUP BY {names}) r{joins}"""
        return slices.placed(self.scope, reached, [_met(name) for name in self.scope.segments])

    def _chain(self) -> str:
        limit, start = self.scope.limit, epoch_day(self.frame.scan_from)
        same = " AND ".join(f"k.{_met(name)} = d.{name}" for name in self.scope.segments)
        met = f"FROM day_sets d JOIN slices k ON {same}"
        # A person may be met in several of the values beyond the limit, which are one slice.
        return f"""
SELECT s.slice, {start} + s.stretch * {self._length} + n.place AS day, CAST(NULL AS BIGINT) AS gap, count(*) AS people
FROM (
  SELECT k.slice, d.stretch, d.bits {met} WHERE k.slice <= {limit}
  UNION ALL
  SELECT k.slice, d.stretch, bit_or(d.bits) AS bits {met} WHERE k.slice > {limit}
  GROUP BY k.slice, d.user_key, d.stretch
) s CROSS JOIN (SELECT epoch_day AS place FROM dim_dates WHERE epoch_day BETWEEN 0 AND {self._length - 1}) n
WHERE rg_has_bit(s.bits, n.place)
GROUP BY s.slice, s.stretch, n.place"""


def _met(segment: str) -> str:
    """The column with the value of a segment as it stands in the day sets: its code, where it has one."""
    return f"{segment}_met"


def _values(found: Property, alias: str) -> str:
    """Keys with the value they have, and as its code the least key that has it; what is missing is 0."""
    table, key = DESCRIBED[alias]
    return f"""
SELECT key, value, CASE WHEN value = '{MISSING}' THEN 0 ELSE min(key) OVER (PARTITION BY value) END AS code
FROM (SELECT {alias}.{key} AS key, {found.label} AS value FROM {table} {alias}) named"""
