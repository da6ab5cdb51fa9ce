"""Whether people come back, and who falls silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack

from regulars.questions.asking import Asking, Question, given

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regulars.domain.query import EventCondition, Filter
    from regulars.domain.result import Result

    Events = str | EventCondition | Mapping[str, Any]


class ReturnQuestions(Asking):
    """Lifecycle and retention."""

    def lifecycle(
        self, *, new_by: Literal["first_activity", "registration"] | None = None, **question: Unpack[Question]
    ) -> Result:
        """Growth accounting per day, week or month: new, retained, resurrected and churned people.

        ``active_users = new + retained + resurrected``; ``retained + churned`` are the active users of the period
        before. First ever is judged on the whole history, never on the range. An attribute that changes with time
        needs ``as_of``, the day on which it is judged for both periods.

        Args:
            new_by: What makes a person new: the first activity ever (the default), or a registration in the period.
            question: Keywords of :meth:`regulars.Workspace.question`.

        Returns:
            Columns ``date``, the breakdown, ``new``, ``retained``, ``resurrected``, ``churned``, ``active_users``,
            ``quick_ratio`` (None when nobody churned), ``flags``; one row per bucket and slice, zeros included.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load(
            ...     [
            ...         {"user_id": user, "event_type": "like", "timestamp": f"2026-01-{day:02}T09:00:00Z"}
            ...         for user, day in [("ada", 5), ("bob", 5), ("ada", 6), ("eve", 6)]
            ...     ]
            ... )
            >>> row = ws.lifecycle(start="2026-01-06").rows[0]
            >>> row["new"], row["retained"], row["resurrected"], row["churned"], row["quick_ratio"]
            (1, 1, 0, 1, 1.0)
        """
        return self.metric("lifecycle", **question, **given(new_by=new_by))

    def retention(
        self,
        *,
        kind: Literal["on", "on_or_after", "bracket"] | None = None,
        clock: Literal["calendar", "anchored", "rolling"] | None = None,
        cohort: Literal["first_time", "first_matching", "first_in_range", "recurring", "registration"] | None = None,
        horizon: int | None = None,
        brackets: str | Sequence[tuple[int, int]] | None = None,
        start_event: Events | None = None,
        return_event: Events | None = None,
        start_where: str | Sequence[Filter] | None = None,
        return_where: str | Sequence[Filter] | None = None,
        min_occurrences: int = 1,
        match_breakdown: bool = False,
        average: Literal["pooled", "simple"] = "pooled",
        **question: Unpack[Question],
    ) -> Result:
        """Of the people who started in a period, those who came back in each period after it.

        ``start`` and ``end`` bound the starts; returns are looked for up to the horizon, as far as there are data.

        Args:
            kind: ``on`` (the default): in exactly that period; ``on_or_after``: in it or a later one up to the horizon;
                ``bracket``: in ranges of periods.
            clock: ``calendar`` (the default): periods of the grain; ``anchored``: local days from each person's own
                start day; ``rolling``: multiples of 24 hours (or of one, with ``grain="hour"``) from the start.
            cohort: What starts: the first event ever (the default), the first one that passes the filters, the first
                in the range, every period with a start, or the registration.
            horizon: How many periods to look ahead: 24 hours, 30 days, 12 weeks or 12 months by default.
            brackets: For ``kind="bracket"``: ``"0,1-3,4-7"`` or pairs of periods.
            start_event: An activity, an event type, or a condition; the activity of the question by default.
            return_event: The same for returns.
            start_where: Conditions on start events only; ``where`` applies to both.
            return_where: Conditions on return events only.
            min_occurrences: Return events needed within one period.
            match_breakdown: A return counts in the slice of its start only, for slices of an event property.
            average: Pool the people of all cohorts, or take the mean of the cohorts' rates.
            question: Keywords of :meth:`regulars.Workspace.question`.

        Returns:
            Columns ``date`` (of the cohort), the breakdown, ``period``, ``cohort_size``, ``retention_users``,
            ``retention`` (None of nobody), ``low`` and ``high`` (its Wilson 95 % interval), ``flags``
            (``incomplete``: the period is not over). ``Result.averages`` has one row per slice and period over the
            complete cells.

        Raises:
            QueryError: ``bad_option``, ``bad_grain``: options that contradict each other; ``bad_events``: an activity
                about whole days where single events matter.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load(
            ...     [
            ...         {"user_id": user, "event_type": "like", "timestamp": f"2026-01-{day:02}T09:00:00Z"}
            ...         for user, day in [("ada", 5), ("bob", 5), ("ada", 6), ("bob", 8)]
            ...     ]
            ... )
            >>> found = ws.retention(start="2026-01-05", end="2026-01-05", horizon=3)
            >>> [(row["period"], row["retention_users"], row["retention"]) for row in found.rows]
            [(0, 2, 1.0), (1, 1, 0.5), (2, 0, 0.0), (3, 1, 0.5)]
        """
        options = given(
            kind=kind, clock=clock, cohort=cohort, horizon=horizon, brackets=brackets, start_event=start_event,
            return_event=return_event, start_where=start_where, return_where=return_where,
            min_occurrences=min_occurrences, match_breakdown=match_breakdown, average=average,
        )  # fmt: skip
        return self.metric("retention", **question, **options)
