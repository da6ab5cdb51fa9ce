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

from regulars.errors import RegularsError, SettingsError, WorkspaceError, WorkspaceLockedError
from regulars.infrastructure.lock import COLLECTOR_LOCK_NAME, SERVER_LOCK_NAME, WorkspaceLock
from regulars.interfaces.http.serving.running import DRAIN_SECONDS, reserve, url_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_TICK_SECONDS = 0.05
_PORT_SECONDS = 8
_STORE_SECONDS = 60  # to bring into the database what the last requests brought
_REFUSALS = {RegularsError.exit_code, SettingsError.exit_code}  # what is wrong must be put right before a start


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

    @property
    def has_refused(self) -> bool:
        """Whether it ended because somebody must put something right first.

        What was killed has not, nor has a store whose database cannot be opened: events are collected without it.
        """
        code = None if self.process is None else self.process.returncode
        return code is not None and (code in _REFUSALS or (self.kind == "collector" and code >= 0))

    def is_up(self) -> bool:
        """Whether it answers its health check, well or ill."""
        if self.process is None or self.process.poll() is not None:
            return False
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
            self._wait_for_orphan()
            collector_place, port = self._reserved(host, port, "--")
            with collector_place:
                store_place, api_port = self._reserved(api_host, api_port, "--api-")
                with store_place:
                    children = (Child("store", api_host, api_port), Child("collector", host, port))
                    lock.announce(children[0].url)
                    return self._run(*children)
        finally:
            lock.release()

    def _reserved(self, host: str, port: int, options: str) -> tuple[socket.socket, int]:
        """Take a port, which the collector of a server that was killed gives back as soon as it notices."""
        until = time.monotonic() + _PORT_SECONDS
        is_worth_trying = True
        while True:
            try:
                return reserve(host, port, options=options)
            except WorkspaceError as exc:
                if exc.code != "address_in_use" or not is_worth_trying or self._stop.wait(_TICK_SECONDS):
                    raise
            # Asked before the next attempt, for it may end in between.
            is_worth_trying = self._has_orphaned_collector() and time.monotonic() < until

    def _wait_for_orphan(self) -> None:
        """Let the store of a server that was killed finish; it ends by itself, after it has loaded what it began.

        We hold the server's lock, so a process that has the workspace open and an address has lost its server.
        """
        until = time.monotonic() + _STORE_SECONDS
        while time.monotonic() < until and not self._stop.is_set():
            try:
                WorkspaceLock(self._folder, shared=False).release()
            except WorkspaceLockedError as exc:
                if not exc.fields.get("address"):
                    return  # somebody else, who will be named when the store starts
                self._stop.wait(_TICK_SECONDS)
            else:
                return

    def _has_orphaned_collector(self) -> bool:
        """Whether the collector of a server that was killed goes on; ours is not there yet, and it holds its lock."""
        try:
            WorkspaceLock(self._folder, shared=False, name=COLLECTOR_LOCK_NAME).release()
        except WorkspaceLockedError:
            return True
        except WorkspaceError:  # on a full disk nothing can be written into it, but it was free
            return False
        return False

    def _run(self, store: Child, collector: Child) -> int:
        told = {collector: f"collecting at {collector.url}", store: f"answering at {store.url}"}
        try:
            for child in told:
                child.start(self._folder)
            while not self._stop.wait(_TICK_SECONDS):
                for child in (collector, store):
                    has_ended = child.has_ended()
                    if child in told and has_ended and child.has_refused:
                        # It has said why on standard error, and would say it again.
                        raise WorkspaceError(f"the {child.kind} process did not start", code="not_started")
                    if child in told and child.is_up():
                        self._say(told.pop(child))
                    if child not in told or has_ended or child.process is None:
                        self._look_after(child)
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
