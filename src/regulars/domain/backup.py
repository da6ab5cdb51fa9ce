"""What a backup says about itself, so that a restore can tell whether it is whole."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

FORMAT = 1


class BackupFile(msgspec.Struct, frozen=True):
    """One file of a backup: its length, and the SHA-256 of its bytes in hexadecimal."""

    bytes: int
    sha256: str


class JournalPlace(msgspec.Struct, frozen=True):
    """How far a journal had come: the events it had accepted, and the last of them that the database has."""

    id: str
    accepted: int
    loaded: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest of a backup.

    ``made_at`` is UTC. ``rows`` counts the rows of each table. ``journal`` is missing where nothing was ever tracked.
    ``format`` is the form of the backup itself; a later one is refused.
    """

    format: int
    regulars: str
    duckdb: str
    made_at: datetime
    rows: Mapping[str, int]
    journal: JournalPlace | None
    files: Mapping[str, BackupFile]
