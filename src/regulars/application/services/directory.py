"""People: who they are, and who of them was here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.application.services.asking import asked_day, id_text, on_day, whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from regulars.application.services.asking import UserId, Workspace
    from regulars.domain.calendar import Day
    from regulars.domain.timeline import Profile


class UserDirectory:
    """What is known about people.

    Example:
        >>> import regulars
        >>> users = UserDirectory(regulars.open())
        >>> _ = users.identify("ada", {"plan": "paid"}, anonymous_id="x1")
        >>> users.get_user("x1").attributes["plan"]
        'paid'
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def identify(
        self,
        user_id: UserId,
        attributes: Mapping[str, Any] | None = None,
        *,
        anonymous_id: UserId | None = None,
        timestamp: datetime | str | float | None = None,
    ) -> str:
        """Say who somebody is: an event ``identify``, which makes nobody active.

        Args:
            user_id: Their id.
            attributes: What is true of them from now on, such as ``plan``, ``country``, ``registration_date``.
            anonymous_id: The id under which they were seen before; what it did is theirs.
            timestamp: When, with a time zone; now by default.

        Returns:
            The event's id.

        Raises:
            EventError: As for :meth:`regulars.Workspace.track`.
        """
        return self._workspace.track(
            user_id, "identify", user=attributes, anonymous_id=anonymous_id, timestamp=timestamp
        )

    def get_user(self, user_id: UserId) -> Profile:
        """The profile of a person: ids, attributes, first and last day, active days, sessions, actions, tier.

        Args:
            user_id: Any id of the person.

        Raises:
            QueryError: ``unknown_user``.
        """
        return self._workspace.timeline(id_text(user_id), limit=1).profile

    def list_active_users(
        self, date: Day | None = None, *, window: int = 1, activity: str = "core", **question: Any
    ) -> list[str]:
        """Ids of the people active on at least one of the days that end on a day, sorted.

        Args:
            date: The day; the local day of now by default.
            window: How many days.
            activity: What counts as active.
            question: Keywords of :meth:`regulars.Workspace.question`, such as ``where`` and ``population``.

        Raises:
            QueryError: ``bad_date``, ``bad_window``.
        """
        day = asked_day(self._workspace, date)
        asked = on_day(day, window=window, activity=activity, **whole(question))
        result = self._workspace.metric("active_users", **asked)
        return result.users() if result.rows else []
