"""One typed method per metric of the catalogue."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence  # noqa: TC003 -- typed keywords are resolved at run time
from datetime import date
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from regulars.domain.query import Calendar, Filter, Grain, Population  # noqa: TC001 -- same

if TYPE_CHECKING:
    from regulars.domain.result import Result

Day = date | str


class Question(TypedDict, total=False):
    """Keywords that every metric takes; :meth:`regulars.Workspace.question` explains them."""

    by: str | Sequence[str]
    start: Day | None
    end: Day | None
    grain: Grain
    activity: str
    population: Population
    where: str | Filter | Sequence[str | Filter]
    limit: int
    as_of: Day | None


class Questions(ABC):
    """What can be asked of a workspace, metric by metric; every method ends in :meth:`metric`."""

    @abstractmethod
    def metric(self, name: str, **keywords: Any) -> Result:
        """Any metric of the catalogue by name."""

    def active_users(
        self, window: int | None = None, *, calendar: Calendar | None = None, **question: Unpack[Question]
    ) -> Result:
        """People active in a rolling window, a calendar period, or the bucket.

        A person counts at day d when active on at least one day of the closed window [d - window + 1, d]. Other
        keywords are those of :meth:`regulars.Workspace.question`.

        Returns:
            Columns ``date``, the breakdown, ``active_users`` (distinct people), ``flags``; one row per bucket and
            slice, zeros included.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}])
            >>> ws.active_users(window=28, start="2026-01-05").rows
            [{'date': datetime.date(2026, 1, 5), 'active_users': 1, 'flags': ['warming_up']}]
        """
        return self.metric("active_users", window=window, calendar=calendar, **question)

    def new_vs_returning(self, *, new_by: str = "first_activity", **question: Unpack[Question]) -> Result:
        """People active in the bucket, split into those active for the first time ever and the rest.

        Returns:
            Columns ``date``, the breakdown, ``new``, ``returning``, ``active_users``, ``flags``.
        """
        return self.metric("new_vs_returning", new_by=new_by, **question)

    def stickiness(
        self,
        window: int | None = None,
        *,
        numerator: int = 1,
        method: str = "ratio",
        summary: str | None = None,
        **question: Unpack[Question],
    ) -> Result:
        """Actives of a short window over actives of a long one, DAU/MAU by default.

        Returns:
            Columns ``date``, the breakdown, ``numerator``, ``denominator``, ``stickiness`` (None when nobody was
            active), ``flags``.
        """
        own: dict[str, Any] = {"numerator": numerator} if numerator != 1 else {}
        return self.metric("stickiness", window=window, **question, method=method, summary=summary, **own)

    def stickiness_by_cohort(
        self, window: int | None = None, *, cohort: str = "first_activity", **question: Unpack[Question]
    ) -> Result:
        """Stickiness of a fixed set of people, day by day from ``start``, the day that chooses them.

        Args:
            window: Days of the longer window, 30 by default; it opens no earlier than ``start``.
            cohort: ``first_activity``: active for the first time ever on ``start``; ``active``: active on it;
                ``registration``: registered on it, also those who never come.
            question: Keywords of :meth:`regulars.Workspace.question`; attributes are those of ``start``.

        Returns:
            Columns ``date``, the breakdown, ``day`` (0 is ``start``), ``cohort`` (its size), ``active_users`` (of it
            on the day), ``window_users`` (of it in the window), ``stickiness`` (None while nobody is in the
            window), ``flags``; one row per day up to ``end``.
        """
        return self.metric("stickiness_by_cohort", window=window, cohort=cohort, **question)

    def active_days(
        self,
        window: int | None = None,
        *,
        unit: str = "day",
        at_least: bool = False,
        over_time: bool = False,
        **question: Unpack[Question],
    ) -> Result:
        """The power-user curve: people by number of active days (or weeks) in the window, 30 days by default.

        Returns:
            Columns ``date`` (with ``over_time`` only), the breakdown, ``active_days``, ``users``, ``share`` (of the
            people active in the window), ``flags``; one row per number, zeros included.
        """
        options: dict[str, Any] = {"unit": unit, "at_least": at_least, "over_time": over_time}
        return self.metric("active_days", window=window, **question, **options)

    def tiers(
        self,
        window: int | None = None,
        *,
        scheme: str = "days",
        depth_threshold: int = 10,
        with_risk: bool = False,
        averages: bool = True,
        **question: Unpack[Question],
    ) -> Result:
        """People by engagement tier: casual, regular, core, power, dormant, and at_risk on request.

        Returns:
            Columns ``date``, the breakdown, ``tier``, ``users``, ``sessions_per_active_day``,
            ``actions_per_active_day`` (both left out, and the answer quicker, with ``averages=False``), ``flags``; one
            row per bucket and tier, zeros included.
        """
        options: dict[str, Any] = {"scheme": scheme, "depth_threshold": depth_threshold, "with_risk": with_risk}
        return self.metric("tiers", window=window, averages=averages, **question, **options)

    def tier_transitions(
        self,
        window: int | None = None,
        *,
        scheme: str = "days",
        depth_threshold: int = 10,
        with_risk: bool = False,
        **question: Unpack[Question],
    ) -> Result:
        """People by tier on ``start`` and on ``end``; :meth:`Result.users` lists those who moved one way.

        Returns:
            Columns ``from_tier``, ``to_tier``, ``users``, ``flags``.
        """
        options: dict[str, Any] = {"scheme": scheme, "depth_threshold": depth_threshold, "with_risk": with_risk}
        return self.metric("tier_transitions", window=window, **question, **options)

    def sessions(self, *, profile: str | None = None, **question: Unpack[Question]) -> Result:
        """Sessions per bucket of their start: how many, how long (seconds), how deep.

        Args:
            profile: ``hour`` (0 to 23, local) or ``weekday`` (1 Monday to 7 Sunday) of the start, over the whole
                range, instead of dates; people count once per row.
            question: Keywords of :meth:`regulars.Workspace.question`.

        Returns:
            Columns ``date`` (or ``hour``, or ``weekday``), the breakdown, ``sessions``, ``users``,
            ``sessions_per_user``, ``duration_mean``, ``duration_median``, ``duration_p90``,
            ``actions_per_session``, ``screens_per_session``, ``bounce_share``, ``flags``; one row per bucket (or
            hour, or weekday) and slice, zeros included.
        """
        return self.metric("sessions", profile=profile, **question)

    def actions(self, *, weighted: bool = False, **question: Unpack[Question]) -> Result:
        """Actions per bucket, the people who did them, and actions per person.

        Returns:
            Columns ``date``, the breakdown, ``actions``, ``users``, ``actions_per_user``, ``flags``.
        """
        return self.metric("actions", weighted=weighted, **question)

    def depth(self, **question: Unpack[Question]) -> Result:
        """How much the active people of a bucket do: actions, sessions, time, breadth, creation, weights.

        Actions are those that qualify for the activity, on days on which their person was active; sessions are all
        that these people start in the bucket. Means are None where nobody was active, and ``creation_share`` where
        nothing was created or consumed.

        Returns:
            Columns ``date``, the breakdown, ``users``, ``actions_per_user``, ``sessions_per_user``,
            ``seconds_per_user``, ``action_types_per_user``, ``features_per_user``, ``creation_share``,
            ``score_per_user``, ``flags``; one row per bucket and slice.
        """
        return self.metric("depth", **question)
