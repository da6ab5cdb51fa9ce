"""Days as bits: whole numbers whose bit n says whether something holds on day n."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_AT_ONCE = 64


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


def column_sums(masks: Iterable[int], width: int) -> list[int]:
    """Of how many masks each of the lowest ``width`` bits is set; no mask has a higher one.

    Numbers are added bit by bit: a full adder turns three masks into one of sums and one of carries, all columns at
    once. Masks are packed side by side first, so that each step of Python adds many of them.

    >>> column_sums([0b01, 0b11, 0b01], 2)
    [3, 1]
    """
    size = (width + 7) // 8
    layer = list(_packed(masks, size))
    counts, weight = [0] * (8 * size), 1
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
            counts[place % (8 * size)] += weight
        layer, weight = carries, 2 * weight
    return counts[:width]


def _packed(masks: Iterable[int], size: int) -> Iterator[int]:
    given = iter(masks)
    while lanes := b"".join([mask.to_bytes(size, "little") for mask in islice(given, _AT_ONCE)]):
        yield int.from_bytes(lanes, "little")


def bits(mask: int) -> Iterator[int]:
    """The places of the bits that are set, lowest first.

    >>> list(bits(0b1010))
    [1, 3]
    """
    return (place for place, digit in enumerate(reversed(f"{mask:b}")) if digit == "1")
