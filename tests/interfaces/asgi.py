"""A server without a network: requests as ASGI messages, against a real journal and a real workspace."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import regulars
from regulars.domain.wire import Limits
from regulars.infrastructure.operational.sqlite import SqliteStore
from regulars.interfaces.http.api import Store, api
from regulars.interfaces.http.authority import Authority
from regulars.interfaces.http.collecting.bodies import Bodies
from regulars.interfaces.http.collecting.collector import Collector
from regulars.interfaces.http.collecting.rates import Rates
from regulars.interfaces.http.serving.draining import Drain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOW = dt.datetime(2026, 1, 5, 12)


@dataclass
class Reply:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Bench:
    """A collector over the journal of a folder, with a clock that stands still."""

    folder: Path
    now: dt.datetime = NOW
    seconds: float = 0.0
    bodies: dict[str, Any] = field(default_factory=dict)
    events_per_second: int = 1_000_000
    journal: dict[str, int] = field(default_factory=lambda: {"disk_floor_mib": 0})

    def __post_init__(self) -> None:
        self.store = SqliteStore(self.folder, **self.journal)
        self.collector = Collector(
            self.store.journal,
            Authority(self.store.keys, lambda: self.now, seconds=lambda: self.seconds),
            Limits(),
            bodies=Bodies(**self.bodies),
            rates=Rates(self.events_per_second, seconds=lambda: self.seconds),
            now=lambda: self.now,
        )

    def send(
        self,
        path: str,
        content: object = b"",
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
        query: str = "",
        parts: int = 1,
    ) -> Reply | None:
        """One request; None when the server did not answer."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return asyncio.run(self._send(path, body, headers or {}, method, query, parts))

    async def _send(  # noqa: PLR0917 -- the parts of a request
        self, path: str, body: bytes, headers: Mapping[str, str], method: str, query: str, parts: int
    ) -> Reply | None:
        encoded = {name: value.encode() for name, value in headers.items()}
        return await exchange(self.collector, method, path, body, encoded, query=query, parts=parts)

    def kept(self) -> list[dict[str, Any]]:
        """Every event in the journal."""
        return [json.loads(entry.body) for entry in self.store.journal.read(0, 100_000).entries]


class Answering:
    """The answering side over a workspace folder, with the keys and the clock of a bench, opened by a token too."""

    token = "token-of-the-folder"  # noqa: S105 -- of tests

    def __init__(self, bench: Bench) -> None:
        self._ws = regulars.open(bench.folder)
        authority = Authority(bench.store.keys, lambda: bench.now, seconds=lambda: bench.seconds)
        self.app = api(Store(self._ws, authority, self.token, Drain(self._ws, give_up=lambda: None)))

    def ask(
        self,
        method: str,
        path: str,
        content: bytes = b"",
        headers: Mapping[str, bytes] | None = None,
        *,
        stalls: bool = False,
    ) -> Reply:
        """One request, by a program on this machine unless the headers say something else."""
        given = {"host": b"127.0.0.1"} | dict(headers or {})
        return asyncio.run(exchange(self.app, method, path, content, given, stalls=stalls))

    def close(self) -> None:
        """Close the workspace."""
        self._ws.close()


async def exchange(
    app: Any,
    method: str,
    path: str,
    body: bytes,
    headers: Mapping[str, bytes],
    *,
    query: str = "",
    parts: int = 1,
    stalls: bool = False,
) -> Reply | None:
    """One request to an ASGI application; None when it did not answer. The body of one that ``stalls`` never comes."""
    size = max(1, -(-len(body) // parts))
    chunks = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    messages = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, start=1)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if stalls:
            await asyncio.sleep(60)
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(), "root_path": "",
        "headers": [(name.lower().encode(), value) for name, value in headers.items()],
    }  # fmt: skip
    await app(scope, receive, send)
    if not sent:
        return None
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Reply(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))
