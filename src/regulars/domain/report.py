"""What an import, an erasure, a limit or the journal did: in numbers that add up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from regulars.domain.quality.report import CheckResult

Kind = Literal["events", "users"]


class Reject(NamedTuple):
    """One row that was not loaded: where it stands, why, and how it looked."""

    line: int | None
    reason: str
    detail: str | None
    raw: str | None


@dataclass(frozen=True)
class ImportReport:
    """Counts of one import; ``rows_read == loaded + duplicates + rejected``, always.

    ``conflicts`` are the duplicates whose user, type or time differs from the row that was first. ``future``
    counts the loaded rows later than now + 5 minutes. ``rejects`` holds the first rejected rows; all of them
    are in the table ``dead_letter`` under ``load_id``. ``is_repeated`` says that the same file was loaded before, under
    that ``load_id``, and was not read again. ``checks`` are the cheap data-quality checks of what it brought.
    """

    source: str
    kind: Kind
    load_id: int
    rows_read: int
    loaded: int
    duplicates: int
    rejected: int
    conflicts: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    first_time: datetime | None = None
    last_time: datetime | None = None
    future: int = 0
    seconds: float = 0.0
    rejects: tuple[Reject, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    is_repeated: bool = False

    @property
    def adds_up(self) -> bool:
        """Whether every row that was read is accounted for exactly once."""
        return self.rows_read == self.loaded + self.duplicates + self.rejected == self._by_reason()

    def _by_reason(self) -> int:
        return self.loaded + self.duplicates + sum(self.reasons.values())


@dataclass(frozen=True)
class ImportPreview:
    """What an import would do. ``columns`` maps each role to the column it would be read from.

    ``properties`` are the columns that would be kept as event properties (or user attributes). ``problem`` is
    the reason why the whole import would be refused, if there is one.
    """

    source: str
    format: str
    kind: Kind
    columns: Mapping[str, str]
    properties: tuple[str, ...]
    rows_read: int = 0
    loaded: int = 0
    duplicates: int = 0
    rejected: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    first_time: datetime | None = None
    last_time: datetime | None = None
    rejects: tuple[Reject, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class JournalAudit:
    """Where everything went that the journal ever accepted; ``accepted`` is the sum of the others, always.

    ``backlog`` is what the warehouse does not have yet, ``dead_letter`` what it could not take; damaged and lost
    entries of the journal are among these.
    """

    accepted: int
    loaded: int
    duplicates: int
    dead_letter: int
    backlog: int

    @property
    def adds_up(self) -> bool:
        """Whether every accepted event is accounted for exactly once."""
        return self.accepted == self.loaded + self.duplicates + self.dead_letter + self.backlog


@dataclass(frozen=True)
class Erasure:
    """The certificate of one erasure. It names no one: whoever asked for it knows the id.

    ``identities`` is the number of ids that belonged to the person. ``first_day`` to ``last_day`` are the days whose
    numbers may differ from what was published before, ``active_days`` of them had an action of the person. ``removed``
    counts the rows taken away per table, and the entries of the ``journal`` and the ``archive``. ``mentions`` counts
    rows of other people per table that hold the id as a value of their own, such as an invitation; they are theirs and
    stay. ``is_rewritten`` says that the database file was written anew without the erased rows; a workspace in memory
    has no file.
    """

    erasure_id: int
    erased_at: datetime
    identities: int
    first_day: date | None
    last_day: date | None
    active_days: int
    removed: Mapping[str, int]
    mentions: Mapping[str, int]
    is_rewritten: bool = False


@dataclass(frozen=True)
class Retention:
    """What the limits of the settings let go, or would let go.

    ``floor`` is the first day whose raw events are in the database, None while none were dropped. ``events`` of
    ``days`` were archived and dropped now, ``first_day`` is the oldest of them. ``is_rewritten`` says that the file was
    written anew to give the space back, which is done when it is worth the time.
    """

    events_days: int | None
    floor: date | None
    days: int = 0
    events: int = 0
    first_day: date | None = None
    is_dry_run: bool = False
    is_rewritten: bool = False
