"""What outlives the database: files of the journal by day, imports that were made, and who was erased.

All of it is kept beside the database, as records that need nothing else to be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FORMAT = 1
ERASED, ERASED_WORDS = "erased", "from before this person was erased"  # why an event was turned away
Range = tuple[int, int]


class ArchivedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the archive: the places ``first`` to ``last`` of a journal, received on a UTC day.

    ``entries`` of these places are in it; the others were lost before, or are of people who were erased since.
    """

    name: str
    journal: str
    day: date
    first: int
    last: int
    entries: int
    bytes: int
    sha256: str


class ArchiveManifest(msgspec.Struct, frozen=True):
    """Every file of the archive, in the order of their places."""

    format: int = FORMAT
    files: tuple[ArchivedFile, ...] = ()

    def of(self, journal: str) -> tuple[ArchivedFile, ...]:
        """The files of one journal, by place."""
        return tuple(file for file in self.files if file.journal == journal)

    def replaced(self, gone: Iterable[ArchivedFile], come: Iterable[ArchivedFile]) -> ArchiveManifest:
        """The manifest with files in the place of others."""
        names = {file.name for file in gone}
        kept = [file for file in self.files if file.name not in names]
        return ArchiveManifest(self.format, tuple(sorted([*kept, *come], key=lambda file: (file.journal, file.first))))


class Tombstone(msgspec.Struct, frozen=True):
    """One id of an erased person, as a salted hash; times are naive UTC."""

    erasure_id: int
    kind: str
    id_hash: str
    erased_at: datetime


class Erasures(msgspec.Struct, frozen=True):
    """Who was erased, as hashes, and which places of each journal were theirs."""

    salt: str | None = None
    tombstones: tuple[Tombstone, ...] = ()
    places: Mapping[str, tuple[Range, ...]] = {}


class ImportRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One import, or correction by hand, which the archive of the journal cannot bring back.

    ``path`` is missing where rows came from a program; ``fingerprint`` is that of the table ``loads``.
    """

    load_id: int
    loaded_at: datetime
    source: str
    rows_read: int
    loaded: int
    duplicates: int = 0
    rejected: int = 0
    path: str | None = None
    fingerprint: str | None = None
    kind: str = "auto"
    format: str = "auto"
    timezone: str | None = None
    mapping: Mapping[str, str] | None = None


@dataclass(frozen=True)
class ArchiveReport:
    """How an archive was found.

    ``wrong`` says per file what is the matter with it, ``gaps`` per journal which places no file has although
    later ones are there, ``bytes`` is the size of all files.
    """

    files: int
    entries: int
    bytes: int
    first_day: date | None
    last_day: date | None
    wrong: Mapping[str, str]
    gaps: Mapping[str, tuple[Range, ...]]


@dataclass(frozen=True)
class Rebuilt:
    """What a database that was made anew from the archive and the journal holds, and what it lacks.

    ``events`` counts the events in it, ``read`` the places of journals that were looked at, ``reasons`` says why rows
    are in the dead letter instead. ``imports`` have to be repeated. ``kept_aside`` is the name under which a database
    that could not be opened was kept.
    """

    events: int
    read: int
    reasons: Mapping[str, int]
    imports: tuple[ImportRecord, ...]
    kept_aside: str | None = None

    @property
    def lost(self) -> int:
        """How many events are nowhere, or damaged."""
        return self.reasons.get("journal_missing", 0) + self.reasons.get("journal_damaged", 0)


def united(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Ranges of places, ends included, in order, with neighbours joined.

    >>> united([(5, 6), (1, 2), (3, 3), (6, 9)])
    ((1, 3), (5, 9))
    """
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return tuple(found)


def between(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """What lies between ranges.

    >>> between([(1, 3), (4, 5), (9, 9)])
    ((6, 8),)
    """
    return tuple((before[1] + 1, after[0] - 1) for before, after in pairwise(united(ranges)))


def split(first: int, last: int, ranges: Sequence[Range]) -> list[tuple[int, int, bool]]:
    """A stretch of places cut where ranges begin and end, each piece with whether it lies in one.

    >>> split(1, 9, ((3, 4), (8, 20)))
    [(1, 2, False), (3, 4, True), (5, 7, False), (8, 9, True)]
    >>> split(3, 5, ((1, 2), (3, 4)))
    [(3, 4, True), (5, 5, False)]
    """
    pieces: list[tuple[int, int, bool]] = []
    for begin, end in ranges:
        begin, end = max(begin, first), min(end, last)  # noqa: PLW2901 -- only what lies in the stretch
        if begin > end:
            continue
        if begin > first:
            pieces.append((first, begin - 1, False))
        pieces.append((begin, end, True))
        first = end + 1
    return [*pieces, (first, last, False)] if first <= last else pieces


def latest_imports(records: Iterable[ImportRecord]) -> tuple[ImportRecord, ...]:
    """Every import once: of a file that was imported more than once, the last time, and so of a kind of rows; in order.

    >>> when = datetime(2026, 1, 5)
    >>> once, again = (
    ...     ImportRecord(
    ...         load_id=n, loaded_at=when, source="a.csv", rows_read=1, loaded=1, path="/a.csv", fingerprint="f"
    ...     )
    ...     for n in (1, 2)
    ... )
    >>> latest_imports([once, again]) == (again,)
    True
    """
    found: dict[tuple[str, str | None], ImportRecord] = {}
    for record in records:
        key = record.path or record.source, record.fingerprint if record.path else None
        found.pop(key, None)
        found[key] = record
    return tuple(found.values())
