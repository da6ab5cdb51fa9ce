"""Events, one by one: recorded, and found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.application.event_log import read_events
from regulars.application.services.asking import id_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from regulars.application.event_log import Moment
    from regulars.application.services.asking import UserId, Workspace
    from regulars.domain.user_events import UserEvent


class EventTracker:
    """Records single events, and reads those of a person or a session.

    Example:
        >>> import regulars
        >>> tracker = EventTracker(regulars.open())
        >>> _ = tracker.track_event(7, "like", session_id="s1", timestamp="2026-01-05T09:00:00Z")
        >>> [event.event_type for event in tracker.get_user_events(7)]
        ['like']
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def track_event(  # noqa: PLR0917 -- programs call it by position
        self,
        user_id: UserId,
        event_type: str,
        event_name: str | None = None,
        properties: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        timestamp: datetime | str | float | None = None,
        **rest: Any,
    ) -> str:
        """Record one event, durably; :meth:`regulars.Workspace.track` by position.

        Args:
            user_id: Who did it, a text or a whole number.
            event_type: What was done: an :class:`~regulars.domain.EventType`, or any text.
            event_name: A free name beside the type.
            properties: Whatever else is known about the event.
            session_id: The session it belongs to.
            timestamp: When, with a time zone; now by default.
            rest: The rest of the event's form, such as ``feature`` or ``device_type``.

        Returns:
            The event's id.

        Raises:
            EventError: The event breaks a rule that an import would reject it by; nothing was kept.
            JournalError: The event could not be kept.
        """
        return self._workspace.track(
            user_id, event_type, event_name=event_name, properties=properties, session_id=session_id,
            timestamp=timestamp, **rest,
        )  # fmt: skip

    def get_user_events(
        self,
        user_id: UserId,
        *,
        event_type: str | Sequence[str] = (),
        session_id: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
    ) -> list[UserEvent]:
        """What a person did, under all of their ids, oldest first; nothing for somebody who is not known.

        Args:
            user_id: Any id of the person.
            event_type: Only events of this type, or of one of these.
            session_id: Only events of this session.
            start: Only events from this day, or from this instant with its zone, on.
            end: Only events up to this day or instant, included.
            limit: At most so many, the newest.

        Raises:
            QueryError: ``bad_date``, ``bad_limit``.
        """
        return read_events(
            self._workspace.engine, user_id=id_text(user_id), session_id=session_id, event_types=_several(event_type),
            start=start, end=end, limit=limit,
        )  # fmt: skip

    def get_session_events(
        self,
        session_id: str,
        *,
        event_type: str | Sequence[str] = (),
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
    ) -> list[UserEvent]:
        """What carries a session id, oldest first, whoever did it; the filters are those of :meth:`get_user_events`."""
        return read_events(
            self._workspace.engine, session_id=session_id, event_types=_several(event_type), start=start, end=end,
            limit=limit,
        )  # fmt: skip


def _several(given: str | Sequence[str]) -> tuple[str, ...]:
    # An enum's text, not its member: that is what the engine's literals are made of.
    return tuple(str(one) for one in ([given] if isinstance(given, str) else given))
