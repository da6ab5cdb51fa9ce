"""The collector: accepts events over HTTP and answers when they are durable. It knows no database.

A plain ASGI application, because one layer less is one less that could forget a limit. The way of a request can be read
off :meth:`Collector._collect`: key, body, events one by one, journal, answer.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from regulars.application.ports import Envelope
from regulars.errors import EventError, JournalError
from regulars.interfaces.http.answers import Answer, RefusedError, json_answer
from regulars.interfaces.http.appending import Appender
from regulars.interfaces.http.authority import secret_in
from regulars.interfaces.http.counters import Counters
from regulars.interfaces.http.decoding import Batch, Rejection, read_batch
from regulars.interfaces.http.events import Receipt, journal_body, request_key, sent_at
from regulars.interfaces.http.exposition import CONTENT_TYPE, of_collector
from regulars.interfaces.http.forms import ROUTES, Route
from regulars.interfaces.http.plain import plain_envelopes
from regulars.interfaces.http.snippet import snippet_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from regulars.application.ports import Journal
    from regulars.domain.keys import Role
    from regulars.domain.wire import Limits
    from regulars.interfaces.http.authority import Authority
    from regulars.interfaces.http.bodies import Bodies
    from regulars.interfaces.http.rates import Rates

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

_LOG = logging.getLogger("regulars.collector")
_LONG_BODY = 25_600
_MOST_ID = 100
_CORS = {
    b"access-control-allow-origin": b"*",
    b"access-control-expose-headers": b"x-request-id, retry-after",
}
_PREFLIGHT = _CORS | {
    b"access-control-allow-methods": b"GET, POST, OPTIONS",
    b"access-control-allow-headers": b"authorization, content-type, content-encoding, idempotency-key, x-api-key, "
    b"x-request-id",
    b"access-control-max-age": b"86400",
}


class Collector:
    """The ASGI application over one journal.

    ``now`` gives the present instant, naive UTC.
    """

    def __init__(
        self,
        journal: Journal,
        authority: Authority,
        limits: Limits,
        *,
        bodies: Bodies,
        rates: Rates,
        now: Callable[[], datetime] = lambda: datetime.now(UTC).replace(tzinfo=None),
    ) -> None:
        self._journal, self._authority, self._limits = journal, authority, limits
        self._appender = Appender(journal)
        self._bodies, self._rates, self._now = bodies, rates, now
        self.counters = Counters()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = _headers(scope)
        request_id = _request_id(headers.get(b"x-request-id"))
        try:
            answer = await self._answer(scope, headers, receive, request_id)
        except RefusedError as exc:
            answer = exc.answer()
        except JournalError as exc:
            answer = _not_kept(exc)
        except Exception:  # noqa: BLE001 -- the outermost door: no input takes the server down
            # Nothing was acknowledged, so the client may send it again; the log tells what is wrong with us.
            _LOG.exception("request %s failed", request_id)
            answer = RefusedError(503, "internal", "the server failed; send it again later", retry_after=5).answer()
        self.counters.answered(answer.status)
        await _respond(send, answer, request_id, empty=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, request_id: str) -> Answer:
        method, path = scope["method"], scope["path"].rstrip("/") or "/"
        if method == "OPTIONS":
            return Answer(204, headers=_PREFLIGHT)
        if path in PAGES:
            if method not in {"GET", "HEAD"}:
                raise RefusedError(405, "wrong_method", f"{path} is read with GET")
            page, role = PAGES[path]
            if role is not None:
                self._authority.check(secret_in(headers), role)
            return page(self)
        route = ROUTES.get(path)
        if route is None:
            raise RefusedError(404, "no_such_address", f"nothing is here; events go to POST {', '.join(OWN)}")
        if method != "POST":
            raise RefusedError(405, "wrong_method", f"events are sent to {path} with POST")
        return await self._collect(route, scope, headers, receive, request_id)

    async def _collect(
        self, route: Route, scope: Scope, headers: dict[bytes, bytes], receive: Receive, request_id: str
    ) -> Answer:
        secret = secret_in(headers) or _secret_in_query(scope)
        if secret is not None:
            self._authority.check(secret, "write")
        body = await self._bodies.read(headers, receive)
        receipt = Receipt(self._now())
        plain = None
        if route.is_own and b"idempotency-key" not in headers:
            plain = plain_envelopes(body, receipt.received_at, self._limits, is_batch=bool(route.lists))
        if plain is not None:
            envelopes, found = plain
            self._admit(secret or found, len(envelopes))
            rejected: list[Rejection] = []
        else:
            # Beside the event loop where it takes long, so that others are not kept waiting.
            is_long = len(body) > _LONG_BODY
            work = (body, route, headers, secret, receipt)
            envelopes, rejected = await asyncio.to_thread(self._judge, *work) if is_long else self._judge(*work)
        if envelopes:
            await self._appender.append(envelopes)
        self.counters.accepted += len(envelopes)
        self.counters.rejected += len(rejected)
        return _told(route, len(envelopes), rejected, request_id)

    def _judge(
        self, body: bytes, route: Route, headers: dict[bytes, bytes], secret: str | None, receipt: Receipt
    ) -> tuple[list[Envelope], list[Rejection]]:
        """The long way: every event on its own, and why it is rejected."""
        batch = _read(body, route, headers)
        key_id = self._admit(secret or _secret_in_body(batch), len(batch.items) + len(batch.rejected))
        retry_key = request_key(headers.get(b"idempotency-key"), key_id)
        return self._check(batch, route, replace(receipt, request_key=retry_key))

    def _admit(self, secret: str | None, events: int) -> str:
        """Check the key and count against its rate; returns its id."""
        key = self._authority.check(secret, "write")
        key_id = key.id if key else ""
        self._rates.take(key_id, events)
        return key_id

    def _check(self, batch: Batch, route: Route, receipt: Receipt) -> tuple[list[Envelope], list[Rejection]]:
        envelopes: list[Envelope] = []
        rejected = list(batch.rejected)
        batch_sent_at = batch.envelope.get("sent_at") or batch.envelope.get("sentAt")
        for item in batch.items:
            try:
                event, event_sent_at = route.read(item.value, receipt.received_at)
                own = Receipt(receipt.received_at, sent_at(event_sent_at or batch_sent_at), receipt.request_key)
                envelopes.append(Envelope(journal_body(event, own, self._limits, item.index), receipt.received_at))
            except EventError as exc:
                rejected.append(Rejection(item.index, exc.code, exc.message[:500]))
        rejected.sort(key=lambda each: each.index)
        return envelopes, rejected

    def health(self) -> Answer:
        """Whether events can be kept; no key is needed, and nothing about the data is told."""
        try:
            self._journal.last_offset()
        except JournalError as exc:
            return json_answer(503, {"status": "failing", "code": exc.code})
        return json_answer(200, {"status": "ok"})

    def metrics(self) -> Answer:
        """What this process answered, for Prometheus."""
        return Answer(200, of_collector(self.counters), CONTENT_TYPE)

    def snippet(self) -> Answer:
        """The browser's side."""
        return snippet_answer()


# What is read instead of sent, and the role that it needs (None: everybody).
PAGES: dict[str, tuple[Callable[[Collector], Answer], Role | None]] = {
    "/health": (Collector.health, None),
    "/metrics": (Collector.metrics, "read"),
    "/v1/regulars.js": (Collector.snippet, None),
}
OWN = ("/v1/track", "/v1/batch", "/v1/identify", "/v1/alias")


def _read(body: bytes, route: Route, headers: dict[bytes, bytes]) -> Batch:
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return read_batch(body, route.lists, lines=kind in {b"application/x-ndjson", b"application/jsonl"})


def _told(route: Route, accepted: int, rejected: list[Rejection], request_id: str) -> Answer:
    content = {
        **(route.success if accepted else {}),
        "accepted": accepted,
        "rejected": rejected,
        "request_id": request_id,
    }
    return json_answer(200 if accepted else 400, content)


def _not_kept(exc: JournalError) -> Answer:
    # Spread, so that all who were refused do not come back in the same moment.
    return RefusedError(503, exc.code, exc.message, retry_after=1 + secrets.randbelow(10)).answer()


def _headers(scope: Scope) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        lower = name.lower()
        if lower == b"content-length" and headers.get(lower, value) != value:
            headers[b"transfer-encoding"] = b"?"  # two lengths are as bad as a length beside chunks
        headers[lower] = value
    return headers


def _request_id(given: bytes | None) -> str:
    if given and len(given) <= _MOST_ID and given.replace(b"-", b"").replace(b"_", b"").isalnum():
        return given.decode("ascii")
    return secrets.token_hex(8)


def _secret_in_query(scope: Scope) -> str | None:
    query = scope.get("query_string", b"")
    if not query:
        return None
    found = parse_qs(query[:4096].decode("ascii", "replace"))
    return next((found[name][0] for name in ("key", "api_key", "writeKey") if name in found), None)


def _secret_in_body(batch: Batch) -> str | None:
    around = batch.envelope or (batch.items[0].value if batch.items else {})
    found = next((around[name] for name in ("api_key", "writeKey") if isinstance(around.get(name), str)), None)
    if found is None and batch.items:
        properties = batch.items[0].value.get("properties")
        token = properties.get("token") if isinstance(properties, dict) else None
        return token if isinstance(token, str) else None
    return found


async def _respond(send: Send, answer: Answer, request_id: str, *, empty: bool) -> None:
    headers = [
        (b"content-type", answer.content_type),
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
        *(_CORS | dict(answer.headers)).items(),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if empty else answer.body})
