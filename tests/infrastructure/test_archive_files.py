"""Files of the archive: what a page has goes in, and comes out again, whatever happens to a file meanwhile."""

from __future__ import annotations

import shutil
from datetime import date, datetime
from typing import TYPE_CHECKING

import duckdb

from regulars.application.archiving import by_day, completed, erased_in, without
from regulars.application.ports import Entry, Fault, Page
from regulars.infrastructure.archive.folder import FolderArchive
from tests.application.test_archive import refused

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_damaged_and_lost_entries_stay_what_they_are(tmp_path: Path) -> None:
    """The archive does not make them better, nor worse."""
    archive = FolderArchive(tmp_path)
    entries = tuple(Entry(n, b"\xff\x00%d" % n, datetime(2026, 1, 5, 12, n)) for n in (1, 4))
    damaged = Fault(
        2, 2, "journal_damaged", "the entry of the journal is damaged: its checksum does not match", b"half"
    )
    lost = Fault(3, 3, "journal_missing", "the journal does not have this entry any more")
    archive.keep("j", date(2026, 1, 5), Page(entries, (damaged, lost), 4))
    assert archive.read("j", 0, 9) == Page(
        entries, (damaged, lost, Fault(5, 9, *("journal_missing", "the journal does not have this entry any more"))), 9
    )
    assert archive.read("j", 1, 1) == Page((), (damaged,), 2)
    assert archive.read("other", 0, 1).faults[0].reason == "journal_missing"


def test_days_never_go_back_and_damaged_entries_go_with_the_one_before() -> None:
    """A clock was put back over midnight; one entry has no readable time; one is gone."""
    at = [datetime(2026, 1, 5, 23), datetime(2026, 1, 6, 0), datetime(2026, 1, 5, 23), datetime(2026, 1, 6, 1)]
    entries = tuple(Entry(n, b"x", moment) for n, moment in enumerate(at, start=2))
    faults = (Fault(1, 1, "journal_damaged", "?", b"y"), Fault(6, 7, "journal_missing", "?"))
    parts = by_day(Page(entries, faults, 7), date(2026, 1, 4))
    assert [(day, [e.offset for e in part.entries], [f.first for f in part.faults]) for day, part in parts] == [
        (date(2026, 1, 4), [], [1]), (date(2026, 1, 5), [2], []), (date(2026, 1, 6), [3, 4, 5], []),
    ]  # fmt: skip
    assert by_day(Page((), (), 9), date(2026, 1, 4)) == []


def test_a_page_takes_from_the_archive_what_it_lacks_and_no_more_than_fits_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = FolderArchive(tmp_path)
    entries = tuple(Entry(n, b"%d" % n, datetime(2026, 1, 5, 12, n)) for n in range(1, 6))
    archive.keep("j", date(2026, 1, 5), Page(entries[1:3], (), 3))
    damaged, lost = Fault(1, 1, "journal_damaged", "?", b"y"), Fault(2, 4, "journal_missing", "?")
    page = Page(entries[4:], (damaged, lost), 5)
    whole = completed(page, "j", archive)
    assert whole.entries == (*entries[1:3], entries[4])
    assert [(fault.first, fault.last) for fault in whole.faults] == [(1, 1), (4, 4)]
    monkeypatch.setattr("regulars.infrastructure.archive.parquet._PAGE_BYTES", 1)
    part = completed(page, "j", archive)
    assert (part.entries, part.faults, part.through) == (entries[1:3], (damaged,), 3)
    assert erased_in(part, ((1, 2),)) == [1, 2]
    assert erased_in(Page((), (lost,), 4), ((1, 9),)) == []
    assert [(f.first, f.reason) for f in without(part, [1, 2]).faults] == [(1, "erased"), (2, "erased")]


def test_of_files_that_hold_the_same_those_that_are_listed_stay(tmp_path: Path) -> None:
    """Killed while parts were joined, before the list knew of it or before the parts went: nothing is lost."""
    archive = FolderArchive(tmp_path)
    entries = [Entry(n, b"%d" % n, datetime(2026, 1, 5, 12, n)) for n in range(1, 4)]
    for entry in entries:
        archive.keep("j", date(2026, 1, 5), Page((entry,), (), entry.offset))
    folder, before = tmp_path / "archive", tmp_path / "before"
    shutil.copytree(folder, before)
    parts = {path.name for path in before.glob("*.parquet")}
    archive.join("j")
    (joined,) = (path.name for path in folder.glob("*.parquet"))
    for part in parts:
        shutil.copyfile(before / part, folder / part)
    FolderArchive(tmp_path).tidy()
    assert {path.name for path in folder.glob("*.parquet")} == {joined}
    shutil.copyfile(before / "journal.json", folder / "journal.json")
    FolderArchive(tmp_path).tidy()  # the list of before: the parts are gone, so the whole must stay
    assert {path.name for path in folder.glob("*.parquet")} == {joined}
    for part in parts:
        shutil.copyfile(before / part, folder / part)
    FolderArchive(tmp_path).tidy()
    assert {path.name for path in folder.glob("*.parquet")} == parts
    assert FolderArchive(tmp_path).read("j", 0, 3).entries == tuple(entries)


def test_an_entry_whose_place_is_damaged_takes_no_other_with_it(tmp_path: Path) -> None:
    """Its checksum tells that it is not what it says; the others are where they were."""
    archive = FolderArchive(tmp_path)
    entries = tuple(Entry(n, b"%d" % n, datetime(2026, 1, 5, 12, n)) for n in range(1, 6))
    archive.keep("j", date(2026, 1, 5), Page(entries, (), 5))
    path = next((tmp_path / "archive").glob("*.parquet"))
    changed = 'SELECT * REPLACE (CASE "offset" WHEN 2 THEN 4 WHEN 3 THEN 9 ELSE "offset" END AS "offset")'
    duckdb.execute(f"CREATE TABLE rows AS {changed} FROM '{path}'; COPY rows TO '{path}' (FORMAT parquet)")
    page = archive.read("j", 0, 5)
    assert page.entries == (entries[0], entries[3], entries[4])
    assert [(fault.first, fault.last, fault.reason) for fault in page.faults] == [(2, 3, "journal_missing")]


def test_what_is_not_read_back_as_it_was_written_is_not_kept(tmp_path: Path) -> None:
    """Here because entries are not in the order of their places."""
    archive = FolderArchive(tmp_path)
    entries = tuple(Entry(n, b"%d" % n, datetime(2026, 1, 5, 12, n)) for n in (2, 1))
    error = refused(lambda: archive.keep("j", date(2026, 1, 5), Page(entries, (), 2)))
    assert error.code == "archive_failed"
    assert list((tmp_path / "archive").iterdir()) == []
