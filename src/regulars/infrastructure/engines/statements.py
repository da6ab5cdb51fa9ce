"""Statements of readers that can be stopped: because they take too long, or because the database is needed alone."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.errors import EngineError, QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_LOOK_SECONDS = 0.2


@dataclass(eq=False)
class _Statement:
    cursor: duckdb.DuckDBPyConnection
    since: float
    why: EngineError | QueryError | None = None


class Statements:
    """The statements that are being run; ``seconds`` is how long one may take, None as long as it likes."""

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._running: set[_Statement] = set()
        self._ended = threading.Event()
        self._is_watched = False

    @contextmanager
    def one(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Run one of them.

        Errors: :class:`EngineError` ``stopped``; :class:`QueryError` ``too_slow``.
        """
        statement = _Statement(cursor, time.monotonic())
        with self._lock:
            if self._ended.is_set():
                raise _stopped("the workspace is closed")
            self._running.add(statement)
            if self._seconds is not None and not self._is_watched:
                self._is_watched = True
                threading.Thread(target=self._watch, args=[self._seconds], name="regulars-limit", daemon=True).start()
        try:
            yield
        except Exception:
            if statement.why is not None:
                raise statement.why from None
            raise
        finally:
            with self._lock:
                self._running.discard(statement)

    def stop(self, why: str) -> None:
        """Stop those that are running; whoever asked gets to know why, and may ask again."""
        with self._lock:
            for statement in self._running:
                _interrupt(statement, _stopped(why))

    def end(self) -> None:
        """Stop all of them, and let none begin any more."""
        with self._lock:
            self._ended.set()
        self.stop("the workspace is closed")

    def _watch(self, seconds: float) -> None:
        while not self._ended.wait(min(_LOOK_SECONDS, seconds / 4)):
            with self._lock:
                for statement in self._running:
                    if time.monotonic() - statement.since > seconds:
                        _interrupt(statement, _too_slow(seconds))


def _interrupt(statement: _Statement, why: EngineError | QueryError) -> None:
    statement.why = statement.why or why
    statement.cursor.interrupt()


def _stopped(why: str) -> EngineError:
    return EngineError(f"the question was stopped, because {why}; ask again", code="stopped")


def _too_slow(seconds: float) -> QueryError:
    return QueryError(
        f"the question took longer than {seconds:g} seconds and was stopped; ask about fewer days or slices, or give "
        "it more time in regulars.toml: [engine] query_seconds",
        code="too_slow", seconds=seconds,
    )  # fmt: skip
