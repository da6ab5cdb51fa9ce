"""Engagement analytics you host yourself: who is active, who comes back, and why.

>>> import regulars
>>> ws = regulars.open()
>>> report = ws.load([{"user_id": "ada", "event_type": "search", "timestamp": "2026-01-05T09:00:00Z"}])
>>> ws.active_users(window=7).rows[-1]["active_users"]
1
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regulars.client import Client
    from regulars.domain.inference.comparison import Comparison, compare
    from regulars.domain.inference.moments import Moments, PairedMoments
    from regulars.domain.query import EventCondition, Filter, Query, Range
    from regulars.domain.result import Result
    from regulars.errors import RegularsError
    from regulars.facade import UserAnalyticsMetricsService
    from regulars.opening import init, open, restore
    from regulars.rebuilding import rebuild_from_archive
    from regulars.settings import Settings
    from regulars.workspace import Workspace

__all__ = [
    "Client",
    "Comparison",
    "EventCondition",
    "Filter",
    "Moments",
    "PairedMoments",
    "Query",
    "Range",
    "RegularsError",
    "Result",
    "Settings",
    "UserAnalyticsMetricsService",
    "Workspace",
    "__version__",
    "compare",
    "init",
    "open",
    "rebuild_from_archive",
    "restore",
]

__version__ = "0.1.0"

_HOMES = {
    "Client": "regulars.client",
    "Comparison": "regulars.domain.inference.comparison",
    "EventCondition": "regulars.domain.query",
    "Filter": "regulars.domain.query",
    "Moments": "regulars.domain.inference.moments",
    "PairedMoments": "regulars.domain.inference.moments",
    "Query": "regulars.domain.query",
    "Range": "regulars.domain.query",
    "RegularsError": "regulars.errors",
    "Result": "regulars.domain.result",
    "Settings": "regulars.settings",
    "UserAnalyticsMetricsService": "regulars.facade",
    "Workspace": "regulars.workspace",
    "compare": "regulars.domain.inference.comparison",
    "init": "regulars.opening",
    "open": "regulars.opening",
    "rebuild_from_archive": "regulars.rebuilding",
    "restore": "regulars.opening",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that the import stays fast."""
    if name not in _HOMES:
        msg = f"module 'regulars' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
