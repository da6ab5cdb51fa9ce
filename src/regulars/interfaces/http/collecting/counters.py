"""What the collector of this process did since it began."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Counters:
    """Numbers that only grow; the event loop alone changes them."""

    accepted: int = 0
    rejected: int = 0
    by_status: Counter[int] = field(default_factory=Counter)

    def answered(self, status: int) -> None:
        """Count one response."""
        self.by_status[status] += 1
