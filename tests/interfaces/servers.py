"""Real servers for tests: on this machine, on free ports, ended whatever happens."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

START_SECONDS = 45
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Server:
    """A running server: where it collects, where it answers."""

    process: subprocess.Popen[str]
    collecting: str
    answering: str
    errors: Path

    def children(self) -> dict[str, int]:
        """The process ids of the collector and the store."""
        found = {}
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii").split()
        for pid in pids:
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                kind = words[3].decode() if len(words) > 3 else ""
                if kind in {"collector", "store"}:
                    found[kind] = int(pid)
        return found

    def numbers(self) -> dict[str, float]:
        """What /metrics says."""
        text = get(f"{self.answering}/metrics")[1].decode()
        pairs = (line.split(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name.removeprefix("regulars_"): float(value) for name, value in pairs}

    def drained(self, seconds: float = 20) -> dict[str, float]:
        """The numbers as soon as everything accepted is in the database."""
        until = time.monotonic() + seconds
        while True:
            with suppress(OSError):
                numbers = self.numbers()
                if numbers["events_backlog"] == 0:
                    return numbers
            assert time.monotonic() < until, "the journal was not drained"
            time.sleep(0.1)

    def sql(self, statement: str) -> list[list[Any]]:
        """Rows of a SELECT."""
        status, body = post(f"{self.answering}/api/v1/sql", {"sql": statement})
        assert status == 200, body
        return body["rows"]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def serving(folder: Path, *options: str, command: str = "serve") -> Iterator[Server]:
    """A server of a workspace folder on free ports."""
    ports = ["--port", "0", *(["--api-port", "0"] if command == "serve" else [])]
    errors = folder / "server.err"
    with errors.open("w") as err:
        process = subprocess.Popen(  # noqa: S603 -- our own program
            [sys.executable, "-m", "regulars", command, "-w", str(folder), *ports, *options],
            stdout=subprocess.PIPE, stderr=err, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    try:
        lines = _read_lines(process, 1 if command == "collect" else 2, errors)
        found = dict(re.findall(r"(collecting|answering) at (\S+)", "\n".join(lines)))
        yield Server(process, found["collecting"], found.get("answering", ""), errors)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _read_lines(process: subprocess.Popen[str], count: int, errors: Path) -> list[str]:
    """The first lines with addresses; the rest is read too, so that the server never waits for us."""
    said: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_pass_on, args=(process, said), daemon=True).start()
    lines: list[str] = []
    until = time.monotonic() + START_SECONDS
    while len(lines) < count:
        try:
            line = said.get(timeout=max(0.01, until - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"the server did not start in time: {errors.read_text()}") from None
        assert line is not None, f"the server ended: {errors.read_text()}"
        if " at http" in line:
            lines.append(line)
    return lines


def _pass_on(process: subprocess.Popen[str], said: queue.Queue[str | None]) -> None:
    with process.stdout:
        for line in process.stdout:
            said.put(line)
    said.put(None)


def post(url: str, content: object, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    """Send JSON (or bytes as they are); the status, and the decoded answer."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    status, body = _open(urllib.request.Request(url, data, dict(headers or {}), method="POST"))  # noqa: S310 -- our own server
    return status, json.loads(body) if body else None


def get(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """Read an address."""
    return _open(urllib.request.Request(url, headers=dict(headers or {})))  # noqa: S310 -- our own server


def _open(request: urllib.request.Request) -> tuple[int, bytes]:
    try:
        with _OPENER.open(request, timeout=15) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read()
