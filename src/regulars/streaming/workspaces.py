"""What profiles need to know of users, asked of a workspace through its metrics."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Protocol

from regulars.domain.rules import CHURN_POPULATION_WINDOW, CHURN_WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from regulars.domain.result import Result

SECONDS_PER_MINUTE = 60
_AT_ONCE = 1000  # as many slices as a breakdown may have


class AsksMetrics(Protocol):
    """Whatever answers metrics by name, as :meth:`regulars.Workspace.metric` does."""

    def metric(self, name: str, **keywords: Any) -> Result:
        """Any metric of the catalogue by name."""


def measured_users(
    workspace: AsksMetrics, date: dt.date, activity: str
) -> Iterator[tuple[str, Mapping[str, float], str]]:
    """Everybody active in the last 90 days: id, the numbers of a profile, and the trend."""
    from regulars.domain.query import Filter  # noqa: PLC0415 -- only this needs more than Python

    window = CHURN_POPULATION_WINDOW
    people = workspace.metric("active_users", window=window, start=date, end=date, activity=activity)
    last = min(date, people.watermark or date)
    if last < date:
        people = workspace.metric("active_users", window=window, start=last, end=last, activity=activity)
    ids = people.users() if people.rows else []
    month: dict[str, Any] = {"start": last - dt.timedelta(days=CHURN_WINDOW - 1), "grain": "day", "every": CHURN_WINDOW}
    for begin in range(0, len(ids), _AT_ONCE):
        those = Filter(property="user.user_id", op="in", value=tuple(ids[begin : begin + _AT_ONCE]))
        alike: dict[str, Any] = {"where": those, "end": last}
        risks = workspace.metric("churn_risk", show="people", top=_AT_ONCE, activity=activity, **alike)
        sessions = workspace.metric("sessions", by="user.user_id", limit=_AT_ONCE, **month, **alike)
        seconds = {row["user.user_id"]: row["duration_mean"] or 0.0 for row in sessions.rows}
        for row in risks.rows:
            numbers = {
                "active_days_last_30": row["active_days"],
                "avg_daily_sessions": row["sessions_per_day"],
                "avg_session_duration": seconds.get(row["user_id"], 0.0) / SECONDS_PER_MINUTE,
                "days_since_last_active": row["days_since_last"],
            }
            yield row["user_id"], numbers, row["trend"]
