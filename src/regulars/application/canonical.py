"""Run canonical statements on an engine: bound, spelled in its dialect, executed inside the open transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.dialect import DUCKDB, render
from regulars.domain.sql import Values

if TYPE_CHECKING:
    from regulars.application.ports import Engine


def execute(engine: Engine, text: str, values: Values | None = None) -> None:
    """Run one statement that changes something."""
    engine.execute(_spelled(engine, text, values))


def fetch(engine: Engine, text: str, values: Values | None = None) -> list[tuple[Any, ...]]:
    """Rows of a SELECT that sees what the transaction has changed so far."""
    return engine.fetch(_spelled(engine, text, values))


def _spelled(engine: Engine, text: str, values: Values | None) -> str:
    # Canonical SQL is DuckDB's own but for fragments and values, and spelling it again costs milliseconds.
    if values is None and engine.dialect is DUCKDB and "rg_" not in text:
        return text
    return render((values or Values()).bind(text), engine.dialect, pretty=False)
