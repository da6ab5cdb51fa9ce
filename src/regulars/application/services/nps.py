"""What people say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.application.services.asking import asked_day, asked_range, whole
from regulars.domain.summaries import NPSMetrics

if TYPE_CHECKING:
    from datetime import datetime

    from regulars.application.services.asking import UserId, Workspace
    from regulars.domain.calendar import Day


class NPSManager:
    """Records answers, and counts the net promoter score.

    Example:
        >>> import regulars
        >>> answers = NPSManager(regulars.open())
        >>> answers.record_nps_response("ada", 9)
        >>> answers.calculate_nps().nps
        100.0
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def record_nps_response(
        self,
        user_id: UserId,
        score: int,
        comment: str | None = None,
        *,
        survey: str | None = None,
        timestamp: datetime | str | None = None,
    ) -> None:
        """Record how likely somebody says they are to recommend the product.

        Args:
            user_id: Who answered.
            score: A whole number from 0 to 10.
            comment: What they wrote.
            survey: Which survey it was, where there are several.
            timestamp: When, with a time zone; now by default.

        Raises:
            QueryError: ``bad_score``.
            EventError: As for :meth:`regulars.Workspace.record_nps_response`.
        """
        self._workspace.record_nps_response(user_id, score, comment=comment, survey=survey, timestamp=timestamp)

    def calculate_nps(
        self, start: Day | None = None, end: Day | None = None, *, survey: str | None = None, **question: Any
    ) -> NPSMetrics:
        """The score of a range of days.

        Args:
            start: First day; 90 days in all by default.
            end: Last day; today by default.
            survey: Answers to this survey only.
            question: Other keywords of :meth:`regulars.Workspace.nps`, such as ``repeats`` and ``where``.

        Raises:
            QueryError: ``bad_range``, ``bad_date``, ``bad_option``.
        """
        first, last = asked_range(self._workspace, start, end)
        result = self._workspace.metric(
            "nps", start=first, end=last, as_of=asked_day(self._workspace, None), survey=survey, **whole(question)
        )
        row = result.averages[0] if result.averages else {}
        return NPSMetrics(
            first, last, row.get("responses") or 0, row.get("promoters") or 0, row.get("passives") or 0,
            row.get("detractors") or 0, row.get("nps"), row.get("low"), row.get("high"),
        )  # fmt: skip
