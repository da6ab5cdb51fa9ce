"""Two arms compared in one call: everything that follows from their moments, and which interval to read.

>>> from regulars import Moments, compare
>>> result = compare(Moments.share(200, 4000), Moments.share(250, 4100), kind="proportion", planned=8000)
>>> result.applies, round(result.difference.p_value, 3), round(result.chance_to_win, 3)
('fixed', 0.031, 0.984)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from regulars.domain.inference.bayes import FLAT, Posterior, Prior, posterior, scaled
from regulars.domain.inference.best import best_share
from regulars.domain.inference.choices import check_choice
from regulars.domain.inference.effects import Effect, LiftInterval, difference, lift
from regulars.domain.inference.moments import (
    Estimate,
    Kind,
    Moments,
    PairedMoments,
    adjust,
    cuped_theta,
    estimate,
    paired,
)
from regulars.domain.inference.reasons import Reason
from regulars.domain.inference.sequential import TUNED_FOR, always_valid, margin
from regulars.errors import QueryError

if TYPE_CHECKING:
    from regulars.domain.inference.best import Best

Better = Literal["higher", "lower"]
Applies = Literal["fixed", "always_valid"]


@dataclass(frozen=True)
class Comparison:
    """What two arms say about a change. Whatever is None has a reason beside it.

    Attributes:
        kind: ``mean``, ``proportion`` or ``ratio``.
        better: Which direction is good.
        alpha: The chance that was accepted for an interval to miss the truth.
        users: Users of control and variant.
        planned: How many users of both together were planned; None if that was left open.
        control: The mean, share or ratio of the control as it was measured.
        variant: That of the variant.
        theta: CUPED's slope; None without CUPED, or where nobody differed before.
        difference: Variant minus control, with Welch's interval and *the* p-value. Right once, at the planned size.
        lift: The same relative to the control, with an interval of the kind that was asked for.
        always_valid: The difference with an interval and a p-value that hold however often one looks.
        always_valid_lift: The lift with such an interval.
        belief: What is believed of the difference: a normal posterior.
        best: Exact Beta-Binomial beliefs about the arms of a proportion, each with a uniform prior; None otherwise,
            and where a prior or CUPED asks for the normal one.
    """

    kind: Kind
    better: Better
    alpha: float
    users: tuple[int, int]
    planned: int | None
    control: float | None
    variant: float | None
    theta: float | None
    difference: Effect
    lift: Effect
    always_valid: Effect
    always_valid_lift: Effect
    belief: Posterior
    best: Best | None

    @property
    def applies(self) -> Applies:
        """Which interval to read: ``fixed`` from the planned size on, ``always_valid`` before, or without a plan."""
        return "fixed" if self.planned is not None and sum(self.users) >= self.planned else "always_valid"

    @property
    def why(self) -> str:
        """Why that interval applies."""
        if self.planned is None:
            return "no size was planned, so only the interval that holds at every look applies"
        if self.applies == "fixed":
            return f"the planned {self.planned} users are reached, so the fixed interval applies"
        return (
            f"{sum(self.users)} of {self.planned} planned users have come; until then only the interval that holds at "
            "every look applies"
        )

    @property
    def effect(self) -> Effect:
        """The difference with the interval and p-value that apply."""
        return self.difference if self.applies == "fixed" else self.always_valid

    @property
    def relative(self) -> Effect:
        """The lift with the interval that applies."""
        return self.lift if self.applies == "fixed" else self.always_valid_lift

    @property
    def significant(self) -> bool | None:
        """Whether the interval that applies leaves out zero; None where there is none."""
        low, high = self.effect.low, self.effect.high
        return None if low is None or high is None else low > 0 or high < 0

    @property
    def chance_to_win(self) -> float | None:
        """The chance that the variant is better. It may be looked at any time, but is no p-value: stop by the loss."""
        higher = self.best.chances[1] if self.best and self.best.chances else self.belief.chance_to_win
        return higher if higher is None or self.better == "higher" else 1 - higher

    @property
    def expected_loss(self) -> float | None:
        """What is lost on average, in units of the metric, by shipping the variant: 0 counted where that is right."""
        losses = self.best.losses if self.best and self.best.losses else None
        if self.better == "higher":
            return losses[1] if losses else self.belief.loss_of_variant
        return losses[0] if losses else self.belief.loss_of_control

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON: no NaN, no infinity; reasons by their codes.

        >>> compare(Moments(0, 0, 0), Moments.share(1, 5)).to_dict()["difference"]["reason"]
        'no_users'
        """
        derived = ("applies", "why", "significant", "chance_to_win", "expected_loss")
        return asdict(self, dict_factory=_plain) | {name: getattr(self, name) for name in derived}


def _plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value.value if isinstance(value, Reason) else value for name, value in pairs}


def compare(
    control: Moments,
    variant: Moments,
    *,
    kind: Kind = "mean",
    better: Better = "higher",
    alpha: float = 0.05,
    interval: LiftInterval = "fieller",
    planned: int | None = None,
    tuned_for: float = TUNED_FOR,
    prior: Prior = FLAT,
    cuped: bool = False,
) -> Comparison:
    """Compare a variant with a control, from bare sums: no workspace, no events.

    There is one p-value, and it is that of the difference. The relative lift has an interval: by ``fieller`` it leaves
    out zero exactly where that p-value is below alpha. Before the planned size, or without one, read the always-valid
    interval, which allows for looking at any time. ``effect`` and ``relative`` of the result are those to read.

    Args:
        control: The moments of the control: ``Moments`` of one value per user, ``PairedMoments`` of two.
        variant: Those of the variant. Compare several variants with the control one by one, and their p-values by
            ``holm``.
        kind: ``mean`` per user, ``proportion`` of users (values 0 and 1), or ``ratio`` of two sums over users
            (``PairedMoments``; delta method, the user is the unit).
        better: Whether ``higher`` or ``lower`` is good.
        alpha: The chance that is accepted for an interval to miss the truth.
        interval: Of the lift: ``fieller``, ``log``, or ``delta`` for numbers as in GrowthBook.
        planned: Users of both arms together after which the experiment was to end, decided before it began.
        tuned_for: Users of both arms at which the always-valid interval is tightest.
        prior: What was believed of the lift before, such as ``SCEPTICAL``; nothing by default.
        cuped: Whether the second values of ``PairedMoments`` are what the same users did before, to take away the
            differences that they had from the start.

    Returns:
        A ``Comparison``.

    Raises:
        QueryError: The moments do not fit the kind, or a number cannot be what it is given for.
        UnknownNameError: A choice does not exist.

    Example:
        Mean revenue of 3 407 and 3 461 users, from sums that any database computes:

        >>> control = Moments(3407, 1396.87, 52377.9767)
        >>> variant = Moments(3461, 2422.70, 134698.29)
        >>> result = compare(control, variant, planned=6000)
        >>> round(result.difference.value, 2), round(result.difference.p_value, 4)
        (0.29, 0.0202)
        >>> round(result.lift.value, 2), round(result.lift.low, 2), round(result.lift.high, 2)
        (0.71, 0.09, 1.71)
        >>> result.why
        'the planned 6000 users are reached, so the fixed interval applies'
    """
    check_choice("direction", better, Better)
    if planned is not None and planned < 1:
        raise QueryError(f"planned is a number of users above 0, not {planned!r}", code="bad_counts")
    theta, arms = _estimates(control, variant, kind, cuped=cuped)
    exact = kind == "proportion" and prior == FLAT and not cuped and control.n > 0 and variant.n > 0
    return Comparison(
        kind,
        better,
        alpha,
        (control.n, variant.n),
        planned,
        _measured(control, kind),
        _measured(variant, kind),
        theta,
        *_effects(arms, alpha, interval, tuned_for),
        _belief(arms, prior, alpha),
        best_share([control, variant]) if exact else None,
    )


_Arms = tuple[Estimate, Estimate] | Reason


def _estimates(control: Moments, variant: Moments, kind: Kind, *, cuped: bool) -> tuple[float | None, _Arms]:
    if not cuped:
        return None, _both(estimate(control, kind), estimate(variant, kind))
    if kind == "ratio":
        raise QueryError("CUPED is for means and proportions, not for ratios", code="bad_moments")
    arms = [paired(arm, "CUPED") for arm in (control, variant)]
    theta = cuped_theta(arms)
    if theta is None:
        return None, _both(estimate(control, kind), estimate(variant, kind))
    before = (arms[0] + arms[1]).other.mean or 0.0
    return theta, _both(*(adjust(arm, theta, before) for arm in arms))


def _both(control: Estimate | Reason, variant: Estimate | Reason) -> _Arms:
    if isinstance(control, Reason):
        return control
    return variant if isinstance(variant, Reason) else (control, variant)


def _measured(arm: Moments, kind: Kind) -> float | None:
    return arm.ratio if kind == "ratio" and isinstance(arm, PairedMoments) else arm.mean


def _effects(
    arms: _Arms, alpha: float, interval: LiftInterval, tuned_for: float
) -> tuple[Effect, Effect, Effect, Effect]:
    """Difference and lift, each at the planned size and at every look."""
    if isinstance(arms, Reason):
        nothing = Effect(None, reason=arms)
        return nothing, nothing, nothing, nothing
    users = arms[0].n + arms[1].n
    reach = margin(users, alpha=alpha, tuned_for=tuned_for)
    fixed = difference(*arms, alpha=alpha)
    return (
        fixed,
        lift(*arms, interval=interval, alpha=alpha),
        always_valid(*arms, fixed, alpha=alpha, tuned_for=tuned_for),
        lift(*arms, interval=interval, alpha=alpha, margin=reach),
    )


def _belief(arms: _Arms, prior: Prior, alpha: float) -> Posterior:
    if isinstance(arms, Reason):
        return Posterior(None, reason=arms)
    base = arms[0].base.value
    if prior != FLAT and not base:
        return Posterior(None, reason=Reason.CONTROL_NEAR_ZERO)
    return posterior(difference(*arms, alpha=alpha), prior if prior == FLAT else scaled(prior, base), alpha=alpha)
