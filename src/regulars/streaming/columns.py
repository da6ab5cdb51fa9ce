"""Days as bits: whole numbers whose bit n says whether something holds on day n."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ROWS = 64


def spread(days: int, window: int) -> int:
    """The days on which somebody is active in the window that ends on them.

    >>> f"{spread(0b1001, 2):b}"
    '11011'
    """
    reached = 1
    while reached < window:
        step = min(reached, window - reached)
        days |= days << step
        reached += step
    return days


def packed(masks: Iterable[int], width: int, row: int = 1) -> Iterator[int]:
    """Masks side by side, many in each number, so that one step of Python works on all of them; never a part of a row.

    >>> [f"{number:b}" for number in packed([0b1, 0b11], 8)]
    ['1100000001']
    """
    size, given = _bytes_of(width), iter(masks)
    while lanes := b"".join([mask.to_bytes(size, "little") for mask in islice(given, row * _ROWS)]):
        yield int.from_bytes(lanes, "little")


def column_sums(lanes: Iterable[int], width: int) -> list[int]:
    """Of how many packed masks each bit is set.

    Numbers are added bit by bit: a full adder turns three masks into one of sums and one of carries, all columns at
    once.

    >>> column_sums(packed([0b01, 0b11, 0b01], 2), 2)
    [3, 1]
    """
    layer, columns = list(lanes), 8 * _bytes_of(width)
    counts, weight = [0] * columns, 1
    while layer:
        odd, carries = 0, []
        if len(layer) % 2:
            layer.append(0)
        pairs = iter(layer)
        for one, other in zip(pairs, pairs, strict=True):
            half = one ^ other
            if carry := (one & other) | (odd & half):
                carries.append(carry)
            odd ^= half
        for place in bits(odd):
            counts[place % columns] += weight
        layer, weight = carries, 2 * weight
    return counts[:width]


def _bytes_of(width: int) -> int:
    return (width + 7) // 8


def bits(mask: int) -> Iterator[int]:
    """The places of the bits that are set, lowest first.

    >>> list(bits(0b1010))
    [1, 3]
    """
    return (place for place, digit in enumerate(reversed(f"{mask:b}")) if digit == "1")
