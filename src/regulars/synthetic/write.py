"""Tables on disk, block by block: CSV (plain or gzip) or Parquet, through DuckDB."""

from __future__ import annotations

import gzip
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, Self, cast

import duckdb

from regulars.errors import EngineError, SettingsError, did_you_mean
from regulars.synthetic.sql import literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from regulars.synthetic.events import Columns

Format = Literal["csv", "csv.gz", "parquet"]
FORMATS: Final = ("csv", "csv.gz", "parquet")
_MEMORY = "1GB"
_PARQUET = "(FORMAT parquet, COMPRESSION zstd)"


class TableFile:
    """One table that grows block by block and appears under its name only when it is complete.

    Text blocks are appended as they come. Parquet blocks are files of their own until `close` joins
    them, because a Parquet file cannot be continued.
    """

    def __init__(self, path: Path, select: str, scratch: Path, connection: duckdb.DuckDBPyConnection) -> None:
        """Prepare to write `path`; `select` reads a block of columns called ``block``, where blocks are given."""
        self.path = path
        self.rows = 0
        self._select = select
        self._connection = connection
        self._parts: list[Path] = []
        self._tail: list[Path] = []
        self._whole = scratch / path.name
        self._text = None if path.suffix == ".parquet" else _open_text(self._whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._text:
            self._text.close()

    def append(self, columns: Columns, *, at_end: bool = False) -> None:
        """Write one block of rows, or keep it for the end of the table."""
        rows = len(next(iter(columns.values())))
        if rows == 0 and (at_end or self._parts):
            return
        self._connection.register("block", columns)
        self.append_rows(self._select, at_end=at_end)
        self._connection.unregister("block")

    def append_rows(self, select: str, *, at_end: bool = False) -> None:
        """Write the rows of one SELECT, or keep them for the end of the table."""
        parts = self._tail if at_end else self._parts
        part = self._whole.with_suffix(f".{'tail' if at_end else 'part'}{len(parts)}")
        header = "false" if at_end or parts else "true"
        options = f"(FORMAT csv, HEADER {header})" if self._text else _PARQUET
        ((rows,),) = self._connection.execute(f"COPY ({select}) TO {literal(part)} {options}").fetchall()
        parts.append(part)
        self.rows += rows
        if self._text and not at_end:
            _move_into(part, self._text)

    def close(self) -> None:
        """Complete the table, still out of sight."""
        if self._text is None:
            self._join([*self._parts, *self._tail])
            return
        for part in self._tail:
            _move_into(part, self._text)
        self._text.close()

    def publish(self) -> None:
        """Put the table in place of any earlier file of that name."""
        self._whole.replace(self.path)

    def _join(self, parts: list[Path]) -> None:
        if len(parts) == 1:
            parts[0].replace(self._whole)
            return
        source = ", ".join(literal(part) for part in parts)
        self._connection.execute(f"COPY (FROM read_parquet([{source}])) TO {literal(self._whole)} {_PARQUET}")


@contextmanager
def scratch_folder(out: Path) -> Iterator[Path]:
    """A folder inside `out` for unfinished files, gone afterwards."""
    folder = out / ".unfinished"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def block_connection(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB that writes rows in the order it was given them and spills into `scratch`."""
    connection = duckdb.connect(config={"memory_limit": _MEMORY, "temp_directory": str(scratch)})
    connection.execute("SET preserve_insertion_order = true")
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def workbench(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database on disk for the steps between two tables: in bounded memory, in the order of the files.

    Raises:
        EngineError: the disk is full, or a file turned out to be damaged while it was read.
    """
    settings: dict[str, Any] = {"memory_limit": _MEMORY, "temp_directory": str(scratch / "spilled")}
    connection = duckdb.connect(scratch / "work.duckdb", config=settings)
    try:
        connection.execute("SET preserve_insertion_order = true")
        yield connection
    except duckdb.Error as error:
        raise EngineError(f"the tables cannot be made: {error}") from error
    finally:
        connection.close()


def earlier_tables(out: Path, tables: Sequence[str], proof: str, writer: str) -> list[Path]:
    """The tables of an earlier run in any format; a new run replaces all, so a folder holds one data set.

    Raises:
        SettingsError: the folder holds tables but not the file `proof`, so they are somebody's own.
    """
    files = [out / f"{table}.{form}" for table in tables for form in FORMATS]
    present = [path for path in files if path.exists()]
    if present and not (out / proof).exists():
        message = f"{present[0]} was not written by {writer}; choose another folder with --out"
        raise SettingsError(message, option="out", value=str(out))
    return present


def check_format(format: str) -> None:
    """Refuse a format that no table can have."""
    if format not in FORMATS:
        raise SettingsError(f"format is {format!r}; {did_you_mean(format, FORMATS)}", option="format", value=format)


def _open_text(path: Path) -> BinaryIO:
    return cast("BinaryIO", _Gzip(path)) if path.suffix == ".gz" else path.open("wb")


class _Gzip(gzip.GzipFile):
    """Without a file name or a time of writing in its header: the same data has the same bytes."""

    def __init__(self, path: Path) -> None:
        self._target = path.open("wb")
        super().__init__(filename="", fileobj=self._target, mode="wb", compresslevel=1, mtime=0)

    def close(self) -> None:
        super().close()
        self._target.close()


def _move_into(part: Path, stream: BinaryIO) -> None:
    with part.open("rb") as source:
        shutil.copyfileobj(source, stream, 1 << 20)
    part.unlink()
