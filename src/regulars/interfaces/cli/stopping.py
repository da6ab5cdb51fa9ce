"""How a command ends when somebody stops it."""

from __future__ import annotations

import os
import signal
import threading
import time

GRACE_SECONDS = 2.0
INTERRUPTED, BROKEN_PIPE = 130, 141


class ReaderGoneError(Exception):
    """Nobody reads our output any more, as after ``| head``."""


def was_interrupted(exc: BaseException | None) -> bool:
    """Whether an error is the database's way of saying that Ctrl-C was pressed."""
    while exc is not None:
        # DuckDB raises a class of its own while a statement runs, and a bare RuntimeError while rows are fetched.
        if isinstance(exc, KeyboardInterrupt) or type(exc).__name__ == "InterruptException":
            return True
        if type(exc) is RuntimeError and str(exc) == "Query interrupted":
            return True
        exc = exc.__cause__
    return False


def end_soon_after_ctrl_c() -> None:
    """End the process soon after Ctrl-C, also while the database does not look at signals.

    Most statements stop at once. One that does not would keep a person waiting for minutes; nothing is lost when it
    is left behind, because a transaction that was not committed is none.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_wait_for_ctrl_c, args=(reader,), daemon=True).start()


def end_when_done_after_ctrl_c() -> None:
    """Take :func:`end_soon_after_ctrl_c` back, for what ends by itself once everything is brought home."""
    signal.set_wakeup_fd(-1)


def _wait_for_ctrl_c(reader: int) -> None:
    while os.read(reader, 1) != bytes([signal.SIGINT]):
        pass
    time.sleep(GRACE_SECONDS)
    os._exit(INTERRUPTED)
