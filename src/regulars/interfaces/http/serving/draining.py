"""Bring what was collected into the database, again and again, in a thread of its own."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING

from regulars.errors import RegularsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from regulars.workspace import Workspace

PAUSE_SECONDS = 0.25
_MOST_FAILURES = 5
_LONGEST_PAUSE = 5.0
_NOTHING_SECONDS = 0.02
# How many failures in a row are enough: waiting brings room, or a server back, but not a DuckDB that stopped.
_PATIENCE = {"engine_stopped": 1, "disk_full": math.inf, "journal_unreachable": math.inf, "journal_in_use": math.inf}
_LOG = logging.getLogger("regulars.store")


class Drain:
    """Flushes a workspace every 250 ms, once a second while there is something to load; applies its limits once a day.

    What fails is tried again; what goes on failing is given up to ``give_up``. A process that starts anew opens the
    database anew, which is what a database needs that refuses every commit, and learns from it what was committed.
    """

    def __init__(self, ws: Workspace, give_up: Callable[[], None]) -> None:
        self._ws, self._give_up = ws, give_up
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="regulars-drain")
        self._limited_on: date | None = None
        self.failures = 0
        self.last_error: str | None = None
        self.last_success = time.time()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the flush that is under way."""
        self._stop.set()
        self._thread.join()

    def lag_seconds(self) -> float:
        """How old the oldest event may be that the database does not have yet: nothing is older than the last flush."""
        return max(0.0, time.time() - self.last_success)

    def _run(self) -> None:
        pause = PAUSE_SECONDS
        while not self._stop.wait(pause):
            begun = time.monotonic()
            try:
                self._ws.flush()
            except Exception as exc:  # noqa: BLE001 -- whatever it is, nothing would be loaded without this thread
                self.failures += 1
                self.last_error = str(exc)
                pause = min(PAUSE_SECONDS * 2**self.failures, _LONGEST_PAUSE)
                _LOG.error("cannot load what was collected (it stays in the journal): %s", exc,
                           exc_info=None if isinstance(exc, RegularsError) else exc)  # fmt: skip
                if self.failures >= self._patience_with(exc):
                    self._give_up()
                    return
            else:
                self.failures, self.last_error, self.last_success = 0, None, time.time()
                self._apply_limits()
                pause = pause_after(time.monotonic() - begun)

    @staticmethod
    def _patience_with(exc: Exception) -> float:
        return _PATIENCE.get(exc.code, _MOST_FAILURES) if isinstance(exc, RegularsError) else _MOST_FAILURES

    def _apply_limits(self) -> None:
        """Let raw events go that are past their time: when the server starts, and when a day has begun."""
        today = self._ws.today
        if self._limited_on == today:
            return
        # Also after a failure: whatever is wrong will not be right a moment later.
        self._limited_on = today
        try:
            report = self._ws.retain()
        except RegularsError as exc:
            _LOG.error("cannot apply the limits of [retention] today (nothing was dropped): %s", exc.message)
        else:
            if report.events:
                _LOG.info("archived and dropped %s events from before %s", report.events, report.floor)


def pause_after(seconds: float) -> float:
    """How long to rest after a flush, so that questions get their turn.

    What follows from events is refreshed once a second at most; a flush that found nothing is followed soon, and so is
    one that took long: it has fallen behind, and the more there is to load at once, the less each event costs.

    >>> pause_after(0.001), pause_after(0.4), pause_after(3.0)
    (0.25, 0.6, 0.25)
    """
    return PAUSE_SECONDS if seconds < _NOTHING_SECONDS else max(PAUSE_SECONDS, 1.0 - seconds)
