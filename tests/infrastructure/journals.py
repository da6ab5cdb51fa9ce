"""Where a journal can be, for tests that hold for each of them: a file of SQLite, a schema of PostgreSQL."""

from __future__ import annotations

import secrets
import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from regulars.application.ports import Envelope
from regulars.infrastructure.operational.opening import open_store
from regulars.infrastructure.operational.sqlite import JOURNAL_NAME
from regulars.settings import JournalSettings

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.application.ports import Journal, Page
    from regulars.infrastructure.operational.opening import FolderStore
    from tests.postgres import PostgresServer

NOW = datetime(2026, 1, 5, 9)


class Place(Protocol):
    """One place; what was opened there is closed after the test."""

    def open(self, *, memory_mib: int = 64, loads: bool = False) -> FolderStore:
        """A store there."""

    def edit(self, statement: str) -> None:
        """Change what is stored, behind the journal's back."""

    def close(self) -> None:
        """Close everything that was opened here."""

    def damage(self, offset: int) -> list[str]:
        """Statements, each of which damages an entry."""

    def age(self) -> None:
        """Let the journal be one of a later version."""

    def refuse(self) -> None:
        """Let every insert fail from now on."""

    def allow(self) -> None:
        """Let inserts succeed again."""


class _Opening:
    settings: JournalSettings
    folder: Path

    def __init__(self) -> None:
        self._opened: list[FolderStore] = []

    def open(self, *, memory_mib: int = 64, loads: bool = False) -> FolderStore:
        """A store there."""
        given = {name: getattr(self.settings, name) for name in ("store", "dsn", "schema", "disk_floor_mib")}
        store = open_store(self.folder, JournalSettings(**given, memory_mib=memory_mib), loads=loads)
        self._opened.append(store)
        return store

    def close(self) -> None:
        """Close everything that was opened here."""
        while self._opened:
            self._opened.pop().close()


class SqlitePlace(_Opening):
    """A folder with a journal file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.settings = folder, JournalSettings(disk_floor_mib=0)

    def edit(self, statement: str) -> None:
        """Change what is stored, behind the journal's back."""
        with sqlite3.connect(self.folder / JOURNAL_NAME) as connection:
            connection.execute(statement)
        connection.close()

    def damage(self, offset: int) -> list[str]:
        """Statements, each of which damages an entry."""
        values = ("body = CAST('B' AS BLOB)", "received_us = 5", "crc = 7", "body = 12")
        return [f"UPDATE envelopes SET {value} WHERE offset = {offset}" for value in values]

    def age(self) -> None:
        """Let the journal be one of a later version."""
        self.edit("PRAGMA user_version = 99")

    def refuse(self) -> None:
        """Let every insert fail from now on."""
        self.edit("CREATE TRIGGER refuse BEFORE INSERT ON envelopes BEGIN SELECT RAISE(ABORT, 'no'); END")

    def allow(self) -> None:
        """Let inserts succeed again."""
        self.edit("DROP TRIGGER refuse")


class PostgresPlace(_Opening):
    """A schema of its own on a running server, and a folder without a journal file."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        super().__init__()
        self.server, self.folder = server, folder
        self.schema = f"test_{secrets.token_hex(6)}"
        self.settings = JournalSettings(store="postgres", dsn=server.dsn, schema=self.schema)

    def edit(self, statement: str) -> None:
        """Change what is stored, behind the journal's back."""
        self.server.sql(f"SET search_path TO {self.schema}; {statement}")

    def damage(self, offset: int) -> list[str]:
        """Statements, each of which damages an entry."""
        values = ("body = 'B'", "received_us = 5", "crc = 7", "body = ''")
        return [f"""UPDATE envelopes SET {value} WHERE "offset" = {offset}""" for value in values]

    def age(self) -> None:
        """Let the journal be one of a later version."""
        self.edit("UPDATE journal SET format = 99")

    def refuse(self) -> None:
        """Let every insert fail from now on."""
        self.edit("""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
            CREATE TRIGGER refuse BEFORE INSERT ON envelopes FOR EACH ROW EXECUTE FUNCTION refuse()""")

    def allow(self) -> None:
        """Let inserts succeed again."""
        self.edit("DROP TRIGGER refuse ON envelopes")

    def toml(self) -> str:
        """The section of a settings file."""
        return f'[journal]\nstore = "postgres"\ndsn = "{self.server.dsn}"\nschema = "{self.schema}"\n'


def letters(*bodies: str, received_at: datetime = NOW) -> list[Envelope]:
    """Envelopes with these bodies."""
    return [Envelope(body.encode(), received_at) for body in bodies]


def bodies(page: Page) -> list[str]:
    """What the entries of a page hold."""
    return [entry.body.decode() for entry in page.entries]


def everything(journal: Journal) -> list[str]:
    """What the entries of a short journal hold."""
    return bodies(journal.read(0, 100_000))


def code_of(raised: Any) -> str:
    """The code of an error that was raised."""
    return str(raised.value.code)
