"""From the sums of each variant to effects: the difference from the control, how sure it is, and what to think of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.inference.bayes import FLAT, SCEPTICAL, posterior, scaled
from regulars.domain.inference.effects import Effect, difference, lift
from regulars.domain.inference.health import SampleRatio, sample_ratio
from regulars.domain.inference.moments import PairedMoments, adjust, cuped_theta, estimate
from regulars.domain.inference.multiple import holm
from regulars.domain.inference.reasons import Reason
from regulars.domain.inference.sequential import always_valid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.inference.moments import Estimate
    from regulars.domain.metrics.experiment_options import Trial
    from regulars.domain.metrics.record import Row, Rows

SUMS = ("sum", "sum_squares", "other_sum", "other_squares", "sum_products")
EFFECTS = (
    "difference", "low", "high", "p_value", "p_adjusted", "lift", "lift_low", "lift_high", "chance_to_win",
    "expected_loss",
)  # fmt: skip
_CONTROLS = ("control", "CONTROL", "Control")
_NOTHING: dict[str, object] = dict.fromkeys(EFFECTS)


@dataclass(frozen=True)
class Comparison:
    """The arms of one slice, the control first, with what they are compared by.

    ``control`` is the place of the control, None where nobody saw it.
    ``theta`` is the slope of CUPED, where that is asked for and somebody differed before. ``is_fixed``: everybody who
    was planned is there, so that the interval of one look is right; before that it is the one for many looks.
    """

    rows: Rows
    control: int | None
    arms: tuple[PairedMoments, ...]
    estimates: tuple[Estimate | Reason, ...]
    theta: float | None
    is_fixed: bool

    @property
    def users(self) -> int:
        """How many people take part."""
        return sum(arm.n for arm in self.arms)


def compare(rows: Rows, trial: Trial) -> Comparison:
    """Put the arms of a slice in order, and estimate each."""
    control = control_of([str(row["variant"]) for row in rows], trial)
    ordered = _in_order(rows, trial, control)
    arms = tuple(_moments(row) for row in ordered)
    theta = cuped_theta(arms) if trial.before is not None and arms else None
    if theta is None:
        estimates = tuple(estimate(arm, trial.kind) for arm in arms)
    else:
        pooled = sum(arms[1:], start=arms[0])
        start = pooled.other_sum / pooled.n
        estimates = tuple(adjust(arm, theta, start) for arm in arms)
    users = sum(arm.n for arm in arms)
    first = 0 if ordered and ordered[0]["variant"] == control else None
    return Comparison(ordered, first, arms, estimates, theta, trial.size is not None and users >= trial.size)


def _moments(row: Row) -> PairedMoments:
    return PairedMoments(int(row["users"]), *(float(row[name] or 0.0) for name in SUMS))


def _in_order(rows: Rows, trial: Trial, control: str | None) -> Rows:
    """The control first, then as planned, then by name."""
    planned = list(trial.planned)

    def place(row: Row) -> tuple[bool, int, str]:
        name = str(row["variant"])
        return name != control, planned.index(name) if name in planned else len(planned), name

    return sorted(rows, key=place)


def control_of(names: Sequence[str], trial: Trial) -> str | None:
    """The variant that the others are compared with: the named one, the first planned, one called control, else any."""
    if trial.control is not None:
        return trial.control
    if trial.planned:
        return next(iter(trial.planned))
    return next((name for name in _CONTROLS if name in names), min(names, default=None))


def with_effects(found: Comparison, trial: Trial) -> Rows:
    """The rows of the arms with their effects; p-values of several arms also adjusted for their number (Holm)."""
    rows = [_row(found, trial, number) for number in range(len(found.rows))]
    adjusted = holm([row["p_value"] for row in rows])
    return [row | {"p_adjusted": value} for row, value in zip(rows, adjusted, strict=True)]


def _row(found: Comparison, trial: Trial, number: int) -> Row:
    arm, variant = found.arms[number], found.estimates[number]
    row = {**found.rows[number], **_NOTHING, "mean": arm.ratio if trial.kind == "ratio" else arm.mean}
    if isinstance(variant, Reason):
        return row | {"reason": variant.words}
    if number == found.control:
        return row | {"reason": None}
    base = Reason.NO_USERS if found.control is None else found.estimates[found.control]
    if isinstance(base, Reason):
        return row | {"reason": f"of the control: {base.words}"}
    return row | _effects(base, variant, is_fixed=found.is_fixed)


def _effects(control: Estimate, variant: Estimate, *, is_fixed: bool) -> Row:
    fixed = difference(control, variant)
    relative = lift(control, variant, interval="fieller" if is_fixed else "delta")
    shown, share = (fixed, relative) if is_fixed else (_at_any_look(control, variant, each) for each in (fixed, relative))
    prior = scaled(SCEPTICAL, control.base.value) if control.base.value else FLAT
    belief = posterior(fixed, prior)
    reason = shown.reason or relative.reason
    return {
        "difference": shown.value, "low": shown.low, "high": shown.high, "p_value": shown.p_value,
        "lift": share.value, "lift_low": share.low, "lift_high": share.high,
        "chance_to_win": belief.chance_to_win, "expected_loss": belief.loss_of_variant,
        "reason": reason.words if reason else None,
    }  # fmt: skip


def _at_any_look(control: Estimate, variant: Estimate, effect: Effect) -> Effect:
    return effect if effect.error is None else always_valid(control, variant, effect)


def split(found: Comparison, trial: Trial) -> SampleRatio | None:
    """Whether people are split as planned; None where nobody said how they should be."""
    if not trial.planned:
        return None
    return sample_ratio([arm.n for arm in found.arms], [trial.planned[str(row["variant"])] for row in found.rows])


def summary(found: Comparison, trial: Trial, rows: Rows) -> Row:
    """What is to be known of a slice as a whole: its split, the interval that is shown, and the verdict."""
    checked = split(found, trial)
    return {
        "users": found.users,
        "srm_p_value": checked.p_value if checked else None,
        "interval": "fixed" if found.is_fixed else "always valid",
        "theta": found.theta,
        "cap": next((row["cap"] for row in found.rows if row["cap"] is not None), None),
        "verdict": verdict(found, trial, rows, checked),
    }


def verdict(found: Comparison, trial: Trial, rows: Rows, checked: SampleRatio | None) -> str:
    """One sentence: what can be said, or what stands against saying anything."""
    if checked is not None and checked.mismatch:
        return "no verdict: people are not split as planned, so something is broken, and any difference may be its work"
    known = [row for row in rows if row["p_value"] is not None]
    if not known:
        return "no verdict: nothing can be compared yet"
    clear = [row for row in known if (row["p_adjusted"] or 0.0) < 0.05 and (row["low"] > 0 or row["high"] < 0)]  # noqa: PLR2004
    if not clear:
        ended = "no variant differs from the control by more than chance"
        return ended if found.is_fixed else f"too early to tell: so far {ended}"
    said = ", ".join(f"{row['variant']} is {'higher' if row['difference'] > 0 else 'lower'}" for row in clear)
    caution = "" if checked is not None else "; the split was not checked, as no weights are known"
    young = sum(int(row["immature"]) for row in rows)
    caution += f"; the window of {young:,} people is not over" if young else ""
    return f"{said} than {found.rows[0]['variant']}, by more than chance{caution}"
