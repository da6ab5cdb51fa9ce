"""Rows of a journal, whatever database holds them: made with a checksum, read back with what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.application.ports import Entry, Fault, Page
from regulars.infrastructure.loading.times import instant, microseconds
from regulars.infrastructure.operational.entries import DAMAGED, MISSING, checksum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from regulars.application.ports import Envelope

PAGE_BYTES = 32 << 20
Row = tuple[int, Any, Any, Any]  # offset, received_us, crc, body; a damaged row may hold values of any type


def packed(first: int, envelopes: Sequence[Envelope]) -> Iterator[Row]:
    """Envelopes as rows, from an offset on."""
    moment, received = None, 0
    for offset, envelope in enumerate(envelopes, start=first):
        if envelope.received_at is not moment:  # what comes together has one time of receipt
            moment, received = envelope.received_at, microseconds(envelope.received_at)
        yield offset, received, checksum(offset, received, envelope.body), envelope.body


def page_of(rows: Sequence[Row], after: int, end: int) -> Page:
    """The places behind an offset: entries, damaged ones, and gaps between them.

    The page reaches to ``end``, or to the last row where there is no room for more.
    """
    entries: list[Entry] = []
    faults: list[Fault] = []
    through = after
    last, moment = None, instant(0)
    for offset, received, crc, body in rows:
        if offset > through + 1:
            faults.append(Fault(through + 1, offset - 1, *MISSING))
        through = offset
        if type(body) is not bytes or type(received) is not int or crc != checksum(offset, received, body):
            faults.append(Fault(offset, offset, *DAMAGED, body if isinstance(body, bytes) else None))
            continue
        if received != last:
            last, moment = received, instant(received)
        entries.append(Entry(offset, body, moment))
    if end > through and not is_full(rows):
        faults.append(Fault(through + 1, end, *MISSING))
        through = end
    return Page(tuple(entries), tuple(faults), through)


def is_full(rows: Sequence[Row]) -> bool:
    """Whether a page has no room for more."""
    return sum(map(size_of, rows)) > PAGE_BYTES


def size_of(row: Row) -> int:
    """Bytes of its body."""
    return len(row[3]) if isinstance(row[3], bytes) else 0
