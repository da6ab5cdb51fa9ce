"""Ways through a funnel whose steps come in any order.

An attempt begins with an event of any step, and what happens at that instant or later, in any order, counts. One event
fills one step: k of n steps are filled as soon as any s of them have had s - (n - k) events between them (Hall's
theorem). Steps that no event can share need no such comparison, so that it is made only among those that may.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from regulars.domain.metrics.funnel_options import times
from regulars.domain.query import EventCondition
from regulars.domain.relations.scope import listed
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.context import Context
    from regulars.domain.metrics.funnel_options import Funnel
    from regulars.domain.metrics.options import Events

MAX_SHARING = 5
FAR = 2**62


def sharing(steps: Sequence[Events], context: Context) -> list[list[int]]:
    """The numbers of the steps in groups, such that no event can take steps of two groups."""
    groups = groups_of(steps, context)
    for group in groups:
        _check_group(group, steps)
    return groups


def groups_of(steps: Sequence[Events], context: Context) -> list[list[int]]:
    """The same, however many steps share their events."""
    groups: list[list[int]] = []
    types = {number: types_of(step, context) for number, step in enumerate(steps, 1)}
    for number, mine in types.items():
        near = [group for group in groups if any(_meet(mine, types[other]) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append(sorted([number, *(other for group in near for other in group)]))
    return sorted(groups)


def types_of(step: Events, context: Context) -> frozenset[str] | None:
    """The event types that can take a step; None for any."""
    if isinstance(step, EventCondition):
        return None if step.events is None else frozenset(step.events)
    if step not in context.activities:
        return frozenset((step,))
    if step in ("core", "conversion"):
        flag = "is_core_action" if step == "core" else "is_conversion_event"
        return frozenset(name for name, action in context.actions.items() if getattr(action, flag))
    events = context.activities[step].events.events
    return None if events is None else frozenset(events)


def _meet(one: frozenset[str] | None, other: frozenset[str] | None) -> bool:
    return one is None or other is None or bool(one & other)


def _check_group(group: list[int], steps: Sequence[Events]) -> None:
    if len(group) > MAX_SHARING:
        raise QueryError(
            f"steps {', '.join(map(str, group))} can be taken by the same events; with order='any' at most "
            f"{MAX_SHARING} steps may: name different event types, or use order='ordered'",
            code="bad_steps",
        )
    if len(group) > 1 and any(times(steps[number - 1]) > 1 for number in group):
        raise QueryError(
            f"steps {', '.join(map(str, group))} can be taken by the same events; with order='any' none of them may "
            "ask for several times: name different event types, or use order='ordered'",
            code="bad_steps",
        )


@dataclass(frozen=True)
class AnyWays:
    """The ways of one funnel in any order; ``groups`` says which steps may share events."""

    funnel: Funnel
    keys: Sequence[str]
    segments: Sequence[str]
    last: int
    groups: Sequence[Sequence[int]]

    def relations(self) -> dict[str, str]:
        """``tried`` and what it is made of: every attempt, with how far it led."""
        return {
            "ahead": self._ahead(),
            "filled": self._filled(),
            "ranked_times": self._ranked(),
            "tried": self._tried(),
        }

    def _counts(self) -> dict[str, tuple[str, int]]:
        """By name: an event of which steps, and how many of them, a filled step waits for."""
        found = {}
        for group in self.groups:
            if len(group) == 1:
                found[f"n_{group[0]}"] = (f"step_{group[0]} = 1", times(self.funnel.steps[group[0] - 1]))
            else:
                for size in range(1, len(group) + 1):
                    for part in combinations(group, size):
                        test = " OR ".join(f"step_{step} = 1" for step in part)
                        for count in range(1, size + 1):
                            found[f"n_{'_'.join(map(str, part))}_x{count}"] = (f"({test})", count)
        return found

    def _own(self) -> list[str]:
        return list(dict.fromkeys([*self.keys, "user_key", "day", *self.segments, "at"]))

    def _ahead(self) -> str:
        """Per event the instant of the n-th of its kind, counted from it."""
        steps = [number for number, _ in enumerate(self.funnel.steps, 1)]
        columns = [
            f"CASE WHEN {test} THEN lead(at, {count - 1}, {FAR}) OVER "
            f"(PARTITION BY {listed(self.keys)}CASE WHEN {test} THEN 1 ELSE 0 END ORDER BY at) END AS {name}"
            for name, (test, count) in self._counts().items()
        ]
        either = " OR ".join(f"step_{step} = 1" for step in steps)
        joined = ",\n  ".join(columns)
        return f"SELECT {listed(self._own())}\n  {joined}\nFROM marks WHERE {either}"

    def _filled(self) -> str:
        """Per attempt the instants at which another step of a group is filled, whichever it is."""
        soonest = ", ".join(
            f"coalesce(min({name}) OVER (PARTITION BY {', '.join(self.keys)} ORDER BY at DESC), {FAR}) AS {name}"
            for name in self._counts()
        )
        times_of = []
        for group in self.groups:
            for place, step in enumerate(group, 1):
                times_of.append(f"{_filled_at(group, place)} AS f_{step}")
        return f"""
SELECT {listed(self._own())}{", ".join(times_of)}
FROM (SELECT {listed(self._own())}{soonest} FROM ahead) a
WHERE day <= {self.last}"""

    def _ranked(self) -> str:
        steps = [number for number, _ in enumerate(self.funnel.steps, 1)]
        ranks = ", ".join(
            " + ".join(f"CASE WHEN f_{other} <= f_{step} THEN 1 ELSE 0 END" for other in steps) + f" AS r_{step}"
            for step in steps
        )
        return f"SELECT f.*, {ranks} FROM filled f"

    def _tried(self) -> str:
        steps = [number for number, _ in enumerate(self.funnel.steps, 1)]
        depth = " + ".join(f"CASE WHEN f_{s} <= at + {self.funnel.within * 1_000_000} THEN 1 ELSE 0 END" for s in steps)
        taken = ", ".join(
            f"least({', '.join(f'CASE WHEN r_{step} >= {place} THEN f_{step} ELSE {FAR} END' for step in steps)})"
            f" AS taken_{place}"
            for place in steps
        )
        own = listed(["user_key", "day", *self.segments, "at"])
        return f"SELECT * FROM (SELECT {own}{depth} AS depth, {taken} FROM ranked_times) attempts WHERE depth > 0"


def _filled_at(group: Sequence[int], place: int) -> str:
    """The instant at which so many steps of a group are filled."""
    if len(group) == 1:
        return f"n_{group[0]}"
    missing = len(group) - place
    waits = [
        f"n_{'_'.join(map(str, part))}_x{size - missing}"
        for size in range(missing + 1, len(group) + 1)
        for part in combinations(group, size)
    ]
    return waits[0] if len(waits) == 1 else f"greatest({', '.join(waits)})"
