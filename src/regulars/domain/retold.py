"""A result made again from its plain form: as another process told it, or as it was kept."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from regulars.domain.metrics.record import ResultColumn
from regulars.domain.query import Query
from regulars.domain.result import Result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.result import OpenCell


def retold(told: Mapping[str, Any], open_cell: OpenCell | None = None) -> Result:
    """The result whose :meth:`Result.to_mapping` went through JSON, with the names of its ``people_columns``."""
    columns = tuple(ResultColumn(**column) for column in told["columns"])
    return Result(
        query=msgspec.convert(told["query"], Query),
        columns=columns,
        rows=[_row(row, columns) for row in told["rows"]],
        averages=[_row(row, columns) for row in told.get("averages", ())],
        definition=told["definition"],
        sql=told["sql"],
        watermark=told["watermark"] and date.fromisoformat(told["watermark"]),
        complete_through=told["complete_through"] and date.fromisoformat(told["complete_through"]),
        timezone=told["timezone"],
        source=told["source"],
        population=told["population"],
        warnings=tuple(told["warnings"]),
        additive=told["additive"],
        people_columns=tuple(told["people_columns"]),
        definitions=told["definitions"],
        open_cell=open_cell,
    )


def _row(row: Mapping[str, Any], columns: tuple[ResultColumn, ...]) -> dict[str, Any]:
    dates = {column.name for column in columns if column.type == "date"}
    return {
        name: date.fromisoformat(value) if name in dates and isinstance(value, str) else value
        for name, value in row.items()
    }
