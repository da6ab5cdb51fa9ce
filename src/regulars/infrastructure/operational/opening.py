"""Open the operational store that the settings of a workspace name."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from regulars.errors import MissingExtraError
from regulars.infrastructure.operational.sqlite import JOURNAL_NAME, SqliteStore, place_in

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    with _driver():
        from regulars.infrastructure.operational.postgres.store import PostgresStore  # noqa: PLC0415 -- only here
    return PostgresStore(settings, folder, loads=loads)


def described(folder: Path, settings: JournalSettings) -> str:
    """Where the journal is, and how many events it has accepted; nothing is made or changed.

    Errors: as :func:`open_store`.
    """
    if settings.store == "sqlite":
        path = folder / JOURNAL_NAME
        place, accepted = JOURNAL_NAME, place_in(path)[1] if path.exists() else 0
    else:
        with _driver():
            from regulars.infrastructure.operational.postgres.store import look  # noqa: PLC0415 -- same
        place, accepted = look(settings)
    return f"{place}: {accepted:,} events accepted"


@contextmanager
def _driver() -> Iterator[None]:
    try:
        yield
    except ImportError as exc:
        raise MissingExtraError("psycopg", "postgres", "a journal in PostgreSQL") from exc


def may_exist(folder: Path, settings: JournalSettings) -> bool:
    """Whether there is a store already; one on a server is taken to be there."""
    return settings.store == "postgres" or (folder / JOURNAL_NAME).exists()
