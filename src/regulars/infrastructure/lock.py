"""One writer and one server per workspace, across processes, with a message that names who holds it.

DuckDB's own lock is lost when the holding process opens and closes the file again, so the guard is a lock on a
file of ours. Readers share it; a writer has it alone.
"""

from __future__ import annotations

import fcntl
import json
import os
from typing import IO, TYPE_CHECKING

from regulars.errors import WorkspaceError, WorkspaceLockedError
from regulars.infrastructure.files import OWNER_FILE

if TYPE_CHECKING:
    from pathlib import Path

LOCK_NAME = "regulars.lock"
SERVER_LOCK_NAME = "server.lock"
COLLECTOR_LOCK_NAME = "collector.lock"
_WIDTH = 256


class WorkspaceLock:
    """The lock of one workspace folder, held until :meth:`release` or the end of the process.

    ``address`` is where the holder answers questions over HTTP, which whoever is refused gets to know.
    """

    def __init__(self, folder: Path, *, shared: bool, name: str = LOCK_NAME, address: str | None = None) -> None:
        self._file: IO[str] | None = None
        path = folder / name
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, OWNER_FILE), "r+", encoding="utf-8")
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as exc:
            held = _held(file)
            file.close()
            raise _refusal(folder, held) from exc
        self._file = file
        if not shared:
            try:
                self.announce(address)
            except BaseException:
                self.release()
                raise

    def announce(self, address: str | None) -> None:
        """Write down who holds the lock, and where it answers.

        Errors: :class:`WorkspaceError` ``cannot_write``.
        """
        if self._file is None:
            return
        text = json.dumps({"pid": os.getpid(), "address": address})
        try:
            # In place and of one length: a file that has its room already can be written on a full disk.
            os.pwrite(self._file.fileno(), text.ljust(_WIDTH).encode(), 0)
        except OSError as exc:
            raise WorkspaceError(
                f"cannot write to {self._file.name!r}: {exc.strerror}; make room, or see to the disk, and try again",
                code="cannot_write",
            ) from exc

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
