"""Who comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.application.services.asking import asked_day, asked_range, whole
from regulars.domain.summaries import CohortAnalysis, RetentionMetrics, RetentionPeriod

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regulars.application.services.asking import Workspace
    from regulars.domain.calendar import Day
    from regulars.domain.query import Grain

DEFAULT_PERIODS = (1, 7, 30)


class RetentionAnalyzer:
    """Whether people return after the period in which they started.

    Example:
        >>> import regulars
        >>> ws = regulars.open()
        >>> for day in (5, 6, 12):
        ...     _ = ws.track("ada", "like", timestamp=f"2026-01-{day:02}T09:00:00Z")
        >>> RetentionAnalyzer(ws).calculate_retention_metrics(start="2026-01-05", end="2026-01-05").rate(7)
        1.0
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def calculate_retention_metrics(
        self,
        *,
        start: Day | None = None,
        end: Day | None = None,
        periods: Sequence[int] = DEFAULT_PERIODS,
        grain: Grain = "day",
        activity: str = "core",
        **question: Any,
    ) -> RetentionMetrics:
        """Retention in some periods, pooled over everybody who started in a range.

        Args:
            start: First day of the starts; 90 days in all by default.
            end: Last day; today by default.
            periods: Which periods after the first, in units of ``grain``.
            grain: ``hour``, ``day``, ``week`` or ``month``.
            activity: What counts as active.
            question: Other keywords of :meth:`regulars.Workspace.retention`, such as ``kind``, ``cohort``, ``where``.

        Raises:
            QueryError: ``bad_option``, ``bad_range``, ``bad_date``.
        """
        first, last = asked_range(self._workspace, start, end)
        result = self._workspace.metric(
            "retention", start=first, end=last, as_of=asked_day(self._workspace, None), grain=grain,
            horizon=max(periods, default=0), activity=activity, **whole(question),
        )  # fmt: skip
        sizes = {row["date"]: row["cohort_size"] for row in result.rows}
        wanted = tuple(_period(row) for row in result.averages if row["period"] in periods)
        return RetentionMetrics(first, last, grain, sum(sizes.values()), wanted)

    def analyze_cohort(
        self,
        date: Day | None = None,
        *,
        grain: Grain = "day",
        horizon: int | None = None,
        activity: str = "core",
        **question: Any,
    ) -> CohortAnalysis:
        """The people who started in the period that holds a day, followed as far as time has gone.

        Args:
            date: The day; the local day of now by default.
            grain: ``day``, ``week`` or ``month``.
            horizon: How many periods to look ahead: 30 days, 12 weeks or 12 months by default.
            activity: What counts as active.
            question: Other keywords of :meth:`regulars.Workspace.retention`.

        Raises:
            QueryError: ``bad_option``, ``bad_date``, also for a day that has not begun.
        """
        day = asked_day(self._workspace, date)
        own = whole(question) if horizon is None else {"horizon": horizon, **whole(question)}
        today = asked_day(self._workspace, None)
        result = self._workspace.metric(
            "retention", start=day, end=day, as_of=today, grain=grain, activity=activity, **own
        )
        began = result.rows[0]["date"] if result.rows else day
        size = result.rows[0]["cohort_size"] if result.rows else 0
        return CohortAnalysis(began, grain, size, tuple(_period(row) for row in result.rows))


def _period(row: Mapping[str, Any]) -> RetentionPeriod:
    return RetentionPeriod(
        row["period"], row["cohort_size"], row["retention_users"], row["retention"], row["low"], row["high"],
        "incomplete" not in row.get("flags", ()),  # averages are about complete periods only
    )  # fmt: skip
