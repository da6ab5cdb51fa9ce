"""What to conclude from a comparison, in words: split first, then the interval that applies, then the guardrails."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from regulars.domain.inference.choices import check_choice
from regulars.domain.inference.comparison import Better
from regulars.domain.inference.effects import critical, spread
from regulars.domain.inference.moments import Estimate, Kind, estimate
from regulars.domain.inference.reasons import Reason
from regulars.domain.inference.sequential import TUNED_FOR, margin
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.inference.comparison import Comparison
    from regulars.domain.inference.effects import Effect
    from regulars.domain.inference.health import SampleRatio, SeveralVariants
    from regulars.domain.inference.moments import Moments

GuardrailState = Literal["holds", "broken", "open"]


class Conclusion(StrEnum):
    """What follows. The value is a code that stays."""

    BROKEN_SPLIT = "broken_split"
    NOT_MEASURABLE = "not_measurable"
    BETTER = "better"
    WORSE = "worse"
    HARMS_GUARDRAIL = "harms_guardrail"
    NO_RELEVANT_DIFFERENCE = "no_relevant_difference"
    KEEP_RUNNING = "keep_running"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Guardrail:
    """A metric that must not get worse by more than a tolerated part of the control's: whether that is so.

    ``holds`` and ``broken`` are certain at the level that was asked for, ``open`` is not known yet.
    """

    name: str
    state: GuardrailState
    tolerated: float
    reason: Reason | None = None


@dataclass(frozen=True)
class Verdict:
    """The conclusion, in one sentence, with what else there is to know."""

    conclusion: Conclusion
    words: str
    notes: tuple[str, ...] = ()


def guardrail(
    name: str,
    control: Moments,
    variant: Moments,
    *,
    tolerated: float,
    kind: Kind = "mean",
    better: Better = "higher",
    alpha: float = 0.05,
    planned: int | None = None,
    tuned_for: float = TUNED_FOR,
) -> Guardrail:
    """Test one-sided whether a metric gets worse by less than a tolerated part of the control (non-inferiority).

    From the planned size on by Welch's t-test, before it with the margin that holds at every look. Guardrails are not
    corrected for their number: an alarm too many is the smaller mistake.

    >>> from regulars.domain.inference.moments import Moments
    >>> old, new = Moments.share(4000, 10_000), Moments.share(3990, 10_000)
    >>> guardrail("retention", old, new, kind="proportion", tolerated=0.05, planned=20_000).state
    'holds'
    """
    check_choice("direction", better, Better)
    if not 0 <= tolerated < 1:
        raise QueryError(
            f"tolerated is a part of the control from 0 to 1, such as 0.02, not {tolerated!r}", code="bad_margin"
        )
    old, new = estimate(control, kind), estimate(variant, kind)
    if isinstance(old, Reason):
        return Guardrail(name, "open", tolerated, old)
    if isinstance(new, Reason):
        return Guardrail(name, "open", tolerated, new)
    if not old.variance or not new.variance:
        return Guardrail(name, "open", tolerated, Reason.NO_VARIANCE)
    sign = 1 if better == "higher" else -1
    factor = 1 - math.copysign(tolerated, old.value) * sign
    floor = Estimate(old.value * factor, old.variance * factor**2, old.n)
    error, degrees = spread(floor, new)
    fixed = planned is not None and old.n + new.n >= planned
    reach = critical(degrees, alpha, "greater") if fixed else margin(old.n + new.n, alpha=alpha, tuned_for=tuned_for)
    above = sign * (new.value - floor.value) / error
    return Guardrail(name, "holds" if above > reach else "broken" if above < -reach else "open", tolerated)


def conclude(
    comparison: Comparison,
    *,
    split: SampleRatio | None = None,
    several: SeveralVariants | None = None,
    guardrails: Sequence[Guardrail] = (),
    adjusted_p: float | None = None,
    indifference: float | None = None,
) -> Verdict:
    """Say what to conclude.

    In this order: a broken split allows no verdict; without an interval there is none; an interval within the
    indifference shows that nothing relevant happens, even if it leaves out zero; one that leaves out zero is better or
    worse, and what is better must keep the guardrails; else the experiment goes on to its planned size, and is
    undecided there.

    Args:
        comparison: The primary metric.
        split: The test of the split.
        several: The users who saw several variants.
        guardrails: The metrics that must not suffer.
        adjusted_p: The p-value that applies, adjusted for other variants and metrics; it must be below alpha too.
        indifference: The lift that is too small to matter, such as 0.01.

    >>> from regulars.domain.inference.comparison import compare
    >>> from regulars.domain.inference.moments import Moments
    >>> result = compare(Moments.share(200, 4000), Moments.share(250, 4100), kind="proportion", planned=8000)
    >>> print(conclude(result).words)
    The variant is better: +22.0 % (1.9 % to 46.6 %), p = 0.031, at the planned size.
    """
    notes = tuple(_notes(comparison, split, several, guardrails))
    if split is not None and split.mismatch:
        return Verdict(Conclusion.BROKEN_SPLIT, _broken(split), notes)
    effect = comparison.effect
    if effect.low is None or effect.high is None:
        words = f"There is no verdict: {effect.reason.words}." if effect.reason else "There is no verdict."
        return Verdict(Conclusion.NOT_MEASURABLE, words, notes)
    shown, when = _shown(comparison), "at the planned size" if comparison.applies == "fixed" else "valid at every look"
    if _irrelevant(comparison.relative, indifference):
        return Verdict(Conclusion.NO_RELEVANT_DIFFERENCE, f"No difference that matters: {shown}, {when}.", notes)
    if (effect.low > 0 or effect.high < 0) and (adjusted_p is None or adjusted_p < comparison.alpha):
        return _decided(comparison, f"{shown}, p = {effect.p_value:.2g}, {when}", guardrails, notes)
    if comparison.applies == "fixed":
        return Verdict(
            Conclusion.UNDECIDED, f"Undecided at the planned size: {shown} leaves both directions open.", notes
        )
    return Verdict(Conclusion.KEEP_RUNNING, f"Not decided yet: {shown}, {when}.", notes)


def _broken(split: SampleRatio) -> str:
    how = "users are in an arm that gets none" if split.p_value is None else f"p = {split.p_value:.2g}"
    return (
        f"No verdict: the users are not split as planned ({how}). Find the cause first; any difference may be its work."
    )


def _decided(comparison: Comparison, shown: str, guardrails: Sequence[Guardrail], notes: tuple[str, ...]) -> Verdict:
    low = comparison.effect.low
    if (low is not None and low > 0) is not (comparison.better == "higher"):
        return Verdict(Conclusion.WORSE, f"The variant is worse: {shown}.", notes)
    broken = [each.name for each in guardrails if each.state == "broken"]
    if broken:
        return Verdict(
            Conclusion.HARMS_GUARDRAIL, f"The variant is better, but harms {', '.join(broken)}: {shown}.", notes
        )
    return Verdict(Conclusion.BETTER, f"The variant is better: {shown}.", notes)


def _irrelevant(relative: Effect, indifference: float | None) -> bool:
    if indifference is None or relative.low is None or relative.high is None:
        return False
    return -indifference < relative.low and relative.high < indifference


def _shown(comparison: Comparison) -> str:
    """The lift with its interval, or the difference where there is none."""
    relative, effect = comparison.relative, comparison.effect
    if relative.value is not None and relative.low is not None and relative.high is not None:
        return f"{relative.value:+.1%} ({relative.low:.1%} to {relative.high:.1%})".replace("%", " %")
    return f"{effect.value:+.4g} ({effect.low:.4g} to {effect.high:.4g})"


def _notes(
    comparison: Comparison,
    split: SampleRatio | None,
    several: SeveralVariants | None,
    guardrails: Sequence[Guardrail],
) -> list[str]:
    notes = []
    if split is not None and split.mismatch is None:
        notes.append("Whether the users are split as planned cannot be told yet.")
    if several is not None and several.warns:
        notes.append(
            f"{several.users} users ({several.share:.1%}) saw several variants and are left out.".replace("%", " %")
        )
    notes += [f"Guardrail {each.name} is {each.state}." for each in guardrails if each.state != "holds"]
    if comparison.relative.value is None and comparison.relative.reason and comparison.effect.value is not None:
        notes.append(f"There is no relative lift: {comparison.relative.reason.words}.")
    return notes
