"""One object for an application that embeds analytics: every service under one roof, in one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from regulars.application.services.ab_tests import DEFAULT_VARIANTS, ABTestManager
from regulars.application.services.conversion import ConversionAnalyzer
from regulars.application.services.directory import UserDirectory
from regulars.application.services.engagement import EngagementAnalyzer
from regulars.application.services.events import EventTracker
from regulars.application.services.nps import NPSManager
from regulars.application.services.reports import ReportGenerator
from regulars.application.services.retention import RetentionAnalyzer
from regulars.application.services.segmentation import UserSegmentation
from regulars.application.services.sessions import SessionManager
from regulars.opening import open

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from regulars.application.services.asking import UserId
    from regulars.application.services.conversion import Steps
    from regulars.domain.calendar import Day
    from regulars.domain.experiments import Experiment
    from regulars.domain.user_events import UserSession
    from regulars.domain.vocabulary import ABTestVariant, UserSegment
    from regulars.workspace import Workspace


class UserAnalyticsMetricsService:
    """Tracks events and answers questions about them, inside an application. Threads may share it.

    User ids are texts or whole numbers. Days are local days of the workspace; the default is the local day of now.
    Dictionaries hold plain values, ready for JSON. Each method is one line: what it takes and what it means is written
    at the service that it names.

    Attributes:
        workspace: Where everything is kept.
        events: :class:`~regulars.application.EventTracker`.
        sessions: :class:`~regulars.application.SessionManager`.
        users: :class:`~regulars.application.UserDirectory`.
        engagement: :class:`~regulars.application.EngagementAnalyzer`.
        conversion: :class:`~regulars.application.ConversionAnalyzer`.
        retention: :class:`~regulars.application.RetentionAnalyzer`.
        segmentation: :class:`~regulars.application.UserSegmentation`.
        nps: :class:`~regulars.application.NPSManager`.
        ab_tests: :class:`~regulars.application.ABTestManager`.
        reports: :class:`~regulars.application.ReportGenerator`.

    Args:
        workspace: An open workspace; by default one in memory, which ends with the service.

    Example:
        >>> service = UserAnalyticsMetricsService()
        >>> _ = service.track_event(7, "like"), service.track_event("ada", "view")
        >>> found = service.get_engagement_metrics()
        >>> found["dau"], found["dau_mau_ratio"], found["new_users"]
        (2, 1.0, 2)
    """

    def __init__(self, workspace: Workspace | None = None) -> None:
        self._is_own = workspace is None
        self.workspace = ws = open() if workspace is None else workspace
        self.events, self.sessions, self.users = EventTracker(ws), SessionManager(ws), UserDirectory(ws)
        self.engagement, self.conversion = EngagementAnalyzer(ws), ConversionAnalyzer(ws)
        self.retention, self.segmentation = RetentionAnalyzer(ws), UserSegmentation(ws)
        self.nps, self.ab_tests, self.reports = NPSManager(ws), ABTestManager(ws), ReportGenerator(ws, _generate)

    def track_event(  # noqa: PLR0917 -- programs call it by position
        self,
        user_id: UserId,
        event_type: str,
        event_name: str | None = None,
        properties: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        timestamp: datetime | str | float | None = None,
    ) -> str:
        """Record one event, durably in a folder; returns its id: :meth:`EventTracker.track_event`."""
        return self.events.track_event(user_id, event_type, event_name, properties, session_id, timestamp)

    def start_session(self, user_id: UserId, session_id: str | None = None, **details: Any) -> str:
        """Begin a session; returns its id: :meth:`SessionManager.start_session`."""
        return self.sessions.start_session(user_id, session_id, **details)

    def end_session(self, session_id: str, **details: Any) -> UserSession:
        """End a session: :meth:`SessionManager.end_session`."""
        return self.sessions.end_session(session_id, **details)

    def get_engagement_metrics(self, date: Day | None = None, activity: str = "core") -> dict[str, Any]:
        """The numbers of one day: :meth:`EngagementAnalyzer.calculate_engagement_metrics`.

        Returns:
            ``date``, ``activity``, ``dau``, ``wau``, ``mau``, ``dau_mau_ratio``, ``wau_mau_ratio`` (0.0 when nobody),
            ``new_users``, ``returning_users``, ``sessions``, ``sessions_per_user``, ``avg_session_duration`` (seconds),
            ``flags``.
        """
        return self.engagement.calculate_engagement_metrics(date, activity).to_dict()

    def get_conversion_metrics(self, steps: Steps | None = None, **question: Any) -> dict[str, Any]:
        """A funnel, or who of the active people converts: :meth:`ConversionAnalyzer.calculate_funnel_metrics`."""
        return self.conversion.calculate_funnel_metrics(steps, **question).to_dict()

    def get_retention_metrics(self, **question: Any) -> dict[str, Any]:
        """Who came back after 1, 7 and 30 days: :meth:`RetentionAnalyzer.calculate_retention_metrics`."""
        return self.retention.calculate_retention_metrics(**question).to_dict()

    def analyze_cohort(self, date: Day | None = None, **question: Any) -> dict[str, Any]:
        """Who started on a day, period by period: :meth:`RetentionAnalyzer.analyze_cohort`."""
        return self.retention.analyze_cohort(date, **question).to_dict()

    def record_nps_response(self, user_id: UserId, score: int, comment: str | None = None, **details: Any) -> None:
        """Record an answer from 0 to 10: :meth:`NPSManager.record_nps_response`."""
        self.nps.record_nps_response(user_id, score, comment, **details)

    def calculate_nps(self, start: Day | None = None, end: Day | None = None, **question: Any) -> dict[str, Any]:
        """The net promoter score: :meth:`NPSManager.calculate_nps`."""
        return self.nps.calculate_nps(start, end, **question).to_dict()

    def create_ab_test(
        self, name: str, variants: Sequence[str] | Mapping[str, float] = DEFAULT_VARIANTS, **design: Any
    ) -> Experiment:
        """Write an experiment down and start it: :meth:`ABTestManager.create_test`."""
        return self.ab_tests.create_test(name, variants, **design)

    def assign_ab_variant(self, name: str, user_id: UserId, *, log_exposure: bool = True) -> ABTestVariant | None:
        """The variant of a person, the same every time: :meth:`ABTestManager.assign_variant`."""
        return self.ab_tests.assign_variant(name, user_id, log_exposure=log_exposure)

    def record_ab_conversion(self, name: str, user_id: UserId, **details: Any) -> None:
        """Record that somebody did what an experiment measures: :meth:`ABTestManager.record_conversion`."""
        self.ab_tests.record_conversion(name, user_id, **details)

    def get_ab_test_results(self, name: str, **question: Any) -> dict[str, Any]:
        """What came of an experiment: :meth:`ABTestManager.get_results`."""
        return self.ab_tests.get_results(name, **question).to_dict()

    def segment_user(self, user_id: UserId, date: Day | None = None) -> UserSegment | str | None:
        """The segment of a person: :meth:`UserSegmentation.classify`."""
        return self.segmentation.classify(user_id, date)

    def get_segments(self, date: Day | None = None) -> dict[str, list[str]]:
        """The ids of the people in each segment, by its name: :meth:`UserSegmentation.members`."""
        return {name: self.segmentation.members(name, date) for name in self.segmentation.rules}

    def generate_report(self, name: str = "summary", format: str = "html", **options: Any) -> bytes:
        """A report as a file: ``summary``, ``engagement``, ``conversion``, ``retention``: :class:`ReportGenerator`."""
        return _generate(self.workspace, name, format, **options)

    def close(self) -> None:
        """Close the workspace, if it is the service's own."""
        if self._is_own:
            self.workspace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _generate(workspace: Workspace, name: str, format: str, **options: Any) -> bytes:
    # Only reports need it, and it brings a renderer along.
    from regulars.interfaces.reports import generate  # noqa: PLC0415

    return generate(workspace, name, format, **options)
