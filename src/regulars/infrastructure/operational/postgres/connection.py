"""A connection to PostgreSQL for the threads of this process, which comes back by itself after it was lost.

Nobody waits for a server that is gone: while a thread tries to connect again, with growing pauses, everybody else is
told at once. No operation takes longer than it may, for the connection is cut then. What becomes of a transaction
whose COMMIT was on its way cannot be known, so that is an error too.
"""

from __future__ import annotations

import os
import random
import select
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors as sql

from regulars.errors import JournalError
from regulars.infrastructure.operational.postgres.target import connect, said_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from regulars.infrastructure.operational.postgres.target import Target

    Prepare = Callable[[psycopg.Connection], None]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_PATIENCE_SECONDS = 1.0  # for the first attempt to connect again, which a server that was only restarted answers


class Connection:
    """One connection at a time. ``prepare`` is what has to be done with every new one."""

    def __init__(self, target: Target, prepare: Prepare | None = None, *, one_moment: bool = False) -> None:
        self._target, self._prepare, self._one_moment = target, prepare, one_moment
        self._process = os.getpid()
        self._using = threading.Lock()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._failure: JournalError | None = None
        self._link: psycopg.Connection | None = self._connected()

    @contextmanager
    def use(self, doing: str, seconds: float) -> Iterator[psycopg.Connection]:
        """The connection, for at most so many seconds; every statement is committed by itself.

        Errors: :class:`JournalError`; ``doing`` is the verb of its message.
        """
        self._refuse_fork()
        with self._using:
            link = self._living()
            try:
                with _within(link, seconds), self._errors(link, doing):
                    yield link
            finally:
                if link.closed or link.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    self._lose(link)

    @contextmanager
    def transaction(self, doing: str, seconds: float) -> Iterator[psycopg.Connection]:
        """Everything inside is durable when it is left, or undone when an error leaves it."""
        with self.use(doing, seconds) as link, link.transaction():
            yield link

    def close(self) -> None:
        """Give the connection back."""
        self._stop.set()
        if self._process != os.getpid():
            return  # it is the parent's
        with self._using, self._changed:
            if self._link is not None:
                self._link.close()
            self._link = None
            self._changed.notify_all()

    def _connected(self) -> psycopg.Connection:
        link = connect(self._target)
        try:
            with self._errors(link, "open"):
                if self._prepare is not None:
                    self._prepare(link)
                if self._one_moment:
                    link.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        except BaseException:
            link.close()
            raise
        return link

    def _living(self) -> psycopg.Connection:
        if self._link is not None and _has_news(self._link):
            # Nothing was asked, so the server can only have said goodbye.
            self._lose(self._link)
        with self._changed:
            self._changed.wait_for(lambda: self._link or self._failure or self._stop.is_set(), _PATIENCE_SECONDS)
            if self._link is not None:
                return self._link
            raise self._gone()

    def _gone(self) -> JournalError:
        if self._stop.is_set():
            return JournalError("the journal is closed; open the workspace again", code="journal_closed")
        if self._failure is None:
            return JournalError(
                f"{self._target.place} does not answer; nothing was kept, and it is tried again by itself",
                code="journal_unreachable",
            )
        return JournalError(
            f"{self._failure.message}; nothing was kept, and it is tried again by itself", code=self._failure.code
        )

    def _unexpected(self, exc: Exception) -> JournalError:
        return JournalError(f"could not open the journal in {self._target.place} again: {exc}")

    def _lose(self, link: psycopg.Connection) -> None:
        link.close()
        with self._changed:
            self._link = self._failure = None
        if not self._stop.is_set():
            threading.Thread(target=self._come_back, name="regulars-postgres", daemon=True).start()

    def _come_back(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            try:
                link = self._connected()
            except Exception as exc:  # noqa: BLE001 -- whatever happened, the next attempt may succeed
                with self._changed:
                    self._failure = exc if isinstance(exc, JournalError) else self._unexpected(exc)
                    self._changed.notify_all()
            else:
                with self._changed:
                    if not self._stop.is_set():
                        self._link, self._failure = link, None
                        self._changed.notify_all()
                        return
                link.close()
            # Spread, so that all who lost their server do not come back to it in the same moment.
            self._stop.wait(pause * random.uniform(0.5, 1))  # noqa: S311 -- no secret
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _refuse_fork(self) -> None:
        if self._process != os.getpid():
            raise JournalError(
                f"the journal was opened by process {self._process} and cannot be used in its fork; "
                "open the workspace after the fork, or start processes by spawning",
                code="journal_forked",
            )

    @contextmanager
    def _errors(self, link: psycopg.Connection, doing: str) -> Iterator[None]:
        try:
            yield
        except sql.ReadOnlySqlTransaction as exc:
            link.close()  # it was the leading server; the next connection finds the one that is
            raise self._failed(doing, exc) from exc
        except psycopg.Error as exc:
            raise self._lost(doing, exc) if link.broken else self._failed(doing, exc) from exc

    def _lost(self, doing: str, exc: psycopg.Error) -> JournalError:
        return JournalError(
            f"the connection to {self._target.place} was lost ({said_by(exc)}): nobody knows whether it could still "
            f"{doing} what was sent; send it again with the same event_id, and it counts once",
            code="journal_failed",
        )

    def _failed(self, doing: str, exc: psycopg.Error) -> JournalError:
        what = f"could not {doing} the journal in {self._target.place}: {said_by(exc)}"
        if isinstance(exc, sql.DiskFull):
            return JournalError(f"{what}; make room there, then it goes on by itself", code="disk_full")
        if isinstance(exc, sql.DataCorrupted | sql.IndexCorrupted):
            return JournalError(f"{what}; restore the database of PostgreSQL, or its disk", code="journal_damaged")
        if isinstance(exc, sql.UndefinedTable):
            return JournalError(f"{what}; was it removed? close the workspace and open it again", code="journal_lost")
        return JournalError(what)


def _has_news(link: psycopg.Connection) -> bool:
    if link.closed:
        return True
    news = select.poll()
    news.register(link.pgconn.socket, select.POLLIN)
    return bool(news.poll(0))


@contextmanager
def _within(link: psycopg.Connection, seconds: float) -> Iterator[None]:
    """Cut the connection when it takes longer, so that whoever waits for the server sees it as lost."""
    ending = threading.Lock()
    has_ended = False

    def cut() -> None:
        with ending, suppress(psycopg.Error, OSError):
            if not has_ended:
                with socket.socket(fileno=os.dup(link.pgconn.socket)) as own:
                    own.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with ending:
            has_ended = True
