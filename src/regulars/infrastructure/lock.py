"""One writer and one server per workspace, across processes, with a message that names who holds it.

DuckDB's own lock is lost when the holding process opens and closes the file again, so the guard is a lock on a
file of ours. Readers share it; a writer has it alone.
"""

from __future__ import annotations

import fcntl
import json
import os
from typing import IO, TYPE_CHECKING

from regulars.errors import WorkspaceLockedError

if TYPE_CHECKING:
    from pathlib import Path

LOCK_NAME = "regulars.lock"
SERVER_LOCK_NAME = "server.lock"


class WorkspaceLock:
    """The lock of one workspace folder, held until :meth:`release` or the end of the process.

    ``address`` is where the holder answers questions over HTTP, which whoever is refused gets to know.
    """

    def __init__(self, folder: Path, *, shared: bool, name: str = LOCK_NAME, address: str | None = None) -> None:
        self._file: IO[str] | None = None
        path = folder / name
        file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as exc:
            held = _held(file)
            file.close()
            raise _refusal(folder, held) from exc
        self._file = file
        if not shared:
            self.announce(address)

    def announce(self, address: str | None) -> None:
        """Write down who holds the lock, and where it answers."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.write(json.dumps({"pid": os.getpid(), "address": address}))
            self._file.flush()

    def release(self) -> None:
        """Let others in."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _held(file: IO[str]) -> dict[str, object]:
    """What the holder wrote; nothing when it is a reader, or one that is gone."""
    file.seek(0)
    try:
        held = json.loads(file.read())
    except json.JSONDecodeError:
        return {}
    return held if isinstance(held, dict) and _alive(held.get("pid")) else {}


def _refusal(folder: Path, held: dict[str, object]) -> WorkspaceLockedError:
    holder = f"process {held['pid']}" if held else "other readers"
    address = held.get("address")
    where, what = f" at {address}" if address else "", "wait until it ends, or stop it"
    if address:
        what = "ask that server, or stop it first"
    return WorkspaceLockedError(
        f"the workspace {str(folder)!r} is in use by {holder}{where}; {what}",
        folder=str(folder), pid=held.get("pid"), address=address,
    )  # fmt: skip


def _alive(pid: object) -> bool:
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
