"""How much people do, and which tier that puts them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from regulars.questions.asking import Asking, Question

if TYPE_CHECKING:
    from regulars.domain.result import Result


class EngagementQuestions(Asking):
    """Tiers, sessions, actions, depth."""

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
