"""Keys in the operational store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.keys import Key
from regulars.infrastructure.loading.times import instant, microseconds

if TYPE_CHECKING:
    from datetime import datetime

    from regulars.infrastructure.operational.sqlite import SqliteFile

KEYS_TABLE = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, role TEXT NOT NULL, name TEXT NOT NULL, digest BLOB NOT NULL, hint TEXT NOT NULL,
    created_us INTEGER NOT NULL, expires_us INTEGER)"""
_EXISTS = "SELECT 1 FROM sqlite_master WHERE name = 'keys'"


class SqliteKeys:
    """See :class:`regulars.application.ports.KeyStore`. The table is made with the first key."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def all(self) -> list[Key]:
        """Every key that was ever made, in the order in which they were."""
        with self._file.snapshot() as connection:
            if not connection.execute(_EXISTS).fetchall():
                return []
            rows = connection.execute(
                "SELECT id, role, name, digest, hint, created_us, expires_us FROM keys ORDER BY created_us, id"
            ).fetchall()
        return [key_of(*row) for row in rows]

    def put(self, key: Key) -> None:
        """Keep a key, in place of the one with its id."""
        with self._file.change() as connection:
            connection.execute(KEYS_TABLE)
            connection.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)", row_of(key))


def row_of(key: Key) -> tuple[Any, ...]:
    """A key as a row, in the order of the table's columns."""
    return key.id, key.role, key.name, key.digest, key.hint, microseconds(key.created_at), _us(key.expires_at)


def key_of(key_id: str, role: Any, name: str, digest: bytes, hint: str, created: int, expires: int | None) -> Key:  # noqa: PLR0917
    """A row as the key it was."""
    return Key(key_id, role, name, digest, hint, instant(created), None if expires is None else instant(expires))


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)
