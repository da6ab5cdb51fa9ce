"""What an experiment shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from regulars.questions.asking import Asking, Question, given

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from regulars.domain.query import EventCondition
    from regulars.domain.result import Result

    Events = str | Mapping[str, Any] | EventCondition


class ExperimentQuestions(Asking):
    """Experiments by their exposures."""

    def experiment(  # noqa: PLR0913 -- one keyword per option
        self,
        experiment: str,
        *,
        measure: str = "proportion",
        event: Events | None = None,
        property: str | None = None,
        per_event: Events | None = None,
        per_property: str | None = None,
        within: str | int | Mapping[str, Any] = "14 days",
        day: int = 7,
        cuped: int | None = None,
        winsorize: int | None = None,
        variants: str | Mapping[str, float] | Sequence[str] | None = None,
        control: str | None = None,
        better: str = "higher",
        planned_size: int | None = None,
        tolerated: int | None = None,
        only_complete: bool = False,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        **question: Unpack[Question],
    ) -> Result:
        """What people did after they first saw a variant of an experiment, and whether the variants differ.

        Exposures are events ``experiment_viewed`` with the properties ``experiment`` and ``variant``, however they were
        assigned. ``ws.experiments.results(name)`` asks this of an experiment that is written down here, with its
        weights, plan and measure.

        Args:
            experiment: Its name in the exposures.
            measure: Of each person: ``proportion`` (did it), ``count`` (how often), ``sum`` (of ``property``),
                ``ratio`` (of two sums), ``retention`` (active on day ``day`` after the exposure) or ``active_days``.
            event: Which events count; conversions, or core actions for ``retention`` and ``active_days``.
            property: The number of each event that is added up, for ``sum`` and ``ratio``.
            per_event: Which events are the denominator of a ratio.
            per_property: The number of each of those that is added up; without it they are counted.
            within: How long after the first exposure events count, both ends included: ``7 days``, ``12 hours``.
            day: Which day after the exposure ``retention`` is about.
            cuped: In how many days before the exposure the same is measured, to take out what differed before.
            winsorize: The percentile of all values but zeros at which values are cut, such as 99.
            variants: The planned variants with their weights, the control first; without them the split is not checked.
            control: What the others are compared with, if not the first.
            better: Which direction is good: ``higher`` or ``lower``.
            planned_size: People in all at which the experiment is over; before that, and without it, intervals hold at
                every look, and are wider.
            tolerated: Percent of the control's mean that a guardrail may lose; the verdict is about that then.
            only_complete: Leave out people whose window is not over; else they are counted and flagged.
            since: First instant of exposures that count.
            until: Last instant of exposures that count.
            question: Keywords of :meth:`regulars.Workspace.question`; the range is about first exposures, and
                properties are those of the first exposure.

        Returns:
            Per slice and variant, the control first: ``variant``, ``users``, ``converted`` (value not zero),
            ``immature`` (window not over), ``mean``, ``difference`` with ``low``, ``high``, ``p_value`` and
            ``p_adjusted``, ``lift`` with ``lift_low`` and ``lift_high``, ``chance_to_win``, ``expected_loss``,
            ``verdict`` and ``reason`` in words, ``flags``. The ``averages`` tell of each slice whether people are split
            as planned, and which interval is shown. What is undefined is None, and ``reason`` says why.

        Raises:
            QueryError: ``bad_option``, ``no_experiment``, ``bad_grain``: a value that is missing or not allowed.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> events = [
            ...     {
            ...         "user_id": n,
            ...         "event_type": "experiment_viewed",
            ...         "timestamp": "2026-01-05T09:00:00Z",
            ...         "experiment": "checkout",
            ...         "variant": "B" if n % 2 else "A",
            ...     }
            ...     for n in range(1, 401)
            ... ]
            >>> bought = [n for n in range(1, 401) if n % 10 in (0, 1, 3, 5)]
            >>> events += [
            ...     {"user_id": n, "event_type": "purchase", "timestamp": "2026-01-06T09:00:00Z"} for n in bought
            ... ]
            >>> _ = ws.load(events)
            >>> result = ws.experiment("checkout", variants="A=1, B=1", planned_size=400)
            >>> [(row["variant"], row["users"], row["mean"]) for row in result.rows]
            [('A', 200, 0.2), ('B', 200, 0.6)]
            >>> result.rows[1]["verdict"]
            'The variant is better: +200.0 % (128.0 % to 322.3 %), p = 1.6e-17, at the planned size.'
        """
        own = given(
            event=event, property=property, per_event=per_event, per_property=per_property, cuped=cuped,
            winsorize=winsorize, variants=variants, control=control, planned_size=planned_size, tolerated=tolerated,
            since=since, until=until,
        )  # fmt: skip
        own |= {"within": within, "day": day, "better": better, "only_complete": only_complete}
        return self.metric("experiment", experiment=experiment, measure=measure, **question, **own)
