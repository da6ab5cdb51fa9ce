"""Rows of a CSV file that is not clean: each good one with the line it starts on, each broken one with its reason.

A quoted value may go on over several lines. A quote that is never closed costs its own line, not the ones behind it.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

BOM: Final = "\ufeff"
_JOINED_LINES: Final = 500
_LONGEST: Final = 1 << 20  # bytes of one row
_SHOWN: Final = 20_000
csv.field_size_limit(1 << 30)


@dataclass(frozen=True)
class BrokenRow:
    """A row that is no row."""

    line: int
    reason: str
    detail: str
    raw: str


def read_records(stream: IO[bytes], delimiter: str, width: int) -> Iterator[tuple[int, list[str]] | BrokenRow]:
    r"""Rows with the line they start on, blank lines left out; ``width`` is how many values each must have.

    >>> rows = read_records(io.BytesIO(b'1,"a\nb"\n2,"c\n3,d,e\n4,f\n'), ",", 2)
    >>> [row if isinstance(row, tuple) else (row.line, row.reason) for row in rows]
    [(1, ['1', 'a\nb']), (3, 'bad_row'), (4, 'bad_row'), (5, ['4', 'f'])]
    """
    ahead: deque[bytes] = deque()
    line = 1
    while first := (ahead.popleft() if ahead else stream.readline()):
        lines = _read_on(first, ahead, stream)
        row = _parse(b"".join(lines), line, delimiter, width)
        if isinstance(row, BrokenRow) and len(lines) > 1:
            lines = [first]
            row = _parse(first, line, delimiter, width)
        for _ in lines[1:]:
            ahead.popleft()
        if first.strip():
            yield row
        line += len(lines)


def _read_on(first: bytes, ahead: deque[bytes], stream: IO[bytes]) -> list[bytes]:
    """The lines of the row that begins with ``first``: more than one when a quote is open at its end."""
    lines, size = [first], len(first)
    while sum(line.count(b'"') for line in lines) % 2:
        if len(lines) > len(ahead):
            ahead.extend(islice(stream, 1))
        if len(lines) > min(len(ahead), _JOINED_LINES) or size > _LONGEST:
            return [first]
        lines.append(ahead[len(lines) - 1])
        size += len(lines[-1])
    return lines


def _parse(raw: bytes, line: int, delimiter: str, width: int) -> tuple[int, list[str]] | BrokenRow:
    if len(raw) > _LONGEST:
        return BrokenRow(
            line, "row_too_long", f"{len(raw)} bytes; the most is {_LONGEST}", raw[:_SHOWN].decode("utf-8", "replace")
        )
    shown = raw[:_SHOWN].decode("utf-8", "replace").rstrip("\r\n")
    try:
        rows = list(csv.reader(io.StringIO(raw.decode(), newline=""), delimiter=delimiter, strict=True))
    except UnicodeDecodeError as error:
        return BrokenRow(line, "bad_encoding", f"byte {error.start} of the row is not UTF-8", shown)
    except csv.Error as error:
        return BrokenRow(line, "bad_row", f"quotes that do not match: {error}", shown)
    values = rows[0] if len(rows) == 1 else []
    if len(values) != width:
        return BrokenRow(line, "bad_row", f"{len(values)} columns where the header has {width}", shown)
    return line, values
