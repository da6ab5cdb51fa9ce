"""One typed method per metric of the catalogue, one module per family."""

from __future__ import annotations

from regulars.questions.active import ActiveQuestions
from regulars.questions.asking import Asking, Day, Question, day_of
from regulars.questions.cohorts import CohortQuestions
from regulars.questions.comparing import Comparing
from regulars.questions.engagement import EngagementQuestions
from regulars.questions.experiments import ExperimentQuestions
from regulars.questions.funnels import FunnelQuestions
from regulars.questions.paths import PathQuestions
from regulars.questions.returning import ReturnQuestions
from regulars.questions.risk import RiskQuestions
from regulars.questions.surveys import SurveyQuestions
from regulars.questions.value import ValueQuestions

__all__ = ["Asking", "Day", "Question", "Questions", "day_of"]


class Questions(
    ActiveQuestions,
    EngagementQuestions,
    ReturnQuestions,
    FunnelQuestions,
    PathQuestions,
    RiskQuestions,
    ValueQuestions,
    CohortQuestions,
    SurveyQuestions,
    ExperimentQuestions,
    Comparing,
):
    """What can be asked of a workspace, metric by metric; every method ends in :meth:`metric`."""
