"""Send events to a server from a Python program: in the background, in batches, again until they are taken.

Only the standard library is used, and no other part of this package but its errors.
"""

from __future__ import annotations

import atexit
import gzip
import http.client
import json
import logging
import os
import random
import threading
import uuid
import weakref
from collections import deque
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from regulars.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LOG = logging.getLogger("regulars.client")
_MOST_EVENT_BYTES = 262_144
_MOST_BATCH_BYTES = 1 << 20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0
_OK, _TOO_LARGE, _TOO_MANY, _SERVER_ERRORS = 200, 413, 429, 500
_RETRIED = (408, _TOO_MANY)


class Client:
    """Sends events to ``regulars serve`` or ``regulars collect``. Many threads may use one client.

    An event gets its id here, so that sending it again after an error can never count it twice. The queue is bounded:
    when the server is away for long, new events are dropped, counted in ``dropped``, and told to ``on_error``.

    Args:
        url: Where the server collects, such as ``http://127.0.0.1:8085``.
        key: A write key, where the server has keys.
        batch_size: Most events in one request, 2,000 at most.
        flush_seconds: How long an event waits for others to go with it.
        most_queued: Most events that wait.
        timeout: Seconds to wait for an answer.
        on_error: Called with a sentence, in the background thread, when events were dropped or rejected.

    Example:
        >>> client = Client("http://127.0.0.1:9")
        >>> client.track("ada", "like", properties={"shade": "red"}, event_id="first")
        'first'
        >>> client.close(timeout=0)  # there is no server, so it is not sent
        False
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        batch_size: int = 100,
        flush_seconds: float = 0.5,
        most_queued: int = 10_000,
        timeout: float = 10,
        on_error: Callable[[str], None] | None = None,
    ) -> None:
        address = urlsplit(url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise ValueError(f"no address of a server: {url!r}; give one such as http://127.0.0.1:8085")
        self._sender = _Sender(url, key, timeout)
        self._batch_size, self._flush_seconds, self._most_queued = min(batch_size, 2000), flush_seconds, most_queued
        self._on_error = on_error
        self.dropped = 0
        self._hurry = self._closed = False
        self._begin()
        atexit.register(_close_at_exit, weakref.ref(self))

    def track(
        self,
        user_id: str | int | None = None,
        event_type: str | None = None,
        *,
        anonymous_id: str | int | None = None,
        timestamp: datetime | str | float | None = None,
        event_id: str | None = None,
        **fields: Any,
    ) -> str:
        """Queue one event and return its id at once.

        Args:
            user_id: Who did it; or give ``anonymous_id``, or both.
            event_type: What was done, such as ``page_view``.
            anonymous_id: Who did it, before anybody knew.
            timestamp: When, with a time zone; now by default.
            event_id: The event's own id; one is made by default.
            fields: The rest of the event's form: ``properties``, ``session_id``, ``device``, ``geo``, ...

        Raises:
            EventError: The event cannot be written as JSON, or is over 256 KiB.
        """
        event = {
            "event_id": event_id or str(uuid.uuid4()),
            "user_id": user_id,
            "anonymous_id": anonymous_id,
            "event_type": event_type,
            "timestamp": timestamp if timestamp is not None else datetime.now(UTC),
            **fields,
        }
        self._queue(_encoded({name: value for name, value in event.items() if value is not None}))
        return str(event["event_id"])

    def identify(
        self, user_id: str | int, attributes: Mapping[str, Any] | None = None, *, anonymous_id: str | None = None
    ) -> str:
        """Say who somebody is: their attributes, and the anonymous id that was theirs."""
        return self.track(user_id, "identify", anonymous_id=anonymous_id, user=dict(attributes or {}))

    def alias(self, previous_id: str, user_id: str | int) -> str:
        """Say that an earlier anonymous id is a known user."""
        return self.track(user_id, "alias", previous_id=previous_id)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything queued so far was answered, at most ``timeout`` seconds; whether it was."""
        with self._changed:
            target = self._queued
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._answered >= target or self._closed, timeout)
            return self._answered >= target

    def close(self, timeout: float | None = 5) -> bool:
        """Send what waits, at most ``timeout`` seconds, and end; whether everything was answered."""
        done = self.flush(timeout)
        with self._changed:
            left = 0 if self._closed else len(self._waiting)
            self._closed = True
            self._changed.notify_all()
        if left:
            self._tell(f"{left} events were not sent before the client was closed", dropped=left)
        return done

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        """A queue, a thread and a connection of this process; a fork shares none of its parent's."""
        self._sender.close()
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._queued = self._answered = 0
        self._hurry = self._closed = False
        self._thread: threading.Thread | None = None

    def _queue(self, event: bytes) -> None:
        if self._process != os.getpid():
            self._begin()
        with self._changed:
            if self._closed:
                raise EventError("the client is closed; make a new one", code="client_closed")
            if len(self._waiting) < self._most_queued:
                self._waiting.append(event)
                self._queued += 1
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="regulars-client", daemon=True)
                    self._thread.start()
                self._changed.notify_all()
                return
        self._tell(f"{self._most_queued} events wait already, so one more was dropped", dropped=1)

    def _run(self) -> None:
        while (batch := self._next()) and self._send(batch):
            with self._changed:
                for _ in batch:
                    self._waiting.popleft()
                self._answered += len(batch)
                self._changed.notify_all()
        self._sender.close()

    def _next(self) -> list[bytes]:
        """The events of the next request; they stay in the queue until they were answered."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._changed.wait_for(
                lambda: len(self._waiting) >= self._batch_size or self._closed or self._hurry, self._flush_seconds
            )
            if self._closed:
                return []
            batch: list[bytes] = []
            size = 0
            for event in self._waiting:
                size += len(event)
                if batch and (len(batch) == self._batch_size or size > _MOST_BATCH_BYTES):
                    break
                batch.append(event)
            self._hurry = self._hurry and len(batch) < len(self._waiting)
            return batch

    def _send(self, batch: list[bytes]) -> bool:
        """Send until the server has said yes or no for good; False where the client was closed before."""
        pause = _FIRST_PAUSE
        while True:
            status, answer, retry_after = self._sender.send(batch)
            if status in _RETRIED or status >= _SERVER_ERRORS or status == 0:
                # Spread over the pause, so that clients that failed together do not come back together.
                wait = max(retry_after, random.uniform(pause / 2, pause))  # noqa: S311 -- no secret
                pause = min(pause * 2, _LONGEST_PAUSE)
                with self._changed:
                    if self._changed.wait_for(lambda: self._closed, wait):
                        return False
                continue
            if status == _TOO_LARGE and len(batch) > 1:
                middle = len(batch) // 2
                return self._send(batch[:middle]) and self._send(batch[middle:])
            self._account(status, answer, len(batch))
            return True

    def _account(self, status: int, answer: Mapping[str, Any], count: int) -> None:
        rejected, error = answer.get("rejected"), answer.get("error")
        if isinstance(rejected, list) and rejected:
            self._tell(f"{len(rejected)} events were rejected, the first {_why(rejected[0])}", dropped=len(rejected))
        elif status != _OK:
            self._tell(f"{count} events were refused with status {status}, {_why(error)}", dropped=count)

    def _tell(self, text: str, *, dropped: int) -> None:
        with self._changed:
            self.dropped += dropped
        _LOG.warning("%s", text)
        if self._on_error is not None:
            try:
                self._on_error(text)
            except Exception:  # noqa: BLE001 -- the program's own code: what it breaks must not end the sending
                _LOG.exception("on_error failed")


class _Sender:
    """One connection to the collector, opened again when it breaks."""

    def __init__(self, url: str, key: str | None, timeout: float) -> None:
        self._address = urlsplit(url)
        self._timeout = timeout
        self._headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._connection: http.client.HTTPConnection | None = None

    def send(self, batch: list[bytes]) -> tuple[int, Mapping[str, Any], float]:
        """Status (0 without an answer), answer, and how many seconds the server wants to be left alone."""
        head = json.dumps({"sent_at": datetime.now(UTC).isoformat()})[:-1].encode()
        body = gzip.compress(head + b', "events": [' + b",".join(batch) + b"]}", compresslevel=3)
        try:
            connection = self._connected()
            connection.request("POST", f"{self._address.path.rstrip('/')}/v1/batch", body, self._headers)
            response = connection.getresponse()
            content = response.read(1 << 20)
            wait = response.headers.get("Retry-After", "")
            return response.status, _decoded(content), float(wait) if wait.isdigit() else 0.0
        except (OSError, http.client.HTTPException) as exc:
            _LOG.info("no answer from %s (%s); trying again", self._address.netloc, exc)
            self.close()
            return 0, {}, 0.0

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(self._address.hostname or "", self._address.port, timeout=self._timeout)
        return self._connection


def _encoded(event: Mapping[str, Any]) -> bytes:
    try:
        body = _utf8(json.dumps(event, default=_plain, allow_nan=False, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError) as exc:
        raise EventError(f"the event cannot be written as JSON: {exc}", code="bad_json") from exc
    if len(body) > _MOST_EVENT_BYTES:
        raise EventError(f"the event has {len(body)} bytes, the most is {_MOST_EVENT_BYTES}", code="event_too_large")
    return body


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, left where a text was cut, becomes U+FFFD; halves that belong together are joined.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.astimezone()).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _why(told: object) -> str:
    """The reason in an answer; whoever answers may be no collector, but a proxy or another program at that address."""
    return f"as {told.get('code')}: {told.get('message')}" if isinstance(told, dict) else "without a reason"


def _decoded(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _close_at_exit(client: weakref.ref[Client]) -> None:
    found = client()
    if found is not None and not found._closed and found._process == os.getpid():  # noqa: SLF001 -- our own
        found.close()
