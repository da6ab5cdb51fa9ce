"""Who converts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from regulars.application.services.asking import asked_day, asked_range, last_row, on_day, whole
from regulars.domain.summaries import ConversionMetrics, ConversionStep
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from regulars.application.services.asking import Workspace
    from regulars.domain.calendar import Day
    from regulars.domain.query import EventCondition, Step

    Steps = str | Sequence[str | Step | Mapping[str, Any]]
    Events = str | EventCondition | Mapping[str, Any]

DEFAULT_WINDOW = 30


class ConversionAnalyzer:
    """Funnels, and the share of active people who convert.

    Example:
        >>> import regulars
        >>> ws = regulars.open()
        >>> _ = ws.track("ada", "purchase"), ws.track("ben", "like")
        >>> ConversionAnalyzer(ws).get_conversion_rate()
        0.5
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def calculate_funnel_metrics(
        self,
        steps: Steps | None = None,
        *,
        start: Day | None = None,
        end: Day | None = None,
        within: str | int | Mapping[str, Any] = "14 days",
        **question: Any,
    ) -> ConversionMetrics:
        """A funnel as a record; without steps, active people and those with a conversion event in 30 days.

        Args:
            steps: As for :meth:`regulars.Workspace.funnel`: ``"sign_up -> purchase"``, or a list.
            start: First day on which people begin; 90 days in all by default.
            end: Last day; today by default.
            within: How long an attempt may take.
            question: Other keywords of :meth:`regulars.Workspace.funnel`, such as ``order`` and ``where``.

        Raises:
            QueryError: ``bad_steps``, ``bad_range``, ``bad_option``.
        """
        asked = whole(question)
        if steps is None:
            if start is not None:
                raise QueryError(
                    f"without steps conversion is about the {DEFAULT_WINDOW} days up to end; leave start out, or give "
                    "the steps of a funnel",
                    code="bad_option",
                )
            return self._of_active(asked_day(self._workspace, end, "end"), asked)
        first, last = asked_range(self._workspace, start, end)
        today = asked_day(self._workspace, None)
        result = self._workspace.metric(
            "funnel", steps=steps, within=within, start=first, end=last, as_of=today, **asked
        )
        return _of_steps(first, last, result.rows)

    def get_conversion_rate(
        self,
        date: Day | None = None,
        *,
        window: int = DEFAULT_WINDOW,
        event: Events = "conversion",
        **question: Any,
    ) -> float | None:
        """People with a conversion event in the days that end on a day over those active in them, or None of nobody.

        Args:
            date: The day; the local day of now by default.
            window: How many days.
            event: Which events convert, as for :meth:`regulars.Workspace.conversion_rate`.
            question: Keywords of :meth:`regulars.Workspace.question`, such as ``activity`` and ``where``.
        """
        row = self._rate(asked_day(self._workspace, date), window, {"event": event, **whole(question)})
        rate: float | None = row.get("conversion_rate")
        return rate

    def _rate(self, day: date, window: int, question: Mapping[str, Any]) -> dict[str, Any]:
        return last_row(self._workspace.metric("conversion_rate", **on_day(day, window=window, **question)))

    def _of_active(self, day: date, question: Mapping[str, Any]) -> ConversionMetrics:
        row = self._rate(day, DEFAULT_WINDOW, question)
        return ConversionMetrics(
            day - timedelta(days=DEFAULT_WINDOW - 1), day, row.get("active_users") or 0, row.get("converted") or 0,
            row.get("conversion_rate"), row.get("low"), row.get("high"),
        )  # fmt: skip


def _of_steps(start: date, end: date, rows: Sequence[Mapping[str, Any]]) -> ConversionMetrics:
    names = ("name", "users", "dropped", "conversion_from_first", "conversion_from_previous", "seconds_median")
    steps = tuple(ConversionStep(*(row[name] for name in names)) for row in rows)
    if not steps:
        return ConversionMetrics(start, end, 0, 0, None, None, None)
    last = rows[-1]
    return ConversionMetrics(
        start, end, steps[0].users, steps[-1].users, last["conversion_from_first"], last["low"], last["high"], steps
    )
