"""Open a workspace: a folder with its settings, its lock and its database, or one in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from regulars.errors import QueryError, WorkspaceError
from regulars.infrastructure.engines.duckdb import DuckDBEngine
from regulars.infrastructure.lock import WorkspaceLock
from regulars.settings import SETTINGS_NAME, Settings
from regulars.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

DATABASE_NAME = "regulars.duckdb"


def open(
    path: str | Path | None = None,
    *,
    settings: Settings | None = None,
    timezone: str | None = None,
    read_only: bool = False,
    clock: Callable[[], datetime] | None = None,
) -> Workspace:
    """Open a workspace folder, or one in memory when no path is given.

    Args:
        path: A folder made by :func:`init`.
        settings: Settings of a workspace in memory; a folder has its own in ``regulars.toml``.
        timezone: Short for ``Settings(timezone=...)``, in memory only.
        read_only: Share the workspace with other readers; nothing can be loaded.
        clock: Gives the present instant in UTC; the machine's clock by default.

    Raises:
        WorkspaceError: The folder is no workspace.
        WorkspaceLockedError: Another process is writing to it; the message names it.

    Example:
        >>> with open() as ws:
        ...     ws.active_users().rows
        []
    """
    if path is None:
        own = settings or Settings(timezone=timezone or "UTC")
        return Workspace(DuckDBEngine(), own, clock=clock)
    if settings is not None or timezone is not None:
        raise QueryError(
            f"a workspace folder has its settings in {SETTINGS_NAME}; edit that file", code="settings_in_folder"
        )
    folder = Path(path)
    if not (folder / SETTINGS_NAME).is_file():
        raise WorkspaceError(
            f"no workspace in {str(folder)!r}; make one with: regulars init {folder}", folder=str(folder)
        )
    return _open_folder(folder, read_only=read_only, clock=clock)


def init(path: str | Path, *, timezone: str = "UTC", week_start: str = "monday") -> Path:
    """Make a workspace folder with a settings file and an empty database.

    Raises:
        WorkspaceError: There is a workspace already; nothing is changed.
        SettingsError: The time zone or week start does not exist.
    """
    folder = Path(path)
    file = folder / SETTINGS_NAME
    if file.exists():
        raise WorkspaceError(f"{str(folder)!r} is a workspace already; nothing was changed", code="workspace_exists")
    text = (
        "# Settings of this workspace; the page Settings of the documentation lists every key.\n"
        f'timezone = "{timezone}"\nweek_start = "{week_start}"\n'
    )
    Settings.from_toml(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise WorkspaceError(f"cannot write to {str(folder)!r}: {exc.strerror}", folder=str(folder)) from exc
    _open_folder(folder, read_only=False, clock=None).close()
    return folder


def open_for_server(folder: Path, address: str) -> Workspace:
    """Open a workspace for the process that answers at an address, which others find in the lock file."""
    return _open_folder(folder, read_only=False, clock=None, address=address)


def _open_folder(
    folder: Path, *, read_only: bool, clock: Callable[[], datetime] | None, address: str | None = None
) -> Workspace:
    settings = Settings.read(folder / SETTINGS_NAME)
    database = folder / DATABASE_NAME
    read_only = read_only and database.exists()
    lock = WorkspaceLock(folder, shared=read_only, address=address)
    try:
        engine = DuckDBEngine(
            database,
            read_only=read_only,
            memory_limit=settings.engine.memory_limit,
            threads=settings.engine.threads,
        )
        return Workspace(engine, settings, folder=folder, lock=lock, read_only=read_only, clock=clock)
    except BaseException:
        lock.release()
        raise
