"""What every number means. No input or output, no clock, no drivers.

The records and words that programs meet can be imported from here; everything else from its module.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regulars.domain.summaries import (
        ABTestResults,
        CohortAnalysis,
        ConversionMetrics,
        EngagementMetrics,
        NPSMetrics,
        RetentionMetrics,
    )
    from regulars.domain.user_events import UserEvent, UserSession
    from regulars.domain.vocabulary import ABTestVariant, EventType, UserSegment

__all__ = [
    "ABTestResults",
    "ABTestVariant",
    "CohortAnalysis",
    "ConversionMetrics",
    "EngagementMetrics",
    "EventType",
    "NPSMetrics",
    "RetentionMetrics",
    "UserEvent",
    "UserSegment",
    "UserSession",
]

_HOMES = {
    "ABTestResults": "summaries",
    "ABTestVariant": "vocabulary",
    "CohortAnalysis": "summaries",
    "ConversionMetrics": "summaries",
    "EngagementMetrics": "summaries",
    "EventType": "vocabulary",
    "NPSMetrics": "summaries",
    "RetentionMetrics": "summaries",
    "UserEvent": "user_events",
    "UserSegment": "vocabulary",
    "UserSession": "user_events",
}


def __getattr__(name: str) -> Any:
    """Load a name when it is first used, so that the import stays fast."""
    if name not in _HOMES:
        msg = f"module 'regulars.domain' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"regulars.domain.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
