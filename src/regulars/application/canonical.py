"""Run canonical statements on an engine: bound, spelled in its dialect, executed inside the open transaction."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from regulars.domain.dialect import render
from regulars.domain.sql import Values

if TYPE_CHECKING:
    from regulars.application.ports import Engine
    from regulars.domain.dialect import Dialect


def execute(engine: Engine, text: str, values: Values | None = None) -> None:
    """Run one statement that changes something."""
    engine.execute(_spelled(text, values or Values(), engine.dialect))


def fetch(engine: Engine, text: str, values: Values | None = None) -> list[tuple[Any, ...]]:
    """Rows of a SELECT that sees what the transaction has changed so far."""
    return engine.fetch(_spelled(text, values or Values(), engine.dialect))


@lru_cache(maxsize=256)
def _spelled(text: str, values: Values, dialect: Dialect) -> str:
    # A workspace that loads often repeats the same few statements, and spelling one costs milliseconds.
    return render(values.bind(text), dialect, pretty=False)
