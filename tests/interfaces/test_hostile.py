"""Whatever is sent to a real server: an answer that is no 5xx, or none, and a process that lives on."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import regulars
from regulars.interfaces.http.api import ADDRESSES
from regulars.interfaces.http.collecting.forms import ROUTES
from tests.interfaces.hostile import LIKE, MIB, bomb, events, questions
from tests.interfaces.servers import get, post, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.interfaces.servers import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = regulars.init(tmp_path_factory.mktemp("hostile") / "shop")
    with serving(folder) as running:
        yield running


async def _exchange(address: tuple[str, int], requests: list[bytes], statuses: list[int]) -> None:
    """Send requests one after the other on one connection, opened again whenever the server closes it."""
    reader = writer = None
    for request in requests:
        status = None
        while status is None:
            is_new = writer is None
            if reader is None or writer is None:
                reader, writer = await asyncio.open_connection(*address)
            try:
                status, is_last = await _ask(reader, writer, request)
            except (asyncio.IncompleteReadError, ConnectionError):
                # Who is refused unread may be cut off: behind a large body, or before the next request.
                status, is_last = (413 if len(request) > 65_536 else 0) if is_new else None, True
            if is_last:
                writer.close()
                reader = writer = None
        statuses.append(status)
    if writer is not None:
        writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bool]:
    """The status, and whether the connection ends with it."""
    writer.write(request)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 15)
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    await reader.readexactly(int(length[1]) if length else 0)
    return int(head.split()[1]), b"connection: close" in head.lower()


def _request(path: str, body: bytes) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def test_no_input_makes_the_collector_fail(server: Server) -> None:
    """A part of the bodies to every address; all of them go there without a network in ``test_hostile_routes.py``."""
    bodies = events()
    before = server.children()
    requests = [_request(path, body) for number, path in enumerate(ROUTES) for body in bodies[number % 13 :: 13]]
    statuses: list[int] = []
    parts = [requests[start::8] for start in range(8)]

    async def send_all() -> None:
        await asyncio.gather(*(_exchange(_address(server.collecting), part, statuses) for part in parts))

    asyncio.run(send_all())
    assert len(statuses) == len(requests) > 1000
    assert set(statuses) <= {200, 400, 413}
    assert server.children() == before
    assert "Traceback" not in server.errors.read_text()
    numbers = server.drained(60)
    assert numbers["audit_adds_up"] == 1
    assert (
        numbers["events_accepted"]
        == numbers["events_loaded"] + numbers["events_duplicates"] + numbers["events_dead_letter"]
    )


def test_no_input_makes_the_answering_side_fail(server: Server) -> None:
    requests = [
        _request(path, body) for path, method, *_ in ADDRESSES if method == "POST" for body in questions()[::17]
    ]
    statuses: list[int] = []
    asyncio.run(_exchange(_address(server.answering), requests, statuses))
    assert set(statuses) <= {200, 400, 403, 413}
    assert server.numbers()["audit_adds_up"] == 1


@pytest.mark.parametrize(
    ("sent", "allowed"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", {b"431", b""}),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", {b"431", b""}),
        (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {b"414", b"431", b""}),
        (b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nhello", {b"400", b""}),
        (b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", {b"400", b""}),
        (b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{}", {b"413"}),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00", {b"400", b""}),
        (b"POST /v1/track HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", {b"400", b""}),
        (b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{}", {b"400", b""}),
        (b"GARBAGE\r\n\r\n", {b"400", b""}),
    ],
    ids=range(10),
)
def test_broken_http_is_refused_or_dropped(server: Server, sent: bytes, allowed: set[bytes]) -> None:
    with socket.create_connection(_address(server.collecting), timeout=5) as raw:
        answer = b""
        with contextlib.suppress(OSError):
            raw.sendall(sent)
            raw.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            answer = raw.recv(4096)
    assert (answer.split(b" ")[1] if answer else b"") in allowed
    assert post(f"{server.collecting}/v1/track", LIKE | {"event_id": "after"})[0] == 200


def test_a_length_beside_chunks_is_refused(server: Server) -> None:
    """Two ways to say where the body ends: a proxy in front might read the other one."""
    with socket.create_connection(_address(server.collecting), timeout=5) as raw:
        raw.sendall(b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n")  # fmt: skip
        assert b" 400 " in raw.recv(4096)


def test_chunks_without_an_end_are_cut_off(server: Server) -> None:
    """At the limit of a body, however long the sender goes on."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    answer = b""
    with socket.create_connection(_address(server.collecting), timeout=5) as raw:
        raw.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(1000):
                raw.sendall(chunk)
        with contextlib.suppress(OSError):
            answer = raw.recv(4096)
    assert answer == b"" or b" 413 " in answer  # it may be lost when the connection breaks under the sender
    assert post(f"{server.collecting}/v1/track", LIKE | {"event_id": "after"})[0] == 200


def test_who_has_said_everything_may_stop_listening_for_more(server: Server) -> None:
    """Half a connection is enough for an answer."""
    with socket.create_connection(_address(server.collecting), timeout=5) as raw:
        raw.sendall(_request("/v1/track", b'{"event_id": "half", "user_id": "ada", "event_type": "like"}'))
        raw.shutdown(socket.SHUT_WR)
        answer = raw.recv(4096)
    assert answer == b"" or b" 200 " in answer
    assert server.drained(60)["audit_adds_up"] == 1


def test_who_hangs_up_before_the_answer_has_sent_an_event_once_or_never(server: Server) -> None:
    """At every stage of a request; what is sent again then counts once."""
    request = _request("/v1/track", b'{"event_id": "gone", "user_id": "gone", "event_type": "like"}')
    for end in (0, 10, 40, len(request) - 1, len(request), len(request)):
        with socket.create_connection(_address(server.collecting), timeout=5) as raw:
            raw.sendall(request[:end])
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets it
    assert post(f"{server.collecting}/v1/track", LIKE | {"event_id": "gone", "user_id": "gone"})[0] == 200
    server.drained(60)
    assert server.sql("SELECT count(*) FROM fact_user_actions WHERE event_id = 'gone'") == [[1]]


def test_bombs_leave_no_trace_in_memory(server: Server) -> None:
    """Ten of them, a GiB in all; the collector grows by less than two may unpack to."""
    packed, pid = bomb(100), server.children()["collector"]
    assert post(f"{server.collecting}/v1/batch", packed)[0] == 413
    before = _resident(pid)
    for _ in range(10):
        assert post(f"{server.collecting}/v1/batch", packed, {"Content-Encoding": "gzip"})[0] == 413
    assert _resident(pid) - before < 64 * MIB


@pytest.fixture
def few_files(server: Server) -> Iterator[int]:
    """The collector may open 600 files; the tests more, of which so many are left for connections."""
    pid = server.children()["collector"]
    theirs, ours = (resource.prlimit(number, resource.RLIMIT_NOFILE) for number in (pid, 0))
    most = min(1200, ours[1])
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (600, theirs[1]))
    resource.prlimit(0, resource.RLIMIT_NOFILE, (max(most, ours[0]), ours[1]))
    yield most - 200
    resource.prlimit(pid, resource.RLIMIT_NOFILE, theirs)
    resource.prlimit(0, resource.RLIMIT_NOFILE, ours)


def test_a_flood_of_connections_is_bounded_and_others_are_answered(server: Server, few_files: int) -> None:
    """More than the collector may open files, saying nothing, half a head or half a body, and each for 10 seconds."""
    head = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\n"
    pid = server.children()["collector"]
    before = _resident(pid)
    with contextlib.ExitStack() as held:
        begun = time.monotonic()
        address = _address(server.collecting)
        slow = [held.enter_context(socket.create_connection(address, timeout=30)) for _ in range(few_files)]
        for number, raw in enumerate(slow):
            with contextlib.suppress(OSError):
                raw.sendall((b"", head, head + b"Content-Length: 500\r\n\r\n[")[number % 3])
        for raw in slow[:2]:
            assert raw.recv(4096)[:13] in {b"", b"HTTP/1.1 408 "}  # after 10 seconds
        assert post(f"{server.collecting}/v1/track", LIKE | {"event_id": "flood"})[0] == 200
        assert time.monotonic() - begun < 60  # the machine may be busy; slow clients could go on for ever
        assert _resident(pid) - before < 100 * MIB
    assert get(f"{server.collecting}/health")[0] == 200
    assert server.children()["collector"] == pid


def test_slow_clients_do_not_keep_others_waiting(server: Server) -> None:
    """200 connections that say half a request, while ordinary ones are answered as ever."""
    with contextlib.ExitStack() as held:
        for number in range(200):
            raw = held.enter_context(socket.create_connection(_address(server.collecting), timeout=5))
            raw.sendall(
                b"POST /v1/batch HTTP/1.1\r\nHost: x\r\n" + (b"Content-Length: 500\r\n\r\n[" if number % 2 else b"")
            )
        slowest = 0.0
        for number in range(30):
            begun = time.perf_counter()
            assert post(f"{server.collecting}/v1/track", LIKE | {"event_id": f"s{number}"})[0] == 200
            slowest = max(slowest, time.perf_counter() - begun)
        assert slowest < 5  # the machine may be busy; a slow client alone would take 10 seconds
    assert get(f"{server.collecting}/health")[0] == 200


def _resident(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


def test_without_keys_web_pages_cannot_ask(server: Server) -> None:
    """A page in a browser on this machine, or a name that points here, is not a program that was meant."""
    question = {"sql": "SELECT 1"}
    url = f"{server.answering}/api/v1/sql"
    assert post(url, question)[0] == 200
    assert post(url, question, {"Origin": "https://evil.example"})[0] == 403
    assert post(url, question, {"Host": "evil.example"})[0] == 403
    assert post(f"{server.answering}/api/v1/import", {"path": "/etc/passwd"})[0] == 403
