"""Group commit: what many threads hand over while one commit runs becomes the next commit."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple

from regulars.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from regulars.application.ports import Envelope

ENVELOPE_BYTES = 128  # what one of them costs in memory beside its body
MOST_AT_ONCE = 16 << 20


class _Waiting(NamedTuple):
    envelopes: Sequence[Envelope]
    bytes: int
    offsets: Future[range]


class GroupCommit:
    """One thread commits for all others. ``commit`` keeps envelopes durably and returns the first offset.

    No timer is needed: the previous commit is the time in which the next batch gathers. What waits is bounded by
    ``most_bytes``.
    """

    def __init__(self, commit: Callable[[Sequence[Envelope]], int], most_bytes: int) -> None:
        self._commit = commit
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._closed = False
        # A daemon, so that a program that forgets to close its workspace can end all the same.
        self._thread = threading.Thread(target=self._run, name="regulars-journal", daemon=True)

    def submit(self, envelopes: Sequence[Envelope]) -> Future[range]:
        """Queue envelopes; the future holds their offsets once they are durable."""
        size = sum(len(envelope.body) + ENVELOPE_BYTES for envelope in envelopes)
        waiting = _Waiting(envelopes, size, Future())
        with self._changed:
            self._refuse(size)
            self._queue.append(waiting)
            self._bytes += size
            if not self._thread.ident:
                self._thread.start()
            self._changed.notify_all()
        return waiting.offsets

    def check(self) -> None:
        """Raise what :meth:`submit` would raise for the smallest envelope."""
        with self._changed:
            self._refuse(ENVELOPE_BYTES)

    def close(self) -> None:
        """Commit what waits, then end; nothing can be queued any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.ident:
            self._thread.join()

    def _refuse(self, size: int) -> None:
        if self._closed:
            raise JournalError("the journal is closed; open the workspace again", code="journal_closed")
        if self._bytes + size > self._most_bytes:
            raise JournalError(
                f"{self._bytes} bytes of events wait to be written to disk, {size} more would be over the limit of "
                f"{self._most_bytes} ([journal] memory_mib); nothing of these was kept, try again in a moment",
                code="journal_full", waiting=self._bytes, limit=self._most_bytes,
            )  # fmt: skip

    def _run(self) -> None:
        while batch := self._next():
            self._keep(batch)
            with self._changed:
                self._bytes -= sum(waiting.bytes for waiting in batch)

    def _next(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            room = MOST_AT_ONCE
            while self._queue and (not batch or self._queue[0].bytes <= room):
                waiting = self._queue.popleft()
                room -= waiting.bytes
                batch.append(waiting)
        return batch

    def _keep(self, batch: list[_Waiting]) -> None:
        try:
            offset = self._commit([envelope for waiting in batch for envelope in waiting.envelopes])
        except Exception as exc:  # noqa: BLE001 -- whatever happened, nobody may be left waiting
            for waiting in batch:
                waiting.offsets.set_exception(_copy_of(exc))
            return
        for waiting in batch:
            end = offset + len(waiting.envelopes)
            waiting.offsets.set_result(range(offset, end))
            offset = end


def _copy_of(exc: Exception) -> JournalError:
    """One error object raised by many threads would mix up their tracebacks."""
    if isinstance(exc, JournalError):
        copy, cause = JournalError(exc.message, code=exc.code, **exc.fields), exc.__cause__
    else:
        copy, cause = JournalError(f"the journal could not be written: {exc}"), exc
    copy.__cause__ = cause
    return copy
