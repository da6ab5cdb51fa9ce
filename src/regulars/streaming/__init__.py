"""Engagement analytics inside another process, in pure Python: no workspace, no database, no files.

:func:`process_event` and :class:`SessionBuffer` turn events into totals by session, :class:`DAUMAUCalculator` counts
active users, :class:`UserEngagementAnalyzer` keeps a profile of each. They mean what the catalogue means by the same
words, and use its rules; a number that it leaves undefined is 0.0 here.

>>> people = DAUMAUCalculator()
>>> people.add_user_activity("ada", "2026-01-01", 3)
>>> people.calculate_dau_mau_ratio("2026-01-01")
1.0
"""

from __future__ import annotations

from regulars.errors import SessionLimitError
from regulars.streaming.buffer import EndedSession, SessionBuffer
from regulars.streaming.calculator import DAUMAUCalculator
from regulars.streaming.process import process_event
from regulars.streaming.profiles import EngagementTier, UserEngagementAnalyzer, UserEngagementProfile

__all__ = [
    "DAUMAUCalculator",
    "EndedSession",
    "EngagementTier",
    "SessionBuffer",
    "SessionLimitError",
    "UserEngagementAnalyzer",
    "UserEngagementProfile",
    "process_event",
]
