"""What one report is about: its days, its people, and the state of the data; from these every question follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from regulars.application.reports.words import day, days
from regulars.domain.calendar import Buckets
from regulars.domain.query import Query, Range
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from regulars.domain.actions import Action
    from regulars.domain.query import Filter, Population

DEFAULT_DAYS = 30
LONGEST = 366
_CONTEXT_DAYS, _CONTEXT_WEEKS = 91, 12


@dataclass(frozen=True)
class Coverage:
    """Which days have data: the first, the last (the watermark), and the last that is over."""

    first_day: date
    watermark: date
    complete_through: date
    timezone: str
    week_start: int


@dataclass(frozen=True)
class Chosen:
    """What the reader chose, besides the days."""

    filters: tuple[Filter, ...] = ()
    population: Population = "production"
    as_of: date | None = None
    by: tuple[str, ...] = ()
    steps: tuple[Any, ...] = ()
    within: str = "14 days"


@dataclass(frozen=True)
class Scope:
    """The days of a report and what else its questions share.

    ``first`` to ``last`` is the period asked for; ``settled`` is its last day that is over. Numbers are quoted, and
    compared, as of ``settled``; charts run to ``last``, and mark what is not over. Charts also show what came before:
    at least ``context_first`` for days, and whole weeks from ``weeks_first``.
    """

    first: date
    last: date
    coverage: Coverage
    chosen: Chosen = Chosen()
    actions: Mapping[str, Action] = field(default_factory=dict)

    @property
    def settled(self) -> date:
        """The last day of the period that is over; its last day with data where none is."""
        over = min(self.last, self.coverage.complete_through)
        return over if over >= max(self.first, self.coverage.first_day) else self.shown_last

    @property
    def has_data(self) -> bool:
        """Whether some day of the period lies among those with data."""
        return self.first <= self.coverage.watermark and self.last >= self.coverage.first_day

    @property
    def shown_last(self) -> date:
        """The last day of the period that has data."""
        return min(self.last, self.coverage.watermark)

    @property
    def days(self) -> int:
        """How many days the period has, up to the last that is over."""
        return (self.settled - self.first).days + 1

    @property
    def context_first(self) -> date:
        """Where charts by day begin: with the period, or earlier for a short one, but not before the data."""
        early = min(self.first, self.last - timedelta(days=_CONTEXT_DAYS - 1))
        return max(early, self.coverage.first_day)

    @property
    def weeks_first(self) -> date:
        """Where charts by week begin: on the start of a week."""
        early = max(min(self.first, self.last - timedelta(days=7 * _CONTEXT_WEEKS - 1)), self.coverage.first_day)
        return Buckets("week", self.coverage.week_start).start(early)

    @property
    def label(self) -> str:
        """The period in words."""
        return days(self.first, self.shown_last, year=True)

    def query(self, metric: str, first: date, last: date | None = None, **fields: Any) -> Query:
        """One question about people of this report; ``grain`` and ``every`` describe its buckets."""
        grain, every = fields.pop("grain", "day"), fields.pop("every", 1)
        anchor = fields.pop("anchor", None)
        return Query(
            metric=metric,
            range=Range(first, last or self.shown_last, grain, every, anchor),
            filters=self.chosen.filters,
            population=self.chosen.population,
            as_of=self.chosen.as_of,
            **fields,
        )

    def periods(self, metric: str, how_many: int = 2, **fields: Any) -> Query:
        """The same question about this period as a whole and those of equal length before it."""
        first = self.first - timedelta(days=self.days * (how_many - 1))
        return self.query(metric, first, self.settled, every=self.days, anchor=self.first, **fields)

    def whole_periods(self, most: int = 6) -> int:
        """How many periods of this length have data from their first day on, this one included."""
        return max(1, min(most, (self.settled - self.coverage.first_day).days // self.days + 1))


def scope_of(
    coverage: Coverage, *, first: date | None, last: date | None, chosen: Chosen, actions: Mapping[str, Action]
) -> Scope:
    """The scope of a report: by default the last 30 days that are over.

    Raises:
        QueryError: ``bad_range``: the range runs backwards, or is longer than 366 days.
    """
    end = last or max(coverage.complete_through, coverage.first_day)
    start = first or end - timedelta(days=DEFAULT_DAYS - 1)
    if start > end:
        ended = "" if last else ", the last day that is over"
        raise QueryError(
            f"the report starts on {start}, after its end {end}{ended}; give an earlier --start", code="bad_range"
        )
    if (end - start).days >= LONGEST:
        raise QueryError(
            f"a report is about at most {LONGEST} days, not the {(end - start).days + 1} from {start} to {end}",
            code="bad_range",
        )
    return Scope(start, end, coverage, chosen, actions)


def window_words(last: date, length: int, *, year: bool = False) -> str:
    """The days of a window that ends on a day; a single one with its weekday, as weekdays differ."""
    if length == 1:
        return f"{last:%a} {day(last, year=year)}"
    return days(last - timedelta(days=length - 1), last, year=year)
