"""What people say: the net promoter score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from regulars.questions.asking import Asking, Question

if TYPE_CHECKING:
    from regulars.domain.query import Calendar
    from regulars.domain.result import Result


class SurveyQuestions(Asking):
    """The net promoter score."""

    def nps(
        self,
        survey: str | None = None,
        *,
        repeats: str = "latest_per_user",
        calendar: Calendar | None = None,
        **question: Unpack[Question],
    ) -> Result:
        """The net promoter score: the share of promoters (9 and 10) less that of detractors (0 to 6), in points.

        Answers are events ``nps_response`` with a property ``score``, whole and from 0 to 10; others do not count, and
        the warnings say how many there were. They make nobody active.

        Args:
            survey: Answers to this survey only (property ``survey``); left out, all answers together.
            repeats: Of several answers of a person in one bucket, ``latest_per_user`` counts the latest, ``all`` each.
            calendar: A calendar period instead of a grain, such as ``quarter``.
            question: Keywords of :meth:`regulars.Workspace.question`; event properties are those of the answer.

        Returns:
            Columns ``date``, the breakdown, ``responses``, ``promoters``, ``passives``, ``detractors``, ``nps`` (-100
            to 100; None where nobody answered) with its adjusted-Wald 95 % interval ``low`` to ``high`` (None also
            where somebody counts twice), ``flags``. The ``averages`` hold the score of the whole range, per slice.

        Raises:
            QueryError: ``bad_option``, ``bad_grain``, ``bad_activity``: a value that is not allowed.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> for user_id, score in (("ada", 10), ("ben", 9), ("cyd", 8), ("dan", 3)):
            ...     _ = ws.record_nps_response(user_id, score, timestamp="2026-01-05T09:00:00Z")
            >>> row = ws.nps(start="2026-01-05").rows[0]
            >>> row["promoters"], row["detractors"], row["nps"]
            (2, 1, 25.0)
        """
        return self.metric("nps", survey=survey, repeats=repeats, calendar=calendar, **question)
