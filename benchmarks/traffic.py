"""Requests with events, as fast as a collector takes them or at a given pace; cheap, for it shares the machine.

Connections are kept open, requests are put together from prepared pieces, and one loop waits for all answers. With a
pace, a request's time begins when it was due, not when it could be sent: a server that stalls is not spared the
requests that it kept from being sent.
"""

from __future__ import annotations

import datetime as dt
import random
import secrets
import select
import socket
import time
from collections import Counter, deque
from math import ceil
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TYPES: Final = ("page_view", "click", "view", "search", "like", "comment", "share", "video_play")
_PLATFORMS: Final = ("web", "ios", "android")
_LONGEST_WAIT: Final = 0.05
_QUIET_SECONDS: Final = 20  # without an answer, after which the server is given up
_BLOCK: Final = 65_536
_DIGITS: Final = 10  # of the number of every event
_TIME: Final = len("2026-01-01T00:00:00.000+00:00")


def send_traffic(
    address: str, *, seconds: float, connections: int, batch: int, users: int, rate: float | None = None
) -> dict[str, Any]:
    """Send requests for some seconds and tell how they were answered.

    Args:
        address: ``host:port`` of a collector.
        seconds: How long to send; answers that are due are waited for.
        connections: Connections, with one request under way in each.
        batch: Events in a request; 1 sends them to ``/v1/track``.
        users: People who take turns, a multiple of ``batch``.
        rate: Requests per second, or None for as many as are answered.

    Returns:
        ``requests`` that were answered, by ``status``; ``events`` acknowledged; ``seconds``; ``p50``, ``p99`` and
        ``slowest`` time of an answer in seconds; ``untold``, the refusals that do not say when to come back;
        ``cpu``, the seconds of processor time that the sending cost.
    """
    return _Traffic(address, connections, _requests(address, batch, users), batch).run(seconds, rate)


class _Traffic:
    def __init__(self, address: str, connections: int, requests: Iterator[bytes], batch: int) -> None:
        host, _, port = address.rpartition(":")
        self._requests, self._batch = requests, batch
        self._waiting = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        for _ in range(connections):
            connection = socket.create_connection((host, int(port)), timeout=_QUIET_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets[connection.fileno()] = connection
            self._waiting.register(connection.fileno(), select.EPOLLIN)
        self._free = deque(self._sockets)
        self._begun: dict[int, float] = {}
        self._parts: dict[int, bytes] = {}
        self._times: list[float] = []
        self._status: Counter[int] = Counter()
        self._untold = 0

    def run(self, seconds: float, rate: float | None) -> dict[str, Any]:
        begun, cpu = time.perf_counter(), time.process_time()
        end, sent = begun + seconds, 0
        heard = begun
        while (now := time.perf_counter()) < end or self._begun:
            if now < end:
                sent = self._send(begun, now, sent, rate)
            found = self._waiting.poll(self._pause(begun, now, end, sent, rate))
            for number, _ in found:
                self._receive(number)
            heard = time.perf_counter() if found else heard
            if time.perf_counter() - heard > _QUIET_SECONDS:
                raise TimeoutError(f"no answer for {_QUIET_SECONDS} seconds")
        lasted = time.perf_counter() - begun
        for connection in self._sockets.values():
            connection.close()
        self._waiting.close()
        return self._summary(lasted, time.process_time() - cpu)

    def _send(self, begun: float, now: float, sent: int, rate: float | None) -> int:
        while self._free and (rate is None or begun + sent / rate <= now):
            number = self._free.popleft()
            self._begun[number] = now if rate is None else begun + sent / rate
            self._sockets[number].sendall(next(self._requests))
            sent += 1
        return sent

    def _pause(self, begun: float, now: float, end: float, sent: int, rate: float | None) -> float:
        due = begun + sent / rate if rate is not None and self._free and now < end else now + _LONGEST_WAIT
        return min(max(due - time.perf_counter(), 0.001), _LONGEST_WAIT)

    def _receive(self, number: int) -> None:
        block = self._sockets[number].recv(_BLOCK)
        if not block:
            raise ConnectionError("the collector closed a connection")
        answer = self._parts.pop(number, b"") + block
        head, found, body = answer.partition(b"\r\n\r\n")
        lower = head.lower()
        if not found or len(body) < int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0]):
            self._parts[number] = answer
            return
        self._times.append(time.perf_counter() - self._begun.pop(number))
        status = int(head[9:12])
        self._status[status] += 1
        if status in (429, 503) and b"retry-after:" not in lower:
            self._untold += 1
        self._free.append(number)

    def _summary(self, seconds: float, cpu: float) -> dict[str, Any]:
        ordered = sorted(self._times)
        return {
            "requests": len(ordered),
            "status": {str(status): count for status, count in sorted(self._status.items())},
            "events": self._status[200] * self._batch,
            "seconds": seconds,
            "p50": _quantile(ordered, 0.5),
            "p99": _quantile(ordered, 0.99),
            "slowest": _quantile(ordered, 1.0),
            "untold": self._untold,
            "cpu": cpu,
        }


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def _requests(address: str, batch: int, users: int) -> Iterator[bytes]:
    """Requests without end; every event has an id of its own."""
    chance = random.Random(7)
    run = secrets.token_hex(4)
    people = [f"user_{number:07d}" for number in chance.sample(range(users), users)]
    prepared = [_prepared(address, people[at : at + batch], run, chance) for at in range(0, users, batch)]
    number = 10 ** (_DIGITS - 1)
    while True:
        for request in prepared:
            now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").encode()
            yield request % tuple(place for event in range(number, number + batch) for place in (event, now))
            number += batch


def _prepared(address: str, people: Sequence[str], run: str, chance: random.Random) -> bytes:
    """A request with an event of each of some people, with places for the number and the time of each."""
    events = [_event(user, run, chance) for user in people]
    path, body = ("/v1/track", events[0]) if len(events) == 1 else ("/v1/batch", f'{{"events":[{",".join(events)}]}}')
    length = len(body) + len(events) * (_DIGITS - len("%d") + _TIME - len("%b"))
    head = f"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}"
    return f"{head}\r\n\r\n{body}".encode()


def _event(user: str, run: str, chance: random.Random) -> str:
    return (
        f'{{"event_id":"{run}-%d","user_id":"{user}","event_type":"{chance.choice(_TYPES)}","timestamp":"%b",'
        f'"platform":"{chance.choice(_PLATFORMS)}","properties":{{"screen":"home","position":{chance.randrange(9)}}}}}'
    )
