"""What the verbs need from the outside: an engine that runs SQL and changes rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from regulars.domain.dialect import Dialect


@dataclass(frozen=True)
class Table:
    """Rows as an engine returned them: dates, naive-UTC timestamps, numbers and text only."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Snapshot:
    """One committed state: every SELECT that ``query`` runs sees the same rows.

    Snapshots of equal ``version`` hold the same rows. It is None where that cannot be known: while a commit is under
    way, and on an engine without transactions, where each SELECT has a snapshot of its own.
    """

    query: Callable[[str], Table]
    version: int | None = None


class Engine(Protocol):
    """A database. It knows SQL and rows, and no metric.

    Driver errors leave it as :class:`regulars.errors.EngineError`, with the driver's error as their cause.
    """

    @property
    def dialect(self) -> Dialect:
        """How this engine spells types and the few fragments that differ."""

    def query(self, sql: str) -> Table:
        """Run one SELECT on a snapshot and return all its rows."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """The last committed state, for several SELECTs whose rows belong together."""

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a SELECT that sees what the open transaction has changed so far."""

    def execute(self, sql: str) -> None:
        """Run one statement that changes something, inside :meth:`transaction`."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit everything executed inside at once, or nothing when an error leaves it."""

    def close(self) -> None:
        """Give the database back."""
