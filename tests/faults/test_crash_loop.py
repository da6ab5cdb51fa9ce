"""Starting again, however often it was killed, and collecting even where the database cannot be opened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import regulars
from regulars.infrastructure.files import DATABASE_NAME
from tests.faults.oracle import Ledger, settle
from tests.faults.test_disk import seconds_until
from tests.faults.victims import event
from tests.interfaces.servers import get, post, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Scale
    from tests.interfaces.servers import Server

    Tell = Callable[[str, object], None]


def test_a_server_that_was_killed_whole_many_times_starts_again(
    tmp_path: Path, scale: Scale, record_property: Tell
) -> None:
    """All of its processes in one moment, at any stage of a start or of the work that follows."""
    folder, chance, ledger, kills = regulars.init(tmp_path / "shop"), random.Random(scale.seed), Ledger(), 0
    with serving(folder, command="collect") as server:
        for number in range(5):
            send(server, ledger, [f"first-{number}-{n}" for n in range(200)])
    for life in range(scale.crash_loop):
        process = subprocess.Popen(  # noqa: S603 -- our own program
            [sys.executable, "-m", "regulars", "serve", "-w", str(folder), "--port", "0", "--api-port", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
        )  # fmt: skip
        with process:
            assert process.stdout
            first = process.stdout.readline()  # it collects, or answers; the other is about to
            if first.startswith("collecting"):
                with suppress(OSError):
                    send_to(first.split()[-1], ledger, [f"{life}-{n}" for n in range(20)])
            time.sleep(chance.uniform(0, 0.6))
            kills += len(members(process.pid))
            os.killpg(process.pid, signal.SIGKILL)
    begun = time.monotonic()
    with serving(folder) as server:
        started = time.monotonic() - begun
        send(server, ledger, ["last"])
        assert server.drained(60)["audit_adds_up"] == 1
        assert server.stop() == 0
    settle(folder, ledger)
    record_property("kills", kills)
    record_property("then started in", f"{started:.1f} s")


def members(group: int) -> list[int]:
    """The processes of a group."""
    found = []
    for place in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if os.getpgid(int(place.name)) == group:
                found.append(int(place.name))
    return found


def send(server: Server, ledger: Ledger, ids: list[str]) -> None:
    """One batch, which must be accepted."""
    assert send_to(server.collecting, ledger, ids) == 200


def send_to(address: str, ledger: Ledger, ids: list[str]) -> int:
    ledger.doubted(set(ids))
    status, _ = post(f"{address}/v1/batch", {"events": [event(name, n % 9, 1 + n % 9) for n, name in enumerate(ids)]})
    if status == 200:
        ledger.kept(set(ids))
    return status


def test_events_are_collected_while_the_database_cannot_be_opened(tmp_path: Path) -> None:
    """From the first moment, and they are loaded as soon as it can."""
    folder, ledger = regulars.init(tmp_path / "shop"), Ledger()
    database = folder / DATABASE_NAME
    sound = database.rename(folder / "sound")
    database.write_bytes(b"ruined " * 1000)
    with (folder / "err").open("w") as errors:
        process = subprocess.Popen(  # noqa: S603 -- our own program
            [sys.executable, "-m", "regulars", "serve", "-w", str(folder), "--port", "0", "--api-port", "0"],
            stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    with process:
        assert process.stdout
        said: list[str] = []
        while not said or not said[-1].startswith("collecting"):
            said.append(process.stdout.readline())
            assert said[-1], (folder / "err").read_text()
        address = said[-1].split()[-1]
        for number in range(3):
            assert send_to(address, ledger, [f"{number}-{n}" for n in range(10)]) == 200
            time.sleep(0.3)
        assert get(f"{address}/health")[0] == 200
        seconds_until(lambda: "could not open the database" in (folder / "err").read_text(), 20)
        sound.rename(database)
        while not said[-1].startswith("answering"):
            said.append(process.stdout.readline())
            assert said[-1], (folder / "err").read_text()
        assert any("the store process ended (exit code 4); starting it again" in line for line in said)
        process.terminate()
        assert process.wait(60) == 0
    assert "Traceback" not in (folder / "err").read_text()
    settle(folder, ledger)


def test_a_server_waits_for_what_another_one_left_behind(tmp_path: Path) -> None:
    """Its supervisor was killed; the store is still loading, and holds the workspace."""
    folder, ledger = regulars.init(tmp_path / "shop"), Ledger()
    with serving(folder) as server:
        for number in range(10):
            send(server, ledger, [f"{number}-{n}" for n in range(500)])
        left = server.children()["store"]
        os.kill(left, signal.SIGSTOP)
        server.process.kill()
        server.process.wait()
        threading.Timer(1, os.kill, [left, signal.SIGCONT]).start()
        with serving(folder) as another:
            assert another.drained(60)["events_loaded"] == 5000
            assert another.stop() == 0
    settle(folder, ledger)
