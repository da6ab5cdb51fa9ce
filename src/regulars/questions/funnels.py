"""Who gets from step to step, how fast, and who converts at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack

from regulars.domain.query import Calendar, EventCondition, Step
from regulars.questions.asking import Asking, Question, given

if TYPE_CHECKING:
    from regulars.domain.result import Result

Events = str | EventCondition | Mapping[str, Any]
Steps = str | Sequence[str | Step | Mapping[str, Any]]
Duration = str | int | Mapping[str, Any]
Exclusions = str | Sequence[str | Mapping[str, Any]]


Order = Literal["ordered", "strict", "any"]
Ties = Literal["any", "sequence", "strict"]


class FunnelQuestions(Asking):
    """Funnels, their trend, the time to convert, and the conversion rate."""

    def funnel(
        self,
        steps: Steps,
        *,
        order: Order = "ordered",
        within: Duration | None = None,
        ties: Ties = "any",
        exclusions: Exclusions | None = None,
        attribution: str = "first",
        **question: Unpack[Question],
    ) -> Result:
        """People by the steps they reach.

        An attempt begins with an event of the first step in the range. The other steps follow until its window is
        over, also past the end of the range; one event fills one step. Of a person's attempts the one that leads
        furthest counts, of equals the earliest.

        Args:
            steps: 2 to 20 steps: ``"sign_up -> purchase where amount > 10"``, or a list of activities, event types and
                conditions such as ``{"events": ["like"], "where": [...], "times": 3}``.
            order: ``ordered`` (anything may lie in between), ``strict`` (each step is the very next event), or ``any``
                (row k then counts who did k of the steps).
            within: The window, 14 days by default: ``"30 minutes"``, ``{"value": 2, "unit": "week"}``, a number of
                days.
            ties: Whether events at the same instant follow one another: ``any`` (unless their sequences say
                otherwise), ``sequence`` (only if these say so), ``strict`` (never).
            exclusions: Events that end an attempt between two steps: ``"cancel between 1 and 2"``, or
                ``[{"event": "cancel", "after_step": 1, "before_step": 2}]``.
            attribution: Whose value of an event property a breakdown shows: ``first`` step, ``last`` step reached,
                ``step:2``, or one that ``all`` steps share.
            question: Keywords of :meth:`regulars.Workspace.question`.

        Returns:
            One row per step and slice, zeros included: the breakdown, ``step``, ``name``, ``users``, ``dropped``
            (reached this step and not the next), ``conversion_from_first``, ``conversion_from_previous``, ``low`` and
            ``high`` (95 % Wilson interval of conversion_from_first), ``seconds_mean``, ``seconds_median``,
            ``seconds_p90`` (from the beginning of the attempt; None for the first step), ``flags``: ``incomplete``
            while windows of the range are open. ``Result.users`` lists the people of ``users`` and of ``dropped``.

        Raises:
            QueryError: ``no_steps``, ``bad_steps``, ``bad_exclusion``, ``bad_attribution``, ``bad_option``.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load(
            ...     [
            ...         {"user_id": "ada", "event_type": "sign_up", "timestamp": "2026-01-05T09:00:00Z"},
            ...         {"user_id": "bob", "event_type": "sign_up", "timestamp": "2026-01-05T10:00:00Z"},
            ...         {"user_id": "ada", "event_type": "purchase", "timestamp": "2026-01-06T09:00:00Z"},
            ...     ]
            ... )
            >>> found = ws.funnel("sign_up -> purchase", within="7 days")
            >>> [(row["name"], row["users"], row["conversion_from_first"]) for row in found.rows]
            [('sign_up', 2, 1.0), ('purchase', 1, 0.5)]
            >>> found.users(0, "dropped")
            ['bob']
        """
        options = given(order=order, ties=ties, attribution=attribution, within=within, exclusions=exclusions)
        return self.metric("funnel", steps=steps, **question, **options)

    def funnel_trend(
        self,
        steps: Steps,
        *,
        order: Order = "ordered",
        within: Duration | None = None,
        ties: Ties = "any",
        exclusions: Exclusions | None = None,
        attribution: str = "first",
        **question: Unpack[Question],
    ) -> Result:
        """How many of those who begin an attempt at a funnel in a bucket go through it.

        A person counts once in every bucket in which they begin an attempt, so that the rows do not add up to the
        funnel's.

        Args:
            steps: The steps, as for :meth:`funnel`.
            order: Their order, same.
            within: The window, same.
            ties: What events at the same instant mean, same.
            exclusions: Events that end an attempt, same.
            attribution: Whose value a breakdown shows, same.
            question: Keywords of :meth:`regulars.Workspace.question`.

        Returns:
            Columns ``date`` (of entry), the breakdown, ``entered``, ``converted``, ``conversion``, ``low`` and ``high``
            (95 % Wilson interval), ``flags``; one row per bucket and slice, zeros included. Buckets whose windows are
            not over are ``incomplete``.

        Raises:
            QueryError: As for :meth:`funnel`.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load(
            ...     [
            ...         {"user_id": "ada", "event_type": "sign_up", "timestamp": "2026-01-05T09:00:00Z"},
            ...         {"user_id": "ada", "event_type": "purchase", "timestamp": "2026-01-06T09:00:00Z"},
            ...     ]
            ... )
            >>> trend = ws.funnel_trend("sign_up -> purchase", start="2026-01-05")
            >>> [(row["entered"], row["converted"]) for row in trend.rows]
            [(1, 1), (0, 0)]
        """
        options = given(order=order, ties=ties, attribution=attribution, within=within, exclusions=exclusions)
        return self.metric("funnel_trend", steps=steps, **question, **options)

    def time_to_convert(
        self,
        steps: Steps,
        *,
        from_step: int = 1,
        to_step: int | None = None,
        bins: str | Sequence[int] | None = None,
        order: Order = "ordered",
        within: Duration | None = None,
        ties: Ties = "any",
        exclusions: Exclusions | None = None,
        attribution: str = "first",
        **question: Unpack[Question],
    ) -> Result:
        """How long people take from the first step of a funnel to the last, or between any two.

        Args:
            steps: The steps, as for :meth:`funnel`.
            from_step: The step from which time is taken.
            to_step: The step to which time is taken; the last one by default.
            bins: Where the bins begin, in seconds, as ``[0, 60, 3600]``; from seconds to months by default.
            order: As for :meth:`funnel`.
            within: Same.
            ties: Same.
            exclusions: Same.
            attribution: Same.
            question: Keywords of :meth:`regulars.Workspace.question`.

        Returns:
            Columns the breakdown, ``lower_seconds``, ``upper_seconds`` (included in the last bin only), ``users``,
            ``flags``; one row per bin and slice, zeros included. Means and percentiles are in the rows of
            :meth:`funnel`.

        Raises:
            QueryError: As for :meth:`funnel`, and ``bad_bins``.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load(
            ...     [
            ...         {"user_id": "ada", "event_type": "sign_up", "timestamp": "2026-01-05T09:00:00Z"},
            ...         {"user_id": "ada", "event_type": "purchase", "timestamp": "2026-01-05T09:05:00Z"},
            ...     ]
            ... )
            >>> took = ws.time_to_convert("sign_up -> purchase", within="1 hour", bins=[60, 600])
            >>> [(row["lower_seconds"], row["upper_seconds"], row["users"]) for row in took.rows]
            [(0, 60, 0), (60, 600, 1), (600, 3600, 0)]
        """
        options = given(
            order=order, ties=ties, attribution=attribution, within=within, exclusions=exclusions,
            to_step=to_step, bins=bins,
        )  # fmt: skip
        return self.metric("time_to_convert", steps=steps, from_step=from_step, **question, **options)

    def conversion_rate(
        self,
        window: int | None = None,
        *,
        calendar: Calendar | None = None,
        event: Events = "conversion",
        **question: Unpack[Question],
    ) -> Result:
        """People with a conversion event in the window over the people active in it.

        Both are counted by themselves: who converts without being active, as by a renewed payment, still counts, so
        that the rate can exceed 1.

        Args:
            window: Rolling window in days; without it, and without a calendar period, the bucket.
            calendar: Calendar period instead of a window.
            event: Which events convert: an activity (the default is ``conversion``), an event type, or a condition
                such as ``"purchase where amount > 10"``.
            question: Keywords of :meth:`regulars.Workspace.question`; ``activity`` says who is active.

        Returns:
            Columns ``date``, the breakdown, ``converted``, ``active_users``, ``conversion_rate`` (None where nobody was
            active), ``low`` and ``high`` (95 % Wilson interval; None where more converted than were active),
            ``flags``; one row per bucket and slice, zeros included.

        Raises:
            QueryError: ``bad_events``: the event is an activity about whole days; ``bad_option``.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load(
            ...     [
            ...         {"user_id": "ada", "event_type": "purchase", "timestamp": "2026-01-05T09:00:00Z"},
            ...         {"user_id": "bob", "event_type": "like", "timestamp": "2026-01-05T09:05:00Z"},
            ...     ]
            ... )
            >>> ws.conversion_rate(start="2026-01-05").rows[0]["conversion_rate"]
            0.5
        """
        return self.metric("conversion_rate", window=window, calendar=calendar, event=event, **question)
