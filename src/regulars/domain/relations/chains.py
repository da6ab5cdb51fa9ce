"""Ways through a funnel whose steps follow one another, with anything in between.

From every event that begins an attempt, each step is taken as early as it can be: no other choice leads further. The
rest of a way depends on nothing but the event at which it stands, so that ways are put together from their ends: the
events of a step carry the times of the steps that follow, and those of the step before look up the next of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.relations.ladders import ladders, same
from regulars.domain.relations.scope import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.metrics.funnel_options import Funnel

FAR = 2**62
_LANES = (("lane_instant", "at"), ("lane_seed", "seed"))


@dataclass(frozen=True)
class Ways:
    """The ways of one funnel.

    ``keys`` are the columns within which a way must stay, ``segments`` those that an attempt takes over from the event
    that begins it; ``last`` is the last day on which one may begin (days since 1970). With ``has_ladders`` several
    steps may be taken at one instant in a way that has to be searched for.
    """

    funnel: Funnel
    keys: Sequence[str]
    segments: Sequence[str]
    last: int
    has_ladders: bool = True

    @property
    def slots(self) -> tuple[int, ...]:
        """The step of every slot."""
        return self.funnel.slots

    def relations(self) -> dict[str, str]:
        """``tried`` and what it is made of: every attempt, with how far it led.

        Columns: ``user_key``, ``day``, the segments, ``at``, ``depth`` (steps reached), and ``taken_1`` and so on (µs
        at which each step was reached).
        """
        named = ladders(self.slots, self.funnel.ties, self.keys) if self.has_ladders else {}
        for number, _ in enumerate(self.funnel.exclusions, 1):
            named[f"ends_{number}"] = f"SELECT DISTINCT {listed(self.keys)}at FROM marks WHERE x_{number} = 1"
        for slot in range(len(self.slots), 1, -1):
            if self.has_ladders:
                named[f"rows_{slot}"] = self._rows(slot)
            named[f"chain_{slot}"] = self._chain(slot, f"{listed(self.keys, 'r')}r.at")
        if self.has_ladders:
            named["rows_1"] = self._entries()
        own = listed(["user_key", "day", *self.segments, "at"], "r").removesuffix(", ")
        named["chain_1"] = self._chain(1, own)
        named["tried"] = self._tried()
        return named

    def _rows(self, slot: int) -> str:
        """Where a slot is filled: coming from an earlier instant, or on a ladder within one."""
        return f"""
SELECT {listed(self.keys)}at, seed, max(top) AS top
FROM (
  SELECT {listed(self.keys)}at, {slot - 1} AS seed, {slot} AS top FROM marks WHERE step_{self.slots[slot - 1]} = 1
  UNION ALL SELECT {listed(self.keys)}at, seed, top FROM ladders WHERE seed < {slot} AND top >= {slot}
) taken
GROUP BY {listed(self.keys)}at, seed"""

    def _entries(self) -> str:
        own = listed(["user_key", "day", *self.segments, "at"], "s").removesuffix(", ")
        return f"""
SELECT {own}, coalesce(-l.place, 0) AS seed, coalesce(l.top, 1) AS top
FROM marks s LEFT JOIN (
  SELECT {listed(self.keys, "b")}b.at, b.event_id, b.place, f.top
  FROM tied b JOIN ladders f ON {same(self.keys, "f", "b")} AND f.at = b.at AND f.seed = -b.place
) l ON {same(self.keys, "l", "s")} AND l.at = s.at AND l.event_id = s.event_id
WHERE s.step_1 = 1 AND s.day <= {self.last}"""

    def _ends_after(self, slot: int) -> list[int]:
        """The exclusions that begin to matter with a slot."""
        return [n for n, each in enumerate(self.funnel.exclusions, 1) if self.funnel.slot(each.after_step) == slot]

    def _chain(self, slot: int, own: str) -> str:
        """Rows of a slot with the times of those after it.

        Who comes to the next slot at a later instant finds it in lane 0, who climbs a ladder in the ladder's own lane.
        """
        total, ends = len(self.slots), self._ends_after(slot)
        later = [f"t_{number}" for number in range(slot + 2, total + 1)]
        later += [f"x_{n}" for after in range(slot + 1, total + 1) for n in self._ends_after(after)]
        columns = [own, *(f"w_{n}.at AS x_{n}" for n in ends)]
        joins = [f"ASOF LEFT JOIN ends_{n} w_{n} ON {same(self.keys, f'w_{n}', 'r')} AND r.at < w_{n}.at" for n in ends]
        if slot > 1 and self.has_ladders:
            columns += [f"{_on_ladder(f'r.seed < {slot - 1}', name)} AS {lane}" for lane, name in _LANES]
        if slot < total:
            joins.append(f"ASOF LEFT JOIN chain_{slot + 1} n ON {same(self.keys, 'n', 'r')} AND {self._follows()}")
            columns += [f"n.at AS t_{slot + 1}", *(f"n.{name}" for name in later)]
        return "\n".join([f"SELECT {', '.join(columns)}", f"FROM ({self._standing(slot)}) r", *joins])

    def _standing(self, slot: int) -> str:
        """Where a slot is filled, and from which instant and in which lane the next one is looked up."""
        if not self.has_ladders:
            begun = f" AND day <= {self.last}" if slot == 1 else ""
            return f"SELECT * FROM marks WHERE step_{self.slots[slot - 1]} = 1{begun}"
        to_lanes = ", ".join(f"{_on_ladder(f'r.top > {slot}', name)} AS to_{lane}" for lane, name in _LANES)
        since = f"CASE WHEN r.top > {slot} THEN r.at - 1 ELSE r.at END AS since"
        return f"SELECT r.*, {to_lanes}, {since} FROM rows_{slot} r"

    def _follows(self) -> str:
        """The condition that a row (``n``) comes after another one (``r``)."""
        if not self.has_ladders:
            return "r.at <= n.at" if self.funnel.ties == "any" else "r.at < n.at"
        return f"{' AND '.join(f'n.{lane} = r.to_{lane}' for lane, _ in _LANES)} AND r.since < n.at"

    def _tried(self) -> str:
        """An attempt ends with its window, or with the first event that is excluded where it stands."""
        funnel = self.funnel
        over = [f"c.at + {funnel.within * 1_000_000}"]
        for number, each in enumerate(funnel.exclusions, 1):
            before = f"c.t_{funnel.slot(each.before_step)}"
            over.append(f"CASE WHEN c.x_{number} < coalesce({before}, {FAR}) THEN c.x_{number} ELSE {FAR} END")
        steps = range(len(funnel.steps), 0, -1)
        taken = {step: "c.at" if funnel.slot(step) == 1 else f"c.t_{funnel.slot(step)}" for step in steps}
        depth = " ".join(f"WHEN {taken[step]} <= c.over THEN {step}" for step in steps)
        own = listed(["user_key", "day", *self.segments], "c")
        times = ", ".join(f"{taken[step]} AS taken_{step}" for step in reversed(steps))
        return f"""
SELECT * FROM (
  SELECT {own}c.at, CASE {depth} ELSE 0 END AS depth, {times}
  FROM (SELECT c.*, {f"least({', '.join(over)})" if len(over) > 1 else over[0]} AS over FROM chain_1 c) c
) attempts
WHERE depth > 0"""


def _on_ladder(test: str, name: str) -> str:
    return f"CAST(CASE WHEN {test} THEN r.{name} ELSE 0 END AS BIGINT)"
