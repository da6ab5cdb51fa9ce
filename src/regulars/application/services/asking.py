"""What services need of a workspace, and the days that they ask about."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from regulars.domain.calendar import Day, day_of, local_day
from regulars.domain.events import usable_id
from regulars.domain.frame import DEFAULT_DAYS
from regulars.errors import QueryError

if TYPE_CHECKING:
    from datetime import datetime

    from regulars.application.experiments import Experiments
    from regulars.application.ports import Engine
    from regulars.domain.result import Result
    from regulars.domain.timeline import Timeline
    from regulars.settings import Settings

UserId = str | int


class Workspace(Protocol):
    """The part of :class:`regulars.Workspace` that services use; each method is described there."""

    settings: Settings

    @property
    def engine(self) -> Engine:
        """The database, with everything in it that was tracked so far."""

    @property
    def experiments(self) -> Experiments:
        """Experiments that are written down here."""

    def now(self) -> datetime:
        """The present instant, naive UTC."""

    def track(self, user_id: UserId | None = None, event_type: str | None = None, **event: Any) -> str:
        """Record one event, durably."""

    def metric(self, name: str, **keywords: Any) -> Result:
        """Any metric of the catalogue by name."""

    def timeline(self, user_id: str, *, limit: int = 100) -> Timeline:
        """One person: profile and newest events."""

    def record_nps_response(
        self,
        user_id: UserId,
        score: int,
        *,
        comment: str | None = None,
        survey: str | None = None,
        timestamp: datetime | str | None = None,
    ) -> None:
        """Record an answer."""


def id_text(user_id: UserId) -> str:
    """An id as the workspace knows it.

    >>> id_text(7), id_text(" ada ")
    ('7', 'ada')
    """
    return usable_id(user_id) or str(user_id)


def asked_day(workspace: Workspace, given: Day | None, name: str = "date") -> date:
    """The day that was given, or the local day of now.

    Errors: :class:`QueryError` ``bad_date``, also for a day that has not begun.
    """
    today = local_day(workspace.now(), workspace.settings.timezone)
    day = day_of(given, name) or today
    if day > today:
        raise QueryError(f"{day} has not begun; the last day that can be asked for is {today}", code="bad_date")
    return day


def asked_range(workspace: Workspace, start: Day | None, end: Day | None) -> tuple[date, date]:
    """The days that were given, up to today; by default the last 90."""
    today = asked_day(workspace, None)
    last = min(day_of(end, "end") or today, today)
    return day_of(start, "start") or last - timedelta(days=DEFAULT_DAYS - 1), last


def on_day(day: date, **keywords: Any) -> dict[str, Any]:
    """Keywords of a question about one day, as of that day."""
    return {"start": day, "end": day, "as_of": day, **keywords}


def whole(question: dict[str, Any]) -> dict[str, Any]:
    """Keywords of a question whose answer is one record.

    Errors: :class:`QueryError` ``bad_option`` for a breakdown.
    """
    if "by" in question:
        raise QueryError(
            "a record has no slices: ask Workspace.metric for a breakdown, or pick one slice with where",
            code="bad_option",
        )
    return question


def last_row(result: Result) -> dict[str, Any]:
    """The only row of an answer about one day; empty while there are no data."""
    return result.rows[-1] if result.rows else {}
