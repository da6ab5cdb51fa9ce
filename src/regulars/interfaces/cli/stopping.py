"""How a command ends when somebody stops it."""

from __future__ import annotations

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
