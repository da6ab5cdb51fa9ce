"""What every store of entries agrees on: their checksum, and how it is said that one is damaged or gone."""

from __future__ import annotations

import struct
import zlib

DAMAGED = "journal_damaged", "the entry of the journal is damaged: its checksum does not match"
MISSING = "journal_missing", "the journal does not have this entry any more"
_crc32, _pack = zlib.crc32, struct.Struct(">qq").pack  # looked up for every event, twice


def checksum(offset: int, received: int, body: bytes) -> int:
    """CRC-32 of everything that an entry says: its place, its time and its body."""
    return _crc32(body, _crc32(_pack(offset, received)))
