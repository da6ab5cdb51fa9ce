"""Who belongs to a cohort or segment, counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from regulars.questions.asking import Asking, Question

if TYPE_CHECKING:
    from regulars.domain.result import Result


class CohortQuestions(Asking):
    """Sizes of cohorts and segments."""

    def cohort_size(self, cohort: str | None = None, **question: Unpack[Question]) -> Result:
        """People who belong to a cohort on the last day of each bucket, active or not.

        Args:
            cohort: A declared or frozen cohort. Without one, everybody who was registered, or seen for the first time,
                by then: ``by="segment"`` gives the size of every segment.
            question: Keywords of :meth:`regulars.Workspace.question`; no activity.

        Returns:
            Columns ``date``, the breakdown, ``cohort_size`` (people), ``flags``; one row per bucket and slice, zeros
            included.

        Raises:
            UnknownNameError: ``unknown_cohort``; the message suggests the nearest.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}])
            >>> ws.cohort_size(by="segment", start="2026-01-05").rows
            [{'date': datetime.date(2026, 1, 5), 'segment': 'new_user', 'cohort_size': 1, 'flags': []}]
        """
        return self.metric("cohort_size", cohort=cohort, **question)
