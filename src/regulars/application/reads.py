"""Small SELECTs about the state of a workspace, remembered for as long as nothing is committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regulars.application.ports import Snapshot

Read = Callable[[str], list[tuple[Any, ...]]]
_MOST = 256


class StateReads:
    """What the planner reads again for every question: settings of the stored rows, days, names, the ledger.

    Rows are kept with the version of the snapshot they came from and serve that version alone, so a commit by
    another thread is never missed. One of these belongs to one engine.
    """

    def __init__(self) -> None:
        # One attribute, because two could be read between their assignments.
        self._latest: tuple[int | None, dict[str, list[tuple[Any, ...]]]] = None, {}

    def on(self, snapshot: Snapshot) -> Read:
        """A function that gives the rows of a SELECT on a snapshot; an unknown version is always read anew."""
        version, kept = self._latest
        if snapshot.version is None or snapshot.version != version:
            kept = {}
            self._latest = snapshot.version, kept

        def read(sql: str) -> list[tuple[Any, ...]]:
            rows = kept.get(sql)
            if rows is None:
                rows = snapshot.query(sql).rows
                if len(kept) >= _MOST:
                    kept.clear()
                kept[sql] = rows
            return rows

        return read
