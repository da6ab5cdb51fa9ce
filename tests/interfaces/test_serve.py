"""A whole server: processes, addresses, locks, restarts, endings."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

import regulars
from regulars.errors import WorkspaceError
from regulars.interfaces.cli.stopping import GRACE_SECONDS
from regulars.interfaces.http.serving.supervisor import Supervisor
from tests.interfaces.servers import get, post, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.interfaces.servers import Server

LIKE = {"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return regulars.init(tmp_path / "shop")


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with serving(folder) as running:
        yield running


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "regulars", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_what_is_collected_is_counted_within_a_second_or_so(server: Server) -> None:
    begun = time.monotonic()
    assert post(f"{server.collecting}/v1/track", LIKE)[0] == 200
    while server.numbers()["events_loaded"] < 1:
        time.sleep(0.05)
    assert time.monotonic() - begun < 15  # on a busy machine
    question = {"metric": "active_users", "range": {"start": "2026-01-05", "end": "2026-01-05"}}
    status, answer = post(f"{server.answering}/api/v1/query", question)
    assert status == 200
    assert [row["active_users"] for row in answer["rows"]] == [1]
    assert post(f"{server.answering}/api/v1/users", {"query": question})[1] == {"users": ["ada"]}
    assert server.stop() == 0, server.errors.read_text()


def test_events_that_no_question_waited_for_are_there_after_the_end(folder: Path) -> None:
    """SIGTERM loses nothing: what was acknowledged a moment before is in the database."""
    with serving(folder) as server:
        for number in range(20):
            assert post(f"{server.collecting}/v1/track", LIKE | {"event_id": f"e{number}"})[0] == 200
        assert server.stop() == 0, server.errors.read_text()
    with regulars.open(folder, read_only=True) as ws:
        assert ws.sql("SELECT count(*) FROM fact_user_actions").rows == [(20,)]
    assert not (folder / "server.token").exists()


def test_ctrl_c_waits_until_everything_is_brought_home_however_long_that_takes(folder: Path) -> None:
    """The store stands still for longer than a command may take that was interrupted; then it loads what came."""
    with serving(folder) as server:
        store = server.children()["store"]
        os.kill(store, signal.SIGSTOP)
        for number in range(20):
            assert post(f"{server.collecting}/v1/track", LIKE | {"event_id": f"e{number}"})[0] == 200
        server.process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(GRACE_SECONDS + 1)
        os.kill(store, signal.SIGCONT)
        assert server.process.wait(30) == 0, server.errors.read_text()
    with regulars.open(folder, read_only=True) as ws:
        assert ws.sql("SELECT count(*) FROM fact_user_actions").rows == [(20,)]


@pytest.mark.parametrize("kind", ["collector", "store"])
def test_a_process_that_dies_is_started_again(server: Server, kind: str) -> None:
    post(f"{server.collecting}/v1/track", LIKE)
    before = server.children()
    os.kill(before[kind], signal.SIGKILL)
    until = time.monotonic() + 20
    while server.children().get(kind) in {None, before[kind]}:
        assert time.monotonic() < until
        time.sleep(0.05)
    if kind == "store":
        # While the database is away, events are taken all the same.
        assert post(f"{server.collecting}/v1/track", LIKE | {"user_id": "bob"})[0] == 200
    else:
        while True:
            assert time.monotonic() < until
            with suppress(OSError):
                assert post(f"{server.collecting}/v1/track", LIKE | {"user_id": "bob"})[0] == 200
                break
    numbers = server.drained()
    assert numbers["events_loaded"] == 2
    assert numbers["audit_adds_up"] == 1


def test_a_second_server_is_refused_and_told_who_is_there(server: Server, folder: Path) -> None:
    for path in (folder, folder.parent / "link"):
        if path.name == "link":
            path.symlink_to(folder)
        done = run("serve", "-w", str(path), "--port", "0", "--api-port", "0")
        assert done.returncode == 3
        assert f"process {server.process.pid} at {server.answering}" in done.stderr


def test_a_port_that_is_taken_is_an_error_before_anything_starts(server: Server, tmp_path: Path) -> None:
    other = regulars.init(tmp_path / "other")
    port = server.collecting.rpartition(":")[2]
    done = run("serve", "-w", str(other), "--port", port, "--api-port", "0")
    assert done.returncode == 3
    assert f"cannot use 127.0.0.1:{port}" in done.stderr
    assert get(f"{server.collecting}/health")[0] == 200


def test_a_port_that_a_stranger_has_is_told_at_once_with_the_option_that_has_to_change(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        for ports, option in (((taken, 0), "--port"), ((0, taken), "--api-port")):
            begun = time.monotonic()
            with pytest.raises(WorkspaceError, match=rf"127.0.0.1:{taken}: .* with {option}, ") as raised:
                Supervisor(folder, print).serve("127.0.0.1", ports[0], "127.0.0.1", ports[1])
            assert raised.value.code == "address_in_use"
            assert time.monotonic() - begun < 4
    with pytest.raises(WorkspaceError, match="with --api-host") as raised:
        Supervisor(folder, print).serve("127.0.0.1", 0, "192.0.2.1", 0)
    assert raised.value.code == "bad_address"


def test_one_port_for_events_and_questions_is_told_before_anything_starts(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    done = run("serve", "-w", str(folder), "--port", port, "--api-port", port)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--port and --api-port are both {port}" in done.stderr
    assert not (folder / "server.lock").exists()


def test_the_port_of_a_server_that_was_killed_is_waited_for(folder: Path) -> None:
    """Its collector hangs for a while before it notices, and the next server starts on its port all the same."""
    with serving(folder) as server:
        port = server.collecting.rpartition(":")[2]
        collector = server.children()["collector"]
        os.kill(collector, signal.SIGSTOP)
        server.process.kill()
        server.process.wait()
        wakes = threading.Timer(2, os.kill, (collector, signal.SIGCONT))
        wakes.start()
        try:
            with serving(folder, "--port", port) as successor:
                assert successor.collecting == server.collecting
                assert post(f"{successor.collecting}/v1/track", LIKE)[0] == 200
                assert successor.drained()["events_loaded"] == 1
        finally:
            wakes.join()


def test_a_workspace_that_somebody_works_in_cannot_be_served(folder: Path) -> None:
    with regulars.open(folder):
        done = run("serve", "-w", str(folder), "--port", "0", "--api-port", "0")
    assert done.returncode == 3
    assert f"in use by process {os.getpid()}" in done.stderr


def test_a_folder_that_is_no_workspace_cannot_be_served(tmp_path: Path) -> None:
    for command in ("serve", "collect"):
        done = run(command, "-w", str(tmp_path), "--port", "0")
        assert done.returncode == 3
        assert "regulars init" in done.stderr


def test_limits_are_those_of_the_settings_and_a_slow_body_is_not_waited_for(folder: Path) -> None:
    with (folder / "regulars.toml").open("a") as file:
        file.write("[collector]\nbody_mib = 1\nbody_seconds = 1\nevents_per_second = 5\n")
    with serving(folder, command="collect") as server:
        host, port = server.collecting.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as slow:
            slow.sendall(b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            assert b" 408 " in slow.recv(4096)
        assert post(f"{server.collecting}/v1/track", b" " * (1 << 20) + b"{}")[0] == 413
        # The debt of so many takes most of a minute to be paid off, however slow the machine is.
        statuses = [post(f"{server.collecting}/v1/batch", [LIKE] * 200)[0] for _ in range(2)]
        assert statuses == [200, 429]


def test_a_large_body_that_asks_before_it_is_sent_is_taken(server: Server) -> None:
    """Programs such as curl ask with Expect: 100-continue."""
    host, port = server.collecting.removeprefix("http://").split(":")
    body = json.dumps([LIKE | {"properties": {"text": "x" * 2000}}] * 1500).encode()
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n"
                    "\r\n".encode())  # fmt: skip
        assert raw.recv(4096).startswith(b"HTTP/1.1 100")
        raw.sendall(body)
        assert b" 200 " in raw.recv(4096)


def test_without_keys_other_machines_are_not_let_in(folder: Path) -> None:
    for option in ("--host", "--api-host"):
        done = run("serve", "-w", str(folder), option, "0.0.0.0", "--port", "0", "--api-port", "0")  # noqa: S104 -- refused
        assert done.returncode == 3
        assert "regulars keys create" in done.stderr


def test_one_process_can_do_it_all(folder: Path) -> None:
    with serving(folder, "--single-process") as server:
        assert server.collecting == server.answering
        assert post(f"{server.collecting}/v1/track", LIKE)[0] == 200
        assert server.drained()["events_loaded"] == 1
        assert server.stop(signal.SIGINT) == 0, server.errors.read_text()


def test_collecting_alone_keeps_events_for_whoever_opens_the_workspace(folder: Path) -> None:
    with serving(folder, command="collect") as server:
        assert post(f"{server.collecting}/v1/track", LIKE)[0] == 200
        assert server.stop() == 0, server.errors.read_text()
    with regulars.open(folder) as ws:
        assert ws.active_users(start="2026-01-05").rows[0]["active_users"] == 1


def test_processes_do_not_outlive_their_supervisor(server: Server, folder: Path) -> None:
    post(f"{server.collecting}/v1/track", LIKE)
    server.process.kill()
    server.process.wait()
    until = time.monotonic() + 20
    found: list[tuple[int]] = []
    while not found and time.monotonic() < until:
        with suppress(WorkspaceError), regulars.open(folder) as ws:
            found = ws.sql("SELECT count(*) FROM fact_user_actions").rows
        time.sleep(0.1)
    assert found == [(1,)]
