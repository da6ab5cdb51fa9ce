"""A time by which something must be done, for thousands of tasks at once.

A timer for each would cost more than what most of them do; here one timer looks at all, once a second at most.
"""

from __future__ import annotations

import asyncio

_LOOKS_EVERY = 1.0


class Deadlines:
    """Cancels what runs longer than ``seconds``, soon after. One event loop, many tasks.

    No context manager: entering and leaving one costs as much as all the rest of it.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends: dict[asyncio.Task[object], float] = {}  # in the order of time, for all have the same span
        self._overdue: set[asyncio.Task[object]] = set()
        self._looking = False

    def begin(self) -> asyncio.Task[object]:
        """The present task has so long from now on, until :meth:`end`."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be ended")
        self._ends[task] = loop.time() + self.seconds
        if not self._looking:
            self._look_later(loop)
        return task

    def end(self, task: asyncio.Task[object]) -> None:
        """The task was in time, or is no longer waited for."""
        self._ends.pop(task, None)
        self._overdue.discard(task)

    def has_ended(self, task: asyncio.Task[object]) -> bool:
        """Whether it is this that cancelled the task, and nobody else; asked before :meth:`end`."""
        return task in self._overdue and task.uncancel() == 0

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looking = True
        loop.call_later(min(self.seconds, _LOOKS_EVERY), self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, end in list(self._ends.items()):
            if end > now:
                break
            self._overdue.add(task)
            del self._ends[task]
            task.cancel()
        self._looking = False
        if self._ends:
            self._look_later(loop)
