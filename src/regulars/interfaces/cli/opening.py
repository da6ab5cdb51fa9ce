"""Find the workspace that a command is about, and open it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from regulars.errors import WorkspaceError

if TYPE_CHECKING:
    from regulars.workspace import Workspace

SETTINGS_NAME = "regulars.toml"


def find_folder(given: Path | None) -> Path:
    """The folder that was named, else the nearest one from here upwards that has a settings file.

    Raises:
        WorkspaceError: There is none.
    """
    if given is not None:
        return given
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / SETTINGS_NAME).is_file():
            return folder
    raise WorkspaceError(
        f"no workspace: neither {str(here)!r} nor a folder above it has a {SETTINGS_NAME}; "
        "make one with: regulars init DIR, or name one with: -w DIR",
        folder=str(here),
    )


def open_workspace(given: Path | None, *, read_only: bool) -> Workspace:
    """Open it; readers share a workspace, a writer has it alone."""
    folder = find_folder(given)
    from regulars.opening import open as open_folder  # noqa: PLC0415 -- it loads the database library

    return open_folder(folder, read_only=read_only)
