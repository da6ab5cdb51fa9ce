"""What every question shares: the keywords that any metric takes, and the way to ask it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from regulars.domain.calendar import Day, day_of
from regulars.domain.query import Calendar, Filter, Grain, Population, Query, Range
from regulars.domain.where import parse_where
from regulars.errors import QueryError

if TYPE_CHECKING:
    from regulars.domain.result import Result

__all__ = ["Asking", "Day", "Question", "day_of", "given"]


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

    def question(  # noqa: PLR0913 -- one keyword per field of a question
        self,
        name: str,
        *,
        by: str | Sequence[str] = (),
        start: Day | None = None,
        end: Day | None = None,
        grain: Grain = "day",
        every: int = 1,
        anchor: Day | None = None,
        window: int | None = None,
        calendar: Calendar | None = None,
        activity: str = "core",
        population: Population = "production",
        where: str | Filter | Sequence[str | Filter] = (),
        limit: int = 12,
        as_of: Day | None = None,
        convention: str = "regulars",
        actor: str = "user",
        **options: Any,
    ) -> Query:
        """The question that keywords ask, ready for :meth:`regulars.Workspace.query`.

        Args:
            name: A metric, see :data:`regulars.domain.metrics.METRICS`, or ``dau``, ``wau``, ``mau``.
            by: Properties to break down by; the first ``limit`` slices are shown, the rest is ``other``.
            start: First day (``date`` or ``YYYY-MM-DD``), widened to a whole bucket; 90 days by default.
            end: Last day; the last day with data by default.
            grain: Bucket of the time axis: ``hour``, ``day``, ``week`` or ``month``.
            every: Units of the grain per bucket, such as 2 for two weeks.
            anchor: A day on which such a bucket begins; ``start`` by default.
            window: Rolling window in days.
            calendar: Calendar period instead of a window: ``week``, ``month``, ``quarter``, ``year``.
            activity: What counts as active: ``core``, ``any``, ``conversion``, ``core_feature``, or a declared one.
            population: ``production``, ``test``, ``bot`` or ``all``.
            where: Conditions such as ``"plan = 'paid'"``; all of them must hold.
            limit: Number of slices.
            as_of: Answer as if this were the last day with data; after it, up to today, days count as silent.
            actor: Who is counted: users, ``session`` (as the client names them), or a property such as ``account``.
            convention: Count as another tool does: ``posthog``, ``amplitude``, ``mixpanel``, ``statsig``.
            options: Options of the metric.

        Raises:
            UnknownNameError: No such metric, activity, property or option; the message suggests the nearest.
            QueryError: The question has no meaning like this; the message says why and what does.
        """
        conditions = _several("where", where, (str, Filter))
        filters = tuple(f for one in conditions for f in (parse_where(one) if isinstance(one, str) else (one,)))
        return Query(
            metric=name,
            window=window,
            calendar=calendar,
            range=Range(day_of(start, "start"), day_of(end, "end"), grain, every, day_of(anchor, "anchor")),
            activity=activity,
            population=population,
            breakdown=_several("by", by, (str,)),
            filters=filters,
            options=options,
            limit=limit,
            as_of=day_of(as_of, "as_of"),
            convention=convention,
            actor=actor,
        )

    @abstractmethod
    def metric(self, name: str, **keywords: Any) -> Result:
        """Any metric of the catalogue by name."""


def _several(name: str, value: Any, single: tuple[type, ...]) -> tuple[Any, ...]:
    """One value, or several, as several."""
    if isinstance(value, single):
        return (value,)
    found = tuple(value) if isinstance(value, Iterable) else (None,)
    if not all(isinstance(each, single) for each in found):
        raise QueryError(f"{name} must be a text or a list of texts, not {value!r}", code="bad_query")
    return found


def given(**options: Any) -> dict[str, Any]:
    """The options that were given; of the others the metric, or a convention, chooses the value."""
    return {name: value for name, value in options.items() if value is not None}
