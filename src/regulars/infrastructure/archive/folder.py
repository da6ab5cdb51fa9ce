"""The archive of one workspace folder.

What the journal hands over becomes durable in steps: a file is written under another name, verified, renamed, and
listed in the manifest, which is replaced as a whole. Files never change after that; what must change is written anew
under a name of its own, and the manifest takes the new one in the place of the old one at once. So a process that is
killed leaves files that nobody lists: they hold what is listed elsewhere or still in the journal, and are removed.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from contextlib import suppress
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from regulars.application.ports import Fault, Page
from regulars.domain.archive import (
    ERASED,
    ERASED_WORDS,
    FORMAT,
    ArchivedFile,
    ArchiveManifest,
    ArchiveReport,
    Erasures,
    ImportRecord,
    between,
    split,
    united,
)
from regulars.errors import WorkspaceError
from regulars.infrastructure.archive.parquet import ParquetFiles, missing
from regulars.infrastructure.archive.records import add_line, read_lines, read_record, write_record, writing
from regulars.infrastructure.files import ARCHIVE_NAME, sealed, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

MANIFEST_NAME, ERASURES_NAME, IMPORTS_NAME, MARKER_NAME = "journal.json", "erasures.json", "imports.jsonl", "made.json"
_NAME = re.compile(r"journal-(\w+)-(\d{4}-\d\d-\d\d)-(\d+)-(\d+)(?:\.(\d+))?\.parquet", re.ASCII)


class FolderArchive:
    """See :class:`regulars.application.ports.Archive`. One process at a time may change an archive."""

    def __init__(self, workspace: Path) -> None:
        self.folder = workspace / ARCHIVE_NAME
        self._files = ParquetFiles()
        self._lock = threading.RLock()
        self._manifest: ArchiveManifest | None = None
        self._erasures: Erasures | None = None
        self._noted: set[tuple[str, date]] = set()

    # --- the journal ---------------------------------------------------------------------------------------

    def manifest(self) -> ArchiveManifest:
        """Every file; made anew from the files themselves where it is lost.

        Errors: :class:`WorkspaceError` ``archive_unknown``, ``archive_damaged``.
        """
        with self._lock:
            if self._manifest is None:
                self._manifest = self._read_manifest()
            return self._manifest

    def journals(self) -> tuple[str, ...]:
        """The journals that it has something of, the oldest first."""
        days: dict[str, date] = {}
        for file in self.manifest().files:
            days[file.journal] = min(file.day, days.get(file.journal, file.day))
        return tuple(sorted(days, key=lambda name: (days[name], name)))

    def last_offset(self, journal: str) -> int:
        """The greatest place of a journal that it has."""
        return max((file.last for file in self.manifest().of(journal)), default=0)

    def last_day(self, journal: str) -> date | None:
        """The day of that place."""
        return max((file.day for file in self.manifest().of(journal)), default=None)

    def keep(self, journal: str, day: date, page: Page) -> None:
        """Keep what a page has, durably and verified; its places follow those that are there.

        Errors: :class:`WorkspaceError` ``archive_failed``. Nothing is listed then.
        """
        with self._lock:
            offsets = [*(entry.offset for entry in page.entries), *(fault.first for fault in page.faults)]
            self._replace((), journal, day, (min(offsets), max(offsets)), partial(self._files.write, page))

    def join(self, journal: str) -> None:
        """Make one file of all that a day has."""
        with self._lock:
            days: dict[date, list[ArchivedFile]] = {}
            for file in self.manifest().of(journal):
                days.setdefault(file.day, []).append(file)
            for day, files in days.items():
                for run in _runs(files):
                    paths = [self.folder / file.name for file in run]
                    places = run[0].first, run[-1].last
                    self._replace(run, journal, day, places, partial(self._files.join, paths))

    def read(self, journal: str, after: int, limit: int) -> Page:
        """Every place behind one, at most ``limit``: entries, and faults for what is damaged, erased, or not here."""
        with self._lock:
            through = after + limit
            held = [file for file in self.manifest().of(journal) if file.last > after and file.first <= through]
            paths = [path for file in held if (path := self.folder / file.name).exists()]
            page = self._files.read(paths, after, through) if paths else Page((), (), through)
            places = united([*((e.offset, e.offset) for e in page.entries), *((f.first, f.last) for f in page.faults)])
            faults = [
                fault
                for first, last, is_here in split(after + 1, page.through, places)
                if not is_here
                for fault in self.absent(journal, first, last)
            ]
            return Page(page.entries, tuple(sorted([*page.faults, *faults], key=lambda f: f.first)), page.through)

    def absent(self, journal: str, first: int, last: int) -> Iterator[Fault]:
        """Why places are nowhere: they are of people who were erased, or they are missing."""
        for begin, end, is_erased in split(first, last, self.erasures().places.get(journal, ())):
            yield Fault(begin, end, ERASED, ERASED_WORDS) if is_erased else missing(begin, end)

    def forget(self, is_theirs: Callable[[datetime | None, bytes], bool]) -> int:
        """Write every file anew that has entries of a person, without these; returns how many there were."""
        count = 0
        with self._lock:
            for file in self.manifest().files:
                path = self.folder / file.name
                if not path.exists():
                    continue
                theirs = [place for place, received, body in self._files.bodies(path) if is_theirs(received, body)]
                if theirs:
                    self.erase_places(file.journal, theirs)
                    count += len(theirs)
        return count

    def erase_places(self, journal: str, offsets: Sequence[int]) -> None:
        """Note that places of a journal were of somebody who was erased, and write files anew that have them."""
        with self._lock:
            known = self.erasures()
            places = united([*known.places.get(journal, ()), *((offset, offset) for offset in offsets)])
            if places != known.places.get(journal, ()):
                self.remember(Erasures(known.salt, known.tombstones, {**known.places, journal: places}))
            for file in self.manifest().of(journal):
                path, own = self.folder / file.name, [n for n in offsets if file.first <= n <= file.last]
                if own and path.exists() and self._files.has_any(path, own):
                    write = partial(self._files.without, path, own)
                    self._replace((file,), journal, file.day, (file.first, file.last), write)

    def _replace(
        self,
        gone: Sequence[ArchivedFile],
        journal: str,
        day: date,
        places: tuple[int, int],
        write: Callable[[Path], int],
    ) -> None:
        """List a new file in the place of others, which then go."""
        before = self.manifest()
        number = 1 + max((_number(file.name) for file in gone), default=-1)
        suffix = f".{number}" if number else ""
        name = f"journal-{journal}-{day}-{places[0]}-{places[1]}{suffix}.parquet"
        entries, size, sha256 = self._written(name, write)
        file = ArchivedFile(
            name=name, journal=journal, day=day, first=places[0], last=places[1], entries=entries, bytes=size,
            sha256=sha256,
        )  # fmt: skip
        self._list(before.replaced(gone, [file]))
        for old in gone:
            (self.folder / old.name).unlink(missing_ok=True)
        if gone:
            sync_folder(self.folder)

    def _written(self, name: str, write: Callable[[Path], int]) -> tuple[int, int, str]:
        """Write a file under another name, and give it its own once it is durable; how many entries, length, hash."""
        fresh = self.folder / f"{name}.new"
        with writing(fresh):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            try:
                entries = write(fresh)
                size, sha256 = sealed(fresh)
                fresh.replace(self.folder / name)
            except BaseException:
                with suppress(OSError):
                    fresh.unlink()
                raise
            sync_folder(self.folder)
        return entries, size, sha256

    def _list(self, manifest: ArchiveManifest) -> None:
        write_record(self.folder / MANIFEST_NAME, manifest)
        self._manifest = manifest

    def _read_manifest(self) -> ArchiveManifest:
        again = "put it back from a backup, or remove it: it is made anew from the files, which are all looked at"
        found = read_record(self.folder / MANIFEST_NAME, ArchiveManifest, again)
        if found is not None and found.format != FORMAT:
            raise WorkspaceError(
                f"the archive has a form ({found.format}) that this version does not know (it writes {FORMAT}); "
                "open the workspace with the version of Regulars that wrote it, or a later one",
                code="archive_unknown", path=str(self.folder),
            )  # fmt: skip
        return self._found_again() if found is None else found

    def _found_again(self) -> ArchiveManifest:
        """A manifest of the files that are there, each looked at whole."""
        manifest = ArchiveManifest()
        for path in sorted(self.folder.glob("journal-*.parquet"), key=lambda path: -_number(path.name)):
            if (named := _NAME.fullmatch(path.name)) is None:
                continue
            found = self._found(path, named)
            # Of two that hold the same, the one that was written later is told by its number.
            if not any(file.first <= found.last and found.first <= file.last for file in manifest.of(found.journal)):
                manifest = manifest.replaced((), [found])
        return manifest

    def _found(self, path: Path, named: re.Match[str]) -> ArchivedFile:
        """What a file says of itself that nobody else tells of.

        Errors: :class:`WorkspaceError` ``archive_damaged``.
        """
        entries, damaged = self._files.outline(path)
        if damaged:
            raise WorkspaceError(
                f"{path.name!r} in the archive is damaged; put it back from a backup, or move it away",
                code="archive_damaged", path=str(path),
            )  # fmt: skip
        size, sha256 = sealed(path)
        return ArchivedFile(
            name=path.name, journal=named[1], day=date.fromisoformat(named[2]), first=int(named[3]),
            last=int(named[4]), entries=entries, bytes=size, sha256=sha256,
        )  # fmt: skip

    # --- erased people, imports ------------------------------------------------------------------------------

    def erasures(self) -> Erasures:
        """Who was erased."""
        with self._lock:
            if self._erasures is None:
                self._erasures = read_record(self.folder / ERASURES_NAME, Erasures) or Erasures()
            return self._erasures

    def remember(self, erasures: Erasures) -> None:
        """Keep who was erased, durably."""
        with self._lock:
            write_record(self.folder / ERASURES_NAME, erasures)
            self._erasures = erasures

    def note_import(self, record: ImportRecord) -> None:
        """Note an import, durably, before the database has it for good.

        A program may load rows all the time, and nobody can repeat that from here: once a day is enough.
        """
        with self._lock:
            own = record.path or record.source, record.loaded_at.date()
            if record.path or own not in self._noted:
                add_line(self.folder / IMPORTS_NAME, record)
                self._noted.add(own)

    def imports(self) -> list[ImportRecord]:
        """Every import that was noted."""
        return read_lines(self.folder / IMPORTS_NAME, ImportRecord)

    # --- the folder ------------------------------------------------------------------------------------------

    def mark(self) -> None:
        """Note that a database was made, so that a lost one is not taken for one that never was."""
        if not (self.folder / MARKER_NAME).exists():
            write_record(self.folder / MARKER_NAME, {"format": FORMAT})

    def tells_of_database(self) -> bool:
        """Whether there was a database beside this archive."""
        return any((self.folder / name).exists() for name in (MARKER_NAME, MANIFEST_NAME, ERASURES_NAME, IMPORTS_NAME))

    def tidy(self) -> None:
        """Remove what a killed process has left behind."""
        with self._lock:
            if not self.folder.exists():
                return
            # Without a list nobody knows which files are left-overs.
            if not (self.folder / MANIFEST_NAME).exists() and self.manifest().files:
                self._list(self.manifest())
            listed = {file.name for file in self.manifest().files}
            for path in sorted(self.folder.iterdir()):
                if path.name.endswith(".new"):
                    path.unlink()
                elif path.name not in listed and (named := _NAME.fullmatch(path.name)):
                    # A damaged one is nobody's left-over; whoever put it there will want to look at it.
                    with suppress(WorkspaceError):
                        self._settle(path, named)
            shutil.rmtree(self.folder / "spill", ignore_errors=True)

    def _settle(self, path: Path, named: re.Match[str]) -> None:
        """List a whole file that nobody lists, or remove it when its places are in others that are there."""
        first, last = int(named[3]), int(named[4])
        same = [file for file in self.manifest().of(named[1]) if file.first <= last and first <= file.last]
        if not same:
            self._list(self.manifest().replaced((), [self._found(path, named)]))
        elif all((self.folder / file.name).exists() for file in same):
            path.unlink()

    def copy_to(self, target: Path) -> None:
        """Make a copy that shares the files which never change, where the disk can do that."""
        with self._lock:
            if not self.folder.exists():
                return
            for path in sorted(self.folder.rglob("*")):
                name = path.relative_to(self.folder)
                if path.is_dir() or path.name.endswith(".new") or name.parts[0] == "spill":
                    continue
                (target / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _copy(path, target / name)

    def examine(self) -> ArchiveReport:
        """Look at every file whole.

        Errors: :class:`WorkspaceError` ``archive_unknown``, ``archive_damaged``: the manifest cannot be read.
        """
        report = self._examined()
        if report.wrong and self._read_manifest() != self.manifest():
            # Somebody has written files anew meanwhile.
            self._manifest = None
            report = self._examined()
        return report

    def _examined(self) -> ArchiveReport:
        with self._lock:
            files = self.manifest().files
            wrong = {file.name: said for file in files if (said := self._state_of(file))}
            gaps = {journal: found for journal in self.journals() if (found := self._gaps(journal))}
            return ArchiveReport(
                len(files), sum(file.entries for file in files), sum(file.bytes for file in files),
                min((file.day for file in files), default=None), max((file.day for file in files), default=None),
                wrong, gaps,
            )  # fmt: skip

    def _gaps(self, journal: str) -> tuple[tuple[int, int], ...]:
        last = self.last_offset(journal)
        held = [(0, 0), *((file.first, file.last) for file in self.manifest().of(journal))]
        erased = [(first, min(end, last)) for first, end in self.erasures().places.get(journal, ()) if first <= last]
        return between([*held, *erased])

    def _state_of(self, file: ArchivedFile) -> str | None:
        path = self.folder / file.name
        if not path.exists():
            return "it is missing"
        return None if sealed(path) == (file.bytes, file.sha256) else "it is not what was written"

    def close(self) -> None:
        """Give the memory back."""
        self._files.close()


def _copy(path: Path, target: Path) -> None:
    """Only files that never change may be shared."""
    if path.suffix == ".parquet":
        with suppress(OSError):
            os.link(path, target)
            return
    shutil.copyfile(path, target)


def _runs(files: Sequence[ArchivedFile]) -> Iterator[list[ArchivedFile]]:
    """Files that follow each other without a gap, where there is more than one."""
    run: list[ArchivedFile] = []
    for file in files:
        if run and file.first != run[-1].last + 1:
            if len(run) > 1:
                yield run
            run = []
        run.append(file)
    if len(run) > 1:
        yield run


def _number(name: str) -> int:
    named = _NAME.fullmatch(name)
    return int(named[5] or 0) if named else 0
