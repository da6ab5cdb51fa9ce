"""Open the operational store that the settings of a workspace name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.errors import MissingExtraError
from regulars.infrastructure.operational.sqlite import JOURNAL_NAME, SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.infrastructure.operational.postgres.store import PostgresStore
    from regulars.settings import JournalSettings

    FolderStore = SqliteStore | PostgresStore


def open_store(folder: Path, settings: JournalSettings, *, loads: bool = False) -> FolderStore:
    """The journal and keys of a workspace folder, made where there are none, beside whoever else has them open.

    ``loads``: to bring the journal into the database, which one process at a time may do.

    Errors: :class:`JournalError`, :class:`SettingsError`, :class:`MissingExtraError`.
    """
    if settings.store == "sqlite":
        return SqliteStore(folder, memory_mib=settings.memory_mib, disk_floor_mib=settings.disk_floor_mib)
    try:
        # Only this store needs the driver.
        from regulars.infrastructure.operational.postgres.store import PostgresStore  # noqa: PLC0415
    except ImportError as exc:
        raise MissingExtraError("psycopg", "postgres", "a journal in PostgreSQL") from exc
    return PostgresStore(settings, folder, loads=loads)


def may_exist(folder: Path, settings: JournalSettings) -> bool:
    """Whether there is a store already; one on a server is taken to be there."""
    return settings.store == "postgres" or (folder / JOURNAL_NAME).exists()
