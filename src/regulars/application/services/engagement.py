"""How many people are active, and how much they use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.application.services.asking import asked_day, last_row, on_day
from regulars.domain.summaries import EngagementMetrics

if TYPE_CHECKING:
    from regulars.application.services.asking import Workspace
    from regulars.domain.calendar import Day

MAU_DAYS, WAU_DAYS = 30, 7


class EngagementAnalyzer:
    """Active users of a day, a week, a month. Nobody is 0, and a ratio or mean of nobody is 0.0.

    Example:
        >>> import regulars
        >>> ws = regulars.open()
        >>> _ = ws.track("ada", "like"), ws.track(7, "like")
        >>> EngagementAnalyzer(ws).calculate_dau()
        2
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def calculate_engagement_metrics(self, date: Day | None = None, activity: str = "core") -> EngagementMetrics:
        """The numbers of one day, from the metrics ``new_vs_returning``, ``stickiness`` and ``sessions``.

        Args:
            date: The day; the local day of now by default.
            activity: What counts as active; sessions are those of the workspace whatever it is.

        Raises:
            QueryError: ``bad_date``, also for a day that has not begun.
            UnknownNameError: ``unknown_activity``.
        """
        day = asked_day(self._workspace, date)
        asked, ask = on_day(day, activity=activity), self._workspace.metric
        arrivals = last_row(ask("new_vs_returning", **asked))
        daily = last_row(ask("stickiness", window=MAU_DAYS, **asked))
        weekly = last_row(ask("stickiness", window=MAU_DAYS, numerator=WAU_DAYS, **asked))
        sessions = last_row(ask("sessions", **on_day(day)))
        return EngagementMetrics(
            date=day,
            activity=activity,
            dau=daily.get("numerator") or 0,
            wau=weekly.get("numerator") or 0,
            mau=daily.get("denominator") or 0,
            dau_mau_ratio=daily.get("stickiness") or 0.0,
            wau_mau_ratio=weekly.get("stickiness") or 0.0,
            new_users=arrivals.get("new") or 0,
            returning_users=arrivals.get("returning") or 0,
            sessions=sessions.get("sessions") or 0,
            sessions_per_user=sessions.get("sessions_per_user") or 0.0,
            avg_session_duration=sessions.get("duration_mean") or 0.0,
            flags=tuple(dict.fromkeys(flag for row in (arrivals, daily) for flag in row.get("flags", ()))),
        )

    def calculate_dau(self, date: Day | None = None, activity: str = "core") -> int:
        """People active on a day; the local day of now by default."""
        return self._active(1, date, activity)

    def calculate_wau(self, date: Day | None = None, activity: str = "core") -> int:
        """People active on at least one of the 7 days that end on a day."""
        return self._active(WAU_DAYS, date, activity)

    def calculate_mau(self, date: Day | None = None, activity: str = "core") -> int:
        """People active on at least one of the 30 days that end on a day."""
        return self._active(MAU_DAYS, date, activity)

    def _active(self, window: int, date: Day | None, activity: str) -> int:
        asked = on_day(asked_day(self._workspace, date), window=window, activity=activity)
        return last_row(self._workspace.metric("active_users", **asked)).get("active_users") or 0
