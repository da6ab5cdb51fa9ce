"""What the doctor finds in the archive, and the form of a finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from regulars.domain.archive import latest_imports
from regulars.errors import RegularsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from regulars.domain.archive import Range
    from regulars.workspace import Workspace

State = Literal["ok", "note", "wrong"]
_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``wrong`` needs somebody; ``note`` is worth knowing."""

    name: str
    state: State
    text: str


def archive_findings(ws: Workspace) -> Iterator[Finding]:
    """Whether a lost database could be made anew: files of the archive, and imports that the database lacks."""
    from regulars.infrastructure.archive.folder import FolderArchive  # noqa: PLC0415 -- loaded when the command runs

    if ws.folder is None:
        return
    archive = FolderArchive(ws.folder)
    try:
        report = archive.examine()
    except RegularsError as exc:
        yield Finding("archive", "wrong", exc.message)
        return
    finally:
        archive.close()
    for name, said in report.wrong.items():
        yield Finding("archive", "wrong", f"{name}: {said}; put it back from a backup")
    if not report.wrong:
        days = f", {report.first_day} to {report.last_day}" if report.files else ""
        yield Finding("archive", "ok", f"{report.entries:,} events in {report.files:,} files{days}, all whole")
    if report.gaps:
        yield Finding("archive", "note", f"does not have {_places(report.gaps)}; a rebuild could not bring these back")
    known = {row[0] for row in ws.sql("SELECT fingerprint FROM loads").rows}
    for record in latest_imports(archive.imports()):
        if record.path and record.fingerprint not in known:
            yield Finding("imports", "note", f"the database lacks the import of {record.path}; repeat it")


def _places(gaps: Mapping[str, tuple[Range, ...]]) -> str:
    """Which events of which journal, the first of them."""
    found = [
        f"{first:,} to {last:,} of journal {journal}" for journal, ranges in gaps.items() for first, last in ranges
    ]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"events {', '.join(found[:_SHOWN])}{more}"
