"""Who was active on which day, and how many people each rolling window has.

Days come in blocks of 128. In a block every person who was active in it has one whole number, whose bits are the days.
A window that ends on a day has somebody when one of its days is theirs: their bits, spread over the days that follow.
How many people have a bit is counted once per block and window, for all of its days, and kept. What changes afterwards
is remembered with the number it had before; when somebody asks, the counts take in the difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regulars.streaming.columns import bits, column_sums, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from regulars.streaming.checks import UserId

BLOCK = 128
_ALL_DAYS = (1 << BLOCK) - 1


@dataclass(slots=True)
class Block:
    """128 days: ``days`` has each person's active days as bits, ``before`` those from before the last count.

    ``before`` is None while nothing has been counted, and holds only people whose days were changed since.
    """

    days: dict[UserId, int] = field(default_factory=dict)
    before: dict[UserId, int] | None = None


class RollingCounts:
    """Active days of people, and exact counts of people per rolling window.

    Not thread-safe. Days are ordinals, as of :meth:`datetime.date.toordinal`.

    Args:
        windows: The windows that can be asked for, in days.
    """

    def __init__(self, windows: Iterable[int]) -> None:
        self._windows = sorted(set(windows))
        self._blocks: dict[int, Block] = {}
        self._counts: dict[tuple[int, int], list[int]] = {}

    def place_of(self, day: int) -> tuple[Block, int]:
        """The block of a day, and its bit."""
        number, place = divmod(day, BLOCK)
        return self._blocks.setdefault(number, Block()), 1 << place

    def count(self, window: int, day: int) -> int:
        """How many people are active in the window that ends on a day.

        >>> rolling = RollingCounts([2])
        >>> block, bit = rolling.place_of(700_000)
        >>> block.days["ada"] = bit
        >>> [rolling.count(2, day) for day in (699_999, 700_000, 700_001, 700_002)]
        [0, 1, 1, 0]
        """
        self._take_in()
        number, place = divmod(day, BLOCK)
        counts = self._counts.get((number, window))
        return counts[place] if counts else 0

    def days_with_people(self) -> list[int]:
        """The days on which anybody is active, in order; one of the windows must be 1."""
        self._take_in()
        counted = sorted((number, counts) for (number, window), counts in self._counts.items() if window == 1)
        return [number * BLOCK + place for number, counts in counted for place, people in enumerate(counts) if people]

    def users(self, first: int, last: int) -> set[UserId]:
        """Everybody who may be active between two days, and perhaps others."""
        numbers = range(first // BLOCK, last // BLOCK + 1)
        return {user for number in numbers if number in self._blocks for user in self._blocks[number].days}

    def history(self, user: UserId, first: int, days: int) -> int:
        """The active days of a person as bits, of so many days from a first one on."""
        start, place = divmod(first, BLOCK)
        found = 0
        for number in range((first + days - 1) // BLOCK, start - 1, -1):
            block = self._blocks.get(number)
            found = found << BLOCK | (block.days.get(user, 0) if block else 0)
        return found >> place & ((1 << days) - 1)

    def _take_in(self) -> None:
        """Bring the counts up to date with what was changed."""
        changed = [number for number, block in self._blocks.items() if block.before is None or block.before]
        if not changed:
            return
        for window in self._windows:
            reach = -(-(window - 1) // BLOCK)
            for number in sorted({number + ahead for number in changed for ahead in range(reach + 1)}):
                self._recount(number, window, [self._blocks.get(number - back) for back in range(reach + 1)])
        for number in changed:
            self._blocks[number].before = {}

    def _recount(self, number: int, window: int, blocks: Sequence[Block | None]) -> None:
        """Count the people of a window on all days of a block; ``blocks`` are it and those before it that reach it."""
        near = [block or Block(before={}) for block in blocks]
        counts = self._counts.get((number, window))
        if counts is None or any(block.before is None for block in near):
            self._counts[number, window] = column_sums(_reached(near, window), BLOCK)
            return
        for user in set().union(*(block.before or () for block in near)):
            now, old = 0, 0
            for block in near:
                days = block.days.get(user, 0)
                now, old = now << BLOCK | days, old << BLOCK | (block.before or {}).get(user, days)
            now, old = (spread(days, window) >> BLOCK * (len(near) - 1) & _ALL_DAYS for days in (now, old))
            for sign, days in ((1, now & ~old), (-1, old & ~now)):
                for place in bits(days):
                    counts[place] += sign


def _reached(near: Sequence[Block], window: int) -> list[int]:
    """The days of the newest block on which each person is active in the window."""
    newest, *older = near
    if window == 1:
        return list(newest.days.values())
    found = {}
    for user, days in newest.days.items():
        found[user] = spread(days, window) & _ALL_DAYS
    for back, block in enumerate(older, 1):
        # Of the days of an older block only the last ones reach the newest.
        hidden = max(0, back * BLOCK - (window - 1))
        for user, days in block.days.items():
            if late := days >> hidden:
                reach = spread(late << hidden, window) >> back * BLOCK & _ALL_DAYS
                found[user] = found.get(user, 0) | reach
    return list(found.values())
