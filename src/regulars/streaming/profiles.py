"""How each user stands: tier, trend and churn risk, by the rules that the catalogue has too."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from threading import RLock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from regulars.domain.rules import RISK_DAYS, TIERS_BY_DAYS, churn_score, tier_of, trend_of
from regulars.errors import EventError, QueryError, UnknownNameError
from regulars.streaming.checks import UserId, day_of, id_of, ids_of, option_of
from regulars.streaming.workspaces import measured_users

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from regulars.streaming.workspaces import AsksMetrics

AT_RISK_SCORE = 0.6
ACTIVITY_KEYS = (
    "active_days_last_30", "avg_daily_sessions", "avg_session_duration", "days_since_last_active",
    "active_days_current_week", "active_days_previous_week",
)  # fmt: skip


class EngagementTier(StrEnum):
    """Where a user stands by active days of the last 30; AT_RISK when none of the last 7 (and today) was one."""

    CASUAL = "casual"
    REGULAR = "regular"
    CORE = "core"
    POWER = "power"
    AT_RISK = "at_risk"


@dataclass(frozen=True)
class UserEngagementProfile:
    """One user: ``avg_session_duration`` is in minutes, ``trend_direction`` increasing, declining or stable.

    ``churn_risk_score`` (0 to 1) adds up recency, active days, sessions per day and trend; ``current_tier`` is by
    recency and active days alone. A user can be at risk by one and not by the other.
    """

    user_id: UserId
    current_tier: EngagementTier
    active_days_last_30: int
    avg_daily_sessions: float
    avg_session_duration: float
    days_since_last_active: int
    trend_direction: str
    churn_risk_score: float


class UserEngagementAnalyzer:
    """Profiles of users: from numbers that the caller has, or from a workspace.

    Thread-safe: profiles are replaced whole, under a lock; what is asked about many of them sees one moment.

    Args:
        tier_thresholds: Active days from which on a user is ``regular``, ``core`` and ``power``, where they differ from
            6, 16 and 20; they must rise. Everybody below is casual.

    Raises:
        UnknownNameError: ``unknown_tier``.
        QueryError: ``bad_option``.

    Example:
        >>> analyzer = UserEngagementAnalyzer()
        >>> profile = analyzer.update_user_profile("ada", {"active_days_last_30": 2, "days_since_last_active": 10})
        >>> profile.current_tier.value, profile.churn_risk_score
        ('at_risk', 0.9)
        >>> analyzer.get_at_risk_users()
        ['ada']
    """

    def __init__(self, tier_thresholds: Mapping[str, int] | None = None) -> None:
        self._bounds = _bounds_with(tier_thresholds or {})
        self._profiles: dict[UserId, UserEngagementProfile] = {}
        self._lock = RLock()

    @property
    def tier_thresholds(self) -> Mapping[EngagementTier, int]:
        """The active days from which on a user belongs to each tier, to be read only."""
        return MappingProxyType({EngagementTier(tier): least for tier, least in self._bounds})

    @property
    def user_profiles(self) -> Mapping[UserId, UserEngagementProfile]:
        """The latest profile of each user: a live view, to be read only; go through a ``copy()`` of it."""
        return MappingProxyType(self._profiles)

    def update_user_profile(self, user_id: UserId, activity_data: Mapping[str, float]) -> UserEngagementProfile:
        """Put the profile of a user in the place of what was known before.

        Args:
            user_id: Text or int.
            activity_data: ``active_days_last_30``, ``avg_daily_sessions``, ``avg_session_duration`` (minutes),
                ``days_since_last_active``, ``active_days_current_week``, ``active_days_previous_week``; each is 0 when
                it is missing.

        Returns:
            The profile.

        Raises:
            UnknownNameError: ``unknown_key``.
            EventError: ``bad_id``, ``bad_number``: a value is no number from 0 on; nothing was changed.
        """
        given = {name: _number(activity_data, name) for name in ACTIVITY_KEYS}
        for name in activity_data:
            if name not in given:
                raise UnknownNameError("key of activity_data", name, ACTIVITY_KEYS, code="unknown_key")
        trend = trend_of(given["active_days_current_week"], given["active_days_previous_week"])
        return self._put(id_of(user_id, "user_id"), given, trend)

    def update_from(self, workspace: AsksMetrics, date: dt.date | str, *, activity: str = "any") -> int:
        """Put the profiles of everybody who was active in the last 90 days in a workspace, as of a day.

        Numbers are those of its metrics ``churn_risk`` and ``sessions`` for the production population; the day is at
        most the last one with data. Sessions and their mean duration are those begun in the last 30 days. Who was
        active earlier keeps the profile they have.

        Args:
            workspace: A :class:`regulars.Workspace`, or whatever can be asked for a metric as it can.
            date: The day.
            activity: What counts as active: ``any``, or another activity of the workspace.

        Returns:
            How many users that are.

        Raises:
            EventError: ``bad_date``.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}])
            >>> analyzer = UserEngagementAnalyzer()
            >>> analyzer.update_from(ws, "2026-01-05")
            1
            >>> analyzer.user_profiles["ada"].trend_direction
            'increasing'
        """
        found = list(measured_users(workspace, day_of(date), activity))
        with self._lock:
            for user_id, numbers, trend in found:
                self._put(user_id, numbers, trend)
        return len(found)

    def get_at_risk_users(self, threshold: float = AT_RISK_SCORE) -> list[UserId]:
        """Users whose churn risk score is at least the threshold, the highest first, then by id.

        This is about the score, 0.6 being a high churn risk; the tier ``at_risk`` is about the last active day alone.
        """
        risky = [one for one in self._known() if one.churn_risk_score >= threshold]
        return [one.user_id for one in sorted(risky, key=lambda one: (-one.churn_risk_score, str(one.user_id)))]

    def get_tier_distribution(self) -> dict[str, int]:
        """Users by tier, zeros included."""
        return _by_tier(self._known())

    def analyze_cohort_progression(self, users: Iterable[UserId]) -> dict[str, Any]:
        """Where some users stand now; those without a profile are left out.

        Returns:
            ``tier_distribution`` (as :meth:`get_tier_distribution`), ``avg_churn_risk`` (0.0 when there are none),
            ``total_users`` (those with a profile).

        Raises:
            EventError: ``bad_id``.
            QueryError: ``bad_option``: text instead of a list.
        """
        wanted = ids_of(users, "users")
        with self._lock:
            chosen = [self._profiles[user] for user in wanted if user in self._profiles]
        risk = math.fsum(one.churn_risk_score for one in chosen)
        return {
            "tier_distribution": _by_tier(chosen),
            "avg_churn_risk": risk / len(chosen) if chosen else 0.0,
            "total_users": len(chosen),
        }

    def _known(self) -> list[UserEngagementProfile]:
        with self._lock:
            return list(self._profiles.values())

    def _put(self, user_id: UserId, numbers: Mapping[str, float], trend: str) -> UserEngagementProfile:
        active_days, since = numbers["active_days_last_30"], numbers["days_since_last_active"]
        pace = numbers["avg_daily_sessions"]
        # A profile has no dormant tier: whoever was never active in the window, but lately, is casual.
        tier = tier_of(max(1, int(active_days)), at_risk=since > RISK_DAYS, bounds=self._bounds)
        profile = UserEngagementProfile(
            user_id=user_id,
            current_tier=EngagementTier(tier),
            active_days_last_30=int(active_days),
            avg_daily_sessions=pace,
            avg_session_duration=numbers["avg_session_duration"],
            days_since_last_active=int(since),
            trend_direction=trend,
            churn_risk_score=churn_score(since, active_days, pace, trend),
        )
        with self._lock:
            self._profiles[user_id] = profile
        return profile


def _bounds_with(thresholds: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """The tiers with the active days from which on a user belongs to them; casual begins at 0."""
    (lowest, _), *others = TIERS_BY_DAYS
    names = [tier for tier, _ in TIERS_BY_DAYS]
    for tier in thresholds:
        if tier not in names:
            raise UnknownNameError("tier", tier, names, code="unknown_tier")
    if thresholds.get(lowest, 0) not in (0, 1):
        raise QueryError(f"{lowest} is everybody below the other tiers; it has no threshold", code="bad_option")
    bounds = [(tier, option_of(thresholds.get(tier, least), f"the threshold of {tier}")) for tier, least in others]
    if bounds != sorted(set(bounds), key=lambda bound: bound[1]) or len({least for _, least in bounds}) < len(bounds):
        told = ", ".join(f"{tier} {least}" for tier, least in bounds)
        raise QueryError(f"tier_thresholds must rise from tier to tier, not {told}", code="bad_option")
    return (lowest, 0), *bounds


def _number(data: Mapping[str, object], name: str) -> float:
    value = data.get(name, 0)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise EventError(f"{name} must be a number from 0 on, not {value!r}", code="bad_number")
    if not name.startswith("avg_") and value != int(value):
        raise EventError(f"{name} must be a whole number of days, not {value!r}", code="bad_number")
    return value


def _by_tier(profiles: Iterable[UserEngagementProfile]) -> dict[str, int]:
    found = Counter(one.current_tier for one in profiles)
    return {tier.value: found[tier] for tier in EngagementTier}
