"""A disk without room and a disk that fails: nothing is acknowledged that cannot be kept, and it goes on by itself."""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

import regulars
from tests.faults.faults import Fault
from tests.faults.oracle import Sender, settle
from tests.interfaces.servers import get, post, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.faults import Workshop
    from tests.interfaces.servers import Server

    Tell = Callable[[str, object], None]

MIB = 1 << 20
RESUMES_SECONDS = 10
_SLACK_SECONDS = 20  # other tests want the processors too
LIKE = {"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}


class Disk(Protocol):
    """Room that can be taken away and given back."""

    folder: Path
    means: str

    def fill(self, server: Server) -> None:
        """Leave no room."""

    def free(self, server: Server) -> None:
        """Give it back."""


class SmallDisk:
    """A file system of 48 MiB of its own."""

    means = "a file system of 48 MiB"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, server: Server) -> None:
        """With another program's file."""
        with (self.folder / "ballast").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(MIB))
        with (self.folder / "ballast").open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free(self, server: Server) -> None:
        """It goes."""
        (self.folder / "ballast").unlink()


class ShortFiles:
    """Where no file system can be mounted: no file of the server's processes may grow."""

    means = "a bound on the size of files"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, server: Server) -> None:
        """The bound is less than any file has."""
        self._bound(server, 0)

    def free(self, server: Server) -> None:
        """No bound; a process that was started meanwhile has inherited one."""
        self._bound(server, resource.RLIM_INFINITY)

    @staticmethod
    def _bound(server: Server, size: int) -> None:
        for pid in server.children().values():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextmanager
def small_disk() -> Iterator[SmallDisk | None]:
    """One, where we may mount it."""
    place = tempfile.mkdtemp(prefix="regulars-disk-")
    command = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", place]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 -- of the system
    except OSError:
        mounted = False
    try:
        yield SmallDisk(Path(place)) if mounted else None
    finally:
        if mounted:
            subprocess.run([shutil.which("umount") or "umount", "-l", place], check=True)  # noqa: S603 -- of the system
        Path(place).rmdir()


@pytest.fixture
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """One of the two."""
    with small_disk() as mounted:
        if request.param == "small" and mounted is None:
            pytest.skip("no file system can be mounted here; see the case with short files")
        yield mounted if mounted and request.param == "small" else ShortFiles(tmp_path)


def shop_on(disk: Disk, floor: int) -> Path:
    """A workspace there."""
    folder = regulars.init(disk.folder / "shop")
    with (folder / "regulars.toml").open("a") as file:
        file.write(f"[journal]\ndisk_floor_mib = {floor}\n")
    return folder


def seconds_until(condition: Callable[[], bool], seconds: float) -> float:
    """How long it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds
        time.sleep(0.05)
    return time.monotonic() - begun


def refused_count(senders: list[Sender]) -> int:
    return sum(sender.statuses[503] for sender in senders)


def accepted_count(senders: list[Sender]) -> int:
    return sum(sender.statuses[200] for sender in senders)


def loads(server: Server) -> bool:
    """Whether the store answers, and has everything."""
    with suppress(OSError):
        numbers = server.numbers()
        return numbers["events_backlog"] < 1000 and get(f"{server.answering}/health")[0] == 200
    return False


@pytest.mark.parametrize(
    ("disk", "floor"), [("small", 0), ("small", 8), ("short", 0)], indirect=["disk"],
    ids=["to the last byte", "down to the floor", "files that cannot grow"],
)  # fmt: skip
def test_a_full_disk_refuses_and_everything_goes_on_when_there_is_room(
    disk: Disk, floor: int, record_property: Tell
) -> None:
    folder = shop_on(disk, floor)
    with serving(folder) as server:
        stop = threading.Event()
        senders = [Sender(server.collecting, f"s{n}", 50, stop, 0.02) for n in range(2)]
        for sender in senders:
            sender.start()
        seconds_until(lambda: accepted_count(senders) > 20, 30)
        disk.fill(server)
        seconds_until(lambda: refused_count(senders) > 20, 30)
        time.sleep(1)
        disk.free(server)
        known = accepted_count(senders)
        resumed = seconds_until(lambda: accepted_count(senders) > known, RESUMES_SECONDS + _SLACK_SECONDS)
        stop.set()
        for sender in senders:
            sender.ended()
        loaded = seconds_until(lambda: loads(server), RESUMES_SECONDS + _SLACK_SECONDS)
        assert server.drained(60)["audit_adds_up"] == 1
        refused = refused_count(senders)
        server.stop()
    ledger = senders[0].ledger
    ledger.add(senders[1].ledger)
    settle(folder, ledger)
    record_property("means", disk.means)
    record_property("refused", refused)
    record_property("collects again after", f"{resumed:.1f} s")
    record_property("loads again after", f"{loaded:.1f} s")


def test_questions_are_answered_while_the_disk_is_full(tmp_path: Path) -> None:
    """Below the floor nothing is changed, so the database does not have to stop."""
    folder = regulars.init(tmp_path / "shop")
    with serving(folder, "--single-process") as server:
        assert post(f"{server.collecting}/v1/track", LIKE)[0] == 200
        server.drained()
        server.stop()
    with (folder / "regulars.toml").open("a") as file:
        file.write(f"[journal]\ndisk_floor_mib = {1 << 34}\n")
    with serving(folder, "--single-process") as server:
        status, body = post(f"{server.collecting}/v1/track", LIKE)
        assert (status, body["error"]["code"]) == (503, "disk_full")
        assert server.sql("SELECT count(*) FROM fact_user_actions") == [[1]]


def test_a_disk_that_fails_is_not_trusted_and_collecting_goes_on_when_it_works_again(
    tmp_path: Path, workshop: Workshop, record_property: Tell
) -> None:
    """Every fdatasync of the collector fails for a while: 503, then 200, and nothing acknowledged is missing."""
    if not workshop.traces:
        pytest.skip("no strace here; the journal is told of such errors in test_journal.py")
    folder = regulars.init(tmp_path / "shop")
    with serving(folder) as server:
        stop = threading.Event()
        sender = Sender(server.collecting, "s", 20, stop, 0.02)
        sender.start()
        seconds_until(lambda: sender.statuses[200] > 5, 30)
        with failing(server.children()["collector"], "fdatasync", "EIO"):
            before = sender.statuses[503]
            seconds_until(lambda: sender.statuses[503] > before + 5, 30)
        known = sender.statuses[200]
        resumed = seconds_until(lambda: sender.statuses[200] > known, RESUMES_SECONDS + _SLACK_SECONDS)
        with failing(server.children()["store"], "fdatasync", "EIO"):
            known = sender.statuses[200]
            seconds_until(lambda: sender.statuses[200] > known + 10, 30)
            time.sleep(1)
        stop.set()
        ledger = sender.ended()
        assert server.drained(60)["audit_adds_up"] == 1
        server.stop()
    settle(folder, ledger)
    record_property("collects again after", f"{resumed:.1f} s")


@contextmanager
def failing(pid: int, call: str, error: str) -> Iterator[None]:
    """Every such call of a process fails meanwhile."""
    command = [shutil.which("strace") or "strace", "-f", "-p", str(pid), "-o", "/dev/null", "-e", f"trace={call}",
               "-e", f"inject={call}:error={error}"]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:  # noqa: S603 -- a tool of the system
        assert tracer.stderr
        while "attached" not in tracer.stderr.readline():
            assert tracer.poll() is None
        try:
            yield
        finally:
            tracer.terminate()


def test_after_a_failed_fsync_the_log_is_opened_anew(tmp_path: Path, workshop: Workshop) -> None:
    """The same descriptor is never synced again: what the system holds of it may be lost and called clean."""
    if not workshop.traces:
        pytest.skip("no strace here; test_journal.py looks at it from inside")
    folder = regulars.init(tmp_path / "shop")
    workshop.do("append", folder, first=0, batches=1)
    outcome = workshop.do("append", folder, Fault("fdatasync", "EIO", 4), watch=["openat"], first=1, batches=6)
    assert len(outcome.words("kept")) == 5 * 20
    calls = outcome.log.splitlines()
    failed = next(n for n, line in enumerate(calls) if "(INJECTED)" in line)
    descriptor = calls[failed].partition("fdatasync(")[2].partition(")")[0]
    again = next(n for n, line in enumerate(calls) if n > failed and f"fdatasync({descriptor})" in line)
    assert any("openat" in line and "journal.sqlite-wal" in line for line in calls[failed:again])
