"""Tables of a folder as text, each row with its line: CSV (plain or gzip) or Parquet, ours or somebody else's.

DuckDB reads a CSV file whose every line is a row. Around what is broken in another, Python reads: the good rows
are copied with their line numbers, and that copy is read.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, cast

import duckdb

from regulars.errors import SourceError
from regulars.synthetic.records import BOM, BrokenRow, read_records
from regulars.synthetic.spelling import trimmed
from regulars.synthetic.sql import literal, quoted
from regulars.synthetic.write import FORMATS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LINE: Final = "line"
REJECTED: Final = "rejected"
NO_ROW: Final = ("bad_row", "bad_encoding", "row_too_long")
"""Reasons of what never became a row of a staged table."""
_DELIMITERS = ",;\t|"
_BLOCK = 1 << 22
_BATCH = 10_000


@dataclass(frozen=True)
class OtherColumns:
    """Further columns of a table, kept as they are. Inside they have names of ours, because theirs may be anything."""

    names: tuple[str, ...]

    def staged(self, raw: RawTable) -> str:
        """Their texts, to follow other columns of a SELECT."""
        return "".join(f", {raw.text(name)} AS other_{i}" for i, name in enumerate(self.names))

    def passed(self) -> str:
        """The same columns of a SELECT over one that has staged them."""
        return "".join(f", other_{i}" for i, _ in enumerate(self.names))

    def written(self) -> list[str]:
        """The same under their own names."""
        return [f"other_{i} AS {quoted(name)}" for i, name in enumerate(self.names)]


@dataclass(frozen=True)
class RawTable:
    """A table as it was found: columns of text by their plain names, and ``line``."""

    path: Path
    relation: str
    columns: Mapping[str, str]  # plain name -> SQL of its text

    def text(self, name: str) -> str:
        """SQL of a column's text without blanks around it; nothing but blanks is missing, and so is the column."""
        return trimmed(self.columns[name]) if name in self.columns else "CAST(NULL AS VARCHAR)"

    def whole(self) -> str:
        """SQL of a row as JSON text, for the file of rejects."""
        pairs = ", ".join(f"{literal(name)}, {sql}" for name, sql in self.columns.items())
        return f"CAST(json_object({pairs}) AS VARCHAR)"

    def others(self, known: Sequence[str]) -> OtherColumns:
        """Columns that nobody asked for by name."""
        return OtherColumns(tuple(name for name in self.columns if name not in known))


def create_rejected(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of rows that cannot be read."""
    columns = f"source VARCHAR, {LINE} BIGINT, reason VARCHAR, detail VARCHAR, raw VARCHAR"
    connection.execute(f"CREATE TABLE {REJECTED} ({columns})")


def find_tables(folder: Path, names: Sequence[str], hint: str) -> list[Path]:
    """The file of each table in a folder; ``hint`` says how to make one.

    Raises:
        SourceError: ``no_such_file`` when there is none, ``ambiguous_source`` when there are several.
    """
    return [_find_table(folder, name, hint) for name in names]


def _find_table(folder: Path, name: str, hint: str) -> Path:
    wanted = [folder / f"{name}.{form}" for form in FORMATS]
    found = [path for path in wanted if path.is_file()]
    if not found:
        where = f"{folder} has no {name}" if folder.is_dir() else f"the folder {folder} does not exist, nor its {name}"
        names = ", ".join(path.name for path in wanted)
        raise SourceError(f"{where}; one of {names} is needed; {hint}", code="no_such_file", path=str(folder))
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise SourceError(f"{folder} has {names}; leave one of them", code="ambiguous_source", path=str(folder))
    return found[0]


def read_table(
    connection: duckdb.DuckDBPyConnection, path: Path, name: str, required: Sequence[str], scratch: Path
) -> RawTable:
    """Stage a file as the table ``name``; rows that are no rows go to the table ``rejected``.

    Raises:
        SourceError: ``empty_source``, ``missing_column``, or ``bad_source`` for a file that cannot be read.
    """
    try:
        relation, columns = _stage(connection, path, name, scratch)
    except (OSError, EOFError, zlib.error, duckdb.Error) as error:
        raise SourceError(f"{path} cannot be read: {error}", code="bad_source", path=str(path)) from error
    for column in required:
        if column not in columns:
            there = ", ".join(columns)
            raise SourceError(
                f"{path} has no column {column!r}; it has: {there}; rename the one that holds it",
                code="missing_column", path=str(path), column=column, columns=list(columns),
            )  # fmt: skip
    return RawTable(path, relation, columns)


def _stage(connection: duckdb.DuckDBPyConnection, path: Path, name: str, scratch: Path) -> tuple[str, dict[str, str]]:
    if path.suffix == ".parquet":
        return _parquet(connection, path)
    file = _describe(path)
    if not _copy_clean(connection, file, name):
        _copy_around(connection, file, name, scratch / f"{name}.good")
    return name, dict(zip(_plain(file.names), file.columns, strict=True))


def _parquet(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[str, dict[str, str]]:
    file = f"read_parquet([{literal(path)}], file_row_number = true)"
    described = connection.execute(f"DESCRIBE SELECT * EXCLUDE (file_row_number) FROM {file}").fetchall()
    texts = ", ".join(f"{_as_text(quoted(name), kind)} AS c{i}" for i, (name, kind, *_) in enumerate(described))
    names = _plain([name for name, *_ in described])
    relation = f"(SELECT file_row_number + 1 AS {LINE}, {texts} FROM {file})"
    return relation, {name: f"c{i}" for i, name in enumerate(names)}


def _as_text(column: str, kind: str) -> str:
    """SQL of a typed value as a CSV file would spell it."""
    if kind.startswith("TIMESTAMP"):
        zoned = kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")
        wall = f"make_timestamp(epoch_us(CAST({column} AS {'TIMESTAMPTZ' if zoned else 'TIMESTAMP'})))"
        return f"strftime({wall}, '%Y-%m-%dT%H:%M:%S.%f{'Z' if zoned else ''}')"
    if kind in ("DOUBLE", "FLOAT"):
        whole = f"{column} = trunc({column}) AND abs({column}) < 1e15"
        return f"CASE WHEN {whole} THEN CAST(CAST({column} AS BIGINT) AS VARCHAR) ELSE CAST({column} AS VARCHAR) END"
    return column if kind == "VARCHAR" else f"CAST({column} AS VARCHAR)"


def _plain(names: Sequence[str]) -> list[str]:
    """Names in lower case with underscores; a repeated one gets a number."""
    found: list[str] = []
    for position, name in enumerate(names):
        plain = "_".join(name.strip().lower().replace("-", " ").split()) or f"column{position}"
        number, own = 1, plain
        while own in found:
            number, own = number + 1, f"{plain}_{number + 1}"
        found.append(own)
    return found


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


@dataclass(frozen=True)
class _CsvFile:
    path: Path
    names: list[str]  # as the header has them
    delimiter: str
    header_line: int

    @property
    def columns(self) -> list[str]:
        """Names of our own, because those of a file may be anything."""
        return [f"c{i}" for i in range(len(self.names))]


def _describe(path: Path) -> _CsvFile:
    with _open(path) as stream:
        for number, raw in enumerate(stream, 1):
            text = raw.decode("utf-8", "replace").removeprefix(BOM).strip("\r\n")
            if text.strip():
                delimiter = max(_DELIMITERS, key=text.count)
                return _CsvFile(path, next(csv.reader([text], delimiter=delimiter)), delimiter, number)
    raise SourceError(f"{path} is empty; not even a header is in it", code="empty_source", path=str(path))


def _line_count(path: Path) -> int:
    lines, last = 0, b""
    with _open(path) as stream:
        while block := stream.read(_BLOCK):
            lines, last = lines + block.count(b"\n"), block
    return lines + (not last.endswith(b"\n"))


def _copy_clean(connection: duckdb.DuckDBPyConnection, file: _CsvFile, name: str) -> bool:
    """Let DuckDB read; whether every line after the header became a row."""
    packed = "gzip" if file.path.suffix == ".gz" else "none"
    rows = _csv(file.path, file.columns, file.delimiter, f"header = true, compression = '{packed}'")
    try:
        connection.execute(
            f"CREATE OR REPLACE TABLE {name} AS SELECT 1 + row_number() OVER () AS {LINE}, * FROM {rows}"
        )
    except duckdb.InvalidInputException:
        return False
    ((count,),) = connection.execute(f"SELECT count(*) FROM {name}").fetchall()
    return bool(count + 1 == _line_count(file.path))


def _csv(path: Path, columns: Sequence[str], delimiter: str, more: str) -> str:
    types = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in columns)
    return (
        f"read_csv([{literal(path)}], auto_detect = false, delim = {literal(delimiter)}, quote = '\"', escape = '\"', "
        f"columns = {{{types}}}, max_line_size = {_BLOCK}, {more})"
    )


def _copy_around(connection: duckdb.DuckDBPyConnection, file: _CsvFile, name: str, good: Path) -> None:
    broken: list[BrokenRow] = []
    with _open(file.path) as stream, good.open("w", encoding="utf-8", newline="") as target:
        write = csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow
        for _ in range(file.header_line):
            stream.readline()
        for row in read_records(stream, file.delimiter, len(file.names)):
            if isinstance(row, BrokenRow):
                broken.append(row)
            else:
                write([row[0] + file.header_line, *row[1]])
            if len(broken) == _BATCH:
                _reject(connection, name, broken, file.header_line)
    _reject(connection, name, broken, file.header_line)
    rows = _csv(good, [LINE, *file.columns], ",", r"header = false, new_line = '\n'")
    connection.execute(
        f"CREATE OR REPLACE TABLE {name} AS SELECT * REPLACE (CAST({LINE} AS BIGINT) AS {LINE}) FROM {rows}"
    )
    good.unlink()


def _reject(connection: duckdb.DuckDBPyConnection, name: str, broken: list[BrokenRow], before: int) -> None:
    lists = [[row.line + before for row in broken], *([getattr(row, part) for row in broken] for part in _PARTS)]
    connection.execute(
        f"INSERT INTO {REJECTED} SELECT {literal(name)}, unnest($1::BIGINT[]), unnest($2::VARCHAR[]), "
        "unnest($3::VARCHAR[]), unnest($4::VARCHAR[])",
        lists,
    )
    broken.clear()


_PARTS = ("reason", "detail", "raw")
