"""One typed method per metric of the catalogue, one module per family."""

from __future__ import annotations

from regulars.questions.active import ActiveQuestions
from regulars.questions.asking import Asking, Day, Question
from regulars.questions.engagement import EngagementQuestions
from regulars.questions.paths import PathQuestions
from regulars.questions.returning import ReturnQuestions

__all__ = ["Asking", "Day", "Question", "Questions"]


class Questions(ActiveQuestions, EngagementQuestions, ReturnQuestions, PathQuestions):
    """What can be asked of a workspace, metric by metric; every method ends in :meth:`metric`."""
