"""Notice that the database of a workspace is lost or damaged, and make it anew from the archive and the journal."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from regulars.application.erase import come_back, share_erasures
from regulars.application.load import rebuild_all
from regulars.application.tracking import mark
from regulars.domain.archive import Rebuilt, latest_imports
from regulars.errors import EngineError, WorkspaceError
from regulars.infrastructure.archive.folder import FolderArchive
from regulars.infrastructure.engines.duckdb import DuckDBEngine
from regulars.infrastructure.files import DATABASE_NAME, sync_folder
from regulars.infrastructure.holidays import fill_holidays
from regulars.infrastructure.lock import WorkspaceLock
from regulars.infrastructure.operational.entries import MISSING
from regulars.infrastructure.operational.opening import may_exist, open_store
from regulars.settings import SETTINGS_NAME, Settings
from regulars.tracking import tracker_of

if TYPE_CHECKING:
    from collections.abc import Callable

UNFINISHED_NAME = f"{DATABASE_NAME}.unfinished"
_HOW = "make it anew from the archive and the journal with `regulars rebuild --from-archive`, or restore a backup"


def rebuild_from_archive(
    path: str | Path, *, clock: Callable[[], datetime] | None = None, progress: Callable[[int], None] | None = None
) -> Rebuilt:
    """Make the lost or damaged database of a workspace anew, from everything that was ever tracked or collected.

    Every event keeps its id, counts once, and gives the numbers that it gave before. People who were erased stay out.
    What came from files is not in the archive: the result says which imports to repeat. A run that was killed goes on
    where it was when it is started again. A database that cannot be opened is kept under another name.

    Args:
        path: The folder of the workspace. Nobody may have it open; a collector may go on collecting.
        clock: Gives the present instant in UTC; the machine's clock by default.
        progress: Called with the number of places in the journal that another step has brought in.

    Returns:
        What is in the new database, and what is not.

    Raises:
        WorkspaceError: ``database_exists``: there is one that can be opened; ``archive_damaged``: a file of the archive
            cannot be read; ``no_workspace``.
        WorkspaceLockedError: Another process is writing to it; the message names it.
    """
    folder = Path(path)
    if not (folder / SETTINGS_NAME).is_file():
        raise WorkspaceError(f"no workspace in {str(folder)!r}: it has no {SETTINGS_NAME}", folder=str(folder))
    settings = Settings.read(folder / SETTINGS_NAME)
    now = clock or (lambda: datetime.now(UTC))
    lock = WorkspaceLock(folder, shared=False)
    try:
        _refuse_sound_database(folder / DATABASE_NAME, settings)
        archive = FolderArchive(folder)
        archive.tidy()
        made = _make(folder, settings, archive, lambda: now().astimezone(UTC).replace(tzinfo=None), progress)
        return Rebuilt(*made, latest_imports(archive.imports()), _put_in_place(folder))
    finally:
        lock.release()


def refuse_lost_database(folder: Path, settings: Settings) -> None:
    """Refuse to begin an empty database where there was one that has gone, or one that is being made anew.

    Errors: :class:`WorkspaceError` ``database_missing``.
    """
    if (folder / DATABASE_NAME).exists():
        # Of no use beside a whole one, and nobody would erase anything from it.
        for name in (UNFINISHED_NAME, f"{UNFINISHED_NAME}.wal"):
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
    elif FolderArchive(folder).tells_of_database() or _journal_was_pruned(folder, settings):
        raise WorkspaceError(
            f"the database {str(folder / DATABASE_NAME)!r} is gone, although there was one: "
            f"put it back if it was moved; else {_HOW}",
            code="database_missing", folder=str(folder),
        )  # fmt: skip


def open_database(
    path: Path, settings: Settings, *, read_only: bool = False, disk_floor: int = 0, serves: bool = False
) -> DuckDBEngine:
    """The database in a file, within the bounds of the settings; ``disk_floor`` bytes stay free.

    Only where it ``serves`` others, a question has a limit of time.

    Errors: :class:`EngineError`, which says how a damaged one is made anew.
    """
    limits = settings.engine
    try:
        return DuckDBEngine(
            path,
            read_only=read_only,
            memory_limit=limits.memory_limit,
            threads=limits.threads,
            disk_floor=disk_floor,
            query_seconds=limits.query_seconds if serves else None,
        )
    except EngineError as exc:
        raise EngineError(f"{exc.message}; if the file is damaged, {_HOW}", code=exc.code) from exc.__cause__


def _refuse_sound_database(path: Path, settings: Settings) -> None:
    if path.exists():
        with suppress(EngineError):
            open_database(path, settings).close()
            raise WorkspaceError(
                f"{str(path)!r} can be opened, and what files brought is in it alone; to make a new one all the "
                "same, move it away first",
                code="database_exists", path=str(path),
            )  # fmt: skip


def _journal_was_pruned(folder: Path, settings: Settings) -> bool:
    """Whether the journal has let events go, which it does once a database has them."""
    if not may_exist(folder, settings.journal):
        return False
    store = open_store(folder, settings.journal)
    try:
        return store.journal.last_offset() > 0 and any(
            fault.reason == MISSING[0] for fault in store.journal.read(0, 1).faults
        )
    finally:
        store.close()


def _make(
    folder: Path,
    settings: Settings,
    archive: FolderArchive,
    now: Callable[[], datetime],
    progress: Callable[[int], None] | None,
) -> tuple[int, int, dict[str, int]]:
    """Load everything into a database that has no name yet; returns what is in it, was read, and was not loaded."""
    engine = open_database(folder / UNFINISHED_NAME, settings)
    try:
        engine.create_schema()
        fill_holidays(engine, settings.holidays)
        if come_back(engine, archive):
            # Somebody was erased since a run that was killed had loaded them.
            engine.close()
            (folder / UNFINISHED_NAME).unlink()
            return _make(folder, settings, archive, now, progress)
        share_erasures(engine, archive)
        tracker = tracker_of(engine, settings, folder, now, archive=archive, derive=False, progress=progress)
        try:
            tracker.catch_up()
        finally:
            tracker.close(flush=False)
        rebuild_all(engine, settings, now())
        engine.execute("CHECKPOINT")
        return _account(engine)
    finally:
        engine.close()


def _account(engine: DuckDBEngine) -> tuple[int, int, dict[str, int]]:
    ((events,),) = engine.query("SELECT count(*) FROM fact_user_actions").rows
    places = engine.query(f"SELECT value FROM workspace_state WHERE name LIKE '{mark('%')}'").rows
    reasons = engine.query("SELECT reason, count(*) FROM dead_letter GROUP BY reason ORDER BY reason").rows
    return events, sum(int(place) for (place,) in places), dict(reasons)


def _put_in_place(folder: Path) -> str | None:
    """Give the new database its name; one that was there gets another, which is returned."""
    # Its log goes first, which would be replayed into the new one.
    old = [name for name in (f"{DATABASE_NAME}.wal", DATABASE_NAME) if (folder / name).exists()]
    number = next(n for n in count(1) if not list(folder.glob(f"{DATABASE_NAME}.damaged-{n}*")))
    kept = f"{DATABASE_NAME}.damaged-{number}"
    for name in old:
        (folder / name).rename(folder / name.replace(DATABASE_NAME, kept))
    (folder / UNFINISHED_NAME).rename(folder / DATABASE_NAME)
    sync_folder(folder)
    return kept if DATABASE_NAME in old else None
