"""From the sums of each variant to effects: the difference from the control, how sure it is, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.inference.comparison import Comparison, compare
from regulars.domain.inference.health import SampleRatio, sample_ratio, several_variants
from regulars.domain.inference.moments import PairedMoments, estimate
from regulars.domain.inference.multiple import holm
from regulars.domain.inference.reasons import Reason
from regulars.domain.inference.verdict import conclude, guardrail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.metrics.experiment_options import Trial
    from regulars.domain.metrics.record import Row, Rows

SUMS = ("sum", "sum_squares", "other_sum", "other_squares", "sum_products")
EFFECTS = (
    "difference", "low", "high", "p_value", "p_adjusted", "lift", "lift_low", "lift_high", "chance_to_win",
    "expected_loss",
)  # fmt: skip
_CONTROLS = ("control", "CONTROL", "Control")


@dataclass(frozen=True)
class Arms:
    """The arms of one slice, the control first where anybody saw it.

    ``against`` compares each with the control: None for the control itself, and where there is none.
    """

    rows: Rows
    moments: tuple[PairedMoments, ...]
    against: tuple[Comparison | None, ...]
    has_control: bool

    @property
    def users(self) -> int:
        """How many people take part."""
        return sum(arm.n for arm in self.moments)


def arms_of(rows: Rows, trial: Trial) -> Arms:
    """Put the arms of a slice in order, and compare each with the control."""
    control = control_of([str(row["variant"]) for row in rows], trial)
    ordered = _in_order(rows, trial, control)
    moments = tuple(_moments(row) for row in ordered)
    has_control = bool(ordered) and ordered[0]["variant"] == control
    users = sum(arm.n for arm in moments)
    # The plan is about everybody: with several variants each pair is at its planned size when all of them are.
    is_over = trial.size is not None and users >= trial.size
    against = [
        None if not has_control or not number else _compared(moments[0], arm, trial, is_over=is_over)
        for number, arm in enumerate(moments)
    ]
    return Arms(ordered, moments, tuple(against), has_control)


def _compared(control: PairedMoments, arm: PairedMoments, trial: Trial, *, is_over: bool) -> Comparison:
    both = control.n + arm.n
    planned = None if trial.size is None else max(both, 1) if is_over else max(trial.size, both + 1)
    return compare(control, arm, kind=trial.kind, better=trial.better, planned=planned, cuped=trial.before is not None)


def _moments(row: Row) -> PairedMoments:
    return PairedMoments(int(row["users"]), *(float(row[name] or 0.0) for name in SUMS))


def control_of(names: Sequence[str], trial: Trial) -> str | None:
    """The variant that the others are compared with: the named one, the first planned, one called control, else any."""
    if trial.control is not None:
        return trial.control
    if trial.planned:
        return next(iter(trial.planned))
    return next((name for name in _CONTROLS if name in names), min(names, default=None))


def _in_order(rows: Rows, trial: Trial, control: str | None) -> Rows:
    """The control first, then as planned, then by name."""
    planned = list(trial.planned)

    def place(row: Row) -> tuple[bool, int, str]:
        name = str(row["variant"])
        return name != control, planned.index(name) if name in planned else len(planned), name

    return sorted(rows, key=place)


def with_effects(arms: Arms, trial: Trial) -> Rows:
    """The rows of the arms with their effects and verdicts; with several variants, p-values for their number (Holm)."""
    adjusted = holm([None if found is None else found.effect.p_value for found in arms.against])
    split = split_of(arms, trial)
    rows = []
    for row, arm, found, p_value in zip(arms.rows, arms.moments, arms.against, adjusted, strict=True):
        plain = {**row, **dict.fromkeys(EFFECTS), "mean": arm.ratio if trial.kind == "ratio" else arm.mean}
        if found is None:
            rows.append(plain | {"verdict": None, "reason": _reason_of(arm, trial, has_control=arms.has_control)})
        else:
            several = several_variants(int(row["several"]), arms.users)
            said = conclude(found, split=split, several=several, adjusted_p=p_value)
            words = " ".join((said.words, *said.notes))
            if trial.tolerated is not None and not (split and split.mismatch):
                words = _guarded(arms.moments[0], arm, trial, trial.tolerated, found.planned)
            rows.append(plain | _effects(found) | {"p_adjusted": p_value, "verdict": words})
    return rows


def _guarded(control: PairedMoments, arm: PairedMoments, trial: Trial, percent: int, planned: int | None) -> str:
    """Whether a guardrail holds, in words."""
    found = guardrail(
        str(trial.measure), control, arm, tolerated=percent / 100, kind=trial.kind, better=trial.better, planned=planned
    )
    lost = f"{percent} % of the control"
    said = {
        "holds": f"The guardrail holds: the variant does not lose more than {lost}.",
        "broken": f"The guardrail is broken: the variant loses more than {lost}.",
        "open": f"The guardrail is open: whether the variant loses more than {lost} is not known yet.",
    }
    return f"{said[found.state][:-1]} ({found.reason.words})." if found.reason else said[found.state]


def _reason_of(arm: PairedMoments, trial: Trial, *, has_control: bool) -> str | None:
    if not has_control:
        return "nobody saw the control"
    found = estimate(arm, trial.kind)
    return found.words if isinstance(found, Reason) else None


def _effects(found: Comparison) -> Row:
    effect, relative = found.effect, found.relative
    reason = effect.reason or relative.reason
    return {
        "difference": effect.value, "low": effect.low, "high": effect.high, "p_value": effect.p_value,
        "lift": relative.value, "lift_low": relative.low, "lift_high": relative.high,
        "chance_to_win": found.chance_to_win, "expected_loss": found.expected_loss,
        "reason": reason.words if reason else None,
    }  # fmt: skip


def split_of(arms: Arms, trial: Trial) -> SampleRatio | None:
    """Whether people are split as planned; None where nobody said how they should be."""
    if not trial.planned:
        return None
    return sample_ratio([arm.n for arm in arms.moments], [trial.planned[str(row["variant"])] for row in arms.rows])


def summary(arms: Arms, trial: Trial) -> Row:
    """What is to be known of a slice as a whole: who takes part, the split, the interval that is shown, the cut."""
    split = split_of(arms, trial)
    shown = next((found.applies for found in arms.against if found is not None), None)
    return {
        "users": arms.users,
        "immature": sum(int(row["immature"]) for row in arms.rows),
        "split": _split_in_words(split),
        "srm_p_value": split.p_value if split else None,
        "interval": shown.replace("_", " ") if shown else "none",
        "cap": next((row["cap"] for row in arms.rows if row["cap"] is not None), None),
    }


def _split_in_words(split: SampleRatio | None) -> str:
    if split is None:
        return "unchecked: no planned weights"
    return {True: "broken", False: "as planned", None: "too few people to tell"}[split.mismatch]
