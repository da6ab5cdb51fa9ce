"""Open a workspace: a folder with its settings, its lock and its database, or one in memory."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from regulars.errors import QueryError, WorkspaceError, WorkspaceLockedError
from regulars.infrastructure.engines.duckdb import DuckDBEngine
from regulars.infrastructure.engines.registry import EMBEDDED, checked, make_engine
from regulars.infrastructure.files import DATABASE_NAME, OWNER_FOLDER
from regulars.infrastructure.lock import WorkspaceLock
from regulars.infrastructure.server import ServerConnection
from regulars.rebuilding import open_database, refuse_lost_database
from regulars.remote import RemoteWorkspace
from regulars.settings import SETTINGS_NAME, Settings
from regulars.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from regulars.application.ports import ServingEngine
    from regulars.domain.backup import Manifest

_MIB = 1 << 20


def open(
    path: str | Path | None = None,
    *,
    settings: Settings | None = None,
    timezone: str | None = None,
    read_only: bool = False,
    clock: Callable[[], datetime] | None = None,
    max_events: int | None = None,
    engine: str | ServingEngine | None = None,
) -> Workspace:
    """Open a workspace folder, or one in memory when no path is given.

    Args:
        path: A folder made by :func:`init`.
        settings: Settings of a workspace in memory; a folder has its own in ``regulars.toml``.
        timezone: Short for ``Settings(timezone=...)``, in memory only.
        read_only: Share the workspace with other readers; nothing can be loaded.
        clock: Gives the present instant in UTC; the machine's clock by default.
        max_events: Bounds a workspace in memory: beyond it the oldest days are dropped, each of them whole, and rows
            that look at dropped days are flagged ``truncated``. The newest day always stays.
        engine: Which engine answers questions, instead of ``[engine] name`` in the settings: a name, or an engine.

    Returns:
        The workspace; beside a running ``regulars serve`` one that sends its questions there, tracks into the same
        journal, and refuses what needs the database itself.

    Raises:
        WorkspaceError: The folder is no workspace; ``database_missing``: its database is gone, see
            :func:`rebuild_from_archive`.
        WorkspaceLockedError: Another process is writing to it; the message names it.
        UnknownNameError: ``unknown_engine``; the message lists what is installed.

    Example:
        >>> with open() as ws:
        ...     ws.active_users().rows
        []
    """
    if path is None:
        own = settings or Settings(timezone=timezone or "UTC")
        if max_events is not None and max_events < 1:
            raise QueryError(f"max_events must be at least 1, not {max_events}", code="bad_option")
        serving = _serving(engine, own)
        engine_in_memory = DuckDBEngine(threads=own.engine.threads)
        return Workspace(engine_in_memory, own, clock=clock, max_events=max_events, serving=serving)
    if max_events is not None:
        raise QueryError("max_events bounds a workspace in memory; a folder keeps everything", code="memory_only")
    if settings is not None or timezone is not None:
        raise QueryError(
            f"a workspace folder has its settings in {SETTINGS_NAME}; edit that file", code="settings_in_folder"
        )
    folder = Path(path)
    if not (folder / SETTINGS_NAME).is_file():
        raise WorkspaceError(
            f"no workspace in {str(folder)!r}; make one with: regulars init {folder}", folder=str(folder)
        )
    try:
        return _open_folder(folder, read_only=read_only, clock=clock, engine=engine)
    except WorkspaceLockedError as exc:
        server = ServerConnection.of(folder, exc.fields.get("address"))
        if server is None or clock is not None or engine is not None:
            raise
        return RemoteWorkspace(server, Settings.read(folder / SETTINGS_NAME), folder)


def init(path: str | Path, *, timezone: str = "UTC", week_start: str = "monday") -> Path:
    """Make a workspace folder with a settings file and an empty database, for its owner only.

    A folder that is there already keeps its mode.

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
        folder.mkdir(mode=OWNER_FOLDER, parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise WorkspaceError(f"cannot write to {str(folder)!r}: {exc.strerror}", folder=str(folder)) from exc
    _open_folder(folder, read_only=False, clock=None).close()
    return folder


def restore(source: str | Path, path: str | Path) -> Manifest:
    """Make a workspace folder from a backup, after everything in it was verified.

    What the journal had accepted and the database did not have yet, when the backup was made, is loaded at once; by
    the first opening where the settings put the journal into PostgreSQL, into which it moves then.

    Args:
        source: A folder that :meth:`Workspace.backup` has made.
        path: The new workspace: a folder that does not exist, or is empty.

    Returns:
        What was in the backup.

    Raises:
        WorkspaceError: ``no_backup``, ``backup_damaged``, ``backup_unknown``: a later version made it;
            ``folder_not_empty``. Nothing was changed.
    """
    from regulars.infrastructure.backup import put_back  # noqa: PLC0415 -- only this call needs it

    manifest = put_back(Path(source), Path(path))
    # A journal on a server may belong to the original, which may be in use: whoever opens the workspace decides.
    if Settings.read(Path(path) / SETTINGS_NAME).journal.store == "sqlite":
        _open_folder(Path(path), read_only=False, clock=None).close()
    return manifest


class ServedWorkspace(Workspace):
    """The workspace of a server, which loads what is collected by itself.

    A question does not wait for that: it sees everything but the last second or so. Nor does the start, however much
    has been collected while the database was away.
    """

    _loads_at_start = False

    @property
    def engine(self) -> DuckDBEngine:
        """The database as it is."""
        return self._engine


def open_for_server(folder: Path, address: str) -> Workspace:
    """Open a workspace for the process that answers at an address, which others find in the lock file."""
    return _open_folder(folder, read_only=False, clock=None, engine=None, kind=ServedWorkspace, address=address)


def _open_folder(
    folder: Path,
    *,
    read_only: bool,
    clock: Callable[[], datetime] | None,
    engine: str | ServingEngine | None = EMBEDDED,
    kind: type[Workspace] = Workspace,
    address: str | None = None,
) -> Workspace:
    settings = Settings.read(folder / SETTINGS_NAME)
    database = folder / DATABASE_NAME
    read_only = read_only and database.exists()
    with ExitStack() as held:
        lock = WorkspaceLock(folder, shared=read_only, address=address)
        held.callback(lock.release)
        serving = _serving(engine, settings)
        if serving is not None:
            held.callback(serving.close)
        refuse_lost_database(folder, settings)
        # Of a server only, which is there to answer whatever the disk has come to. Its journal stops earlier, so that
        # what it has taken still finds room in the database.
        floor = settings.journal.disk_floor_mib * _MIB // 4 if address else 0
        warehouse = open_database(database, settings, read_only=read_only, disk_floor=floor, serves=address is not None)
        held.callback(warehouse.close)
        made = kind(warehouse, settings, folder=folder, lock=lock, read_only=read_only, clock=clock, serving=serving)
        held.pop_all()  # from here on they are the workspace's
        return made


def _serving(engine: str | ServingEngine | None, settings: Settings) -> ServingEngine | None:
    """The engine that answers questions, or None for the embedded one."""
    if engine is not None and not isinstance(engine, str):
        return checked(engine, type(engine).__name__)
    name = engine or settings.engine.name
    return None if name == EMBEDDED else make_engine(name, settings.engine.options)
