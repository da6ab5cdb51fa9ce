"""A question without end takes nothing from anybody: it is stopped in time, and nothing waits for it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

import regulars
from regulars.errors import EngineError
from tests.interfaces.servers import post, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.interfaces.servers import Server

ENDLESS = "SELECT count(*) FROM range(20000000) a, range(1000000) b WHERE hash(a.range) % 7 = hash(b.range) % 11"
LIKE = {"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = regulars.init(tmp_path / "shop")
    with regulars.open(made) as ws:
        ws.track("ada", "like")
        ws.track("ben", "like")
    return made


class Asking(threading.Thread):
    """Asks for what never ends, in the background; ``answer`` is what comes of it."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._address = urlsplit(server.answering)
        self.answer: tuple[int, dict[str, Any]] | None = None
        self.start()
        time.sleep(1)  # until it is being worked on

    def run(self) -> None:
        """Ask."""
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=60)
        connection.request("POST", "/api/v1/sql", json.dumps({"sql": ENDLESS}))
        response = connection.getresponse()
        self.answer = response.status, json.loads(response.read())["error"]
        connection.close()

    def told(self) -> tuple[int, str]:
        """Status and code of the answer."""
        self.join(60)
        assert self.answer is not None
        return self.answer[0], self.answer[1]["code"]


def test_a_question_has_its_time(folder: Path) -> None:
    with (folder / "regulars.toml").open("a") as file:
        file.write("[engine]\nquery_seconds = 1.5\n")
    with serving(folder, "--single-process") as server:
        endless = Asking(server)
        assert server.sql("SELECT count(*) FROM dim_users") == [[2]]
        assert endless.told() == (400, "too_slow")
        assert "1.5 seconds" in endless.answer[1]["message"]
        assert server.sql("SELECT count(*) FROM dim_users") == [[2]]


def test_a_server_that_is_told_to_end_ends(folder: Path) -> None:
    """Whoever asked is told so; what was acknowledged is kept, and the next server starts."""
    with serving(folder) as server:
        endless = Asking(server)
        assert post(f"{server.collecting}/v1/track", LIKE)[0] == 200
        assert server.stop() == 0, server.errors.read_text()
        assert endless.told() == (503, "stopped")
        assert "Traceback" not in server.errors.read_text()
    with regulars.open(folder) as ws:
        assert ws.sql("SELECT count(*) FROM fact_user_actions").rows == [(3,)]


def test_an_erasure_waits_for_no_question_without_end(folder: Path) -> None:
    with serving(folder) as server:
        endless = Asking(server)
        with regulars.open(folder) as ws:
            assert ws.erase("ada").removed["fact_user_actions"] == 1
        assert endless.told() == (503, "stopped")
        assert server.sql("SELECT count(*) FROM dim_users") == [[1]]


def test_a_workspace_that_is_closed_waits_for_no_thread(folder: Path) -> None:
    """Neither a limit nor a server is needed for that."""
    ws = regulars.open(folder)
    errors: list[EngineError] = []

    def ask() -> None:
        try:
            ws.sql(ENDLESS)
        except EngineError as exc:
            errors.append(exc)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(1)
    ws.close()
    thread.join(30)
    assert [error.code for error in errors] == ["stopped"]
    regulars.open(folder).close()
