"""Rows as bytes for programs: JSON, CSV, Parquet."""

from __future__ import annotations

import csv
import io
import math
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from regulars.application.ports import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from regulars.domain.result import Result

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PARQUET_TYPES = {"date": "DATE", "text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE"}
_INT64 = 2**63


def emit(data: bytes, output: Path | None) -> None:
    """Write bytes to a file, or to stdout."""
    if output is None:
        click.echo(data, nl=False)
    else:
        output.write_bytes(data)


def table_of(result: Result) -> Table:
    """The rows of an answer as a table, flags last."""
    names = (*(column.name for column in result.columns), "flags")
    return Table(names, [tuple(row.get(name) for name in names) for row in result.rows])


def result_types(result: Result) -> tuple[str, ...]:
    """The Parquet types of an answer's columns, flags last."""
    return (*(_PARQUET_TYPES[column.type] for column in result.columns), "VARCHAR[]")


def to_csv(table: Table) -> bytes:
    """CSV with a header; lists joined by ``|``, missing cells empty, and no cell that a spreadsheet would execute."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(name) for name in table.columns])
    writer.writerows([_cell(value) for value in row] for row in table.rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, list | tuple):
        value = "|".join(map(str, value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return harmless(value) if isinstance(value, str) else value


def harmless(text: str) -> str:
    """Text that a spreadsheet shows instead of running it; numbers stay as they are.

    >>> harmless("=1+2"), harmless("-3.5"), harmless("-x")
    ("'=1+2", '-3.5', "'-x")
    """
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and text.strip() == text
    except ValueError:
        return False


def to_json(table: Table) -> bytes:
    """A JSON array with one object per row."""
    import msgspec  # noqa: PLC0415 -- only this format needs it

    names = distinct(table.columns)
    rows = [dict(zip(names, row, strict=True)) for row in table.rows]
    return msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode(rows) + b"\n"


def distinct(names: Iterable[str]) -> list[str]:
    """Names of columns without repetition.

    >>> distinct(["n", "n", "m"])
    ['n', 'n_2', 'm']
    """
    found: list[str] = []
    for name in names:
        number, own = 2, name
        while own in found:
            number, own = number + 1, f"{name}_{number}"
        found.append(own)
    return found


def write_parquet(table: Table, output: Path, types: Sequence[str] = ()) -> None:
    """A Parquet file; types that are not given are taken from the values."""
    import duckdb  # noqa: PLC0415 -- only this format needs it

    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    names = distinct(table.columns)
    values: Mapping[str, Any] = {f"c{i}": [_storable(v) for v in column] for i, column in enumerate(columns)}
    chosen = types or [_type_of(column) for column in columns]
    selected = ", ".join(f"unnest(CAST($c{i} AS {chosen[i]}[])) AS {_quoted(name)}" for i, name in enumerate(names))
    path = str(output).replace("'", "''")
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {selected}) TO '{path}' (FORMAT parquet)", values)


def _storable(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, bool | int | float | str | date | list) else str(value)


def _type_of(column: Sequence[object]) -> str:
    kinds = {type(value) for value in column if value is not None}
    if kinds == {bool}:
        return "BOOLEAN"
    if kinds == {int} and all(-_INT64 <= value < _INT64 for value in column if isinstance(value, int)):
        return "BIGINT"
    if kinds and all(issubclass(kind, int | float | Decimal) and kind is not bool for kind in kinds):
        return "DOUBLE"
    if kinds == {datetime}:
        return "TIMESTAMP"
    return "DATE" if kinds == {date} else "VARCHAR"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
