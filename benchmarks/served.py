"""A whole server of a workspace, as people run it, and what is asked of it from outside."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_END_SECONDS: Final = 120
_ANSWER_SECONDS: Final = 60
_OK: Final = 200


@dataclass(frozen=True)
class Served:
    """A running server; addresses are ``host:port``."""

    process: subprocess.Popen[str]
    collecting: str
    answering: str

    def ask(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows of a query."""
        rows: list[dict[str, Any]] = _post(self.answering, "/api/v1/query", query)["rows"]
        return rows

    def send(self, events: list[dict[str, Any]]) -> None:
        """Have events kept."""
        taken = _post(self.collecting, "/v1/batch", {"events": events})
        if taken["accepted"] != len(events):
            raise RuntimeError(f"events were rejected: {taken}")

    def backlog(self) -> int:
        """Events that are kept and not yet in the database."""
        text = _request(self.answering, "GET", "/metrics").decode()
        return int(float(re.findall(r"^regulars_events_backlog (\S+)$", text, re.MULTILINE)[0]))

    def wait_until_drained(self, seconds: float = 300) -> None:
        """Return when everything kept is in the database."""
        until = time.monotonic() + seconds
        while self.backlog():
            if time.monotonic() > until:
                raise TimeoutError(f"the journal was not drained within {seconds:g} seconds")
            time.sleep(0.1)

    def peaks(self) -> dict[str, float]:
        """The most memory that each process had so far, in MiB."""
        return {kind: _memory(pid, "VmHWM") for kind, pid in self._processes().items()}

    def memory(self) -> float:
        """The memory of all processes now, in MiB; what they share counts for each."""
        return sum(_memory(pid, "VmRSS") for pid in self._processes().values())

    def _processes(self) -> dict[str, int]:
        own = self.process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text(encoding="ascii").split()
        words = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in children}
        return {"supervisor": own, **{found[3].decode(): pid for pid, found in words.items() if len(found) > 3}}


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """A server of a workspace folder on free ports, ended afterwards."""
    command = [sys.executable, "-u", "-m", "regulars", "serve", "-w", str(folder), "--port", "0", "--api-port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 -- our own
    try:
        found: dict[str, str] = {}
        while len(found) < 2:
            found.update(re.findall(r"(collecting|answering) at http://(\S+)", _line(process.stdout)))
        yield Served(process, found["collecting"], found["answering"])
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _line(stream: IO[str] | None) -> str:
    line = stream.readline() if stream else ""
    if not line:
        raise RuntimeError("the server did not start")
    return line


def _memory(pid: int, name: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.findall(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)[0]) / 1024


def _post(address: str, path: str, content: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_request(address, "POST", path, json.dumps(content)))
    return answer


def _request(address: str, method: str, path: str, body: str | None = None) -> bytes:
    connection = http.client.HTTPConnection(address, timeout=_ANSWER_SECONDS)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != _OK:
        raise RuntimeError(f"{path} was answered with {answer.status}: {content!r}")
    return content
