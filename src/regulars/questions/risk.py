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

    def usage_interval(self, **question: Unpack[Question]) -> Result:
        """How often people come by nature: people by the median number of days between two of their active days.

        It is about people with at least two active days in the range.

        Args:
            question: Keywords of :meth:`regulars.Workspace.question`.

        Returns:
            Columns the breakdown, ``days_between`` (days; halves occur), ``users``, ``share``, ``cumulative_share``
            (with that many days or less), ``flags``; one row per median that occurs. ``averages`` holds per slice
            ``users``, ``median_days``, ``days_of_four_in_five`` (within which four in five of them come back) and
            ``suggested_grain``: ``day`` where that is 1, ``week`` up to 7, else ``month``.

        Raises:
            QueryError: ``bad_grain``, ``bad_window``, ``bad_calendar``: it is about the days of the range as a whole.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load(
            ...     [
            ...         {"user_id": "ada", "event_type": "like", "timestamp": f"2026-01-{day:02}T09:00:00Z"}
            ...         for day in (1, 8, 15, 20)
            ...     ]
            ... )
            >>> [(row["days_between"], row["users"]) for row in ws.usage_interval().rows]
            [(7.0, 1)]
            >>> ws.usage_interval().averages[0]["suggested_grain"]
            'week'
        """
        return self.metric("usage_interval", **question)

    def survival(self, *, silent_days: int = 30, **question: Unpack[Question]) -> Result:
        """How long people stay: Kaplan-Meier, from the first active day to the last before a long silence.

        The people are those whose first active day ever lies in the range and at least ``silent_days`` before the
        last day with data. Who is active after that day is censored on it.

        Args:
            silent_days: Full days of silence after which a person has left, 30 by default.
            question: Keywords of :meth:`regulars.Workspace.question`; attributes are those of the first active day.

        Returns:
            Columns the breakdown, ``day`` (0 is the first active day), ``at_risk``, ``churned``, ``censored``
            (people), ``survival`` (ratio), ``low``, ``high`` (95 % band; None while nobody has left, and where nobody
            is left), ``flags``; one row per day. ``averages`` holds per slice ``users``, ``churned``,
            ``median_days`` (None while more than half stay) and, with a breakdown, ``expected_churned``,
            ``log_rank``, ``degrees_of_freedom``, ``p_value`` (None where too few have left to compare).

        Raises:
            QueryError: ``wrong_scope``: people cannot be told apart by a property of events; ``bad_option``,
                ``bad_grain``: a value that is not allowed.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load(
            ...     [
            ...         {"user_id": u, "event_type": "like", "timestamp": f"2026-01-{d:02}T09:00:00Z"}
            ...         for u, d in (("ada", 1), ("ben", 1), ("ben", 3), ("cem", 2), ("cem", 11))
            ...     ]
            ... )
            >>> [(row["day"], row["at_risk"], row["survival"]) for row in ws.survival(silent_days=9).rows]
            [(0, 3, 0.6666666666666666), (1, 1, 0.6666666666666666)]
        """
        return self.metric("survival", silent_days=silent_days, **question)
