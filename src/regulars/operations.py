"""Looking after a workspace: the part that hands out what is known of a person, and makes copies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regulars.application.erase import come_back, erase, finish, share_erasures
from regulars.domain.calendar import local_day
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from regulars.application.tracking import Tracker
    from regulars.domain.backup import Manifest
    from regulars.domain.report import Erasure, Retention
    from regulars.infrastructure.archive.folder import FolderArchive
    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.settings import Settings


class Operations(ABC):
    """What :class:`regulars.workspace.Workspace` can do for whoever looks after it."""

    folder: Path | None
    settings: Settings
    _engine: DuckDBEngine
    _tracker: Tracker
    _archive: FolderArchive | None

    def export_user(self, user_id: str | int, *, write: Callable[[bytes], object] | None = None) -> dict[str, Any]:
        """Everything that is known of a person: events, attributes with their history, sessions, memberships, ...

        Args:
            user_id: Any id of the person.
            write: Takes the document in pieces of JSON text, so that it need not fit into memory.

        Returns:
            The document, which the page Operations describes; empty when ``write`` has taken it.

        Raises:
            QueryError: ``unknown_user``; nothing was written.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.track("ada", "like")
            >>> [event["action_type"] for event in ws.export_user("ada")["events"]]
            ['like']
        """
        from regulars.application.export import document, write_export  # noqa: PLC0415 -- only this call needs it

        # What still waits in the journal could not be seen.
        self._refuse_read_only("export a person")
        self.flush()
        if write is None:
            return document(self._engine, self.settings, str(user_id), self.now())
        write_export(self._engine, self.settings, str(user_id), self.now(), write)
        return {}

    def backup(self, target: str | Path) -> Manifest:
        """Copy the workspace into a new folder while it is in use; :func:`regulars.restore` puts it back.

        Every event that was accepted before this call is in it. Questions and tracking go on; loading waits.

        Returns:
            What is in the backup: versions, rows per table, the place in the journal, checksums of the files.

        Raises:
            WorkspaceError: ``backup_exists``; nothing was changed.
            QueryError: ``memory_only``: a workspace in memory has no files.
        """
        from regulars.infrastructure.backup import back_up  # noqa: PLC0415 -- only this call needs it

        self._refuse_read_only("back it up")
        if self.folder is None:
            raise QueryError("a workspace in memory has no files to back up; keep it in a folder", code="memory_only")
        return back_up(
            self._engine, self.folder, self.settings.journal, Path(target), self.now(), archive=self._archive
        )

    def erase(self, user_id: str | int) -> Erasure:
        """Erase a person: every fact of every id of theirs, and what follows from them, then rewrite the file.

        Numbers of the days in the certificate may differ from what was published before. Events from before the
        erasure that arrive again are rejected as ``erased``; a person who comes back afterwards is new.

        Returns:
            The certificate: rows removed per table, days affected, and where other people's rows name the id.

        Raises:
            QueryError: ``unknown_user``; nothing was changed.
        """
        self._refuse_read_only("erase anybody")
        with self._tracker.at_rest():
            certificate = erase(
                self._engine,
                self.settings,
                str(user_id),
                self.now(),
                forget=self._tracker.forget,
                archive=self._archive,
            )
            return replace(certificate, is_rewritten=self._finish_erasures())

    def _agree_with(self, archive: FolderArchive) -> None:
        """Bring the folder's archive into order, and both sides to the same erasures."""
        archive.tidy()
        archive.mark()
        for user_id, erased_at in come_back(self._engine, archive):
            try:
                erase(
                    self._engine, self.settings, user_id, self.now(), forget=self._tracker.forget, archive=archive,
                    erased_at=erased_at,
                )  # fmt: skip
            except QueryError as exc:
                # Several ids lead to the same person, who is gone after the first of them.
                if exc.code != "unknown_user":
                    raise
        share_erasures(self._engine, archive)

    def _finish_erasures(self) -> bool:
        if self._engine.archive is not None:
            self._engine.archive.forget_strangers()
        rewritten = self._engine.rewrite()
        finish(self._engine)
        return rewritten

    def retain(self, *, dry_run: bool = False) -> Retention:
        """Archive and drop raw events that are older than ``[retention] events_days``; without it, nothing happens.

        What was computed from them stays, and the page Operations says which questions still have answers. The archive
        is Parquet by day in ``archive/events`` of the folder. A server does this once a day by itself.

        Args:
            dry_run: Only count what would go.

        Returns:
            How many events of how many days went, and the first day whose raw events are here.

        Raises:
            QueryError: ``memory_only``: a workspace in memory has no archive.
            WorkspaceError: ``archive_damaged``, ``archive_failed``: nothing was dropped.

        Example:
            >>> import regulars
            >>> regulars.open().retain().events
            0
        """
        from regulars.application.retention import is_rewrite_due, note_rewritten, retain  # noqa: PLC0415 -- same

        self._refuse_read_only("drop anything")
        self.flush()
        engine = self._engine
        with engine.at_rest():
            report = retain(engine, self.settings, self.now(), dry_run=dry_run)
            if dry_run or not is_rewrite_due(engine):
                return report
            rewritten = engine.rewrite()
            note_rewritten(engine)
        return replace(report, is_rewritten=rewritten)

    @property
    def today(self) -> date:
        """The present day, in the workspace's time zone."""
        return local_day(self.now(), self.settings.timezone)

    @abstractmethod
    def flush(self) -> None:
        """Bring what was tracked into the database."""

    @abstractmethod
    def now(self) -> datetime:
        """The present instant, naive UTC."""

    @abstractmethod
    def _refuse_read_only(self, what: str) -> None:
        """Refuse what a reader cannot do."""
