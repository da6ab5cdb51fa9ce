"""Pages of a journal on their way into the archive, and back out of it where the journal lacks something."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from regulars.application.ports import Entry, Fault, Page
from regulars.domain.archive import ERASED, ERASED_WORDS, ImportRecord, split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from regulars.application.ports import Archive, Engine
    from regulars.domain.archive import Range
    from regulars.domain.report import ImportReport

_MISSING = "journal_missing"


def by_day(page: Page, from_day: date) -> list[tuple[date, Page]]:
    """What a page has, cut into days of receipt (UTC) that never go back; nothing of what it does not have.

    Entries from before ``from_day``, the day of what came before, have been moved there by a clock that was put back.
    Damaged entries have no time, and go with the one before.
    """
    days: list[tuple[date, list[Entry | Fault]]] = []
    here: list[Entry | Fault] = [*page.entries, *(fault for fault in page.faults if fault.reason != _MISSING)]
    day = from_day
    for item in sorted(here, key=_first):
        if isinstance(item, Entry):
            day = max(day, item.received_at.date())
        if not days or days[-1][0] != day:
            days.append((day, []))
        days[-1][1].append(item)
    return [(day, _page(items)) for day, items in days]


def completed(page: Page, journal: str, archive: Archive) -> Page:
    """A page of a journal with what the archive has of the places that are missing in it."""
    entries, faults, through = list(page.entries), [], page.through
    for fault in page.faults:
        if fault.reason != _MISSING:
            faults.append(fault)
            continue
        found = archive.read(journal, fault.first - 1, fault.count)
        entries += found.entries
        faults += found.faults
        # What did not fit into memory comes with the next page, and so does all that is behind it.
        if found.through < fault.last:
            through = found.through
            break
    return Page(
        tuple(sorted((entry for entry in entries if entry.offset <= through), key=_first)),
        tuple(sorted((fault for fault in faults if fault.last <= through), key=_first)),
        through,
    )


def erased_in(page: Page, places: Sequence[Range]) -> list[int]:
    """Where a page still has something of people who were erased: somebody has put files from before back."""
    bodies = [entry.offset for entry in page.entries]
    bodies += [fault.first for fault in page.faults if fault.body is not None]
    if not bodies:
        return []
    here = [(first, last) for first, last, is_erased in split(min(bodies), max(bodies), places) if is_erased]
    return [offset for offset in sorted(bodies) if any(first <= offset <= last for first, last in here)]


def without(page: Page, offsets: Sequence[int]) -> Page:
    """A page on which the entries at some places were turned away."""
    gone = set(offsets)
    faults = [fault for fault in page.faults if fault.first not in gone]
    faults += [Fault(offset, offset, ERASED, ERASED_WORDS) for offset in offsets]
    entries = tuple(entry for entry in page.entries if entry.offset not in gone)
    return Page(entries, tuple(sorted(faults, key=_first)), page.through)


def record_of(
    engine: Engine, report: ImportReport, source: object, now: datetime, how: Mapping[str, Any]
) -> ImportRecord:
    """What is worth knowing of an import that the open transaction has made, should the database be lost."""
    ((fingerprint,),) = engine.fetch(f"SELECT fingerprint FROM loads WHERE load_id = {report.load_id}")
    path = os.path.abspath(source) if isinstance(source, (str, os.PathLike)) else None  # noqa: PTH100 -- links stay
    return ImportRecord(
        load_id=report.load_id, loaded_at=now, source=report.source, rows_read=report.rows_read, loaded=report.loaded,
        duplicates=report.duplicates, rejected=report.rejected, path=path, fingerprint=fingerprint, **how,
    )  # fmt: skip


def _first(item: Entry | Fault) -> int:
    return item.offset if isinstance(item, Entry) else item.first


def _page(items: Sequence[Entry | Fault]) -> Page:
    entries = tuple(item for item in items if isinstance(item, Entry))
    return Page(entries, tuple(item for item in items if isinstance(item, Fault)), _first(items[-1]))
