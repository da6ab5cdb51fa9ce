"""Cases on which well-known tools give different answers, each with the answer of our contract.

Those about funnels stand in ``test_golden_funnels.py``, other tools' answers in ``tests/domain/test_conventions.py``.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.domain.examples import column, did, under, workspace


def likes(*rows: str) -> list[dict[str, Any]]:
    """``"ada 2026-01-05T10:00:00"`` as events."""
    return [did(*row.split()) for row in rows]


def test_1_an_event_at_midnight_belongs_to_the_day_that_begins() -> None:
    """At exactly 00:00 local, in Berlin, for windows of any length."""
    with workspace(*likes("ada 2026-01-05T23:00:00", "bob 2026-01-05T22:59:59"), timezone="Europe/Berlin") as ws:
        assert column(ws.active_users(start="2026-01-05", end="2026-01-06"), "active_users") == [1, 1]
        assert ws.active_users(start="2026-01-06", end="2026-01-06").users(0) == ["ada"]
        assert column(ws.active_users(window=2, start="2026-01-06"), "active_users") == [2]


def test_2_a_session_over_midnight_is_one_session_and_two_active_days() -> None:
    """It belongs to the day of its start."""
    with workspace(*likes("ada 2026-01-05T23:50:00", "ada 2026-01-06T00:10:00")) as ws:
        assert column(ws.sessions(start="2026-01-05", end="2026-01-06"), "sessions") == [1, 0]
        assert column(ws.active_users(start="2026-01-05", end="2026-01-06"), "active_users") == [1, 1]


def test_3_a_person_active_on_both_sides_of_a_month_counts_in_both_and_once_in_the_window() -> None:
    """31 January and 1 February."""
    with workspace(*likes("ada 2026-01-31T10:00:00", "ada 2026-02-01T10:00:00")) as ws:
        assert column(ws.active_users(calendar="month", start="2026-01-01"), "active_users") == [1, 1]
        assert column(ws.active_users(window=30, start="2026-02-01"), "active_users") == [1]


def test_4_a_pause_of_exactly_30_minutes_continues_a_session_and_a_longer_one_does_not() -> None:
    """30:59 is longer."""
    with workspace(
        *likes(
            "ada 2026-01-05T10:00:00", "ada 2026-01-05T10:30:00", "bob 2026-01-05T10:00:00", "bob 2026-01-05T10:30:59"
        )
    ) as ws:
        assert column(ws.sessions(start="2026-01-05", by="user_id"), "sessions") == [1, 2]


def test_5_and_6_a_return_is_at_or_after_the_start_even_within_the_second() -> None:
    """The same second counts for another event; earlier on the same day does not."""
    same = [did("ada", "2026-01-05T10:00:00", "view"), did("ada", "2026-01-05T10:00:00", "buy")]
    before = [did("bob", "2026-01-05T09:00:00", "buy"), did("bob", "2026-01-05T10:00:00", "view")]
    with workspace(*same, *before) as ws:
        found = ws.retention(start="2026-01-05", start_event="view", return_event="buy", horizon=1)
        assert found.users(0, "retention_users") == ["ada"]


def test_7_an_anonymous_person_who_is_known_a_week_later_is_one_person_ever_since_the_start() -> None:
    """In counts and lists alike, and new on the day of the anonymous visit."""
    anonymous = {"anonymous_id": "x", "event_type": "like", "timestamp": "2026-01-05T10:00:00Z"}
    known = {"user_id": "ada", "anonymous_id": "x", "event_type": "identify", "timestamp": "2026-01-12T10:00:00Z"}
    with workspace(anonymous, did("ada", "2026-01-12T10:01:00")) as ws:
        assert ws.active_users(window=30, start="2026-01-12").rows[0]["active_users"] == 2
        ws.load([known])
        found = ws.active_users(window=30, start="2026-01-12")
        assert (found.rows[0]["active_users"], found.users(0)) == (1, ["ada"])
        assert column(ws.lifecycle(start="2026-01-05", end="2026-01-05"), "new") == [1]
        assert column(ws.lifecycle(start="2026-01-12", end="2026-01-12"), "resurrected") == [1]


def test_8_a_backfilled_first_event_moves_the_first_day_of_that_person_only() -> None:
    """An import of older events does not make everybody new on the day of the import."""
    with workspace(*likes("ada 2026-01-12T10:00:00", "bob 2026-01-12T10:00:00")) as ws:
        ws.load(likes("ada 2026-01-05T10:00:00"))
        assert column(ws.lifecycle(start="2026-01-05", end="2026-01-05"), "new") == [1]
        assert ws.lifecycle(start="2026-01-12").users(0, "new") == ["bob"]
        assert ws.lifecycle(start="2026-01-12").users(0, "resurrected") == ["ada"]


def test_9_new_is_the_first_activity_not_the_profile() -> None:
    """Registered in week 1, first active in week 3; by registration, the person is new to nobody in week 3."""
    person = {"user_id": "ada", "registration_date": "2026-01-05"}
    with workspace(*likes("ada 2026-01-19T10:00:00"), users=(person,)) as ws:
        asked: dict[str, Any] = {"start": "2026-01-19", "end": "2026-01-19", "grain": "week"}
        assert column(ws.new_vs_returning(**asked), "new") == [1]
        assert column(ws.new_vs_returning(new_by="registration", **asked), "new") == [0]


@pytest.mark.parametrize(
    ("timezone", "at", "day"),
    [
        ("Europe/Berlin", "2026-03-29T21:59:59", date(2026, 3, 29)),
        ("Europe/Berlin", "2026-03-28T22:59:59", date(2026, 3, 28)),
        ("Europe/Berlin", "2026-10-25T22:59:59", date(2026, 10, 25)),
        ("America/New_York", "2026-11-02T04:59:59", date(2026, 11, 1)),
        ("Asia/Kathmandu", "2026-01-05T18:14:59", date(2026, 1, 5)),
        ("Asia/Kathmandu", "2026-01-05T18:15:00", date(2026, 1, 6)),
        ("Pacific/Pago_Pago", "2026-01-05T10:59:59", date(2026, 1, 4)),
        ("Pacific/Pago_Pago", "2026-01-05T11:00:00", date(2026, 1, 5)),
    ],
)
def test_10_days_are_local_on_both_days_of_a_clock_change_and_far_from_utc(timezone: str, at: str, day: date) -> None:
    """23 and 25 hours, +05:45 and -11:00."""
    with workspace(*likes(f"ada {at}"), timezone=timezone) as ws:
        row = ws.active_users().rows[-1]
        assert (row["date"], row["active_users"]) == (day, 1)


def test_11_and_12_the_average_of_cohorts_pools_people_and_keeps_those_of_whom_nobody_returned() -> None:
    """500 of 1,000, 400 of 500 and 0 of 100, at a hundredth of the size."""
    sizes = {5: (10, 5), 6: (5, 4), 7: (1, 0)}
    rows = [f"u{day}-{n} 2026-01-{day:02}T10:00:00" for day, (size, _) in sizes.items() for n in range(size)]
    rows += [f"u{day}-{n} 2026-01-{day + 1:02}T10:00:00" for day, (_, kept) in sizes.items() for n in range(kept)]
    with workspace(*likes(*rows, "z 2026-01-09T10:00:00")) as ws:
        two = ws.retention(start="2026-01-05", end="2026-01-06", horizon=1).averages[1]
        three = ws.retention(start="2026-01-05", end="2026-01-07", horizon=1).averages[1]
    assert two["retention"] == 0.6
    assert (three["cohorts"], three["retention"]) == (3, 9 / 16)


def test_13_the_running_bucket_is_flagged_and_kept_out_of_averages_and_churn() -> None:
    """Wednesday noon of a week that began on Monday."""
    now = datetime(2026, 1, 14, 12, tzinfo=UTC)
    with workspace(
        *likes("ada 2026-01-06T10:00:00", "ada 2026-01-14T10:00:00", "bob 2026-01-06T10:00:00"), now=now
    ) as ws:
        weeks = ws.lifecycle(grain="week", start="2026-01-05").rows
        assert [("incomplete" in row["flags"], row["churned"]) for row in weeks] == [(False, 0), (True, 1)]
        average = ws.retention(grain="week", start="2026-01-05", horizon=1).averages[1]
        assert (average["cohorts"], average["retention"]) == (0, None)


@pytest.mark.parametrize(
    ("week_start", "begins"),
    [
        ("monday", [date(2025, 12, 29), date(2026, 1, 5)]),
        ("sunday", [date(2026, 1, 4)]),
        ("saturday", [date(2026, 1, 3)]),
    ],
)
def test_14_weeks_begin_where_the_settings_say(week_start: str, begins: list[date]) -> None:
    """A Sunday and a Monday: one week or two."""
    with workspace(*likes("ada 2026-01-04T10:00:00", "ada 2026-01-05T10:00:00"), week_start=week_start) as ws:
        assert column(ws.active_users(grain="week", start="2026-01-04"), "date") == begins
        assert ws.retention(grain="week", start="2026-01-04").rows[0]["date"] == begins[0]


def test_17_an_internal_person_without_an_address_stays_out_and_nobody_else_does() -> None:
    """A rule about a property that is missing excludes nobody."""
    people = ({"user_id": "qa", "population": "test"}, {"user_id": "ada", "email": "ada@example.org"})
    with workspace(*(did(who, "2026-01-05T10:00:00") for who in ("qa", "ada", "bob")), users=people) as ws:
        found = ws.active_users(start="2026-01-05")
        assert found.users(0) == ["ada", "bob"]
        assert found.population["excluded"] == {"test": 1}
        assert ws.active_users(start="2026-01-05", where="email != 'qa@example.org'").users(0) == ["ada", "bob"]


def test_18_an_event_delivered_twice_counts_once() -> None:
    """Whether in one delivery or in two."""
    event = did("ada", "2026-01-05T10:00:00", event_id="e1")
    with workspace(event, event) as ws:
        assert ws.load([event]).duplicates == 1
        assert column(ws.actions(start="2026-01-05"), "actions") == [1]


def test_19_late_events_count_where_they_happened_and_future_ones_do_not_count_yet() -> None:
    """40 minutes, 3 days and 2 years late, and a day ahead of the clock."""
    now = datetime(2026, 1, 8, 12, tzinfo=UTC)
    with workspace(*likes("ada 2026-01-08T11:00:00"), now=now) as ws:
        for late in (timedelta(minutes=40), timedelta(days=3), timedelta(days=730), timedelta(days=-1)):
            ws.load(likes(f"bob {(now - late).replace(tzinfo=None).isoformat()}"))
        assert column(ws.active_users(start="2026-01-05"), "active_users") == [1, 0, 0, 2]
        assert column(ws.active_users(start="2024-01-09", end="2024-01-09"), "active_users") == [1]
        assert ws.active_users().watermark == date(2026, 1, 8)
        with under(ws) as later:
            assert column(later.active_users(start="2026-01-09"), "active_users") == [1]


def test_20_an_erased_person_is_gone_from_numbers_that_were_published_before() -> None:
    """And the certificate names the days that changed."""
    with workspace(*likes("ada 2026-01-05T10:00:00", "bob 2026-01-05T10:00:00")) as ws:
        assert column(ws.active_users(start="2026-01-05"), "active_users") == [2]
        certificate = ws.erase("ada")
        assert column(ws.active_users(start="2026-01-05"), "active_users") == [1]
        assert certificate.first_day == certificate.last_day == date(2026, 1, 5)
