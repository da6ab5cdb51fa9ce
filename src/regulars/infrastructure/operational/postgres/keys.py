"""Keys in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.infrastructure.operational.keys import key_of, row_of

if TYPE_CHECKING:
    from regulars.domain.keys import Key
    from regulars.infrastructure.operational.postgres.connection import Connection

_SECONDS = 5


class PostgresKeys:
    """See :class:`regulars.application.ports.KeyStore`."""

    def __init__(self, writer: Connection, reader: Connection) -> None:
        self._writer, self._reader = writer, reader

    def all(self) -> list[Key]:
        """Every key that was ever made, in the order in which they were."""
        with self._reader.use("read", _SECONDS) as link:
            rows = link.execute(
                "SELECT id, role, name, digest, hint, created_us, expires_us FROM keys "
                'ORDER BY created_us, id COLLATE "C"'
            ).fetchall()
        return [key_of(*row) for row in rows]

    def put(self, key: Key) -> None:
        """Keep a key, in place of the one with its id."""
        with self._writer.use("write to", _SECONDS) as link:
            link.execute(
                "INSERT INTO keys VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET "
                "(role, name, digest, hint, created_us, expires_us) = (EXCLUDED.role, EXCLUDED.name, EXCLUDED.digest, "
                "EXCLUDED.hint, EXCLUDED.created_us, EXCLUDED.expires_us)",
                row_of(key),
            )
