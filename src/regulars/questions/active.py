"""How many people are active, and how much of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from regulars.domain.query import Calendar  # noqa: TC001 -- typed keywords are resolved at run time
from regulars.questions.asking import Asking, Question, given

if TYPE_CHECKING:
    from regulars.domain.result import Result


class ActiveQuestions(Asking):
    """People active in a window, new and returning, stickiness, active days."""

    def active_users(
        self, window: int | None = None, *, calendar: Calendar | None = None, **question: Unpack[Question]
    ) -> Result:
        """People active in a rolling window, a calendar period, or the bucket.

        A person counts at day d when active on at least one day of the closed window [d - window + 1, d]. Other
        keywords are those of :meth:`regulars.Workspace.question`.

        Returns:
            Columns ``date``, the breakdown, ``active_users`` (distinct people), ``flags``; one row per bucket and
            slice, zeros included.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}])
            >>> ws.active_users(window=28, start="2026-01-05").rows
            [{'date': datetime.date(2026, 1, 5), 'active_users': 1, 'flags': ['warming_up']}]
        """
        return self.metric("active_users", window=window, calendar=calendar, **question)

    def new_vs_returning(self, *, new_by: str = "first_activity", **question: Unpack[Question]) -> Result:
        """People active in the bucket, split into those active for the first time ever and the rest.

        Returns:
            Columns ``date``, the breakdown, ``new``, ``returning``, ``active_users``, ``flags``.
        """
        return self.metric("new_vs_returning", new_by=new_by, **question)

    def stickiness(
        self,
        window: int | None = None,
        *,
        numerator: int = 1,
        method: str | None = None,
        summary: str | None = None,
        **question: Unpack[Question],
    ) -> Result:
        """Actives of a short window over actives of a long one, DAU/MAU by default.

        Returns:
            Columns ``date``, the breakdown, ``numerator``, ``denominator``, ``stickiness`` (None when nobody was
            active), ``flags``.
        """
        own: dict[str, Any] = {"numerator": numerator} if numerator != 1 else {}
        return self.metric("stickiness", window=window, **question, summary=summary, **own, **given(method=method))

    def stickiness_by_cohort(
        self, window: int | None = None, *, cohort: str = "first_activity", **question: Unpack[Question]
    ) -> Result:
        """Stickiness of a fixed set of people, day by day from ``start``, the day that chooses them.

        Args:
            window: Days of the longer window, 30 by default; it opens no earlier than ``start``.
            cohort: ``first_activity``: active for the first time ever on ``start``; ``active``: active on it;
                ``registration``: registered on it, also those who never come.
            question: Keywords of :meth:`regulars.Workspace.question`; attributes are those of ``start``.

        Returns:
            Columns ``date``, the breakdown, ``day`` (0 is ``start``), ``cohort`` (its size), ``active_users`` (of it
            on the day), ``window_users`` (of it in the window), ``stickiness`` (None while nobody is in the
            window), ``flags``; one row per day up to ``end``.
        """
        return self.metric("stickiness_by_cohort", window=window, cohort=cohort, **question)

    def active_days(
        self,
        window: int | None = None,
        *,
        unit: str = "day",
        at_least: bool = False,
        over_time: bool = False,
        **question: Unpack[Question],
    ) -> Result:
        """The power-user curve: people by number of active days (or weeks) in the window, 30 days by default.

        Returns:
            Columns ``date`` (with ``over_time`` only), the breakdown, ``active_days``, ``users``, ``share`` (of the
            people active in the window), ``flags``; one row per number, zeros included.
        """
        options: dict[str, Any] = {"unit": unit, "at_least": at_least, "over_time": over_time}
        return self.metric("active_days", window=window, **question, **options)
