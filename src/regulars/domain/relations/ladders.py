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
    named = {"tied": _tied(slots, keys), "rungs_1": _begun(slots, keys)}
    for climb in range(1, len(slots)):
        named[f"rungs_{climb + 1}"] = _climbed(slots, ties, keys, climb)
    named["ladders"] = f"""
SELECT {listed(keys)}at, seed, max(slot) AS top
FROM rungs_{len(slots)}
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
    """Where searches begin: at events that begin an attempt, and with slots that were filled before the instant.

    Whether one slot more is filled is known without a search, so that only those with two to fill are of interest.
    """
    begun = f"""
SELECT {listed(keys)}at, -place AS seed, 1 AS slot, sequence AS reached, concat(',', rg_text(place), ',') AS used
FROM tied WHERE step_1 = 1"""
    arriving = range(1, len(slots) - 1)
    if not arriving:
        return begun
    numbers = " UNION ALL ".join(f"SELECT {number} AS seed" for number in arriving)
    fits = " OR ".join(f"(n.seed = {number} AND b.step_{slots[number]} = 1)" for number in arriving)
    return f"""{begun}
UNION ALL
SELECT DISTINCT {listed(keys, "b")}b.at, n.seed, n.seed AS slot, CAST(NULL AS BIGINT) AS reached, ',' AS used
FROM tied b CROSS JOIN ({numbers}) n WHERE {fits}"""


def _climbed(slots: Sequence[int], ties: str, keys: Sequence[str], climb: int) -> str:
    """Every search one slot further; one that can get no further stays where it is."""
    follows = {
        "any": "(c.sequence IS NULL OR r.reached IS NULL OR c.sequence >= r.reached)",
        # Without a sequence an event is neither before nor after another one of its instant.
        "sequence": "(r.used = ',' OR c.sequence > r.reached)",
    }[ties]
    reached = "coalesce(c.sequence, r.reached)" if ties == "any" else "c.sequence"
    fits = " OR ".join(f"(r.slot = {slot} AND c.step_{step} = 1)" for slot, step in enumerate(slots) if slot >= 1)
    kind = "c.kind, CASE WHEN c.sequence IS NULL THEN 1 ELSE 0 END"
    return f"""
SELECT {listed(keys)}at, seed, slot, reached, used FROM (
  SELECT {listed(keys, "r")}r.at, r.seed, CASE WHEN c.place IS NULL THEN r.slot ELSE r.slot + 1 END AS slot,
    {reached} AS reached, CASE WHEN c.place IS NULL THEN r.used ELSE concat(r.used, rg_text(c.place), ',') END AS used,
    row_number() OVER (
      PARTITION BY {listed(keys, "r")}r.at, r.seed, r.used, {kind} ORDER BY c.sequence, c.place
    ) AS choice
  FROM rungs_{climb} r LEFT JOIN tied c ON {same(keys, "c", "r")} AND c.at = r.at
    AND ({fits}) AND {follows} AND NOT rg_contains(r.used, concat(',', rg_text(c.place), ','))
) tried
WHERE choice = 1"""
