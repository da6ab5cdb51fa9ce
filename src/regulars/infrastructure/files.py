"""Files of a workspace, and what the system must be told so that a change of them outlives a power failure."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from regulars.errors import WorkspaceError

if TYPE_CHECKING:
    from pathlib import Path

DATABASE_NAME = "regulars.duckdb"
ARCHIVE_NAME = "archive"
OWNER_FOLDER, OWNER_FILE = 0o700, 0o600  # modes of what is made: whoever shares a workspace widens them, they stay
_SHOWN = 200
_CHUNK = 1 << 20


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a new or renamed file is only there once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folders(folder: Path) -> None:
    """Make a folder for its owner only, and those above it that are missing too; one that is there stays as it is."""
    if not folder.is_dir():
        make_folders(folder.parent)
        folder.mkdir(mode=OWNER_FOLDER, exist_ok=True)


def is_taken(path: Path) -> bool:
    """Whether something is at a path, also a link to nothing.

    Errors: :class:`WorkspaceError` ``bad_path`` for what can be no path: too long, or with a NUL in it.
    """
    try:
        return path.exists() or path.is_symlink()
    except (OSError, ValueError) as exc:
        raise unusable(path, exc) from exc


def unusable(path: Path, error: Exception) -> WorkspaceError:
    """The error of a path that nothing can be made at."""
    shown = str(path)[:_SHOWN]
    return WorkspaceError(f"cannot use the path {shown!r}: {str(error)[:_SHOWN]}; choose another", code="bad_path")


def sync_folders(folder: Path) -> None:
    """The same for a folder and all that are in it."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            sync_folder(path)


def sealed(path: Path) -> tuple[int, str]:
    """Make a file durable; its length, and the SHA-256 of its bytes in hexadecimal."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
        os.fsync(file.fileno())
    return size, digest.hexdigest()
