"""Single events, as a program records them: the part of a workspace that writes a little, often."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from regulars.application.tracking import Tracker
from regulars.infrastructure.operational.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from regulars.application.ports import OperationalStore, Page
    from regulars.domain.report import ImportReport, JournalAudit
    from regulars.infrastructure.archive.folder import FolderArchive
    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.settings import Settings


class Tracking(ABC):
    """What :class:`regulars.workspace.Workspace` can do with single events."""

    read_only: bool
    _tracker: Tracker

    def track(
        self,
        user_id: str | int | None = None,
        event_type: str | None = None,
        *,
        anonymous_id: str | int | None = None,
        timestamp: datetime | str | float | None = None,
        timezone: str | None = None,
        event_name: str | None = None,
        properties: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        event_id: str | None = None,
        **rest: Any,
    ) -> str:
        """Record one event, durably; every question asked afterwards counts it. Many threads may call this at once.

        Args:
            user_id: Who did it; or give ``anonymous_id``, or both.
            event_type: What was done, such as ``page_view``.
            anonymous_id: Who did it, before anybody knew.
            timestamp: When; now by default. A time that names no zone is refused, unless ``timezone`` says which.
            timezone: IANA name for a ``timestamp`` without a zone.
            event_name: A free name beside the type.
            properties: Whatever else is known about the event.
            session_id: Session, as the product names it.
            event_id: The event's own id; an event with an id that was there before is not counted again.
            rest: The rest of the event's form: ``feature``, ``duration_seconds``, ``context``, ``sequence``,
                ``device``, ``geo``, ``user`` (attributes), ``details``, ``previous_id``; short for device and geo:
                ``device_type``, ``platform``, ``country``, ``region``, ``city``.

        Returns:
            The event's id.

        Raises:
            EventError: The event breaks a rule that an import would reject it by; nothing was kept.
            JournalError: ``journal_full``, ``disk_full``, ``journal_failed``: the event could not be kept.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> ws.track("ada", "like", timestamp="2026-01-05T09:00:00Z", event_id="first")
            'first'
            >>> ws.active_users(start="2026-01-05").rows[0]["active_users"]
            1
        """
        self._refuse_read_only("track")
        given = {
            "user_id": user_id, "event_type": event_type, "anonymous_id": anonymous_id, "timestamp": timestamp,
            "name": event_name, "properties": properties, "session_id": session_id, "event_id": event_id,
        }  # fmt: skip
        return self._tracker.track(given | rest, timezone)

    def flush(self) -> None:
        """Bring what was tracked into the database now. Every question does so by itself."""
        if not self.read_only:
            self._tracker.flush()

    def journal_audit(self) -> JournalAudit:
        """Where everything is that was ever tracked: loaded, repeated, in the dead letter, or still in the journal.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.track("ada", "like")
            >>> ws.journal_audit()
            JournalAudit(accepted=1, loaded=0, duplicates=0, dead_letter=0, backlog=1)
        """
        return self._tracker.audit()

    @abstractmethod
    def _refuse_read_only(self, what: str) -> None:
        """Refuse what a reader cannot do."""


def tracker_of(
    engine: DuckDBEngine,
    settings: Settings,
    folder: Path | None,
    clock: Callable[[], datetime],
    *,
    max_events: int | None = None,
    archive: FolderArchive | None = None,
    loads: bool = True,
    derive: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Tracker:
    """The way of single events into a workspace in a folder, or in memory; a reader of it ``loads`` nothing."""
    return Tracker(
        engine,
        settings,
        partial(_load, engine, settings),
        clock,
        partial(_open_store, folder, settings, loads),
        keep=timedelta(days=settings.journal.keep_days if folder else 0),
        most=max_events,
        archive=archive,
        hands_over=settings.journal.archive,
        derive=derive,
        progress=progress,
    )


def _open_store(
    folder: Path | None,
    settings: Settings,
    loads: bool,  # noqa: FBT001 -- bound
    create: bool,  # noqa: FBT001 -- a callback
) -> OperationalStore | None:
    if folder is None:
        return MemoryStore()
    # Only tracking needs it, and it brings sqlite3 along.
    from regulars.infrastructure.operational.opening import may_exist, open_store  # noqa: PLC0415

    if not create and not may_exist(folder, settings.journal):
        return None
    return open_store(folder, settings.journal, loads=loads)


def _load(  # noqa: PLR0917 -- two are bound
    engine: DuckDBEngine, settings: Settings, journal_id: str, page: Page, name: str, now: datetime
) -> ImportReport:
    # Only loading needs them, and they bring numpy along.
    from regulars.infrastructure.importers.journal import Entries  # noqa: PLC0415
    from regulars.infrastructure.loader import Loader  # noqa: PLC0415

    return Loader(engine, settings).load(Entries(journal_id, page, name), now=now, kind="events")
