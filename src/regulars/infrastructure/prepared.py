"""Lay a prepared table beside the warehouse, to be checked against the events it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.quality.prepared import COUNTS, NAME
from regulars.errors import EngineError, SourceError
from regulars.infrastructure.loading.sql import literal

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.infrastructure.engines.duckdb import DuckDBEngine

_TYPES = {
    "user_id": "VARCHAR",
    "as_of_date": "DATE",
    "signup_date": "DATE",
    "days_since_signup": "BIGINT",
    "is_active_day": "BOOLEAN",
    "total_events": "BIGINT",
    "watch_minutes_sum": "DOUBLE",
    "quiz_avg_score": "DOUBLE",
    **dict.fromkeys(COUNTS, "BIGINT"),
}


def add_user_daily(engine: DuckDBEngine, path: Path) -> None:
    """Create the table ``user_daily`` from a CSV or Parquet file.

    Errors: :class:`SourceError` ``bad_source``: the file lacks a column, or holds something else in it.
    """
    reader = "read_parquet" if ".parquet" in path.suffixes else "read_csv"
    columns = ", ".join(f"CAST({name} AS {type_}) AS {name}" for name, type_ in _TYPES.items())
    try:
        with engine.transaction():
            engine.execute(f"CREATE OR REPLACE TABLE {NAME} AS SELECT {columns} FROM {reader}({literal(str(path))})")
    except EngineError as exc:
        raise SourceError(
            f"{path.name} is no {NAME} as regulars prepare writes it: {exc.message}", source=path.name
        ) from exc
