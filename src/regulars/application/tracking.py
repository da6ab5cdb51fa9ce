"""Single events: accepted into the journal at once, brought into the warehouse before anybody looks."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from regulars.application.archiving import by_day, completed, erased_in, without
from regulars.application.canonical import execute
from regulars.application.load import load_and_refresh
from regulars.application.ports import Envelope, Fault, Page
from regulars.domain.archive import ERASED
from regulars.domain.report import JournalAudit
from regulars.domain.sql import Values
from regulars.domain.wire import kept_id, wire_event
from regulars.errors import RegularsError, SourceError
from regulars.settings import check_timezone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from regulars.application.ports import Archive, Engine, Journal, OperationalStore
    from regulars.domain.naming import PersonIds
    from regulars.domain.report import ImportReport
    from regulars.settings import Settings

AT_ONCE = 150_000
MOST_BACKLOG, MOST_BACKLOG_BYTES = 100_000, 32 << 20
_BETWEEN_PRUNES = timedelta(hours=1)
_LOG = logging.getLogger("regulars.archive")


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
    ``archive`` is where what the journal lacks is looked for, and, when ``hands_over``, where it goes before it is
    pruned. Without ``derive`` only facts are loaded, nothing is pruned, and what follows from the facts has to be
    rebuilt at the end. ``progress`` is told how many places another step has brought in.
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
        archive: Archive | None = None,
        hands_over: bool = False,
        derive: bool = True,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._engine, self._settings, self._load, self._clock = engine, settings, load, clock
        self._open_store, self._keep, self._most = open_store, keep, most
        self._archive, self._hands_over, self._derive = archive, hands_over, derive
        self._progress = progress
        self._opening, self._draining = threading.Lock(), threading.RLock()
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
        body = wire_event(fields, self._settings.event_limits, now=now, timezone=timezone)
        journal = self._journal(create=True)
        (offset,) = journal.append([Envelope(body, now)])
        self._waiting_bytes += len(body)
        if offset - self._drained >= MOST_BACKLOG or self._waiting_bytes >= MOST_BACKLOG_BYTES:
            # This event is kept whatever happens now; who asks next is told what went wrong.
            with suppress(RegularsError):
                self.flush()
        return kept_id(fields, journal.id, offset)

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
            before = self._drained
            self._drained = self._drain(journal.id, target, journal.read)
            if self._derive:
                self._retire(journal, self._drained - before)

    def catch_up(self) -> None:
        """Bring what only the archive has into the warehouse: a database that is older than it lacks that."""
        if self._archive is None:
            return
        journal = self._journal(create=False)
        with self._draining:
            for name in self._archive.journals():
                if journal is None or name != journal.id:
                    self._drain(name, self._archive.last_offset(name), partial(self._archive.read, name))
        self.flush()

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Everything accepted before is in the warehouse, and nothing else is loaded or archived meanwhile."""
        with self._draining:
            self.flush()
            yield

    def audit(self) -> JournalAudit:
        """Where everything went that the journal ever accepted."""
        journal = self._journal(create=False)
        return JournalAudit(0, 0, 0, 0, 0) if journal is None else audit(self._engine, journal)

    def forget(self, person: PersonIds, until: datetime | None = None) -> dict[str, int]:
        """Remove what the warehouse has already of a person from the journal and the archive; how much from each.

        What was received after ``until`` is of somebody new with an old name.
        """

        def is_theirs(received: datetime | None, body: bytes) -> bool:
            return (until is None or received is None or received <= until) and person.own(body)

        journal = self._journal(create=False)
        removed = {"journal": 0 if journal is None else self._forget_in(journal, is_theirs)}
        if self._archive is not None:
            removed["archive"] = self._archive.forget(is_theirs)
        return removed

    def _forget_in(self, journal: Journal, is_theirs: Callable[[datetime | None, bytes], bool]) -> int:
        theirs: list[int] = []
        after = 0
        while after < self._drained:
            page = journal.read(after, min(AT_ONCE, self._drained - after))
            theirs += (entry.offset for entry in page.entries if is_theirs(entry.received_at, entry.body))
            theirs += (fault.first for fault in page.faults if fault.body and is_theirs(None, fault.body))
            after = page.through
        # Also where there are none: a store may still have bytes of what it has let go.
        self._forget_places(journal.id, theirs)
        return len(theirs)

    def _forget_places(self, journal_id: str, offsets: list[int]) -> None:
        """Remove places for good; that they were somebody's who was erased is remembered first."""
        if self._archive is not None:
            self._archive.erase_places(journal_id, offsets)
        journal = self._journal(create=False)
        if journal is not None and journal.id == journal_id:
            journal.forget(offsets)

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
            # A journal that lost its end must not give the places out again that others have behind it.
            store.journal.start_after(max(self._drained, self._known_elsewhere(store.journal.id)))
        except BaseException:
            store.close()
            raise
        return store

    def _known_elsewhere(self, journal_id: str) -> int:
        """The greatest place of a journal that the archive knows of."""
        if self._archive is None:
            return 0
        erased = self._archive.erasures().places.get(journal_id, ())
        return max(self._archive.last_offset(journal_id), *(last for _, last in erased), 0)

    def _drain(self, journal_id: str, target: int, read: Callable[[int, int], Page]) -> int:
        """Bring in what the warehouse lacks of a journal up to a place; returns how far it came."""
        # After an error only the warehouse knows how far that was, so it is asked before every step.
        while (after := drained(self._engine, journal_id)) < target:
            page = read(after, min(AT_ONCE, target - after))
            self._bring_in(journal_id, self._settled(journal_id, page))
            if self._progress is not None:
                self._progress(page.through - after)
        return after

    def _settled(self, journal_id: str, page: Page) -> Page:
        """A page with what the archive has besides, and without what it knows to be erased."""
        if self._archive is None:
            return page
        page = completed(page, journal_id, self._archive)
        if erased := erased_in(page, self._archive.erasures().places.get(journal_id, ())):
            self._forget_places(journal_id, erased)
            page = without(page, erased)
        return page

    def _bring_in(self, journal_id: str, page: Page) -> None:
        """Load a stretch of the journal, with what follows from it and its end, in one transaction.

        When the rows are at fault, each half is tried on its own, down to the entry that cannot be stored: that one
        goes to the dead letter. Any other error leaves the journal where it was.
        """
        now = self._clock()

        def facts() -> ImportReport:
            report = self._load(journal_id, page, mark(journal_id), now)
            if report.reasons.get(ERASED):
                self._forget_places(journal_id, _turned_away(self._engine, report, page))
            _keep_place(self._engine, journal_id, page.through)
            return _merged(self._engine, mark(journal_id), report)

        try:
            if self._derive:
                load_and_refresh(self._engine, self._settings, facts, now, most=self._most, is_import=False)
            else:
                with self._engine.transaction():
                    facts()
        except RegularsError as exc:
            if not (isinstance(exc, SourceError) or exc.code == "bad_value") or not page.entries:
                raise
            for part in _halves(page, exc):
                self._bring_in(journal_id, part)

    def _retire(self, journal: Journal, came: int) -> None:
        """Let the journal forget what is old and loaded; where there is an archive, once that has it.

        A part of what is old is archived at a time, so that a question need not wait long; but always more than came.
        """
        now = self._clock()
        is_due = self._pruned_at is None or now - self._pruned_at >= _BETWEEN_PRUNES
        if not self._hands_over or self._archive is None:
            if is_due or not self._keep:
                self._pruned_at = now
                before = self._drained + 1
                journal.prune(min(before, journal.received_since(now - self._keep)) if self._keep else before)
        elif is_due:
            try:
                is_done, went = False, 0
                while not is_done and went <= came:
                    is_done = self._hand_over(self._archive, journal, now - self._keep)
                    went += AT_ONCE
            except RegularsError as exc:
                # Nothing is lost by it, and whoever asks a question cannot help it.
                _LOG.warning("cannot archive what is old in the journal, so it stays there: %s", exc)
                is_done = True
            self._pruned_at = now if is_done else None

    def _hand_over(self, archive: Archive, journal: Journal, moment: datetime) -> bool:
        """Archive and prune a stretch of what was received on the days before a moment; whether that was all of it."""
        midnight = datetime.combine(moment.date(), time())
        end = min(self._drained, journal.received_since(midnight) - 1)
        parts: list[tuple[date, Page]] = []
        after = archive.last_offset(journal.id)
        while after < end and not parts:
            page = journal.read(after, min(AT_ONCE, end - after))
            day = archive.last_day(journal.id) or next(
                (entry.received_at.date() for entry in page.entries), moment.date()
            )
            after, parts = page.through, by_day(page, day)
        for day, part in parts:
            archive.keep(journal.id, day, part)
        journal.prune(min(after, end) + 1)
        if after >= end:
            archive.join(journal.id)
        return after >= end


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


def _turned_away(engine: Engine, report: ImportReport, page: Page) -> list[int]:
    """Places of a page whose entries were turned away because their person was erased."""
    here = {entry.offset for entry in page.entries}
    rows = engine.fetch(f"SELECT line FROM dead_letter WHERE load_id = {report.load_id} AND reason = '{ERASED}'")
    return sorted(line for (line,) in rows if line in here)


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
