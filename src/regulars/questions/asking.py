"""What every question shares: the keywords that any metric takes, and the way to ask it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence  # noqa: TC003 -- typed keywords are resolved at run time
from datetime import date
from typing import TYPE_CHECKING, Any, TypedDict

from regulars.domain.query import Filter, Grain, Population  # noqa: TC001 -- same

if TYPE_CHECKING:
    from regulars.domain.result import Result

Day = date | str


class Question(TypedDict, total=False):
    """Keywords that every metric takes; :meth:`regulars.Workspace.question` explains them."""

    by: str | Sequence[str]
    start: Day | None
    end: Day | None
    grain: Grain
    every: int
    anchor: Day | None
    activity: str
    population: Population
    where: str | Filter | Sequence[str | Filter]
    limit: int
    as_of: Day | None
    convention: str
    actor: str


class Asking(ABC):
    """Whatever can be asked for a metric by name."""

    @abstractmethod
    def metric(self, name: str, **keywords: Any) -> Result:
        """Any metric of the catalogue by name."""
