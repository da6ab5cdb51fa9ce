"""One server of several processes: starts them, starts them again when they die, and ends them in the right order.

A crash of the database engine cannot stop collection, for the collector is another process and needs only the journal.
"""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from regulars.errors import WorkspaceError
from regulars.infrastructure.lock import SERVER_LOCK_NAME, WorkspaceLock
from regulars.interfaces.http.serving.running import DRAIN_SECONDS, reserve, url_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_TICK_SECONDS = 0.05
_STORE_SECONDS = 60  # to bring into the database what the last requests brought


@dataclass(eq=False)
class Child:
    """One process and its starts."""

    kind: str
    host: str
    port: int
    process: subprocess.Popen[bytes] | None = None
    pause: float = _FIRST_PAUSE
    start_at: float = 0.0

    @property
    def url(self) -> str:
        """Where it answers."""
        return url_of(self.host, self.port)

    def start(self, folder: Path) -> None:
        """Start it; its standard input tells it when we are gone."""
        command = [sys.executable, "-m", "regulars.interfaces.http.serving.processes"]
        self.process = subprocess.Popen(  # noqa: S603 -- our own module
            [*command, self.kind, str(folder), self.host, str(self.port)], stdin=subprocess.PIPE
        )

    def has_ended(self) -> bool:
        """Whether it was started and runs no more."""
        return self.process is not None and self.process.poll() is not None

    def is_up(self) -> bool:
        """Whether it answers its health check, well or ill."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=1)
        try:
            connection.request("GET", "/health")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def end(self, seconds: float) -> int | None:
        """Ask it to end, wait, and end it the hard way when it does not; returns its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            if self.process.stdin:
                self.process.stdin.close()


class Supervisor:
    """The server of one workspace folder. ``say`` is told what people should know."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._stop = threading.Event()

    def stop(self, *_: object) -> None:
        """End the server; also a signal handler."""
        self._stop.set()

    def serve(self, host: str, port: int, api_host: str, api_port: int) -> int:
        """Run until told to stop; returns the exit code.

        Errors: :class:`WorkspaceError` for an address that is taken, :class:`WorkspaceLockedError` when there is a
        server already, or another process has the workspace open.
        """
        lock = WorkspaceLock(self._folder, shared=False, name=SERVER_LOCK_NAME)
        try:
            collector_place, port = reserve(host, port)
            store_place, api_port = reserve(api_host, api_port)
            with collector_place, store_place:
                children = (Child("store", api_host, api_port), Child("collector", host, port))
                lock.announce(children[0].url)
                return self._run(*children)
        finally:
            lock.release()

    def _run(self, store: Child, collector: Child) -> int:
        told = {collector: f"collecting at {collector.url}", store: f"answering at {store.url}"}
        try:
            for child in told:
                child.start(self._folder)
            while not self._stop.wait(_TICK_SECONDS):
                for child in (collector, store):
                    if child not in told:
                        self._look_after(child)
                    elif child.has_ended():
                        # It has said why on standard error, and would say it again.
                        raise WorkspaceError(f"the {child.kind} process did not start", code="not_started")
                    elif child.is_up():
                        self._say(told.pop(child))
        finally:
            # First nothing new comes in, then everything that came is brought into the database.
            codes = [collector.end(DRAIN_SECONDS + 5), store.end(_STORE_SECONDS)]
        return 0 if all(code in (0, None) for code in codes) else 3

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is not None and child.process.poll() is None:
            if child.pause > _FIRST_PAUSE and child.is_up():
                child.pause = _FIRST_PAUSE  # what came up was no failed start, however it ends
            return
        if child.process is not None:
            code = child.process.returncode
            self._say(f"the {child.kind} process ended ({_in_words(code)}); starting it again in {child.pause:g} s")
            child.end(0)
            child.process, child.start_at = None, now + child.pause
            child.pause = min(child.pause * 2, _LONGEST_PAUSE)
        if now >= child.start_at:
            child.start(self._folder)


def _in_words(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
