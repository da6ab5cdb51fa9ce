"""How many steps of a way are taken at one instant, where several of a person's events share it.

Without ties every event takes one step, and only time decides. Events of one instant may be put in the order that
takes the way furthest, but each fills one step only: which fills which is searched for, instant by instant.

A *seed* says where the search begins: the number of the slot that was filled before the instant, or, below zero, the
event of the instant that begins an attempt. Of equal candidates (same steps, sequence or none) only the first is
tried: any other could take its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.relations.scope import listed

if TYPE_CHECKING:
    from collections.abc import Sequence


def ladders(slots: Sequence[int], ties: str, keys: Sequence[str]) -> dict[str, str]:
    """``tied`` events, the searched ``rungs``, and ``ladders``: per person, instant and seed the last slot filled.

    Only what goes beyond one slot is listed. ``slots`` gives the step of every slot, ``keys`` the columns within
    which a way must stay.
    """
    named = {"tied": _tied(slots, keys)}
    named["rungs_1"] = _begun(slots, keys)
    for level in range(1, len(slots)):
        named[f"rungs_{level + 1}"] = _climbed(slots, ties, keys, level)
    rungs = "\n  UNION ALL ".join(
        f"SELECT {listed(keys)}at, seed, {level} AS slot FROM rungs_{level}" for level in range(1, len(slots) + 1)
    )
    named["ladders"] = f"""
SELECT {listed(keys)}at, seed, max(slot) AS top
FROM (
  {rungs}
) r
GROUP BY {listed(keys)}at, seed
HAVING max(slot) > greatest(seed + 1, 1)"""
    return named


def same(keys: Sequence[str], left: str, right: str) -> str:
    """The condition that two rows belong to the same person, and to the same values where these matter."""
    return " AND ".join(f"{left}.{key} = {right}.{key}" for key in keys)


def kind_of(steps: Sequence[int]) -> str:
    """The steps that an event (``s``) can take, as one number."""
    return " + ".join(f"{2 ** (step - 1)} * s.step_{step}" for step in steps)


def _tied(slots: Sequence[int], keys: Sequence[str]) -> str:
    """Events of instants at which two slots can be filled, numbered, with the steps they can take as one number."""
    steps = sorted(set(slots))
    fills = " + ".join(f"least(sum(step_{step}), {slots.count(step)})" for step in steps)
    either = " OR ".join(f"step_{step} = 1" for step in steps)
    return f"""
SELECT {listed(keys, "s")}s.at, s.sequence, s.event_id, {kind_of(steps)} AS kind,
  {", ".join(f"s.step_{step}" for step in steps)},
  row_number() OVER (PARTITION BY {listed(keys, "s")}s.at ORDER BY s.event_id) AS place
FROM marks s JOIN (
  SELECT {listed(keys)}at FROM marks WHERE {either}
  GROUP BY {listed(keys)}at HAVING count(*) > 1 AND {fills} > 1
) i ON {same(keys, "i", "s")} AND i.at = s.at
WHERE {either.replace("step_", "s.step_")}"""


def _begun(slots: Sequence[int], keys: Sequence[str]) -> str:
    entries = f"""
SELECT {listed(keys)}at, -place AS seed, sequence AS reached, concat(',', rg_text(place), ',') AS used
FROM tied WHERE step_1 = 1"""
    return f"{entries}{_arrived(slots, keys, 1)}"


def _arrived(slots: Sequence[int], keys: Sequence[str], level: int) -> str:
    """Ways that come to an instant with ``level`` slots filled; whether they fill one there is known without a search.

    So only those with two slots to fill are of interest.
    """
    if level + 2 > len(slots):
        return ""
    return f"""
UNION ALL
SELECT DISTINCT {listed(keys)}at, {level} AS seed, CAST(NULL AS BIGINT) AS reached, ',' AS used
FROM tied WHERE step_{slots[level]} = 1"""


def _climbed(slots: Sequence[int], ties: str, keys: Sequence[str], level: int) -> str:
    follows = {
        "any": "(c.sequence IS NULL OR r.reached IS NULL OR c.sequence >= r.reached)",
        # Without a sequence an event is neither before nor after another one of its instant.
        "sequence": "(r.used = ',' OR c.sequence > r.reached)",
    }[ties]
    reached = "coalesce(c.sequence, r.reached)" if ties == "any" else "c.sequence"
    return f"""
SELECT {listed(keys)}at, seed, reached, used FROM (
  SELECT {listed(keys, "r")}r.at, r.seed, {reached} AS reached,
    concat(r.used, rg_text(c.place), ',') AS used,
    row_number() OVER (
      PARTITION BY {listed(keys, "r")}r.at, r.seed, r.used, c.kind, CASE WHEN c.sequence IS NULL THEN 1 ELSE 0 END
      ORDER BY c.sequence, c.place
    ) AS choice
  FROM rungs_{level} r JOIN tied c ON {same(keys, "c", "r")} AND c.at = r.at
  WHERE c.step_{slots[level]} = 1 AND {follows} AND NOT rg_contains(r.used, concat(',', rg_text(c.place), ','))
) tried
WHERE choice = 1{_arrived(slots, keys, level + 1)}"""
