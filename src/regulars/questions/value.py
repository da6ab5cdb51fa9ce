"""What people get out of a product, and what it gets from them: adoption, onboarding, revenue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from regulars.questions.asking import Asking, Question

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regulars.domain.query import EventCondition
    from regulars.domain.result import Result


class ValueQuestions(Asking):
    """Feature adoption, onboarding, revenue."""

    def feature_adoption(
        self, window: int | None = None, *, feature: str | None = None, top: int = 12, **question: Unpack[Question]
    ) -> Result:
        """How many of the active people use a feature, in the bucket or in a rolling window.

        Args:
            window: Days of a rolling window that ends on the bucket's last day; left out, the bucket counts.
            feature: One feature by its name; left out, those with the most people in the range.
            top: How many features are shown at most.
            question: Keywords of :meth:`regulars.Workspace.question`.

        Returns:
            Columns ``date``, the breakdown, ``feature``, ``users`` (active people who used it), ``active_users``,
            ``adoption`` (ratio; None when nobody was active), ``flags``; one row per bucket, slice and feature, zeros
            included.

        Raises:
            QueryError: ``wrong_scope``: slices and filters are of people, not of events; ``bad_option``,
                ``bad_window``, ``bad_grain``: a value that is not allowed.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load(
            ...     [
            ...         {"user_id": u, "event_type": "like", "timestamp": "2026-01-05T09:00:00Z", "feature": f}
            ...         for u, f in (("ada", "editor"), ("ben", None))
            ...     ]
            ... )
            >>> [(r["feature"], r["users"], r["adoption"]) for r in ws.feature_adoption(start="2026-01-05").rows]
            [('editor', 1, 0.5)]
        """
        return self.metric("feature_adoption", window=window, feature=feature, top=top, **question)

    def onboarding(
        self,
        milestones: str | Sequence[str | Mapping[str, Any] | EventCondition] = "core",
        *,
        days: int = 7,
        cohort: str = "registration",
        **question: Unpack[Question],
    ) -> Result:
        """How many of those who signed up in the range reach each milestone in time.

        Milestones are reached in any order, each for itself, on the day of the sign-up or at most ``days`` days after.

        Args:
            milestones: Activities, event types or conditions, joined by ``->`` or as a list.
            days: Days after the day of the sign-up, which is day 0.
            cohort: ``registration``: people sign up on their registration date; ``first_activity``: on their first
                active day ever.
            question: Keywords of :meth:`regulars.Workspace.question`; attributes are those of the day of the sign-up.

        Returns:
            Columns the breakdown, ``milestone`` (from 1), ``name``, ``cohort`` (people who signed up), ``users`` (who
            reached it), ``share`` (ratio) with its Wilson 95 % interval ``low`` to ``high`` (None when nobody signed
            up), ``median_days`` (of those who reached it; None when nobody did), ``flags``; one row per milestone.

        Raises:
            QueryError: ``bad_events``: a milestone is an activity of whole days; ``wrong_scope``: slices and filters
                are of people, not of events; ``bad_option``, ``bad_grain``: a value that is not allowed.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load(
            ...     [
            ...         {"user_id": u, "event_type": e, "timestamp": f"2026-01-{d:02}T09:00:00Z"}
            ...         for u, e, d in (("ada", "view", 1), ("ada", "like", 4), ("ben", "view", 2))
            ...     ]
            ... )
            >>> rows = ws.onboarding("view -> like", days=3, cohort="first_activity").rows
            >>> [(row["name"], row["share"], row["median_days"]) for row in rows]
            [('view', 1.0, 0.0), ('like', 0.5, 3.0)]
        """
        return self.metric("onboarding", milestones=milestones, days=days, cohort=cohort, **question)

    def revenue(
        self,
        property: str = "amount",
        *,
        events: str | Mapping[str, Any] | EventCondition = "payment_success",
        failed: str | Mapping[str, Any] | EventCondition = "payment_failed",
        cohort_age: str | None = None,
        **question: Unpack[Question],
    ) -> Result:
        """What people pay: in all, per active and per paying person, and how many payments fail.

        Args:
            property: The event property whose numbers are added up.
            events: Which events pay: an event type, an activity, or a condition.
            failed: Which events are payments that failed.
            cohort_age: ``day``, ``week`` or ``month`` (30 days): instead of dates, the periods since a person's first
                active day ever, over the whole range.
            question: Keywords of :meth:`regulars.Workspace.question`.

        Returns:
            Columns ``date`` (or ``age``), the breakdown, ``revenue``, ``payments``, ``paying_users``,
            ``active_users``, ``revenue_per_active_user``, ``revenue_per_paying_user``, ``failed_payments``,
            ``failed_payment_rate`` (ratio), ``flags``; ratios are None where there is nothing to divide by.

        Raises:
            QueryError: ``unknown_property``: no event has the property; ``wrong_scope``: it is none of events;
                ``bad_events``: an activity of whole days; ``bad_grain``: ages have no grain.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load(
            ...     [
            ...         {"user_id": u, "event_type": e, "timestamp": "2026-01-05T09:00:00Z", "amount": n}
            ...         for u, e, n in (
            ...             ("ada", "payment_success", 30),
            ...             ("ada", "like", None),
            ...             ("ben", "like", None),
            ...             ("ben", "payment_failed", 30),
            ...         )
            ...     ]
            ... )
            >>> row = ws.revenue(start="2026-01-05").rows[0]
            >>> row["revenue"], row["revenue_per_active_user"], row["failed_payment_rate"]
            (30.0, 15.0, 0.5)
        """
        own: dict[str, Any] = {"events": events, "failed": failed, "cohort_age": cohort_age}
        return self.metric("revenue", property=property, **question, **own)
