"""Events that happen to a user without a session: payments and support tickets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from regulars.synthetic.activity import DAY, days_of_month, present
from regulars.synthetic.events import FAILED, PAID, TICKET, Events, bare_events
from regulars.synthetic.population import BILLING, TICKETS, stream

if TYPE_CHECKING:
    from regulars.synthetic.options import GeneratorOptions
    from regulars.synthetic.population import Flags, Floats, Ints, Population

PRICE: Final = "499.00"
TICKET_CHANCE: Final = 0.005
_SUCCESS = 0.93
_PAYMENT_DAYS = (1, 2, 3)
_OFFICE_HOURS = (8 * 3600, 20 * 3600)


def billing_events(options: GeneratorOptions, people: Population, block: int) -> Events:
    """The payments of a block of users, in the order of user and time."""
    rng = stream(options.seed, BILLING, block)
    attempt, success = _attempts(options, people, rng)
    user, day = np.nonzero(attempt)
    second = day * DAY + rng.integers(*_OFFICE_HOURS, len(user))
    return bare_events(user, second, np.where(success[user, day], PAID, FAILED).astype(np.int8))


def ticket_events(options: GeneratorOptions, people: Population, block: int) -> Events:
    """The support tickets of a block of users, in the order of user and time."""
    rng = stream(options.seed, TICKETS, block)
    opened = rng.random((len(people), options.days), dtype=np.float32) < TICKET_CHANCE
    user, day = np.nonzero(opened & present(options, people))
    second = day * DAY + rng.integers(0, DAY, len(user))
    return bare_events(user, second, np.full(len(user), TICKET, np.int8))


def payment_chance(options: GeneratorOptions, people: Population) -> Floats:
    """The chance of a payment event: users x days of the window, for days the user is present on."""
    month_day = days_of_month(options)
    chance = np.where(month_day <= _PAYMENT_DAYS[-1], 1.0, 0.0)
    if options.payments == "monthly_days":
        return chance * people.paid[:, None]
    chance *= (1 - _SUCCESS) ** (month_day - 1)
    first_of_month = np.arange(options.days) - (month_day - 1)
    was_there = first_of_month >= np.maximum(people.signup_day, 0)[:, None]
    return chance * people.paid[:, None] * was_there


def _attempts(options: GeneratorOptions, people: Population, rng: np.random.Generator) -> tuple[Flags, Flags]:
    """Which user-days have a payment event, and on which of them it succeeds."""
    due = present(options, people) & people.paid[:, None]
    month_day = days_of_month(options)
    attempt, success = np.zeros_like(due), np.zeros_like(due)
    for number in _PAYMENT_DAYS:
        days = np.flatnonzero(month_day == number)
        tries = due[:, days]
        if options.payments == "once" and number > 1:
            tries &= _failed_the_day_before(attempt, success, days)
        attempt[:, days] = tries
        success[:, days] = rng.random(tries.shape) < _SUCCESS
    return attempt, success


def _failed_the_day_before(attempt: Flags, success: Flags, days: Ints) -> Flags:
    before = np.maximum(days - 1, 0)
    failed: Flags = attempt[:, before] & ~success[:, before] & (days > 0)
    return failed
