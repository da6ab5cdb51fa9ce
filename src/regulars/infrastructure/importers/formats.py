"""Which format a file has: by its name, then by its first bytes."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from regulars.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = ("csv", "jsonl", "json", "parquet", "arrow")
TOOLS = ("segment", "posthog", "amplitude", "mixpanel", "ga4", "snowplow")
_BY_SUFFIX = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
    ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip
_GZIP, _PARQUET, _ARROW, _ZIP = b"\x1f\x8b", b"PAR1", b"ARROW1", b"PK\x03\x04"
_HEAD, _BLOCK = 1 << 16, 1 << 22


@dataclass(frozen=True)
class File:
    """A file that exists and is not empty, with its format and the hash of its bytes."""

    path: Path
    format: str
    gzipped: bool
    fingerprint: str

    def open(self) -> IO[bytes]:
        """Its content, inflated."""
        return cast("IO[bytes]", gzip.open(self.path)) if self.gzipped else self.path.open("rb")


@dataclass(frozen=True)
class TextScan:
    """What one look over a text file tells: lines that end, and whether every byte is UTF-8."""

    lines: int
    utf8: bool


def inspect(path: Path, given: str = "auto") -> File:
    """Find a file's format.

    Errors: :class:`SourceError` with code ``no_such_file``, ``empty_source``, ``unknown_format`` or
    ``bad_source``.
    """
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except OSError as exc:
        # A name may be longer than any file's.
        raise SourceError(f"{str(path)[:200]}... is no path: {exc.strerror}", code="no_such_file") from exc
    if not is_file:
        what = "is a folder, not a file" if is_folder else "does not exist"
        raise SourceError(f"{path} {what}", code="no_such_file", path=str(path))
    if given != "auto" and given not in (*FORMATS, *TOOLS):
        allowed = ", ".join(("auto", *FORMATS, *TOOLS))
        raise SourceError(f"unknown format {given!r}; allowed: {allowed}", code="unknown_format", value=given)
    return _inspect(path, "auto" if given in TOOLS else given, None)


def peek(path: Path) -> File:
    """A file's format by its first bytes; its hash, which costs reading all of it, is left empty.

    Errors: as of :func:`inspect`.
    """
    return _inspect(path, "auto", "")


def _inspect(path: Path, given: str, fingerprint: str | None) -> File:
    try:
        gzipped, head = _head(path)
        if not head.removeprefix(codecs.BOM_UTF8).strip():
            raise SourceError(f"{path} is empty", code="empty_source", path=str(path))
        format = _decide(path, head, given)
        return File(path, format, gzipped, _fingerprint(path) if fingerprint is None else fingerprint)
    except (OSError, EOFError, zlib.error) as exc:
        raise SourceError(f"{path} cannot be read: {exc}", code="bad_source", path=str(path)) from exc


def _head(path: Path) -> tuple[bool, bytes]:
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if head[:2] != _GZIP:
        return False, head
    with gzip.open(path) as inflated:
        return True, inflated.read(_HEAD)


def _decide(path: Path, head: bytes, given: str) -> str:
    if head.startswith(_PARQUET):
        return "parquet"
    if head.startswith(_ARROW):
        return "arrow"
    if head.startswith(_ZIP):
        raise SourceError(
            f"{path} is a zip archive; unpack it and import the folder", code="bad_source", path=str(path)
        )
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in (".gz", ".gzip")]
    named = given if given != "auto" else _BY_SUFFIX.get(suffixes[-1] if suffixes else "")
    if named in ("parquet", "arrow") or _is_binary(head):
        raise SourceError(f"{path} is not CSV, JSON Lines or Parquet", code="bad_source", path=str(path))
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    if named in ("json", "jsonl"):
        return "json" if start == b"[" else "jsonl"
    if named is None:
        return {b"[": "json", b"{": "jsonl"}.get(start, "csv")
    return named


def _is_binary(head: bytes) -> bool:
    """Control characters in more than a few places are no text; a stray one is a bad row at most."""
    control = sum(head.count(bytes([code])) for code in (*range(9), *range(14, 27), *range(28, 32)))
    return control * 20 > len(head)


def _fingerprint(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def scan_text(file: File) -> TextScan:
    """Count line ends and check the encoding in one pass."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, utf8, last = 0, True, b""
    with file.open() as stream:
        while block := stream.read(_BLOCK):
            lines += block.count(b"\n")
            last = block
            if utf8:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    utf8 = False
    return TextScan(lines + (not last.endswith(b"\n")), utf8)
