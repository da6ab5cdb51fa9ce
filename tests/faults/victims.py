"""Work that is done to be interrupted, in processes that are cheap to make: forks of one that has imported everything.

``python -m tests.faults.victims`` reads one JSON line per process, ``{"work", "folder", ...}``, forks, and says its
process id. The fork waits, so that somebody can attach to it. The next line lets it go; then comes how it ended, and
what it said. It says that over a socket: system calls that write to files are for the work alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import socket
import sys
import traceback
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import regulars
from regulars.application import tracking
from regulars.application.ports import Envelope
from regulars.domain.schema import TABLES
from regulars.errors import RegularsError
from regulars.infrastructure.engines.duckdb import DuckDBEngine
from regulars.infrastructure.loader import Loader
from regulars.infrastructure.operational.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED = 3  # the exit code of an error that says what to do
TRACEBACK = 70
del Loader  # imported so that no fork has to


def event(event_id: str, user: object, day: int) -> dict[str, Any]:
    """An event whose id says everything about it."""
    return {"event_id": event_id, "user_id": f"u{user}", "event_type": "like", "country": "DE",
            "timestamp": f"2026-01-{day:02}T09:00:00Z"}  # fmt: skip


def append(folder: Path, say: Callable[[str], None], first: int, batches: int, size: int = 20) -> None:
    """Batches into the journal; their ids are said before, and when they are durable."""
    moment = datetime.now(UTC).replace(tzinfo=None)  # what was received long ago would be pruned once it is loaded
    with closing(SqliteStore(folder, disk_floor_mib=0)) as store:
        for batch in range(first, first + batches):
            ids = [f"e{batch}-{n}" for n in range(size)]
            bodies = [json.dumps(event(name, n % 7, 1 + batch % 9)).encode() for n, name in enumerate(ids)]
            say(f"trying {' '.join(ids)}")
            try:
                store.journal.append([Envelope(body + b" " * 400, moment) for body in bodies])
            except RegularsError as exc:
                say(f"failed {exc.code}")
            else:
                say(f"kept {' '.join(ids)}")


def drain(folder: Path, say: Callable[[str], None]) -> None:
    """Open the workspace, which loads what waits, and close it, which checkpoints."""
    with regulars.open(folder) as ws:
        audit = ws.journal_audit()
        say(f"audit {audit.adds_up} {audit.backlog}")


def load_and_die(folder: Path, say: Callable[[str], None], at_once: int) -> None:
    """Load what waits in several transactions, and die before the log of the database is folded into it."""
    tracking.AT_ONCE = at_once
    with regulars.open(folder) as ws:
        say(f"audit {ws.journal_audit().adds_up}")
        os.kill(os.getpid(), signal.SIGKILL)


def read(folder: Path, say: Callable[[str], None]) -> None:
    """Read everything there is."""
    with regulars.open(folder) as ws:
        for table in TABLES:
            rows = ws.engine.query(f"SELECT * FROM {table.name}").rows
            text = "\n".join(sorted(map(repr, rows)))
            say(f"{table.name} {hashlib.sha256(text.encode()).hexdigest()}")


def backup(folder: Path, say: Callable[[str], None], target: str) -> None:
    """Copy the workspace."""
    with regulars.open(folder) as ws:
        say(f"rows {ws.backup(target).rows['fact_user_actions']}")


def restore(folder: Path, say: Callable[[str], None], source: str) -> None:
    """Make the workspace from a copy."""
    say(f"rows {regulars.restore(source, folder).rows['fact_user_actions']}")


def erase(folder: Path, say: Callable[[str], None], user: str) -> None:
    """Forget somebody."""
    with regulars.open(folder) as ws:
        say(f"erased {ws.erase(user).is_rewritten}")


def init(folder: Path, say: Callable[[str], None]) -> None:
    """Make the workspace."""
    say(str(regulars.init(folder)))


WORK: dict[str, Callable[..., None]] = {
    work.__name__: work for work in (append, drain, load_and_die, read, backup, restore, erase, init)
}


def fall_at_statement(number: int) -> None:
    """End this process as SIGKILL does when the database is about to run its n-th changing statement."""
    execute, seen = DuckDBEngine.execute, 0

    def dying(self: DuckDBEngine, sql: str, parameters: object = None) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
        execute(self, sql, parameters)

    DuckDBEngine.execute = dying  # type: ignore[method-assign]


def _live(order: dict[str, Any], line: socket.socket) -> int:
    line.recv(1)
    work, folder = WORK[order.pop("work")], Path(order.pop("folder"))
    if statement := order.pop("statement", None):
        fall_at_statement(statement)
    if most_bytes := order.pop("most_bytes", None):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    def say(text: str) -> None:
        line.sendall(f"{text}\n".encode())

    try:
        work(folder, say, **order)
    except RegularsError as exc:
        say(f"error {exc.code} {exc.message}")
        return REFUSED
    except BaseException:  # noqa: BLE001 -- what nobody expected is what the tests look for
        say(f"traceback {traceback.format_exc()}")
        return TRACEBACK
    return 0


def _rest_of(line: socket.socket) -> str:
    heard = b""
    while piece := line.recv(1 << 16):
        heard += piece
    return heard.decode()


def main() -> None:
    """Fork and wait, one after the other."""
    for order in sys.stdin:
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            ours.close()
            os._exit(_live(json.loads(order), theirs))
        theirs.close()
        print(child, flush=True)  # noqa: T201 -- the answer
        sys.stdin.readline()
        ours.sendall(b"g")
        said = _rest_of(ours)
        ours.close()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"code": code, "said": said}), flush=True)  # noqa: T201 -- the answer


if __name__ == "__main__":
    main()
