"""Answers of the catalogue as records with named fields, for programs that want numbers, not rows.

A share of nobody is None, but for engagement, whose ratios and means are 0.0 when nobody was active.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date  # noqa: TC003 -- records are converted by their types

from regulars.domain.plain import Plain
from regulars.errors import UnknownNameError


@dataclass(frozen=True)
class EngagementMetrics(Plain):
    """How many people were active on a day, and how they used it.

    ``dau``, ``wau`` and ``mau`` are people active on at least one of the 1, 7 and 30 days that end on ``date``; the
    ratios are between 0 and 1. ``new_users`` had their first active day ever on it, ``returning_users`` had one before.
    ``sessions`` begin on it; ``sessions_per_user`` is per person who began one; ``avg_session_duration`` is in seconds.
    ``flags``: ``incomplete`` while the day is not over, ``truncated`` where days were dropped.
    """

    date: date
    activity: str
    dau: int
    wau: int
    mau: int
    dau_mau_ratio: float
    wau_mau_ratio: float
    new_users: int
    returning_users: int
    sessions: int
    sessions_per_user: float
    avg_session_duration: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConversionStep(Plain):
    """One step of a funnel: people who reached it, of whom ``dropped`` went no further.

    Shares are between 0 and 1; ``seconds_median`` is counted from the beginning of the attempt (None for the first).
    """

    name: str
    users: int
    dropped: int
    conversion_from_first: float | None
    conversion_from_previous: float | None
    seconds_median: float | None


@dataclass(frozen=True)
class ConversionMetrics(Plain):
    """How many converted, of those who could have, from ``start`` to ``end``.

    With a funnel ``entered`` are the people at its first step and ``converted`` those at its last; without one, the
    active people, and those with a conversion event. ``conversion_rate`` is a share (None of nobody) with its 95 %
    Wilson interval ``low`` to ``high``.
    """

    start: date
    end: date
    entered: int
    converted: int
    conversion_rate: float | None
    low: float | None
    high: float | None
    steps: tuple[ConversionStep, ...] = ()


@dataclass(frozen=True)
class RetentionPeriod(Plain):
    """Of ``users`` who started, ``returned`` came back in the period of this number after their first.

    ``retention`` is a share with its 95 % interval ``low`` to ``high``. ``is_complete``: the period is over for all.
    """

    period: int
    users: int
    returned: int
    retention: float | None
    low: float | None
    high: float | None
    is_complete: bool = True


@dataclass(frozen=True)
class RetentionMetrics(Plain):
    """Who came back, pooled over everybody who started from ``start`` to ``end``.

    ``cohort_size`` counts the people. A period counts those for whom it is over; one that is over for nobody is left
    out.
    """

    start: date
    end: date
    grain: str
    cohort_size: int
    periods: tuple[RetentionPeriod, ...] = ()

    def rate(self, period: int) -> float | None:
        """The retention in a period, or None where it is not known yet."""
        return _rate(self.periods, period)


@dataclass(frozen=True)
class CohortAnalysis(Plain):
    """The people who started in the period that begins on ``date``, followed period by period; 0 is the first."""

    date: date
    grain: str
    cohort_size: int
    periods: tuple[RetentionPeriod, ...] = ()

    def rate(self, period: int) -> float | None:
        """The retention in a period, or None where it has not begun."""
        return _rate(self.periods, period)


@dataclass(frozen=True)
class NPSMetrics(Plain):
    """The net promoter score of answers from ``start`` to ``end``: -100 to 100 points, None when nobody answered.

    Promoters gave 9 or 10, passives 7 or 8, detractors 0 to 6. ``low`` to ``high`` is its adjusted-Wald 95 % interval.
    """

    start: date
    end: date
    responses: int
    promoters: int
    passives: int
    detractors: int
    nps: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ABTestVariantResult(Plain):
    """What the people of one variant did; differences are from the control, which has none of its own.

    ``converted`` are people whose value is not zero, ``immature`` those whose window is not over. ``mean`` is the
    measure per person, ``difference`` that of the means with ``low`` to ``high`` and ``p_value``, ``lift`` relative to
    the control, ``chance_to_win`` a probability. What is undefined is None, and ``reason`` says why.
    """

    variant: str
    users: int = 0
    converted: int = 0
    immature: int = 0
    mean: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    lift: float | None = None
    chance_to_win: float | None = None
    verdict: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ABTestResults(Plain):
    """What came of a phase of an experiment, the control first. ``split`` says whether people are split as planned."""

    name: str
    status: str
    phase: int
    split: str | None
    variants: tuple[ABTestVariantResult, ...]

    def variant(self, name: str) -> ABTestVariantResult:
        """The result of one variant.

        Raises:
            UnknownNameError: ``unknown_variant``.
        """
        for each in self.variants:
            if each.variant == name:
                return each
        raise UnknownNameError("variant", str(name), [each.variant for each in self.variants], code="unknown_variant")


def _rate(periods: tuple[RetentionPeriod, ...], number: int) -> float | None:
    return next((each.retention for each in periods if each.period == number), None)
