"""More than a server can take: whoever is not served is told when to come back, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import shutil
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

import regulars
from benchmarks.traffic import send_traffic
from regulars.infrastructure.operational.sqlite import SqliteStore
from regulars.infrastructure.server import FRESH
from regulars.interfaces.http.api import Store, api
from regulars.interfaces.http.authority import Authority
from regulars.interfaces.http.serving.draining import Drain
from tests.interfaces.asgi import Bench
from tests.interfaces.servers import serving

EVENTS_PER_SECOND = 2_000
SECONDS = 2.0
MOST_MIB = 500
POOL_THREADS = 40  # of Starlette


@pytest.mark.parametrize(
    ("limits", "rate"),
    [
        (f"[collector]\nevents_per_second = {EVENTS_PER_SECOND}\n", 5 * EVENTS_PER_SECOND / 50),
        ("[journal]\nmemory_mib = 1\n", None),
    ],
    ids=["five times what a key may send", "more than the memory for what waits"],
)
def test_overload_is_answered_with_a_time_to_come_back(tmp_path: Path, limits: str, rate: float | None) -> None:
    """Refusals all say when to try again, memory stays bounded, and what was acknowledged is there exactly once."""
    folder = regulars.init(tmp_path / "shop")
    with (folder / "regulars.toml").open("a") as file:
        file.write(limits)
    with serving(folder) as server:
        address = server.collecting.removeprefix("http://")
        found = send_traffic(address, seconds=SECONDS, connections=128, batch=50, users=1_000, rate=rate)
        assert set(found["status"]) <= {"200", "429", "503"}
        assert found["untold"] == 0
        if rate is not None:
            # A bucket for two seconds, and what flows in: the rest is refused.
            assert found["status"]["429"] > 0
        numbers = server.drained(60)
        assert numbers["events_accepted"] == numbers["events_loaded"] == found["events"]
        assert numbers["audit_adds_up"] == 1
        ((rows, ids),) = server.sql("SELECT count(*), count(DISTINCT event_id) FROM fact_user_actions")
        assert rows == ids == found["events"] > 0
        assert all(peak_mib(pid) < MOST_MIB for pid in server.children().values())


def test_a_server_tells_how_it_is_while_everybody_waits_for_a_drain(tmp_path: Path) -> None:
    """Health and numbers need neither the database's turn nor a thread that questions wait in."""
    folder = regulars.init(tmp_path / "shop")
    with regulars.open(folder) as ws:
        ws.track("ada", "like")
        store = SqliteStore(folder, disk_floor_mib=0)
        app = api(Store(ws, Authority(store.keys, lambda: datetime.now(UTC)), "token", Drain(ws, lambda: None)))
        released, held = threading.Event(), threading.Event()

        def hold() -> None:
            with ws._engine.at_rest():  # as a long change does
                held.set()
                released.wait(30)

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait(10)
        try:
            answers = asyncio.run(_watch(app, released))
        finally:
            released.set()
            holder.join()
            store.close()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "regulars_events_backlog 1" in answers[1].text


@pytest.mark.parametrize(
    ("limits", "code"),
    [({}, "journal_lost"), ({"disk_floor_mib": 1 << 40}, "disk_full"), ({"memory_mib": 0}, "journal_full")],
)
def test_the_health_of_a_collector_that_refuses_every_event_says_what_they_are_told(
    tmp_path: Path, limits: dict[str, int], code: str
) -> None:
    """The folder is gone, the disk nearly full, too much waits for it; asking for the health keeps nothing."""
    (tmp_path / "shop").mkdir()
    bench = Bench(tmp_path / "shop", journal={"disk_floor_mib": 0} | limits)
    with closing(bench.store):
        if code == "journal_lost":
            assert bench.send("/health", method="GET").json == {"status": "ok"}
            assert bench.kept() == []
            shutil.rmtree(bench.folder)
        refused = bench.send("/v1/track", {"user_id": "ada", "event_type": "like"})
        health = bench.send("/health", method="GET")
    assert (refused.status, health.status) == (503, 503)
    assert refused.json["error"]["code"] == health.json["code"] == code
    assert health.json == {"status": "failing", "code": code}


async def _watch(app: object, released: threading.Event) -> list[httpx.Response]:
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        asked = [
            asyncio.create_task(client.post("/api/v1/sql", json={"sql": "SELECT 1"}, headers={FRESH: "1"}))
            for _ in range(POOL_THREADS + 1)
        ]
        await asyncio.sleep(0.2)
        answers = [await asyncio.wait_for(client.get(path), 10) for path in ("/health", "/metrics")]
        assert not any(task.done() for task in asked)
        released.set()
        assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
        return answers


def peak_mib(pid: int) -> int:
    """The most memory that a process had."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
    return int(lines["VmHWM"].split()[0]) // 1024
