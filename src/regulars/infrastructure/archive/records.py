"""Small records of the archive, each a file of JSON that is replaced as a whole, or a file of lines that only grows."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import msgspec

from regulars.errors import WorkspaceError
from regulars.infrastructure.files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_Record = TypeVar("_Record")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Let what the system refuses leave as :class:`WorkspaceError` ``archive_failed``."""
    try:
        yield
    except OSError as exc:
        raise WorkspaceError(
            f"cannot write {path.name!r} in the archive {str(path.parent)!r}: {exc.strerror or exc}; "
            "make room, or let this user write there",
            code="archive_failed", path=str(path),
        ) from exc  # fmt: skip


def read_record(path: Path, kind: type[_Record], advice: str = "put it back from a backup") -> _Record | None:
    """The record in a file; None where there is no such file.

    Errors: :class:`WorkspaceError` ``archive_damaged``.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeError) as exc:
        raise WorkspaceError(
            f"{str(path)!r} cannot be read ({exc}); {advice}",
            code="archive_damaged", path=str(path),
        ) from exc  # fmt: skip


def write_record(path: Path, record: object) -> None:
    """Put a record in the place of the one in a file, durably; one of them is always there, whole."""
    fresh = path.with_name(f"{path.name}.new")
    with writing(path):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)


def add_line(path: Path, record: object) -> None:
    """Append a record to a file of lines, durably."""
    with writing(path):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        is_new = not path.exists()
        with path.open("ab") as file:
            # A line that a killed process left unfinished must not take this one with it.
            broken = not is_new and not _ends_a_line(path)
            file.write((b"\n" if broken else b"") + msgspec.json.encode(record) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_folder(path.parent)


def read_lines(path: Path, kind: type[_Record]) -> list[_Record]:
    """The records of a file of lines; lines that a killed process left unfinished are none."""
    found: list[_Record] = []
    if path.exists():
        for line in path.read_bytes().splitlines():
            try:
                found.append(msgspec.json.decode(line, type=kind))
            except (msgspec.MsgspecError, UnicodeError):
                continue
    return found


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
