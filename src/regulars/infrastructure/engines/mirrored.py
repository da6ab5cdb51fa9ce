"""Questions answered by another engine, on a copy of the database that is made again whenever something changed."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from regulars.application.ports import Snapshot
from regulars.infrastructure.engines.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from regulars.application.ports import ServingEngine, Table
    from regulars.domain.dialect import Dialect
    from regulars.infrastructure.engines.duckdb import DuckDBEngine


class MirroredEngine:
    """Reads from ``target`` what ``warehouse`` holds. ``copy`` brings everything over, and is told if it is the first.

    The copy is made when somebody asks, at most once per change; questions wait for it, and it waits for them.
    """

    def __init__(self, warehouse: DuckDBEngine, target: ServingEngine, copy: Callable[[bool], None]) -> None:
        self._warehouse, self._target, self._copy = warehouse, target, copy
        self._gate, self._copying = Gate(), threading.Lock()
        self._copied: int | None = None

    @property
    def dialect(self) -> Dialect:
        """How the target spells."""
        return self._target.dialect

    def query(self, sql: str) -> Table:
        """Run one SELECT on the copy."""
        self._bring_up_to_date()
        with self._gate.one():
            return self._target.query(sql)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The copy, which stays as it is meanwhile, whether or not the target has transactions."""
        self._bring_up_to_date()
        with self._gate.one(), self._target.snapshot() as found:
            yield Snapshot(found.query, self._copied)

    def close(self) -> None:
        """Give the target back."""
        self._target.close()

    def _bring_up_to_date(self) -> None:
        if self._version() == self._copied is not None or self._gate.is_inside:
            return
        with self._copying, self._warehouse.at_rest():
            version = self._version()
            if version != self._copied:
                with self._gate.none():
                    is_first, self._copied = self._copied is None, None
                    self._copy(is_first)
                    self._copied = version

    def _version(self) -> int | None:
        with self._warehouse.snapshot() as found:
            return found.version
