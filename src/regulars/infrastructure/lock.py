"""One writer per workspace, across processes, with a message that names who holds it.

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


class WorkspaceLock:
    """The lock of one workspace folder, held until :meth:`release` or the end of the process."""

    def __init__(self, folder: Path, *, shared: bool) -> None:
        self._file: IO[str] | None = None
        path = folder / LOCK_NAME
        file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as exc:
            holder = _holder(file)
            file.close()
            raise WorkspaceLockedError(
                f"the workspace {str(folder)!r} is in use by {holder}; wait until it ends, or stop it",
                folder=str(folder),
            ) from exc
        if not shared:
            file.truncate(0)
            file.write(json.dumps({"pid": os.getpid(), "address": None}))
            file.flush()
        self._file = file

    def release(self) -> None:
        """Let others in."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _holder(file: IO[str]) -> str:
    file.seek(0)
    try:
        held = json.loads(file.read())
    except json.JSONDecodeError:
        return "other readers"
    if not isinstance(held, dict) or not _alive(held.get("pid")):
        return "other readers"
    address = f" at {held['address']}" if held.get("address") else ""
    return f"process {held['pid']}{address}"


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
