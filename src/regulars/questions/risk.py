"""Who is likely to leave, how often people come by nature, and how long they stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from regulars.questions.asking import Asking, Question

if TYPE_CHECKING:
    from regulars.domain.result import Result


class RiskQuestions(Asking):
    """Churn risk, usage interval, survival."""

    def churn_risk(
        self, window: int | None = None, *, show: str = "levels", top: int = 50, **question: Unpack[Question]
    ) -> Result:
        """People by level of churn risk on the last day of the range, or the people themselves.

        The score adds up what speaks for leaving: days since the last visit, few active days, few sessions, a
        declining trend. It is cut to 0..1; high is 0.6 or more, medium 0.3 or more. It is no tier (``at_risk`` is one)
        and no probability.

        Args:
            window: Whom it is about: people active in so many days up to the last one, 90 by default.
            show: ``levels``: people by level; ``people``: a list, most likely to leave first.
            top: How many people the list has at most.
            question: Keywords of :meth:`regulars.Workspace.question`; the list takes no breakdown.

        Returns:
            Columns the breakdown, ``level`` (high, medium, low), ``users``, ``share`` (of the people in the window;
            None when there are none), ``flags``. The list: ``user_id``, ``level``, ``risk`` (0..1),
            ``days_since_last``, ``active_days`` (of the last 30), ``sessions_per_day``, ``trend``, ``reasons`` in
            words, ``flags``.

        Raises:
            QueryError: ``bad_breakdown``: the list takes none; ``wrong_scope``: people cannot be told apart by a
                property of events; ``bad_option``, ``bad_window``, ``bad_grain``: a value that is not allowed.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load(
            ...     [
            ...         {"user_id": u, "event_type": "like", "timestamp": f"2026-01-{d:02}T09:00:00Z"}
            ...         for u, d in (("ada", 1), ("ben", 19), ("ben", 20))
            ...     ]
            ... )
            >>> (most,) = ws.churn_risk(show="people", top=1).rows
            >>> most["user_id"], most["risk"]
            ('ada', 0.9)
            >>> most["reasons"]
            '19 days since the last visit (+0.4); 1 of 30 days active (+0.3); 0.05 sessions a day (+0.2)'
        """
        return self.metric("churn_risk", window=window, show=show, top=top, **question)
