"""The operational store of one workspace in PostgreSQL."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from regulars.infrastructure.operational.postgres import schema
from regulars.infrastructure.operational.postgres.connection import Connection
from regulars.infrastructure.operational.postgres.journal import PostgresJournal
from regulars.infrastructure.operational.postgres.keys import PostgresKeys
from regulars.infrastructure.operational.postgres.target import target_of
from regulars.infrastructure.operational.postgres.transfer import copy_out, move_in

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from regulars.settings import JournalSettings

_MIB = 1 << 20
_SECONDS = 10


def look(settings: JournalSettings) -> tuple[str, int]:
    """Where the journal is, with the version of the server, and how many events it has accepted."""
    target = target_of(settings)
    with closing(Connection(target)) as connection, connection.use("read", _SECONDS) as link:
        version = link.info.parameter_status("server_version")
        accepted = schema.last_in(link) if schema.exists(link, target) else 0
    return f"{target.place}, version {version}", accepted


class PostgresStore:
    """The store of one schema, shared by the threads of this process and by other processes, on other machines too.

    A journal that the workspace's ``folder`` still has in a file moves into the schema first. ``loads``: be the one
    that brings the journal into a database.
    """

    def __init__(self, settings: JournalSettings, folder: Path | None = None, *, loads: bool = False) -> None:
        self._target = target_of(settings)
        self._folder, self._loads = folder, loads
        self._writer = Connection(self._target, self._prepare)
        try:
            self._reader = Connection(self._target, self._claim, one_moment=True)
        except BaseException:
            self._writer.close()
            raise
        try:
            self.journal = PostgresJournal(self._writer, self._reader, settings.memory_mib * _MIB, loads=loads)
        except BaseException:
            self._give_back()
            raise
        self.keys = PostgresKeys(self._writer, self._reader)

    def copy_to(self, target: Path) -> None:
        """Write everything durable so far into a new journal file of SQLite; others go on appending meanwhile."""
        copy_out(self._reader, target)

    def close(self) -> None:
        """Make durable what waits, and give the connections back."""
        self.journal.close()
        self._give_back()

    def _give_back(self) -> None:
        self._reader.close()
        self._writer.close()

    def _prepare(self, link: psycopg.Connection) -> None:
        schema.hold(link, self._target)
        try:
            if not schema.exists(link, self._target):
                schema.make(link, self._target)
            if self._folder is not None:
                move_in(link, self._folder, self._target.place)
        finally:
            schema.release(link, self._target)

    def _claim(self, link: psycopg.Connection) -> None:
        if self._loads:
            schema.claim(link, self._target)
