"""What the verbs need from the outside: an engine that runs SQL and changes rows, and a store for what comes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from datetime import date, datetime

    import pyarrow as pa

    from regulars.domain.archive import Erasures
    from regulars.domain.dialect import Dialect
    from regulars.domain.keys import Key


@dataclass(frozen=True)
class Table:
    """Rows as an engine returned them: dates, naive-UTC timestamps, numbers and text only."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Snapshot:
    """One committed state: every SELECT that ``query`` runs sees the same rows.

    Snapshots of equal ``version`` hold the same rows. It is None where that cannot be known: while a commit is under
    way, and on an engine without transactions, where each SELECT has a snapshot of its own.
    """

    query: Callable[[str], Table]
    version: int | None = None


class Reader(Protocol):
    """A database that answers SELECTs. It knows SQL and rows, and no metric.

    Driver errors leave it as :class:`regulars.errors.EngineError`, with the driver's error as their cause; its code is
    ``bad_value`` where the driver blames the rows, not the disk, the memory or itself.
    """

    @property
    def dialect(self) -> Dialect:
        """How this engine spells types and the few fragments that differ."""

    def query(self, sql: str) -> Table:
        """Run one SELECT on a snapshot and return all its rows."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """The last committed state, for several SELECTs whose rows belong together."""


class ServingEngine(Reader, Protocol):
    """A database that answers questions on a copy of the warehouse; other packages may bring one.

    It is never asked while its tables are replaced.
    """

    def create_schema(self) -> None:
        """Create the tables of :data:`regulars.domain.schema.TABLES` that are missing."""

    def replace(self, table: str, rows: pa.Table) -> None:
        """Put rows in the place of everything a table holds."""

    def close(self) -> None:
        """Give the database back."""


class EventArchive(Protocol):
    """Where events are kept that the warehouse has dropped, by day.

    Errors leave it as :class:`regulars.errors.WorkspaceError` ``archive_damaged`` or ``archive_failed``.
    """

    def write(self, events: Mapping[date, int], *, keep_before: date | None) -> None:
        """Archive whole days with so many events each; of what was there before, only days before a day stay."""

    def holds(self, events: Mapping[date, int], *, verify: bool = True) -> bool:
        """Whether exactly so many events of these days are here; ``verify`` compares the checksums of the files too."""

    def events(self, before: date) -> str:
        """A SELECT of the events there are of days before a day, as rows of ``fact_user_actions``."""

    def details(self, before: date) -> str:
        """A SELECT of their details, as rows of ``fact_activity_details``, behind the identity that sent them."""

    def forget_strangers(self) -> None:
        """Write those files anew that hold events of identities which the workspace does not know any more."""


class Engine(Reader, Protocol):
    """A database that holds the warehouse; one in memory has no archive."""

    @property
    def archive(self) -> EventArchive | None:
        """Where dropped events are kept."""

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a SELECT that sees what the open transaction has changed so far."""

    def parsed(self, sql: str) -> str:
        """The syntax tree of a text, or what is wrong with it, as JSON; nothing is run."""

    def execute(self, sql: str) -> None:
        """Run one statement that changes something, inside :meth:`transaction`."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit everything executed inside at once, or nothing when an error leaves it."""

    def close(self) -> None:
        """Give the database back."""


class Envelope(NamedTuple):
    """One event on its way into the journal: its wire form as JSON bytes, and when it was received (naive UTC)."""

    body: bytes
    received_at: datetime


class Entry(NamedTuple):
    """One event in the journal, at its place there."""

    offset: int
    body: bytes
    received_at: datetime


@dataclass(frozen=True)
class Fault:
    """Places of the journal, ends included, whose entries cannot be loaded, and why.

    ``reason`` is ``journal_damaged``, ``journal_missing``, ``erased`` or ``not_storable``; ``body`` is what is left of
    the entry.
    """

    first: int
    last: int
    reason: str
    detail: str
    body: bytes | None = None

    @property
    def count(self) -> int:
        """How many places these are."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Page:
    """A stretch of the journal: every place up to ``through`` is in ``entries`` or in ``faults``, exactly once."""

    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...]
    through: int


class Journal(Protocol):
    """What was accepted, in order, kept until the warehouse has it.

    An offset is a place in that order: 1, 2, 3, without gaps, never used twice. Many threads may append, and other
    processes too. Errors leave it as :class:`regulars.errors.JournalError`.
    """

    @property
    def id(self) -> str:
        """Tells this journal from every other; with the offset it names an event that came without an id."""

    def submit(self, envelopes: Sequence[Envelope]) -> Future[range]:
        """Queue envelopes and return at once; the future holds their offsets as soon as they are durable.

        Errors: ``journal_full`` while too much waits to become durable; nothing was queued.
        """

    def append(self, envelopes: Sequence[Envelope]) -> range:
        """Keep envelopes and return their offsets; when this returns, they are durable."""

    def check(self) -> None:
        """Raise what appending would raise, as far as that can be told without keeping anything."""

    def last_offset(self) -> int:
        """The greatest offset given so far, 0 before the first."""

    def read(self, after: int, limit: int) -> Page:
        """At most ``limit`` places behind an offset, in order."""

    def start_after(self, offset: int) -> None:
        """Never give an offset up to this one from now on."""

    def prune(self, before: int) -> None:
        """Remove the entries before an offset; the offsets stay used."""

    def received_since(self, moment: datetime) -> int:
        """The first offset received at a moment or later; the one behind the last when there is none."""

    def forget(self, offsets: Sequence[int]) -> None:
        """Remove the entries at some offsets without a trace; the offsets stay used."""

    def close(self) -> None:
        """Make durable what waits, and give the files back."""


class Archive(Protocol):
    """What outlives the journal and the database: entries by day, and who was erased.

    Errors leave it as :class:`regulars.errors.WorkspaceError`; nothing was changed then.
    """

    def journals(self) -> Sequence[str]:
        """The journals that it has something of, the oldest first."""

    def last_offset(self, journal: str) -> int:
        """The greatest offset of a journal that it has, 0 when there is none."""

    def last_day(self, journal: str) -> date | None:
        """The day under which it has that one."""

    def keep(self, journal: str, day: date, page: Page) -> None:
        """Keep the entries and damaged places of a page under a day; when this returns, they are durable and verified.

        Its places are greater than :meth:`last_offset`, and its day is not before :meth:`last_day`.
        """

    def join(self, journal: str) -> None:
        """Put together what was kept of each day in several parts."""

    def read(self, journal: str, after: int, limit: int) -> Page:
        """At most ``limit`` places behind an offset, in order; those that it does not have are faults."""

    def forget(self, is_theirs: Callable[[datetime | None, bytes], bool]) -> int:
        """Remove entries of a person without a trace; returns how many.

        ``is_theirs`` is told when an entry was received, where that is known, and its body.
        """

    def absent(self, journal: str, first: int, last: int) -> Iterable[Fault]:
        """Why nobody has places of a journal any more."""

    def erase_places(self, journal: str, offsets: Sequence[int]) -> None:
        """Remember that places of a journal were of somebody who was erased."""

    def erasures(self) -> Erasures:
        """Who was erased."""

    def remember(self, erasures: Erasures) -> None:
        """Keep who was erased."""


class OperationalStore(Protocol):
    """What a workspace must remember before, or beside, the warehouse."""

    @property
    def journal(self) -> Journal:
        """What was accepted and may not be in the warehouse yet."""

    def close(self) -> None:
        """Give everything back."""


class KeyStore(Protocol):
    """Where keys are kept."""

    def all(self) -> Sequence[Key]:
        """Every key that was ever made, also those that no longer work."""

    def put(self, key: Key) -> None:
        """Keep a key, in place of the one with its id."""
