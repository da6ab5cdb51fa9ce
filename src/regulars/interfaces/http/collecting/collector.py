"""The collector: accepts events over HTTP and answers when they are durable. It knows no database.

A plain ASGI application, because one layer less is one less that could forget a limit. The way of a request can be read
off :meth:`Collector._collect`: key, body, verdict on each event, journal, answer.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from datetime import UTC, datetime
from functools import partial
from random import getrandbits
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from regulars.errors import JournalError
from regulars.interfaces.http.answers import Answer, RefusedError, json_answer
from regulars.interfaces.http.authority import secret_in
from regulars.interfaces.http.collecting.appending import Appender
from regulars.interfaces.http.collecting.counters import Counters
from regulars.interfaces.http.collecting.events import Receipt
from regulars.interfaces.http.collecting.forms import ROUTES, Route
from regulars.interfaces.http.collecting.judging import Submission, Verdict, judge, judge_plain
from regulars.interfaces.http.collecting.snippet import snippet_answer
from regulars.interfaces.http.serving.exposition import CONTENT_TYPE, of_collector

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from regulars.application.ports import Journal
    from regulars.domain.keys import Role
    from regulars.domain.wire import Limits
    from regulars.interfaces.http.authority import Authority
    from regulars.interfaces.http.collecting.bodies import Bodies
    from regulars.interfaces.http.collecting.rates import Rates

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
_ALWAYS = ((b"x-content-type-options", b"nosniff"), *_CORS.items())
_TO_BROWSERS = (
    *(header for header in _ALWAYS if header[0] != b"access-control-allow-origin"),
    (b"access-control-allow-credentials", b"true"),
    (b"vary", b"origin"),
)
_ALL_TAKEN = b'{%b"accepted":%d,"rejected":[],"request_id":"%b"}\n'
_MOST_ORIGIN = 300
_PREFLIGHT = {
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
        await _respond(send, answer, request_id, headers.get(b"origin"), empty=scope["method"] == "HEAD")

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
        submission = Submission(route, body, headers, Receipt(self._now()), secret, scope.get("query_string", b""))
        verdict = judge_plain(submission, self._limits, self._admit)
        if verdict is None:
            work = partial(judge, submission, self._limits, self._admit)
            # Beside the event loop where it takes long, so that others are not kept waiting.
            verdict = await asyncio.to_thread(work) if len(body) > _LONG_BODY else work()
        if verdict.envelopes:
            await self._appender.append(verdict.envelopes)
        self.counters.accepted += len(verdict.envelopes)
        self.counters.rejected += len(verdict.rejected)
        return _told(route, verdict, request_id)

    def _admit(self, secret: str | None, events: int) -> str:
        """Check the key and count against its rate; returns its id."""
        key = self._authority.check(secret, "write")
        key_id = key.id if key else ""
        self._rates.take(key_id, events)
        return key_id

    def health(self) -> Answer:
        """Whether events can be kept; no key is needed, and nothing about the data is told."""
        try:
            self._journal.check()
        except JournalError as exc:
            # The message names paths, and anybody may ask.
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


def _told(route: Route, verdict: Verdict, request_id: str) -> Answer:
    accepted = len(verdict.envelopes)
    if accepted and not verdict.rejected:
        return Answer(200, _ALL_TAKEN % (route.told, accepted, request_id.encode()))
    success = route.success if accepted else {}
    content = {**success, "accepted": accepted, "rejected": verdict.rejected, "request_id": request_id}
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
    return f"{getrandbits(64):016x}"  # tells requests apart in a log, and is no secret


def _secret_in_query(scope: Scope) -> str | None:
    query = scope.get("query_string", b"")
    if not query:
        return None
    found = parse_qs(query[:4096].decode("ascii", "replace"))
    return next((found[name][0] for name in ("key", "api_key", "writeKey") if name in found), None)


async def _respond(send: Send, answer: Answer, request_id: str, origin: bytes | None, *, empty: bool) -> None:
    headers = [(b"content-type", answer.content_type), (b"x-request-id", request_id.encode()), *_ALWAYS]
    if origin and len(origin) <= _MOST_ORIGIN:
        # Browsers send cookies with some requests and then want to be named. Cookies mean nothing here, keys do.
        headers[2:] = (*_TO_BROWSERS, (b"access-control-allow-origin", origin))
    if answer.headers:
        headers += answer.headers.items()
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if empty else answer.body})
