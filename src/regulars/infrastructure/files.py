"""Files of a workspace, and what the system must be told so that a change of them outlives a power failure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DATABASE_NAME = "regulars.duckdb"
ARCHIVE_NAME = "archive"


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a new or renamed file is only there once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
