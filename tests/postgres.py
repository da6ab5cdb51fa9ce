"""A real PostgreSQL server in a temporary folder, which ends with the tests that use it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 60
# Beside the server waits a shell for the end of a pipe, which also comes when the test run is killed, and ends it.
_BESIDE = """exec 3<&0
(read -r _ <&3; while kill -QUIT $$ 2>/dev/null; do sleep 0.05; done) &
exec "$0" "$@" 3<&- </dev/null"""


def binaries() -> Path | None:
    """The folder of the server's programs, wherever the system keeps them."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3])
    return folders[-1].parent if folders else None


class PostgresServer:
    """One server, reached by a socket in its folder; it refuses to run as root, so root lends it to another user."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.folder, self._programs = folder, programs
        self._process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, object] = {"user": _user(), "extra_groups": []} if os.geteuid() == 0 else {}
        if self._as:
            owner = pwd.getpwnam(str(self._as["user"]))
            self._as["group"] = owner.pw_gid
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "--username=regulars", "--auth=trust", "--encoding=UTF8", "--locale=C", "--data-checksums",
                  "--no-sync", str(folder / "data"))  # fmt: skip

    @property
    def dsn(self) -> str:
        """How to reach it."""
        return f"host={self.folder} user=regulars dbname=postgres"

    @property
    def data(self) -> Path:
        """Where it keeps everything."""
        return self.folder / "data"

    def run(self) -> None:
        """Start it unless it runs."""
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self.start()

    def start(self, *options: str) -> None:
        """Start it, and wait until it answers."""
        settings = ["listen_addresses=", *options]
        if sys.platform == "linux":
            settings.append("recovery_init_sync_method=syncfs")  # one call instead of one for each of a thousand files
        command = [str(self._programs / "postgres"), "-D", str(self.data), "-k", str(self.folder)]
        command += [part for setting in settings for part in ("-c", setting)]
        until = time.monotonic() + START_SECONDS
        with (self.folder / "log").open("ab") as log:
            while True:
                self._process = subprocess.Popen(  # noqa: S603 -- our own program
                    ["/bin/sh", "-c", _BESIDE, *command],
                    stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/", **self._as,
                )  # fmt: skip
                if self._answers(self._process, until):
                    return
                # After a kill, the processes of the one before may still be ending.
                self.stop()
                assert time.monotonic() < until, (self.folder / "log").read_text()[-3000:]

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it properly, if it still runs; or faster, when nobody needs it again."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(how)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(10)
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(START_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End it the hardest way."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run one statement as whoever looks after the server."""
        with psycopg.connect(self.dsn, autocommit=True) as link:
            cursor = link.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def _answers(self, process: subprocess.Popen[bytes], until: float) -> bool:
        while time.monotonic() < until and process.poll() is None:
            try:
                self.sql("SELECT 1")
            except psycopg.Error:
                time.sleep(0.02)
            else:
                return True
        return False

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603 -- our own program
            [str(self._programs / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **self._as,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def lent(programs: Path) -> Iterator[PostgresServer]:
    """A server that can be run, and is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="regulars-pg-"))
    server = PostgresServer(programs, folder)
    try:
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
