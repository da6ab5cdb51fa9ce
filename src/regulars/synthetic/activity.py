"""On which days a user can be active, and how likely that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from regulars.synthetic.options import GeneratorOptions
    from regulars.synthetic.population import Flags, Floats, Ints, Population

DAY: Final = 86_400
_SATURDAY = 5


def present(options: GeneratorOptions, people: Population) -> Flags:
    """Which days each user has signed up for and not yet churned on: users x days of the window."""
    day = np.arange(options.days)
    flags: Flags = (day >= people.signup_day[:, None]) & (day < people.churn_day[:, None])
    return flags


def session_chance(options: GeneratorOptions, people: Population) -> Floats:
    """The chance that a present user opens a session: users x days of the window.

    The weekend factor moves activity inside the week. Where it would lift a chance above 1, the rest of
    the week takes what is left over, so that the weekly mean is the same for every user.
    """
    mean = np.clip(options.activity_base + options.activity_slope * people.engagement, 0, 1)
    factor = options.weekend_factor
    weekend = np.minimum(1, factor * mean * 7 / (5 + 2 * factor))
    weekday = np.minimum(1, (7 * mean - 2 * weekend) / 5)
    weekend = np.maximum(0, 7 * mean - 5 * weekday) / 2
    is_weekend = weekdays(options) >= _SATURDAY
    chance: Floats = np.where(is_weekend, weekend[:, None], weekday[:, None])
    return chance


def weekdays(options: GeneratorOptions) -> Ints:
    """The weekday of each day of the window, Monday being 0."""
    day: Ints = np.arange(options.days) + options.start_date.weekday()
    return day % 7


def days_of_month(options: GeneratorOptions) -> Ints:
    """The day of the month, from 1, of each day of the window."""
    day = np.datetime64(options.start_date, "D") + np.arange(options.days)
    number: Ints = (day - day.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1
    return number
