"""A number beside the one before it: what changed, over which days, or why the two cannot be compared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

from regulars.application.reports.scope import window_words
from regulars.application.reports.words import MINUS, SHARES, day, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from regulars.application.reports.scope import Scope
    from regulars.domain.result import Result

Direction = Literal["up", "down", "flat", "none"]


@dataclass(frozen=True)
class Comparison:
    """A value and the one to compare it with. ``why_not`` is empty where the two can be compared."""

    value: float | None
    before: float | None
    unit: str
    when: str
    when_before: str
    why_not: str
    row: int = -1

    @property
    def is_share(self) -> bool:
        """Whether the change is said in percentage points."""
        return self.unit in SHARES

    @property
    def size(self) -> str:
        """How much it changed, without direction; empty where that cannot be said.

        A share changes by percentage points, everything else by percent of what it was.
        """
        if self.why_not or self.value is None or self.before is None:
            return ""
        if self.is_share:
            return f"{abs(self.value - self.before) * 100:.1f} points"
        return f"{abs(self.value / self.before - 1):.1%}"

    @property
    def direction(self) -> Direction:
        """Up or down as far as the printed size tells; flat where it would be printed as nothing."""
        if not self.size or self.value is None or self.before is None:
            return "none"
        if not any(digit in self.size for digit in "123456789"):
            return "flat"
        return "up" if self.value > self.before else "down"

    @property
    def signed(self) -> str:
        """The change with its sign, for a column or a key number."""
        sign = {"up": "+", "down": MINUS, "flat": "\N{PLUS-MINUS SIGN}", "none": ""}[self.direction]
        return f"{sign}{self.size}"

    @property
    def note(self) -> str:
        """The days compared, or why there is no comparison."""
        if self.why_not:
            return f"{self.when}; {self.why_not}"
        return f"{self.when} vs {self.when_before}"


def compare(
    scope: Scope,
    result: Result,
    column: str,
    back: int,
    only: Callable[[Mapping[str, Any]], bool] = lambda _: True,
    *,
    window: int | None = None,
) -> Comparison:
    """The last settled value of a dated answer beside the one ``back`` rows before, among the rows that ``only`` keeps.

    ``window`` is how many days a row looks back over where that is the metric's own, and not part of the question.
    Nothing is compared with a day or period that is not over, that began before the data, or that was zero.
    """
    unit = next(each.unit for each in result.columns if each.name == column)
    indexes = [index for index, row in enumerate(result.rows) if only(row)]
    settled = [place for place, index in enumerate(indexes) if "incomplete" not in result.rows[index]["flags"]]
    place = settled[-1] if settled else len(indexes) - 1
    row, earlier = result.rows[indexes[place]], result.rows[indexes[place - back]] if place >= back else None
    year = _last_day(result, row).year != _last_day(result, earlier).year if earlier else True
    return Comparison(
        row[column],
        earlier[column] if earlier else None,
        unit,
        _when(result, row, window, year=year),
        _when(result, earlier, window, year=year) if earlier else "",
        _why_not(scope, row, earlier, column, _when(result, earlier, window, year=False) if earlier else ""),
        indexes[place],
    )


def pair(value: float | None, before: float | None, unit: str) -> Comparison:
    """Two values whose days are said elsewhere, such as two columns of a table."""
    why = "" if value is not None and before else "nothing to compare with"
    return Comparison(value, before, unit, "", "", why)


def moved(subject: str, change: Comparison) -> str:
    """A change as a sentence: it grew, fell, or stayed; or the number alone, and why it is not compared.

    >>> risen = Comparison(1318, 1265, "people", "1-30 Jun", "2-31 May", "")
    >>> moved("Monthly active users", risen)
    'Monthly active users grew 4.2% to 1,318 (1-30 Jun vs 2-31 May).'
    >>> moved("Stickiness", Comparison(0.31, 0.333, "ratio", "1-30 Jun", "2-31 May", ""))
    'Stickiness fell 2.3 points to 31.0% (1-30 Jun vs 2-31 May).'
    >>> moved("Revenue", Comparison(10, None, "amount", "1-30 Jun", "", "the data begin on 1 Jun 2025"))
    'Revenue: 10 (1-30 Jun); no comparison, as the data begin on 1 Jun 2025.'
    """
    value = number(change.value, change.unit)
    if change.value is None:
        return f"{subject}: not defined ({change.when}), as {change.why_not}."
    if change.direction == "none":
        return f"{subject}: {value} ({change.when}); no comparison, as {change.why_not}."
    if change.direction == "flat":
        return f"{subject} stayed at {value} ({change.note})."
    verb = "grew" if change.direction == "up" else "fell"
    return f"{subject} {verb} {change.size} to {value} ({change.note})."


def _when(result: Result, row: Mapping[str, Any], window: int | None, *, year: bool) -> str:
    last = _last_day(result, row)
    length = window or result.query.window or (last - row["date"]).days + 1
    return window_words(last, length, year=year)


def _last_day(result: Result, row: Mapping[str, Any]) -> date:
    """The last day of a row's bucket; only days, and whole numbers of them, are compared."""
    found: date = row["date"] + timedelta(days=result.query.range.every - 1)
    return found


def _why_not(
    scope: Scope, row: Mapping[str, Any], earlier: Mapping[str, Any] | None, column: str, when_before: str
) -> str:
    began = scope.coverage.first_day
    if row[column] is None:
        return "there is nothing to divide by"
    if "incomplete" in row["flags"]:
        return "these days are not over"
    too_early = f"the data begin on {day(began, year=True)}"
    if earlier is None or "warming_up" in (*row["flags"], *earlier["flags"]) or earlier["date"] < began:
        return too_early
    if not earlier[column]:
        return f"there was nothing to compare with ({when_before})"
    return ""
