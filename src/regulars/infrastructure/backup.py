"""Copies of a workspace: made while it is in use, and put back after everything about them was verified.

A backup is a folder with the settings, the database, the journal (as a file, wherever it was), the archive and a
manifest. The database is copied first and the journal second, while nothing can be loaded: so the journal in the backup
has everything that its database lacks, and loading goes on after a restore as if nothing had happened.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import closing, contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import msgspec

from regulars import __version__
from regulars.domain.backup import FORMAT, BackupFile, JournalPlace, Manifest
from regulars.domain.schema import TABLES
from regulars.errors import RegularsError, WorkspaceError
from regulars.infrastructure.engines.duckdb import DuckDBEngine
from regulars.infrastructure.files import (
    ARCHIVE_NAME,
    DATABASE_NAME,
    OWNER_FILE,
    OWNER_FOLDER,
    is_taken,
    make_folders,
    sealed,
    sync_folder,
    sync_folders,
    unusable,
)
from regulars.infrastructure.operational.opening import may_exist, open_store
from regulars.infrastructure.operational.sqlite import JOURNAL_NAME, place_in
from regulars.settings import SETTINGS_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from regulars.infrastructure.archive.folder import FolderArchive
    from regulars.settings import JournalSettings

MANIFEST_NAME = "manifest.json"
_NEEDED = {SETTINGS_NAME, DATABASE_NAME}
_IN_ARCHIVE = re.compile(rf"{ARCHIVE_NAME}(/[\w-][\w.-]*)+", re.ASCII)


def back_up(
    engine: DuckDBEngine,
    folder: Path,
    settings: JournalSettings,
    target: Path,
    now: datetime,
    *,
    archive: FolderArchive | None = None,
) -> Manifest:
    """Copy a workspace folder into a new folder, which appears under its name when it is complete.

    Errors: :class:`WorkspaceError` ``backup_exists``; :class:`EngineError`, :class:`JournalError`.
    """
    if is_taken(target):
        raise WorkspaceError(
            f"{str(target)!r} exists already, and a backup never writes over anything; choose another name",
            code="backup_exists", path=str(target),
        )  # fmt: skip
    with _disk_errors("write the backup", target), _made_beside(target) as partial:
        shutil.copyfile(folder / SETTINGS_NAME, partial / SETTINGS_NAME)
        with engine.at_rest():
            engine.copy_to(partial / DATABASE_NAME)
            if may_exist(folder, settings):
                # SQLite knows that this process has the file open elsewhere, and drops no lock.
                with closing(open_store(folder, settings)) as store:
                    store.copy_to(partial / JOURNAL_NAME)
            # After the journal: what that hands over meanwhile is in both, and nothing is in neither.
            if archive is not None:
                archive.copy_to(partial / ARCHIVE_NAME)
        rows, journal = _contents(partial)
        files = {str(path.relative_to(partial)): _sealed(path) for path in sorted(partial.rglob("*")) if path.is_file()}
        manifest = Manifest(
            format=FORMAT, regulars=__version__, duckdb=duckdb.__version__,
            made_at=now.replace(tzinfo=UTC), rows=rows, journal=journal, files=files,
        )  # fmt: skip
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        (partial / MANIFEST_NAME).write_bytes(text + b"\n")
        _sealed(partial / MANIFEST_NAME)
        read_manifest(partial)
    return manifest


def put_back(source: Path, folder: Path) -> Manifest:
    """Make a workspace folder from a backup; it becomes one when everything in it was verified.

    Errors: :class:`WorkspaceError` ``folder_not_empty``, ``no_backup``, ``backup_damaged``, ``backup_unknown``.
    """
    if is_taken(folder) and (folder.is_symlink() or not folder.is_dir() or any(folder.iterdir())):
        raise WorkspaceError(
            f"{str(folder)!r} is not empty, and a restore never writes over anything; name a new folder",
            code="folder_not_empty", folder=str(folder),
        )  # fmt: skip
    manifest = read_manifest(source)
    with _disk_errors("restore into", folder), _made_inside(folder) as partial:
        for name, file in manifest.files.items():
            if (source / name).is_symlink() or not (source / name).is_file():
                raise _damaged(source, f"{name} is missing")
            make_folders((partial / name).parent)
            (partial / name).touch(mode=OWNER_FILE)
            shutil.copyfile(source / name, partial / name)
            if _sealed(partial / name) != file:
                raise _damaged(source, f"{name} is not what was written: its length or checksum differs")
        try:
            found = _contents(partial)
        except RegularsError as exc:
            raise _damaged(source, exc.message) from exc
        if found != (manifest.rows, manifest.journal):
            raise _damaged(source, f"the files do not hold what {MANIFEST_NAME} says")
    return manifest


def read_manifest(source: Path) -> Manifest:
    """What a backup says about itself.

    Errors: :class:`WorkspaceError` ``no_backup``, ``backup_damaged``, ``backup_unknown``.
    """
    try:
        text = (source / MANIFEST_NAME).read_bytes()
    except OSError as exc:
        raise WorkspaceError(
            f"{str(source)!r} is no backup: it has no readable {MANIFEST_NAME}; name a folder that "
            "`regulars backup` has made",
            code="no_backup", path=str(source),
        ) from exc  # fmt: skip
    try:
        form = msgspec.json.decode(text, type=dict[str, msgspec.Raw])["format"]
        if msgspec.json.decode(form) != FORMAT:
            raise WorkspaceError(
                f"{str(source)!r} has a form ({bytes(form).decode()}) that this version does not know (it writes "
                f"{FORMAT}); restore it with the version of Regulars that made it, or a later one",
                code="backup_unknown", path=str(source),
            )  # fmt: skip
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.MsgspecError, UnicodeError, KeyError, RecursionError) as exc:
        raise _damaged(source, f"{MANIFEST_NAME} cannot be read ({exc})") from exc
    wanted = _NEEDED | ({JOURNAL_NAME} if manifest.journal else set())
    if {name for name in manifest.files if not _IN_ARCHIVE.fullmatch(name)} != wanted:
        raise _damaged(source, f"{MANIFEST_NAME} does not list the files {', '.join(sorted(wanted))}")
    return manifest


def _contents(folder: Path) -> tuple[dict[str, int], JournalPlace | None]:
    """Rows per table and the place in the journal, read from copies that nobody uses."""
    journal = place_in(folder / JOURNAL_NAME) if (folder / JOURNAL_NAME).exists() else None
    with closing(DuckDBEngine(folder / DATABASE_NAME, read_only=True)) as copy:
        counts = " UNION ALL ".join(f"SELECT '{table.name}', count(*) FROM {table.name}" for table in TABLES)
        rows = dict(copy.query(counts).rows)
        if journal is None:
            return rows, None
        name, accepted = journal
        place = copy.query(f"SELECT value FROM workspace_state WHERE name = 'journal {name}'").rows
    return rows, JournalPlace(name, accepted, int(place[0][0]) if place else 0)


def _sealed(path: Path) -> BackupFile:
    """Make a file durable, and say what is in it."""
    return BackupFile(*sealed(path))


@contextmanager
def _disk_errors(doing: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        where = f" ({exc.filename})" if exc.filename else ""
        raise WorkspaceError(
            f"could not {doing} {str(path)!r}: {exc.strerror}{where}; see to that, or to the disk, and try again",
            code="copy_failed", path=str(path),
        ) from exc  # fmt: skip


@contextmanager
def _made_beside(target: Path) -> Iterator[Path]:
    """A new folder, for its owner only, which gets its name when it is left without an error."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # What a process that was killed has left behind is told by this name.
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    except (OSError, ValueError) as exc:
        raise unusable(target, exc) from exc
    try:
        yield partial
        sync_folders(partial)
        partial.rename(target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def _made_inside(folder: Path) -> Iterator[Path]:
    """A new folder in the one to be filled, which may be a volume; its files move up at the end, the settings last.

    Without settings a folder is no workspace, so nobody can open half of one.
    """
    is_new = not folder.exists()
    folder.mkdir(mode=OWNER_FOLDER, parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".restore.", dir=folder))
    try:
        yield partial
        sync_folders(partial)
        for path in sorted(partial.iterdir(), key=lambda path: path.name == SETTINGS_NAME):
            path.rename(folder / path.name)
        sync_folder(folder)
    except BaseException:
        shutil.rmtree(partial)
        if is_new:
            folder.rmdir()
        raise
    partial.rmdir()


def _damaged(source: Path, what: str) -> WorkspaceError:
    return WorkspaceError(
        f"the backup {str(source)!r} is damaged: {what}; nothing was restored, take another backup",
        code="backup_damaged", path=str(source),
    )  # fmt: skip
