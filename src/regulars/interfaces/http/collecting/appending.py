"""From many requests to one journal: what they bring in one turn of the event loop goes there together.

The journal groups what many threads bring while a commit runs; an event loop is one thread, and crossing to another one
for every request would cost more than the request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from regulars.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.application.ports import Envelope, Journal


class _Waiting(NamedTuple):
    envelopes: Sequence[Envelope]
    durable: asyncio.Future[None]


class Appender:
    """Appends for the requests of one event loop."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: list[_Waiting] = []

    async def append(self, envelopes: Sequence[Envelope]) -> None:
        """Return when the envelopes are durable.

        Errors: :class:`JournalError`; then they are not kept, or nobody knows.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(envelopes, loop.create_future())
        if not self._waiting:
            loop.call_soon(self._submit, loop)
        self._waiting.append(waiting)
        await waiting.durable

    def _submit(self, loop: asyncio.AbstractEventLoop) -> None:
        group, self._waiting = self._waiting, []
        try:
            self._hand_over(loop, group)
        except JournalError:
            # Together they are too much; each on its own is taken or told so.
            for waiting in group:
                try:
                    self._hand_over(loop, [waiting])
                except JournalError as exc:
                    _settle([waiting], exc)

    def _hand_over(self, loop: asyncio.AbstractEventLoop, group: list[_Waiting]) -> None:
        kept = self._journal.submit([envelope for waiting in group for envelope in waiting.envelopes])
        kept.add_done_callback(lambda done: loop.call_soon_threadsafe(_settle, group, done.exception()))


def _settle(group: list[_Waiting], error: BaseException | None) -> None:
    for waiting in group:
        if waiting.durable.done():
            continue  # its client is gone
        if error is None:
            waiting.durable.set_result(None)
        else:
            waiting.durable.set_exception(error)
