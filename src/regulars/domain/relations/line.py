"""One line of time on which every person has a stretch of their own, so that a single number says who and when.

To look up the next event of a person, an engine would keep the events of each person apart and sort them one by one.
On the line they are sorted once, by one number: what comes next after the last event of a person belongs to somebody
else, and lies further away than anything that is looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.calendar import epoch_day

if TYPE_CHECKING:
    from regulars.domain.frame import Frame

END = 2**62  # half of the numbers there are, so that keys given meanwhile fit too
_DAY = 86_400_000_000
_ZONES = 2  # days: more than a local day and one of UTC can differ by


@dataclass(frozen=True)
class Line:
    """The line from ``start`` (µs since 1970) on, with a stretch of ``length`` µs per person, by their keys."""

    start: int
    length: int

    def place(self, key: str, at: str) -> str:
        """Where an event lies; what lies between two events of a person is the time between them."""
        return f"{key} * {self.length} + {at} - {self.start}"


def line_of(frame: Frame, reach: int, greatest_key: int) -> Line | None:
    """The line for what begins in the range and is over ``reach`` µs later; None where people are too many for it."""
    first, last, end = (epoch_day(day) for day in (frame.first, frame.last, frame.scan_to))
    begun, seen = (day - first + 1 + 2 * _ZONES for day in (last, end))
    found = Line((first - _ZONES) * _DAY, max(begun * _DAY + reach, seen * _DAY))
    return found if (greatest_key + 1) * found.length < END else None
