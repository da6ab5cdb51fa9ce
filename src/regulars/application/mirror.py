"""Copy the star schema to an engine that serves it, so that the same plans give the same rows there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from regulars.domain.schema import TABLES, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa


class Source(Protocol):
    """An engine whose tables can be read whole."""

    def read(self, table: str, columns: Iterable[tuple[str, str]]) -> pa.Table:
        """All rows of a table; each column comes as a name and the expression that reads it."""


class Target(Protocol):
    """An engine that takes whole tables."""

    def create_schema(self) -> None:
        """Create what is missing."""

    def replace(self, table: str, rows: pa.Table) -> None:
        """Put rows in the place of everything a table holds."""


def mirror(source: Source, target: Target, tables: Iterable[Table] = TABLES) -> None:
    """Copy tables from one engine to another (extra ``arrow``); what the target held before is replaced.

    The deduplication hash travels as text, because not every engine has 128-bit numbers.
    """
    target.create_schema()
    for table in tables:
        columns = [
            (column.name, f"CAST({column.name} AS VARCHAR)" if column.type in ("hash", "json") else column.name)
            for column in table.columns
        ]
        target.replace(table.name, source.read(table.name, columns))
