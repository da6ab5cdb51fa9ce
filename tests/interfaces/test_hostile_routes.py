"""Whatever is sent to whichever address, by whichever method: an answer in JSON with a code, and never a 5xx."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

import regulars
from regulars.interfaces.http.answers import RefusedError
from regulars.interfaces.http.api import ADDRESSES
from regulars.interfaces.http.collecting.bodies import inflate
from regulars.interfaces.http.collecting.collector import PAGES
from regulars.interfaces.http.collecting.forms import ROUTES
from tests.interfaces.asgi import Answering, Bench, Reply, exchange
from tests.interfaces.hostile import MIB, bomb, events, questions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENTS, QUESTIONS = events(), questions()
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "")
AT_ONCE = 64
TOKEN = {"authorization": f"Bearer {Answering.token}".encode(), "host": b"127.0.0.1"}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Deep in a folder of its own, for some of the paths that are sent lead upwards."""
    place = tmp_path / "a" / "b" / "c"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    made = Bench(regulars.init(tmp_path / "shop"))
    yield made
    made.store.close()


def judge(reply: Reply | None, statuses: set[int]) -> int:
    """An answer that a program can read: what was accepted, or codes that say why not."""
    assert reply is not None
    assert reply.status in statuses, (reply.status, reply.body[:300])
    assert reply.headers["content-type"] == "application/json"
    told = json.loads(reply.body)
    if reply.status >= 400 and "error" in told:
        assert told["error"]["code"]
        assert told["error"]["message"]
    elif "accepted" in told:
        assert (told["accepted"] > 0) == (reply.status == 200)
        assert all(each["code"] and each["message"] for each in told["rejected"])
        assert told["accepted"] or told["rejected"]
    else:
        assert reply.status == 200
    return reply.status


def test_every_address_for_events_answers_to_every_body(bench: Bench) -> None:
    """The forms that differ get all of them, each of the others more than five hundred."""
    whole = {"/v1/batch", "/v1/track", "/batch"}
    requests = [
        (path, body)
        for number, path in enumerate(ROUTES)
        for body in (EVENTS if path in whole else EVENTS[number % 2 :: 2])
    ]
    assert min(Counter(path for path, _ in requests).values()) > 500
    found: Counter[int] = Counter()

    async def send_all() -> None:
        for start in range(0, len(requests), AT_ONCE):
            sent = (bench._send(path, body, {}, "POST", "", 1) for path, body in requests[start : start + AT_ONCE])
            found.update(judge(reply, {200, 400, 413}) for reply in await asyncio.gather(*sent))

    asyncio.run(send_all())
    assert found.total() == len(requests) > 10_000
    assert found[200] > 1000
    assert found[400] > 1000


def test_every_address_for_questions_answers_to_every_body(bench: Bench) -> None:
    """With a token that opens everything, so that each body is read and not only turned away."""
    assert len(QUESTIONS) > 500
    answering = Answering(bench)
    paths = [path for path, method, *_ in ADDRESSES if method == "POST"]

    async def ask_all(path: str) -> None:
        for start in range(0, len(QUESTIONS), 8):
            asked = (exchange(answering.app, "POST", path, body, TOKEN) for body in QUESTIONS[start : start + 8])
            for reply in await asyncio.gather(*asked):
                judge(reply, {200, 400, 413})

    try:
        for path in paths:
            asyncio.run(ask_all(path))
    finally:
        answering.close()


def test_every_method_at_every_address_and_at_none(bench: Bench) -> None:
    nowhere = [
        "",
        "/",
        "//",
        "/v1",
        "/v1/",
        "/v1/track/x",
        "/%2e%2e/health",
        "/../health",
        "/health\x00",
        "/\u202e",
        "*",
    ]
    answering = Answering(bench)
    for path in [*ROUTES, *(f"{path}/" for path in ROUTES), *PAGES, *nowhere]:
        for method in METHODS:
            reply = bench.send(path, {}, method=method)
            assert reply.status in {200, 204, 400, 404, 405}, (method, path, reply.status)
            if reply.status >= 400 and method != "HEAD":
                assert reply.json.get("rejected") or reply.json["error"]["code"]
    for path in [*(path for path, *_ in ADDRESSES), *nowhere]:
        for method in METHODS:
            reply = answering.ask(method, path, b"{}", TOKEN)
            assert reply.status in {200, 400, 404, 405}, (method, path, reply.status)
            if reply.status >= 400:
                assert reply.json["error"]["code"]
    answering.close()


def test_a_bomb_costs_what_the_limit_costs() -> None:
    """It is unpacked up to the limit and no further, whatever else is in it; all of it would cost ten times as much."""
    limit = 20 * MIB
    allowed, packed = bomb(20), bomb(200)
    assert len(packed) < MIB // 4
    times: dict[bytes, list[float]] = {allowed: [], packed: []}
    for _ in range(5):
        for body, spent in times.items():
            begun = time.thread_time()
            with suppress(RefusedError):
                inflate(body, limit)
            spent.append(time.thread_time() - begun)
    with pytest.raises(RefusedError, match="unpacks to more than"):
        inflate(packed, limit)
    assert len(inflate(allowed, limit)) == limit
    assert min(times[packed]) < 3 * min(times[allowed])
