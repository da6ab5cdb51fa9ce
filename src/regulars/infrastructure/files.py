"""Files of a workspace, and what the system must be told so that a change of them outlives a power failure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from regulars.errors import WorkspaceError

if TYPE_CHECKING:
    from pathlib import Path

DATABASE_NAME = "regulars.duckdb"
_SHOWN = 200


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a new or renamed file is only there once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
