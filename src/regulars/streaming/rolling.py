"""Who was active on which day, and how many people each rolling window has.

Days come in blocks of 128. In a block every person who was active in it has one whole number, whose bits are the days.
A window that ends on a day has somebody when one of its days is theirs: their bits, spread over the days that follow.
How many people have a bit is counted once per block and window, for all of its days, and kept. What changes afterwards
is remembered with the number it had before; when somebody asks, the counts take in the difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regulars.streaming.columns import bits, column_sums, packed, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from regulars.streaming.checks import UserId

BLOCK = 128
_ALL_DAYS = (1 << BLOCK) - 1
_FEW = 32


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
        self._reach = -(-(self._windows[-1] - 1) // BLOCK)  # blocks before its own that a window may open in
        self._counts: dict[int, dict[int, list[int]]] = {}

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
        counts = self._counts.get(number)
        return counts[window][place] if counts else 0

    def days_with_people(self) -> list[int]:
        """The days on which anybody is active, in order; one of the windows must be 1."""
        self._take_in()
        counted = sorted((number, counts[1]) for number, counts in self._counts.items())
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
        for number in sorted({number + ahead for number in changed for ahead in range(self._reach + 1)}):
            near = [self._blocks.get(number - back, _EMPTY) for back in range(self._reach, -1, -1)]
            if number in self._counts and _has_few_changes(near):
                self._repair(self._counts[number], near)
            else:
                self._counts[number] = self._counted(near)
        for number in changed:
            self._blocks[number].before = {}

    def _counted(self, near: Sequence[Block]) -> dict[int, list[int]]:
        """The people of each window on the days of the last of some blocks in a row, which reach as far as any window.

        Side by side, the windows of one person spread into the blocks of the next one as well, but never as far as the
        last of them, and only that is counted.
        """
        users: set[UserId] = set().union(*(block.days for block in near))
        looks, row = [block.days.get for block in near], len(near)
        lanes = list(packed((look(user, 0) for user in users for look in looks), BLOCK, row))
        return {
            window: column_sums((spread(lane, window) for lane in lanes), BLOCK * row)[-BLOCK:]
            for window in self._windows
        }

    def _repair(self, counts: dict[int, list[int]], near: Sequence[Block]) -> None:
        """Count those anew whose days were changed, and take what they counted before away."""
        for user in set().union(*(block.before or () for block in near)):
            days = [block.days.get(user, 0) for block in near]
            before = [(block.before or {}).get(user, own) for block, own in zip(near, days, strict=True)]
            for window in self._windows:
                now, old = (spread(_joined(each), window) >> BLOCK * self._reach & _ALL_DAYS for each in (days, before))
                for sign, changed in ((1, now & ~old), (-1, old & ~now)):
                    for place in bits(changed):
                        counts[window][place] += sign


_EMPTY = Block(before={})


def _has_few_changes(near: Sequence[Block]) -> bool:
    """Whether it is quicker to repair the counts of some blocks than to count them anew."""
    changed = [block.before for block in near]
    people = sum(len(block.days) for block in near)
    return None not in changed and sum(map(len, filter(None, changed))) <= max(_FEW, people // _FEW)


def _joined(blocks: Sequence[int]) -> int:
    """The days of blocks in a row as one number."""
    return sum(days << BLOCK * place for place, days in enumerate(blocks))
