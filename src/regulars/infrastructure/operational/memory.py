"""The operational store of a workspace in memory: as durable as the workspace itself."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from regulars.application.ports import Entry, Fault, Page
from regulars.errors import JournalError
from regulars.infrastructure.operational.entries import MISSING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from regulars.application.ports import Envelope

_MOST_BYTES = 64 << 20


class MemoryStore:
    """A store that ends with its workspace."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()

    def close(self) -> None:
        """Let go of everything."""
        self.journal.close()


class MemoryJournal:
    """See :class:`regulars.application.ports.Journal`. Whoever drains it prunes it; without that it fills up."""

    id = "memory"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._pruned = 0
        self._bytes = 0
        self._closed = False

    def submit(self, envelopes: Sequence[Envelope]) -> Future[range]:
        """Keep envelopes at once; the future is there for symmetry."""
        kept: Future[range] = Future()
        kept.set_result(self.append(envelopes))
        return kept

    def append(self, envelopes: Sequence[Envelope]) -> range:
        """Keep envelopes and return their offsets."""
        with self._lock:
            self._refuse()
            self._bytes += sum(len(envelope.body) for envelope in envelopes)
            first = self._pruned + len(self._entries) + 1
            entries = (Entry(n, each.body, each.received_at) for n, each in enumerate(envelopes, start=first))
            self._entries.extend(entries)
        return range(first, first + len(envelopes))

    def check(self) -> None:
        """Raise what appending would raise."""
        with self._lock:
            self._refuse()

    def last_offset(self) -> int:
        """The greatest offset given so far."""
        with self._lock:
            return self._pruned + len(self._entries)

    def read(self, after: int, limit: int) -> Page:
        """At most ``limit`` places behind an offset, in order."""
        with self._lock:
            if after < self._pruned:
                through = min(self._pruned, after + limit)
                return Page((), (Fault(after + 1, through, *MISSING),), through)
            begin = after - self._pruned
            entries = tuple(self._entries[begin : begin + limit])
        return Page(entries, (), after + len(entries))

    def start_after(self, offset: int) -> None:
        """Nothing to do: its numbers begin and end with the workspace."""

    def prune(self, before: int) -> None:
        """Remove the entries before an offset."""
        with self._lock:
            self._bytes -= sum(len(entry.body) for entry in self._entries[: before - 1 - self._pruned])
            del self._entries[: before - 1 - self._pruned]
            self._pruned = before - 1

    def received_since(self, moment: datetime) -> int:
        """The first offset received at a moment or later; the one behind the last when there is none."""
        with self._lock:
            return next((e.offset for e in self._entries if e.received_at >= moment),
                        self._pruned + len(self._entries) + 1)  # fmt: skip

    def forget(self, offsets: Sequence[int]) -> None:
        """Nothing to do: what was drained is gone already."""

    def close(self) -> None:
        """Refuse everything that comes now."""
        with self._lock:
            self._closed = True

    def _refuse(self) -> None:
        if self._closed:
            raise JournalError("the journal is closed; open the workspace again", code="journal_closed")
        if self._bytes > _MOST_BYTES:
            raise JournalError(
                f"{self._bytes} bytes of events wait for the database, the most is {_MOST_BYTES}; "
                "call flush(), which says why they cannot be brought in",
                code="journal_full", waiting=self._bytes, limit=_MOST_BYTES,
            )  # fmt: skip
