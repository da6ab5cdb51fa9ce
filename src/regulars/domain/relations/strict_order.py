"""Ways through a funnel in which each step is the very next event.

An event is the very next one unless another is surely between: later than the one and earlier than the other, by time
or, at one instant, by sequences that all three carry. Markers are skipped. From every event that begins an attempt,
each step looks at the same instant and at the next one only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.relations.ladders import kind_of, same
from regulars.domain.relations.scope import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.metrics.funnel_options import Funnel

_STATE = ("instant", "here", "reached", "standing", "is_last", "used")


@dataclass(frozen=True)
class StrictWays:
    """The strict ways of one funnel; the fields are those of :class:`regulars.domain.relations.chains.Ways`."""

    funnel: Funnel
    keys: Sequence[str]
    segments: Sequence[str]
    last: int

    def relations(self) -> dict[str, str]:
        """``tried`` and what it is made of: every attempt, as far as it led and on its way there."""
        total = len(self.funnel.slots)
        named = {"instants": self._instants(), "line": self._line(), "walk_1": self._begun()}
        for slot in range(2, total + 1):
            named[f"walk_{slot}"] = self._walked(slot)
        done = [slot for slot in range(1, total + 1) if self._depth(slot)]
        named["tried"] = "\nUNION ALL\n".join(self._stopped(slot) for slot in done)
        return named

    def _depth(self, slot: int) -> int:
        """The number of steps done when a slot is filled."""
        return sum(self.funnel.slot(step) <= slot for step, _ in enumerate(self.funnel.steps, 1))

    def _instants(self) -> str:
        return f"""
SELECT i.*, row_number() OVER (PARTITION BY {", ".join(self.keys)} ORDER BY at) AS instant
FROM (
  SELECT {listed(self.keys)}at, min(sequence) AS low, max(sequence) AS high
  FROM marks WHERE counts = 1 GROUP BY {listed(self.keys)}at
) i"""

    def _line(self) -> str:
        """Events that take steps, with their instants; ``standing`` numbers the sequences of one instant."""
        steps = sorted(set(self.funnel.slots))
        own = dict.fromkeys([*self.keys, "user_key", "day", *self.segments, "at", "sequence"])
        either = " OR ".join(f"s.step_{step} = 1" for step in steps)
        return f"""
SELECT {listed(list(own), "s")}{listed([f"step_{step}" for step in steps], "s")}{kind_of(steps)} AS kind, i.instant,
  CASE WHEN s.sequence IS NULL OR s.sequence = i.low THEN 1 ELSE 0 END AS is_first,
  CASE WHEN s.sequence IS NULL OR s.sequence = i.high THEN 1 ELSE 0 END AS is_last,
  CASE WHEN s.sequence IS NOT NULL THEN s.standing END AS standing, s.place
FROM (
  SELECT m.*, dense_rank() OVER (PARTITION BY {listed(self.keys)}at ORDER BY sequence) AS standing,
    row_number() OVER (PARTITION BY {listed(self.keys)}at ORDER BY sequence, event_id) AS place
  FROM marks m WHERE counts = 1
) s JOIN instants i ON {same(self.keys, "i", "s")} AND i.at = s.at
WHERE {either}"""

    def _carried(self) -> list[str]:
        return list(dict.fromkeys([*self.keys, "user_key", "day", *self.segments, "at", "place"]))

    def _begun(self) -> str:
        return f"""
SELECT {listed(self._carried())}instant, at AS here, sequence AS reached, standing, is_last,
  concat(',', rg_text(place), ',') AS used
FROM line WHERE step_1 = 1 AND day <= {self.last}"""

    def _walked(self, slot: int) -> str:
        """One slot further: at the next instant, or at the same one."""
        ways = [self._moved(slot, "c.instant = w.instant + 1 AND w.is_last = 1 AND c.is_first = 1", is_new=True)]
        if self.funnel.ties == "any":
            ways.append(
                self._moved(
                    slot,
                    "c.instant = w.instant AND NOT rg_contains(w.used, concat(',', rg_text(c.place), ','))"
                    " AND (c.sequence IS NULL OR w.reached IS NULL OR c.sequence >= w.reached)"
                    " AND (c.standing IS NULL OR w.standing IS NULL OR c.standing <= w.standing + 1)",
                )
            )
        elif self.funnel.ties == "sequence":
            ways.append(self._moved(slot, "c.instant = w.instant AND c.standing = w.standing + 1"))
        times = [f"t_{number}" for number in range(2, slot + 1)]
        columns = [*self._carried(), *_STATE, *times]
        return f"SELECT {', '.join(columns)} FROM ({' UNION ALL '.join(ways)}) moved WHERE choice = 1"

    def _moved(self, slot: int, test: str, *, is_new: bool = False) -> str:
        reached = "c.sequence" if is_new else "coalesce(c.sequence, w.reached)"
        before = "','" if is_new else "w.used"
        times = listed([f"t_{number}" for number in range(2, slot)], "w")
        entry = listed([*self.keys, "at", "place", "used"], "w")
        return f"""
SELECT {listed(self._carried(), "w")}{times}c.at AS t_{slot}, c.instant, c.at AS here, {reached} AS reached,
  c.standing, c.is_last, concat({before}, rg_text(c.place), ',') AS used,
  row_number() OVER (PARTITION BY {entry}w.here, c.kind, c.sequence ORDER BY c.place) AS choice
FROM walk_{slot - 1} w JOIN line c ON {same(self.keys, "c", "w")} AND {test}
WHERE c.step_{self.funnel.slots[slot - 1]} = 1 AND c.at <= w.at + {self.funnel.within * 1_000_000}"""

    def _stopped(self, slot: int) -> str:
        places = {step: self.funnel.slot(step) for step, _ in enumerate(self.funnel.steps, 1)}
        times = {step: "w.at" if place == 1 else f"w.t_{place}" for step, place in places.items()}
        taken = ", ".join(
            f"{times[step] if place <= slot else 'CAST(NULL AS BIGINT)'} AS taken_{step}"
            for step, place in places.items()
        )
        own = listed(["user_key", "day", *self.segments, "at"], "w")
        return f"SELECT {own}{self._depth(slot)} AS depth, {taken} FROM walk_{slot} w"
