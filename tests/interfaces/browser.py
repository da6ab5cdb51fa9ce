"""A real browser, and pages for it; and a network that loses what it is told to lose."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
)  # fmt: skip


def visit(url: str, profile: Path, *, milliseconds: int = 8000) -> str:
    """What a page and those it leads to have become after so much time of their own, which passes quickly."""
    done = subprocess.run(  # noqa: S603 -- the browser of this machine
        [BROWSER, *_OPTIONS, f"--user-data-dir={profile}", f"--virtual-time-budget={milliseconds}", "--dump-dom", url],
        capture_output=True, text=True, timeout=90, check=True, env=os.environ | {"HOME": str(profile)},
    )  # fmt: skip
    return done.stdout


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """A web site with the files of a folder: an origin of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{made.server_address[1]}"
        finally:
            made.shutdown()


class Wire:
    """A way to a server that hangs up on the first requests to send events, and loses the answers of the next ones."""

    def __init__(self, address: tuple[str, int], *, lost_requests: int, lost_answers: int) -> None:
        self._address, self._lost_requests, self._lost_answers = address, lost_requests, lost_answers
        self._counting = threading.Lock()
        self.requests = 0

    def carry(self, near: socket.socket) -> None:
        """One connection: one request, one answer."""
        with near, suppress(OSError):
            asked = _whole(near)
            if asked.startswith(b"POST"):
                with self._counting:
                    self.requests += 1
                    number = self.requests
                if number <= self._lost_requests:
                    return
            else:
                number = self._lost_requests + self._lost_answers + 1
            with socket.create_connection(self._address, timeout=10) as far:
                far.sendall(asked.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
                answer = b"".join(iter(partial(far.recv, 65_536), b""))
            if number > self._lost_requests + self._lost_answers:
                near.sendall(answer)


def _whole(near: socket.socket) -> bytes:
    text = b""
    while b"\r\n\r\n" not in text:
        text += near.recv(65_536) or b"\r\n\r\n"
    head, _, body = text.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += near.recv(65_536) or bytes(int(lengths[0]))
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join(kept) + b"\r\n\r\n" + body


@contextmanager
def lossy(url: str, *, lost_requests: int, lost_answers: int) -> Iterator[tuple[str, Wire]]:
    """An address before a server's that loses requests and answers."""
    host, port = url.removeprefix("http://").split(":")
    wire = Wire((host, int(port)), lost_requests=lost_requests, lost_answers=lost_answers)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, wire), daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", wire
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, wire: Wire) -> None:
    with suppress(OSError):
        while True:
            near, _ = listening.accept()
            threading.Thread(target=wire.carry, args=(near,), daemon=True).start()
