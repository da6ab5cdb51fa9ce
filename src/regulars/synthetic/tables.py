"""The two tables as they are written: which columns, in which order, in which spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regulars.synthetic.billing import PRICE
from regulars.synthetic.dirt import BROKEN_TIME, BROKEN_TYPE, BROKEN_USER, UNKNOWN_TYPE
from regulars.synthetic.events import COURSES, FAILED, IDENTIFY, KINDS, PAID, QUIZ, VIDEO
from regulars.synthetic.population import COUNTRIES, SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regulars.synthetic.events import Columns
    from regulars.synthetic.options import GeneratorOptions
    from regulars.synthetic.population import Population

_TIME = "to_timestamp(epoch)"  # with a zone, so that no reader has to ask for one
_TIME_TEXT = "strftime(make_timestamp(epoch * 1000000), '%Y-%m-%dT%H:%M:%SZ')"
_UNREADABLE_TIME = "not a time"
_TIMES = {"epoch": "second", "sent_epoch": "sent", "received_epoch": "received"}


def user_columns(options: GeneratorOptions, people: Population) -> Columns:
    """The arrays that `users_select` reads."""
    return {
        "user_id": people.user_id,
        "signup": np.datetime64(options.start_date, "D").astype(np.int64) + people.signup_day,
        "paid": people.paid,
        "country": people.country,
        "source": people.source,
        "engagement": people.engagement,
        "test": people.test,
    }


def users_select(options: GeneratorOptions) -> str:
    """SQL for the users of one block."""
    test = ",\n    test AS is_test_account" if options.test_accounts else ""
    return f"""SELECT
    user_id,
    DATE '1970-01-01' + signup::INTEGER AS signup_date,
    CASE WHEN paid THEN 'paid' ELSE 'free' END AS plan,
    paid AS is_paid,
    {_names(COUNTRIES)}[country + 1] AS country,
    {_names(SOURCES)}[source + 1] AS marketing_source,
    engagement AS engagement_score{test}
FROM block"""


def with_epoch(options: GeneratorOptions, columns: Columns) -> Columns:
    """The arrays that `events_select` reads: seconds of the window become seconds since 1970."""
    start = np.datetime64(options.start_date, "s").astype(np.int64)
    return {**columns, **{name: columns[column] + start for name, column in _TIMES.items()}}


def events_select(options: GeneratorOptions, *, text: bool) -> str:
    """SQL for the events of one block; `text` spells times the way CSV needs."""
    time, unreadable = (_TIME_TEXT, f"'{_UNREADABLE_TIME}'") if text else (_TIME, "NULL")
    linked = f"hidden OR kind = {IDENTIFY}"
    anonymous = f",\n    CASE WHEN {linked} THEN 'anon-' || user_id END AS anonymous_id"
    return f"""SELECT
    event_id,
    CASE WHEN NOT hidden AND broken <> {BROKEN_USER} THEN user_id END AS user_id,
    CASE WHEN broken = {BROKEN_TIME} THEN {unreadable} ELSE {time} END AS event_time,
    CASE WHEN broken <> {BROKEN_TYPE} THEN {_names((*KINDS, UNKNOWN_TYPE))}[label + 1] END AS event_type,
    CASE WHEN course >= 0 THEN {_names(COURSES)}[course + 1] END AS course_id,
    CASE WHEN kind = {VIDEO} THEN measure END AS watch_minutes,
    CASE WHEN kind = {QUIZ} THEN measure END AS quiz_score,
    CASE WHEN kind IN ({PAID}, {FAILED}) THEN {PRICE}::DECIMAL(8, 2) END AS amount{
        anonymous if options.anonymous else ""
    }{_arrival(time) if options.late or options.out_of_order or options.clock_skew else ""}
FROM block"""


def _arrival(time: str) -> str:
    """When an event was sent, by the client's clock, and received, by ours: what shows that it was late or skewed."""
    return "".join(
        f",\n    {time.replace('epoch', column, 1)} AS {name}"
        for name, column in (("sent_at", "sent_epoch"), ("received_at", "received_epoch"))
    )


def _names(names: Iterable[str]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"
