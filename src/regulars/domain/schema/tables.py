"""What a table of the schema is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["boolean", "bigint", "integer", "double", "text", "date", "timestamp", "json", "hash"]
Role = Literal["dimension", "fact", "derived", "record"]


@dataclass(frozen=True)
class Column:
    """One column: its name, abstract type, meaning, and whether it can be missing.

    ``packed=False`` is for ids and hashes, all different and mostly random: packing them costs more than it saves.
    """

    name: str
    type: ColumnType
    description: str
    nullable: bool = True
    packed: bool = True


@dataclass(frozen=True)
class Table:
    """One stored table. ``order_by`` is the physical sort order where an engine wants one."""

    name: str
    role: Role
    grain: str
    columns: tuple[Column, ...]
    order_by: tuple[str, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """The column names in storage order."""
        return tuple(column.name for column in self.columns)


def key(name: str, description: str) -> Column:
    """A dense number that joins tables."""
    return Column(name, "bigint", description, nullable=False)


def text(name: str, description: str) -> Column:
    """A text that may be missing."""
    return Column(name, "text", description)


LOAD = Column("load_id", "bigint", "The load that brought the row, see loads", nullable=False)
