"""Whatever is sent to a real server: an answer that is no 5xx, or none, and a process that lives on."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import re
import socket
import time
from typing import TYPE_CHECKING

import pytest

import regulars
from regulars.interfaces.http.api import ADDRESSES
from regulars.interfaces.http.collecting.forms import ROUTES
from tests.interfaces.servers import get, post, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.interfaces.servers import Server

LIKE = {"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = regulars.init(tmp_path_factory.mktemp("hostile") / "shop")
    with serving(folder) as running:
        yield running


def corpus() -> list[bytes]:
    values: list[object] = [
        None,
        True,
        0,
        -1,
        2**53 + 1,
        2**63,
        2**64,
        10**300,
        1.5,
        -0.0,
        "",
        " ",
        "null",
        "undefined",
        "\x00",
        "\u202e",
        "\u200b",
        "<script>alert(1)</script>",
        "' OR 1=1; DROP TABLE fact_user_actions; --",
        "$.a",
        "*",
        "../../etc/passwd",
        "=1+1",
        "x" * 1000,
        "x" * 70_000,
        [],
        {},
        [[]],
        {"a": None},
        {"": 1},
        {"__proto__": {}},
        {"x" * 5000: 1},
        [1] * 600,
    ]
    keys = (
        "user_id",
        "anonymous_id",
        "event_type",
        "event_id",
        "timestamp",
        "sequence",
        "session_id",
        "name",
        "feature",
        "device",
        "geo",
        "duration_seconds",
        "context",
        "details",
        "properties",
        "user",
        "sent_at",
        "type",
        "event",
        "userId",
        "messageId",
        "originalTimestamp",
        "traits",
        "previousId",
        "distinct_id",
        "uuid",
        "offset",
        "batch",
        "events",
        "api_key",
        "country",
        "previous_id",
    )
    base = LIKE | {"userId": "ada", "event": "like", "distinct_id": "ada"}
    found = [json.dumps(base | {key: value}).encode() for key in keys for value in values]
    found += [json.dumps({"events": [value], "batch": [value]}).encode() for value in values]
    found += [json.dumps(value).encode() for value in values]
    found += [
        b"",
        b"\x00",
        b"\xff\xfe\x00",
        b"{",
        b"[",
        b'"',
        b"{]",
        b"[}",
        b"nan",
        b"NaN",
        b"Infinity",
        b"-",
        b"1e400",
        b"{}{}",
        b"[1,]",
        b"{'a':1}",
        b'{"user_id":"\\ud800","event_type":"x"}',
        b'{"user_id":"\xff","event_type":"x"}',
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"\x1f\x8b",
        b"\x1f\x8b" + b"\x00" * 100,
        gzip.compress(b"[" * 1_000_000),
        gzip.compress(gzip.compress(b"{}")),
        b"\xef\xbb\xbf{}",
        b"data=eyJhIjoxfQ==",
        b"--x\r\nContent-Disposition: form-data",
        b'{"user_id":"a","user_id":"b","event_type":"x","event_type":"y"}',
        b"9" * 5000,
        b'{"timestamp":' + b"9" * 5000 + b"}",
    ]
    return found


async def _exchange(address: tuple[str, int], requests: list[bytes], statuses: list[int]) -> None:
    """Send requests one after the other on one connection, opened again whenever the server closes it."""
    reader = writer = None
    for request in requests:
        if writer is None or writer.is_closing() or reader.at_eof():
            reader, writer = await asyncio.open_connection(*address)
        writer.write(request)
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 15)
        except (asyncio.IncompleteReadError, ConnectionError):
            statuses.append(0)
            writer.close()
            writer = None
            continue
        statuses.append(int(head.split()[1]))
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        await reader.readexactly(int(length[1]) if length else 0)
        if b"connection: close" in head.lower():
            writer.close()
            writer = None
    if writer is not None:
        writer.close()


def _request(path: str, body: bytes) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def test_no_input_makes_the_collector_fail(server: Server) -> None:
    """More than a thousand bodies, to every form; a part of them to every address."""
    bodies = corpus()
    assert len(bodies) > 1000
    before = server.children()
    requests = [
        _request(path, body)
        for number, path in enumerate(ROUTES)
        for body in (bodies if path in {"/v1/batch", "/v1/track", "/batch"} else bodies[number::17])
    ]
    statuses: list[int] = []
    parts = [requests[start::8] for start in range(8)]

    async def send_all() -> None:
        await asyncio.gather(*(_exchange(_address(server.collecting), part, statuses) for part in parts))

    asyncio.run(send_all())
    assert len(statuses) == len(requests)
    assert set(statuses) <= {200, 400, 413}
    assert server.children() == before
    assert "Traceback" not in server.errors.read_text()
    numbers = server.drained()
    assert numbers["audit_adds_up"] == 1
    assert (
        numbers["events_accepted"]
        == numbers["events_loaded"] + numbers["events_duplicates"] + numbers["events_dead_letter"]
    )


def test_no_input_makes_the_answering_side_fail(server: Server) -> None:
    requests = [
        _request(path, body)
        for path, method, *_ in ADDRESSES
        if method == "POST"
        for body in [
            *corpus()[::11],
            b'{"sql": "SELECT"}',
            b'{"sql": "DROP TABLE loads"}',
            b'{"metric": "nothing"}',
            b'{"query": {"metric": "active_users"}, "row": 99}',
            b'{"sql": "SELECT * FROM read_csv(1)"}',
        ]
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


def test_slow_clients_do_not_keep_others_waiting(server: Server) -> None:
    """200 connections that say half a request, while ordinary ones are answered as ever."""
    address = _address(server.collecting)
    with contextlib.ExitStack() as held:
        for number in range(200):
            raw = held.enter_context(socket.create_connection(address, timeout=5))
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


def test_without_keys_web_pages_cannot_ask(server: Server) -> None:
    """A page in a browser on this machine, or a name that points here, is not a program that was meant."""
    question = {"sql": "SELECT 1"}
    url = f"{server.answering}/api/v1/sql"
    assert post(url, question)[0] == 200
    assert post(url, question, {"Origin": "https://evil.example"})[0] == 403
    assert post(url, question, {"Host": "evil.example"})[0] == 403
    assert post(f"{server.answering}/api/v1/import", {"path": "/etc/passwd"})[0] == 403
