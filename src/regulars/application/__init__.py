"""The verbs: load, refresh, query. Functions whose first argument is an engine.

:mod:`regulars.application.services` has nouns for programs that embed a workspace; they can be imported from here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regulars.application.services.ab_tests import ABTestManager
    from regulars.application.services.conversion import ConversionAnalyzer
    from regulars.application.services.directory import UserDirectory
    from regulars.application.services.engagement import EngagementAnalyzer
    from regulars.application.services.events import EventTracker
    from regulars.application.services.nps import NPSManager
    from regulars.application.services.reports import ReportGenerator
    from regulars.application.services.retention import RetentionAnalyzer
    from regulars.application.services.segmentation import UserSegmentation
    from regulars.application.services.sessions import SessionManager

__all__ = [
    "ABTestManager",
    "ConversionAnalyzer",
    "EngagementAnalyzer",
    "EventTracker",
    "NPSManager",
    "ReportGenerator",
    "RetentionAnalyzer",
    "SessionManager",
    "UserDirectory",
    "UserSegmentation",
]

_HOMES = {
    "ABTestManager": "ab_tests",
    "ConversionAnalyzer": "conversion",
    "EngagementAnalyzer": "engagement",
    "EventTracker": "events",
    "NPSManager": "nps",
    "ReportGenerator": "reports",
    "RetentionAnalyzer": "retention",
    "SessionManager": "sessions",
    "UserDirectory": "directory",
    "UserSegmentation": "segmentation",
}


def __getattr__(name: str) -> Any:
    """Load a service when it is first used, so that the import stays fast."""
    if name not in _HOMES:
        msg = f"module 'regulars.application' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"regulars.application.services.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
