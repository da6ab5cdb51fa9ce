"""Explicit sessions: begun and ended by the program, over by themselves when their person falls silent."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from regulars.application.event_log import read_sessions
from regulars.application.services.asking import id_text
from regulars.domain.user_events import UserSession
from regulars.domain.wire import instant_of
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.application.event_log import Sighting
    from regulars.application.services.asking import UserId, Workspace


class SessionManager:
    """Begins and ends sessions. What it knows it reads from the events, so sessions outlive the program.

    A session is all events of a person that carry one session id. Ending one and asking for the active one bring what
    was tracked into the database first; beginning one is as quick as tracking an event.

    Example:
        >>> import regulars
        >>> sessions = SessionManager(regulars.open())
        >>> session_id = sessions.start_session("ada")
        >>> sessions.get_active_session("ada").session_id == session_id
        True
        >>> sessions.end_session(session_id).status
        'ended'
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._ending = Lock()

    def start_session(
        self,
        user_id: UserId,
        session_id: str | None = None,
        *,
        properties: Mapping[str, Any] | None = None,
        timestamp: datetime | str | float | None = None,
    ) -> str:
        """Begin a session: an event ``session_start``. A person may have several at once.

        Args:
            user_id: Whose.
            session_id: Its id; one is made by default.
            properties: Whatever is known about it.
            timestamp: When, with a time zone; now by default.

        Returns:
            The session's id, to be given with the events that belong to it.

        Raises:
            QueryError: ``session_exists``: the person has, or had, a session of this id.
            EventError: As for :meth:`regulars.Workspace.track`.
        """
        if session_id is not None and self._found(session_id, user_id):
            raise QueryError(
                f"{id_text(user_id)!r} has a session {session_id!r} already; choose another id, or leave it out",
                code="session_exists", session_id=session_id,
            )  # fmt: skip
        own = session_id or uuid.uuid4().hex
        self._workspace.track(user_id, "session_start", session_id=own, properties=properties, timestamp=timestamp)
        return own

    def end_session(
        self, session_id: str, *, user_id: UserId | None = None, timestamp: datetime | str | float | None = None
    ) -> UserSession:
        """End a session: an event ``session_end``. One that has expired is over already, and is returned as it was.

        Args:
            session_id: Which.
            user_id: Whose, where several people share the id.
            timestamp: When, with a time zone; now by default. With it, an expired session ends then.

        Raises:
            QueryError: ``unknown_session``; ``session_ended``: it ended before; ``session_is_shared``; ``bad_time``:
                before its first event.
        """
        with self._ending:
            found = self._one(session_id, user_id)
            session = self._session(found)
            if session.status == "expired" and timestamp is None:
                return session
            at = self._workspace.now() if timestamp is None else instant_of(timestamp)
            _check_end(session, at)
            whose = {"user_id" if found.is_known else "anonymous_id": found.user_id}
            # One id per end: written by two processes, or again after an error, it still counts once.
            event_id = f"session_end {found.user_id} {session_id}"
            self._workspace.track(
                **whose, event_type="session_end", session_id=session_id, timestamp=_utc(at), event_id=event_id
            )
        return self._session(found._replace(ended_at=at, last_event_at=max(at, found.last_event_at)))

    def get_active_session(self, user_id: UserId) -> UserSession | None:
        """The session of a person that began last of those that have neither ended nor expired, or None."""
        found = read_sessions(self._workspace.engine, user_id=id_text(user_id))
        return next((one for one in map(self._session, found) if one.status == "active"), None)

    def _found(self, session_id: str, user_id: UserId | None) -> list[Sighting]:
        whose = None if user_id is None else id_text(user_id)
        return read_sessions(self._workspace.engine, session_id=session_id, user_id=whose)

    def _one(self, session_id: str, user_id: UserId | None) -> Sighting:
        found = self._found(session_id, user_id)
        if not found:
            whose = "" if user_id is None else f" of {id_text(user_id)!r}"
            raise QueryError(
                f"no session {session_id!r}{whose}; begin one with start_session", code="unknown_session",
                session_id=session_id,
            )  # fmt: skip
        if len(found) > 1:
            people = ", ".join(sorted(repr(one.user_id) for one in found))
            raise QueryError(
                f"several people have a session {session_id!r}: {people}; say whose ends with user_id",
                code="session_is_shared", session_id=session_id,
            )  # fmt: skip
        return found[0]

    def _session(self, found: Sighting) -> UserSession:
        gap = timedelta(minutes=self._workspace.settings.sessions.gap_minutes)
        is_silent = self._workspace.now() - found.last_event_at > gap
        return UserSession(
            found.session_id, found.user_id, _utc(found.started_at), _utc(found.last_event_at),
            None if found.ended_at is None else _utc(found.ended_at), found.actions,
            "ended" if found.ended_at else "expired" if is_silent else "active",
        )  # fmt: skip


def _check_end(session: UserSession, at: datetime) -> None:
    if session.ended_at is not None:
        raise QueryError(
            f"session {session.session_id!r} ended already, at {_shown(session.ended_at)}",
            code="session_ended", session_id=session.session_id,
        )  # fmt: skip
    if _utc(at) < session.started_at:
        raise QueryError(
            f"session {session.session_id!r} cannot end at {_shown(at)}, before it began at "
            f"{_shown(session.started_at)}",
            code="bad_time", session_id=session.session_id,
        )  # fmt: skip


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
