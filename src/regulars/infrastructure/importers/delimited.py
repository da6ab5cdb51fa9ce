"""CSV: DuckDB reads a clean file itself; of any other, Python first sets the broken rows aside.

A clean file is UTF-8, every line has the columns of the header, and no value holds a line break; then the line
of a row is its number. Otherwise a copy is written that holds the good rows only, each with its line number,
and that copy is read. A quote that is never closed costs its own line and not the ones behind it.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING

from regulars.errors import EngineError, SourceError
from regulars.infrastructure.importers.columns import Field
from regulars.infrastructure.importers.formats import File, scan_text
from regulars.infrastructure.importers.source import LINE, STAGED, Source, add_broken
from regulars.infrastructure.loading.sql import literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regulars.infrastructure.engines.duckdb import DuckDBEngine

_DELIMITERS = ",;\t|"
_BOM = "\ufeff"
_MAX_JOINED_LINES = 1_000
_MAX_RECORD = 4 << 20
_BATCH = 20_000
csv.field_size_limit(1 << 30)


def read_delimited(engine: DuckDBEngine, file: File) -> Source:
    """Stage a CSV file as text columns."""
    names, delimiter, header_lines = _header(file)
    if not _read_clean(engine, file, names, delimiter):
        _read_around(engine, file, names, delimiter, header_lines)
    fields = tuple(Field(name, "VARCHAR", f"c{i}") for i, name in enumerate(names))
    return Source(file.path.name, "csv", STAGED, LINE, fields, fingerprint=file.fingerprint)


def _header(file: File) -> tuple[list[str], str, int]:
    with file.open() as stream:
        for line, raw in _records(stream, None):
            text = raw.decode("utf-8", "replace").removeprefix(_BOM)
            if text.strip():
                delimiter = max(_DELIMITERS, key=text.count)
                names = next(csv.reader([text], delimiter=delimiter))
                return _unique(names), delimiter, line
    raise SourceError(f"{file.path} is empty", code="empty_source", path=str(file.path))


def _unique(names: list[str]) -> list[str]:
    """Names as DuckDB would make them: empty ones numbered, repeated ones with _1, _2, ..."""
    seen: Counter[str] = Counter()
    taken = {name.strip().lower() for name in names}
    result = []
    for position, given in enumerate(names):
        name = given.strip() or f"column{position}"
        key = name.lower()
        while seen[key] and f"{key}_{seen[key]}" in taken:
            seen[key] += 1
        result.append(f"{name}_{seen[key]}" if seen[key] else name)
        taken.add(result[-1].lower())
        seen[key] += 1
    return result


def _columns(names: list[str]) -> list[str]:
    # Names of our own, because two names of a file may differ in case only.
    return [f"c{i}" for i in range(len(names))]


def _read_clean(engine: DuckDBEngine, file: File, names: list[str], delimiter: str) -> bool:
    scan = scan_text(file)
    if not scan.utf8:
        return False
    relation = _relation(file.path, _columns(names), delimiter, header=True, gzipped=file.gzipped)
    try:
        # On a cursor of its own, because an error would end the transaction that this import runs in.
        rows = engine.query(f"SELECT count(*) FROM {relation}").rows[0][0]
    except EngineError:
        return False
    if rows + 1 != scan.lines:
        return False
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {STAGED} AS SELECT 1 + row_number() OVER () AS {LINE}, * FROM {relation}"
    )
    return True


def _relation(path: Path, names: list[str], delimiter: str, *, header: bool, gzipped: bool = False) -> str:
    # Left to guess, DuckDB takes the line end of a quoted value for that of the rows; the copy's is known.
    line_end = "" if header else r", new_line = '\n'"
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    return f"""read_csv([{literal(str(path))}], auto_detect = false, header = {header}, delim = {literal(delimiter)},
        quote = '"', escape = '"', columns = {{{columns}}}, max_line_size = {_MAX_RECORD},
        compression = '{"gzip" if gzipped else "none"}'{line_end})"""


def _read_around(engine: DuckDBEngine, file: File, names: list[str], delimiter: str, header_line: int) -> None:
    with tempfile.TemporaryDirectory(prefix="regulars-") as folder:
        clean = Path(folder) / "clean.csv"
        with clean.open("w", encoding="utf-8", newline="") as target:
            _copy_good(engine, file, target, delimiter=delimiter, width=len(names), header_line=header_line)
        relation = _relation(clean, [LINE, *_columns(names)], ",", header=False)
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {STAGED} AS "
            f"SELECT * REPLACE (CAST({LINE} AS BIGINT) AS {LINE}) FROM {relation}"
        )


def _copy_good(
    engine: DuckDBEngine, file: File, target: IO[str], *, delimiter: str, width: int, header_line: int
) -> None:
    write = csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow
    broken: list[tuple[int, str, str, str]] = []
    with file.open() as stream:
        for line, raw in _records(stream, (delimiter, width)):
            if line <= header_line or not raw.strip():
                continue
            try:
                write([line, *_values(raw, delimiter, width)])
            except _BadRowError as exc:
                broken.append((line, exc.reason, str(exc), raw[:_BATCH].decode("utf-8", "replace")))
            if len(broken) >= _BATCH:
                add_broken(engine, broken)
                broken.clear()
    add_broken(engine, broken)


class _BadRowError(ValueError):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def _values(raw: bytes, delimiter: str, width: int) -> list[str]:
    if len(raw) > _MAX_RECORD // 2:
        raise _BadRowError("value_too_long", f"the row has {len(raw)} bytes, the most is {_MAX_RECORD // 2}")
    try:
        text = raw.decode()
    except UnicodeDecodeError as exc:
        raise _BadRowError("bad_encoding", f"byte {exc.start} of the row is not UTF-8") from None
    try:
        values = text.split(delimiter) if '"' not in text else _parse(text, delimiter)
    except csv.Error as exc:
        raise _BadRowError("bad_row", f"quotes that do not match: {exc}") from None
    if len(values) != width:
        raise _BadRowError("bad_row", f"{len(values)} columns where the header has {width}")
    return values


def _parse(text: str, delimiter: str) -> list[str]:
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    if len(rows) != 1:
        raise csv.Error("more than one row")
    return rows[0]


def _records(stream: IO[bytes], shape: tuple[str, int] | None) -> Iterator[tuple[int, bytes]]:
    """Rows with the line they start on; a quoted value may go on over several lines."""
    ahead: list[bytes] = []
    line = 0
    while True:
        first = ahead.pop(0) if ahead else stream.readline()
        if not first:
            return
        line += 1
        joined = _joined(first, stream, ahead, shape) if first.count(b'"') % 2 else 0
        raw = first + b"".join(ahead[:joined])
        yield line, raw.rstrip(b"\n").removesuffix(b"\r")
        line += joined
        del ahead[:joined]


def _joined(first: bytes, stream: IO[bytes], ahead: list[bytes], shape: tuple[str, int] | None) -> int:
    """How many following lines belong to a row with an open quote; 0 when it never closes well."""
    delimiter, width = shape or (",", 0)
    if shape and _is_row(first, delimiter, width):
        return 0
    raw, size = [first], len(first)
    for count in range(1, _MAX_JOINED_LINES):
        if count > len(ahead):
            following = stream.readline()
            if not following:
                return 0
            ahead.append(following)
        raw.append(ahead[count - 1])
        size += len(ahead[count - 1])
        if size > _MAX_RECORD:
            return 0
        if ahead[count - 1].count(b'"') % 2:
            return count if not shape or _is_row(b"".join(raw), delimiter, width) else 0
    return 0


def _is_row(raw: bytes, delimiter: str, width: int) -> bool:
    try:
        return len(_parse(raw.rstrip(b"\r\n").decode("utf-8", "replace"), delimiter)) == width
    except csv.Error:
        return False
