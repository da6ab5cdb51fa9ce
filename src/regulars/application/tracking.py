"""Single events: accepted into the journal at once, brought into the warehouse before anybody looks."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from regulars.application.canonical import execute
from regulars.application.load import load_and_refresh
from regulars.application.ports import Envelope, Fault, Page
from regulars.domain.events import BLANKS
from regulars.domain.report import JournalAudit
from regulars.domain.sql import Values
from regulars.domain.wire import Limits, made_id, wire_event
from regulars.errors import RegularsError, SourceError
from regulars.settings import check_timezone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from regulars.application.ports import Engine, Journal, OperationalStore
    from regulars.domain.report import ImportReport
    from regulars.settings import Settings

AT_ONCE = 50_000
MOST_BACKLOG, MOST_BACKLOG_BYTES = 100_000, 32 << 20
_BETWEEN_PRUNES = timedelta(hours=1)


class LoadEntries(Protocol):
    """Puts a stretch of the journal into the open transaction; ``name`` marks the record of the load."""

    def __call__(self, journal_id: str, page: Page, name: str, now: datetime) -> ImportReport:
        """Load the entries."""


def mark(journal_id: str) -> str:
    """The name under which the warehouse keeps how far it has a journal, and what it loaded from it."""
    return f"journal {journal_id}"


class Tracker:
    """The way of single events into one workspace. All methods may be called by many threads.

    ``open_store`` gives the operational store, making it when told so, or None while there is none. ``keep`` is how
    long the journal keeps what the warehouse has already, ``most`` bounds the events of a workspace in memory.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        load: LoadEntries,
        clock: Callable[[], datetime],
        open_store: Callable[[bool], OperationalStore | None],
        *,
        keep: timedelta,
        most: int | None = None,
    ) -> None:
        self._engine, self._settings, self._load, self._clock = engine, settings, load, clock
        self._open_store, self._keep, self._most = open_store, keep, most
        imports = settings.imports
        self._limits = Limits(settings.timezone, imports.name_characters, imports.string_bytes)
        self._opening, self._draining = threading.Lock(), threading.Lock()
        self._store: OperationalStore | None = None
        self._drained = 0
        self._waiting_bytes = 0
        self._pruned_at: datetime | None = None

    def track(self, fields: Mapping[str, Any], timezone: str | None = None) -> str:
        """Check one event and keep it; returns its id. When this returns, the event is durable.

        Errors: :class:`EventError` for an event that an import would turn away; nothing is kept.
        """
        if timezone is not None:
            check_timezone(timezone)
        now = self._clock()
        body = wire_event(fields, self._limits, now=now, timezone=timezone)
        journal = self._journal(create=True)
        (offset,) = journal.append([Envelope(body, now)])
        self._waiting_bytes += len(body)
        if offset - self._drained >= MOST_BACKLOG or self._waiting_bytes >= MOST_BACKLOG_BYTES:
            # This event is kept whatever happens now; who asks next is told what went wrong.
            with suppress(RegularsError):
                self.flush()
        given = fields.get("event_id")
        return made_id(journal.id, offset) if given is None else str(given).strip(BLANKS)

    def flush(self) -> None:
        """Bring everything accepted so far into the warehouse."""
        journal = self._journal(create=False)
        if journal is None:
            return
        # A journal on a server may have lost its end since it was opened.
        journal.start_after(self._drained)
        target = journal.last_offset()
        if self._drained >= target:
            return
        with self._draining:
            self._waiting_bytes = 0
            # After an error only the warehouse knows how far it came, so it is asked before every step.
            while (after := drained(self._engine, journal.id)) < target:
                page = journal.read(after, AT_ONCE)
                self._bring_in(journal.id, page)
            self._drained = after
            self._prune(journal)

    def audit(self) -> JournalAudit:
        """Where everything went that the journal ever accepted."""
        journal = self._journal(create=False)
        return JournalAudit(0, 0, 0, 0, 0) if journal is None else audit(self._engine, journal)

    def forget(self, words: Sequence[str]) -> None:
        """Remove what the warehouse has already, and holds one of the words, from the journal."""
        journal = self._journal(create=False)
        if journal is not None:
            journal.forget(words, self._drained)

    def close(self, *, flush: bool = True) -> None:
        """Bring what was accepted into the warehouse, unless told not to, and give the store back."""
        try:
            if flush:
                self.flush()
        finally:
            if self._store is not None:
                self._store.close()

    @overload
    def _journal(self, *, create: Literal[True]) -> Journal: ...

    @overload
    def _journal(self, *, create: Literal[False]) -> Journal | None: ...

    def _journal(self, *, create: bool) -> Journal | None:
        if self._store is None:
            with self._opening:
                if self._store is None:
                    self._store = self._opened(create=create)
        return self._store.journal if self._store else None

    def _opened(self, *, create: bool) -> OperationalStore | None:
        store = self._open_store(create)
        if store is None:
            return None
        try:
            self._drained = drained(self._engine, store.journal.id)
            # A journal that lost its end must not give the places out again that the warehouse has behind it.
            store.journal.start_after(self._drained)
        except BaseException:
            store.close()
            raise
        return store

    def _bring_in(self, journal_id: str, page: Page) -> None:
        """Load a stretch of the journal, with what follows from it and its end, in one transaction.

        When the rows are at fault, each half is tried on its own, down to the entry that cannot be stored: that one
        goes to the dead letter. Any other error leaves the journal where it was.
        """
        now = self._clock()

        def facts() -> ImportReport:
            report = self._load(journal_id, page, mark(journal_id), now)
            _keep_place(self._engine, journal_id, page.through)
            return _merged(self._engine, mark(journal_id), report)

        try:
            load_and_refresh(self._engine, self._settings, facts, now, most=self._most, is_import=False)
        except RegularsError as exc:
            if not (isinstance(exc, SourceError) or exc.code == "bad_value") or not page.entries:
                raise
            for part in _halves(page, exc):
                self._bring_in(journal_id, part)

    def _prune(self, journal: Journal) -> None:
        now = self._clock()
        if self._keep and self._pruned_at is not None and now - self._pruned_at < _BETWEEN_PRUNES:
            return
        self._pruned_at = now
        before = self._drained + 1
        journal.prune(min(before, journal.received_since(now - self._keep)) if self._keep else before)


def drained(engine: Engine, journal_id: str) -> int:
    """The offset up to which the warehouse has a journal."""
    rows = engine.query(f"SELECT value FROM workspace_state WHERE name = '{mark(journal_id)}'").rows
    return int(rows[0][0]) if rows else 0


def audit(engine: Engine, journal: Journal) -> JournalAudit:
    """Count what a journal accepted by where it is now, from two sources: its offsets, and the records of the loads.

    Both are read in one snapshot, so a drain under way need not be waited for: it is there as a whole or not at all.
    """
    with engine.snapshot() as snapshot:
        name = mark(journal.id)
        ((loaded, duplicates, rejected),) = snapshot.query(
            f"""SELECT coalesce(sum(rows_loaded), 0) AS loaded, coalesce(sum(duplicates), 0) AS duplicates,
coalesce(sum(rejected), 0) AS rejected FROM loads WHERE fingerprint = '{name}'"""
        ).rows
        rows = snapshot.query(f"SELECT value FROM workspace_state WHERE name = '{name}'").rows
    last = journal.last_offset()
    return JournalAudit(last, int(loaded), int(duplicates), int(rejected), last - (int(rows[0][0]) if rows else 0))


def _keep_place(engine: Engine, journal_id: str, offset: int) -> None:
    values = Values()
    name = values.add(mark(journal_id))
    execute(engine, f"DELETE FROM workspace_state WHERE name = {name}", values)
    values = Values()
    name, place = values.add(mark(journal_id)), values.add(str(offset))
    execute(engine, f"INSERT INTO workspace_state SELECT {name}, {place}", values)


def _merged(engine: Engine, name: str, report: ImportReport) -> ImportReport:
    """Let the record of this load take up those of the same journal and day, which would soon be countless."""
    day = f"(SELECT max(CAST(loaded_at AS DATE)) FROM loads WHERE load_id = {report.load_id})"
    same = f"fingerprint = '{name}' AND CAST(loaded_at AS DATE) = {day}"
    ((parts, read, loaded, duplicates, rejected),) = engine.fetch(
        f"SELECT count(*), sum(rows_read), sum(rows_loaded), sum(duplicates), sum(rejected) FROM loads WHERE {same}"
    )
    if parts > 1:
        engine.execute(f"DELETE FROM loads WHERE {same} AND load_id < {report.load_id}")
        engine.execute(
            f"UPDATE loads SET rows_read = {read}, rows_loaded = {loaded}, duplicates = {duplicates}, "
            f"rejected = {rejected} WHERE load_id = {report.load_id}"
        )
    return report


def _halves(page: Page, error: RegularsError) -> tuple[Page, ...]:
    """Two pages that hold what one did; an entry that stands alone becomes a fault."""
    entries = page.entries
    if len(entries) == 1:
        (entry,) = entries
        fault = Fault(entry.offset, entry.offset, "not_storable", error.message, entry.body)
        return (replace(page, entries=(), faults=(*page.faults, fault)),)
    middle = len(entries) // 2
    border = entries[middle].offset - 1
    # A range of lost places lies between two entries, so no border cuts one.
    before = tuple(fault for fault in page.faults if fault.last <= border)
    after = tuple(fault for fault in page.faults if fault.first > border)
    return Page(entries[:middle], before, border), Page(entries[middle:], after, page.through)
