"""Answers to a survey: the event that records one, and the change between two scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.actions import NPS_RESPONSE
from regulars.domain.inference.nps import HIGHEST, Answers, NpsChange, answers, change
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping


def response_event(
    user_id: str | int, score: int, timestamp: str, *, comment: str | None = None, survey: str | None = None
) -> dict[str, Any]:
    """The event of an answer, as an import takes it.

    >>> response_event("ada", 9, "2026-01-05T09:00:00Z")["properties"]
    {'score': 9}

    Raises:
        QueryError: ``bad_score``: the score is not a whole number from 0 to 10.
    """
    if not isinstance(score, int):
        raise QueryError(f"an answer is a whole number from 0 to {HIGHEST}, not {score!r}", code="bad_score")
    answers([score])
    said = {"score": score, "survey": survey, "comment": comment}
    return {
        "user_id": user_id,
        "event_type": NPS_RESPONSE,
        "timestamp": timestamp,
        "properties": {name: value for name, value in said.items() if value is not None},
    }


def score_change(before: Mapping[str, Any], after: Mapping[str, Any]) -> NpsChange:
    """The change of a score from one row of :meth:`regulars.Workspace.nps` to another, and its test against chance.

    The rows may be two periods or two slices; a row of the averages is a whole range.

    >>> before = {"promoters": 50, "passives": 30, "detractors": 20}
    >>> moved = score_change(before, {"promoters": 60, "passives": 25, "detractors": 15})
    >>> moved.difference, round(moved.p_value or 0, 3)
    (15.0, 0.163)
    """
    return change(*(Answers(row["promoters"], row["passives"], row["detractors"]) for row in (before, after)))
