"""What can be asked of the generator: one record that the limits, the help texts and the flags come from."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from regulars.errors import SettingsError, did_you_mean

if TYPE_CHECKING:
    from dataclasses import Field

Signups = Literal["before", "growing"]
Payments = Literal["monthly_days", "once"]
CHOICES: dict[str, tuple[str, ...]] = {"signups": ("before", "growing"), "payments": ("monthly_days", "once")}
ROW_KNOBS = ("duplicates", "late", "malformed", "unknown_types")
_EARLIEST, _LATEST = dt.date(1971, 1, 1), dt.date(2199, 12, 31)


def _number(default: float, text: str, low: float, high: float) -> Any:
    return field(default=default, metadata={"help": text, "low": low, "high": high})


def _rate(text: str, default: float = 0.0) -> Any:
    return _number(default, text, 0, 1)


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@dataclass(frozen=True, kw_only=True)
class GeneratorOptions:
    """One synthetic product. Every field has a default; a value outside its limits is a `SettingsError`.

    Rates and ratios are shares from 0 to 1. The knobs from ``duplicates`` on inject known dirt; the share
    of ``duplicates``, ``late``, ``malformed`` and ``unknown_types`` is of event rows, and no row has two
    of these, so together they cannot exceed 1. With ``late``, ``out_of_order`` or ``clock_skew`` each event
    also says when it was sent, by the client's clock, and when it was received.

    >>> GeneratorOptions(days=30).end_date
    datetime.date(2025, 1, 31)
    >>> GeneratorOptions(paid_ratio=1.5)
    Traceback (most recent call last):
    regulars.errors.SettingsError: paid_ratio is 1.5; it must be a number from 0 to 1
    """

    n_users: int = _number(2000, "How many users.", 1, 50_000_000)
    days: int = _number(120, "How many days of events.", 1, 3660)
    start_date: dt.date = field(
        default=dt.date(2025, 1, 1), metadata=_help("First day of events (UTC), as YYYY-MM-DD.")
    )
    seed: int = _number(42, "Same seed and options, same data.", 0, 2**63 - 1)
    paid_ratio: float = _rate("Share of users on the paid plan.", 0.35)
    churn_base_rate: float = _rate("Chance of churn before plan and engagement change it.", 0.35)
    signup_spread_days: int = _number(35, "Days up to the first one over which users signed up.", 1, 3650)
    engagement_a: float = _number(2.0, "First shape of the Beta-drawn engagement; up means more.", 0.01, 1000)
    engagement_b: float = _number(2.5, "Second shape of the engagement; up means less.", 0.01, 1000)
    activity_base: float = _rate("Chance that a user with engagement 0 is active on a day.", 0.15)
    activity_slope: float = _rate("What engagement 1 adds to that chance.", 0.8)
    weekend_factor: float = _number(
        1.0, "Activity on Saturday and Sunday against other days; the weekly mean stays.", 0, 10
    )
    signups: Signups = field(default="before", metadata=_help("'growing' moves 60 % of the sign-ups into the window."))
    payments: Payments = field(
        default="monthly_days",
        metadata=_help("A payment on each of days 1-3 of a month, or 'once': day 1, retried after a failure."),
    )
    duplicates: float = _rate("Share of event rows written twice.")
    late: float = _rate("Share of event rows moved to the end of the file.")
    out_of_order: float = _rate("Share of neighbouring rows of one user written in reverse.")
    clock_skew: float = _rate("Share of users whose clock is wrong by up to six hours.")
    malformed: float = _rate("Share of event rows without a readable time, user or type.")
    test_accounts: float = _rate("Share of users marked in a column is_test_account.")
    anonymous: float = _rate("Share of users who are anonymous until an identify event.")
    unknown_types: float = _rate("Share of event rows with a type that no catalogue knows.")

    def __post_init__(self) -> None:
        for spec in fields(self):
            _check(spec, getattr(self, spec.name))
        total = sum(getattr(self, knob) for knob in ROW_KNOBS)
        if total > 1:
            raise SettingsError(f"{', '.join(ROW_KNOBS)} add up to {total:g}; a row has one fate, so at most 1")

    @property
    def end_date(self) -> dt.date:
        """The first day after the window."""
        return self.start_date + dt.timedelta(days=self.days)

    def as_json(self) -> dict[str, object]:
        """The options with JSON values, in the order of the fields."""
        return {**asdict(self), "start_date": self.start_date.isoformat()}


def _check(spec: Field[Any], value: object) -> None:
    if spec.name == "start_date":
        _check_date(value)
    elif spec.name in CHOICES:
        _check_choice(spec.name, value)
    else:
        _check_number(spec, value)


def _check_date(value: object) -> None:
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime) or not _EARLIEST <= value <= _LATEST:
        allowed = f"it must be a date from {_EARLIEST} to {_LATEST}"
        raise SettingsError(f"start_date is {value!s}; {allowed}", option="start_date", value=value)


def _check_choice(name: str, value: object) -> None:
    if value not in CHOICES[name]:
        hint = did_you_mean(str(value), CHOICES[name])
        raise SettingsError(f"{name} is {value!r}; {hint}", option=name, value=value)


def _check_number(spec: Field[Any], value: object) -> None:
    whole = spec.type == "int"
    right_type = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    low, high = spec.metadata["low"], spec.metadata["high"]
    if right_type and low <= value <= high:  # NaN is never inside
        return
    kind = "whole number" if whole else "number"
    message = f"{spec.name} is {value!r}; it must be a {kind} from {low} to {high}"
    raise SettingsError(message, option=spec.name, value=value)
