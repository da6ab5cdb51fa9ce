"""One line on a terminal's stderr that says how far an import is."""

from __future__ import annotations

import sys
import time

from regulars.interfaces.cli.words import printable, seconds

_EVERY = 0.1
_WORTH_A_GUESS = 1.0


class ProgressLine:
    """Told (stage, rows done, rows in all) by an import; silent when nobody watches."""

    def __init__(self, name: str, *, quiet: bool) -> None:
        self._name = printable(name)
        self._watched = sys.stderr.isatty() and not quiet
        self._stage, self._begun, self._shown = "", 0.0, 0.0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show it, at most ten times a second."""
        if not self._watched:
            return
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._begun = stage, now
        elif now - self._shown < _EVERY:
            return
        self._shown = now
        sys.stderr.write(f"\r\x1b[K{self._name}  {progress_text(stage, done, total, now - self._begun)}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._watched and self._stage:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def progress_text(stage: str, done: int, total: int | None, elapsed: float) -> str:
    """How far a stage is: share, rate and time left, as far as they are known.

    >>> progress_text("read", 250_000, 1_000_000, 2.0)
    'read  25 %  250,000 of 1,000,000 rows  125,000 rows/s  6.0 s left'
    >>> progress_text("check", 0, None, 0.0)
    'check'
    """
    parts = [stage]
    if total and done:
        parts.append(f"{done / total:.0%}".replace("%", " %"))
    if done or total:
        parts.append(f"{done:,} of {total:,} rows" if total else f"{done:,} rows")
    if done and elapsed >= _WORTH_A_GUESS:
        rate = done / elapsed
        parts.append(f"{rate:,.0f} rows/s")
        if total and total > done:
            parts.append(f"{seconds((total - done) / rate)} left")
    return "  ".join(parts)
