"""Days, periods and offsets, against values read from the calendar by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from regulars.domain.calendar import Buckets, Unit, day_ends_at, epoch_day, local_day, local_time, offsets
from regulars.domain.timezones import epoch_second, hour_segments, offset_sql

HOUR = 3600


def changes(timezone: str, start: str, end: str) -> list[tuple[str, float]]:
    found = offsets(timezone, datetime.fromisoformat(start), datetime.fromisoformat(end))
    return [(offset.starts_at.isoformat(), offset.seconds / HOUR) for offset in found]


@pytest.mark.parametrize(
    ("timezone", "expected"),
    [
        ("Europe/Berlin", [("2026-01-01T00:00:00", 1), ("2026-03-29T01:00:00", 2), ("2026-10-25T01:00:00", 1)]),
        ("Asia/Kathmandu", [("2026-01-01T00:00:00", 5.75)]),
        ("Pacific/Pago_Pago", [("2026-01-01T00:00:00", -11)]),
        (
            "Australia/Lord_Howe",
            [("2026-01-01T00:00:00", 11), ("2026-04-04T15:00:00", 10.5), ("2026-10-03T15:30:00", 11)],
        ),
        ("Africa/Cairo", [("2026-01-01T00:00:00", 2), ("2026-04-23T22:00:00", 3), ("2026-10-29T21:00:00", 2)]),
        ("UTC", [("2026-01-01T00:00:00", 0)]),
    ],
)
def test_every_change_of_the_clock_in_a_year_is_found(timezone: str, expected: list[tuple[str, float]]) -> None:
    """To the second, with the offset that holds from then on."""
    assert changes(timezone, "2026-01-01", "2026-12-31") == expected


def test_offsets_of_an_instant_are_one_offset() -> None:
    """A stretch without length has no change inside."""
    assert changes("Europe/Berlin", "2026-07-01", "2026-07-01") == [("2026-07-01T00:00:00", 2)]


@pytest.mark.parametrize(
    ("timezone", "instant", "expected"),
    [
        ("Europe/Berlin", "2026-03-28T22:59:59.999999", "2026-03-28"),
        ("Europe/Berlin", "2026-03-28T23:00:00", "2026-03-29"),
        ("Europe/Berlin", "2026-03-29T21:59:59", "2026-03-29"),
        ("Europe/Berlin", "2026-03-29T22:00:00", "2026-03-30"),
        ("Asia/Kathmandu", "2026-01-01T18:14:59", "2026-01-01"),
        ("Asia/Kathmandu", "2026-01-01T18:15:00", "2026-01-02"),
        ("Pacific/Pago_Pago", "2026-01-01T10:59:59", "2025-12-31"),
        ("Pacific/Pago_Pago", "2026-01-01T11:00:00", "2026-01-01"),
        ("Australia/Lord_Howe", "2026-04-05T13:29:59", "2026-04-05"),
        ("Australia/Lord_Howe", "2026-04-05T13:30:00", "2026-04-06"),
        ("Africa/Cairo", "2026-04-23T21:59:59", "2026-04-23"),
        ("Africa/Cairo", "2026-04-23T22:00:00", "2026-04-24"),
        ("Africa/Cairo", "2026-10-29T21:30:00", "2026-10-29"),
        ("Africa/Cairo", "2026-10-29T22:00:00", "2026-10-30"),
    ],
)
def test_the_local_day_changes_at_local_midnight(timezone: str, instant: str, expected: str) -> None:
    """Before, at and after midnight, also where the clock itself changes at midnight."""
    assert local_day(datetime.fromisoformat(instant), timezone) == date.fromisoformat(expected)


def test_midnight_that_does_not_exist_is_one_o_clock() -> None:
    """In Cairo the last Friday of April begins at 01:00."""
    assert local_time(datetime(2026, 4, 23, 22), "Africa/Cairo") == datetime(2026, 4, 24, 1)


@pytest.mark.parametrize(
    ("timezone", "day", "hours"),
    [
        ("UTC", "2026-03-29", 24),
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Africa/Cairo", "2026-04-24", 23),
        ("Africa/Cairo", "2026-10-29", 25),
        ("Pacific/Pago_Pago", "2026-03-29", 24),
    ],
)
def test_a_day_is_as_long_as_its_clock_says(timezone: str, day: str, hours: float) -> None:
    """From the end of the day before to its own end."""
    this = date.fromisoformat(day)
    begin, end = day_ends_at(this - timedelta(days=1), timezone), day_ends_at(this, timezone)
    assert end - begin == timedelta(hours=hours)
    assert local_day(end, timezone) > this == local_day(end - timedelta(microseconds=1), timezone)
    assert local_day(begin, timezone) == this


@pytest.mark.parametrize(("week_start", "first"), list(enumerate(("02", "03", "04", "05", "06", "07", "08"), 1)))
def test_a_week_begins_on_any_of_seven_days(week_start: int, first: str) -> None:
    """The week of 8 March 2026, a Sunday, for each start of the week."""
    start = Buckets("week", week_start).start(date(2026, 3, 8))
    assert start == date.fromisoformat(f"2026-03-{first}")
    assert start.isoweekday() == week_start
    assert Buckets("week", week_start).end(date(2026, 3, 8)) == start + timedelta(days=6)


@pytest.mark.parametrize(
    ("day", "unit", "start", "end"),
    [
        ("2024-02-29", "day", "2024-02-29", "2024-02-29"),
        ("2024-02-29", "month", "2024-02-01", "2024-02-29"),
        ("2023-02-28", "month", "2023-02-01", "2023-02-28"),
        ("2024-02-29", "quarter", "2024-01-01", "2024-03-31"),
        ("2026-12-31", "quarter", "2026-10-01", "2026-12-31"),
        ("2026-06-30", "quarter", "2026-04-01", "2026-06-30"),
        ("2024-12-31", "year", "2024-01-01", "2024-12-31"),
        ("2020-12-31", "week", "2020-12-28", "2021-01-03"),
        ("2021-01-03", "week", "2020-12-28", "2021-01-03"),
        ("2021-01-04", "week", "2021-01-04", "2021-01-10"),
    ],
)
def test_periods_begin_and_end_where_the_calendar_says(day: str, unit: Unit, start: str, end: str) -> None:
    """Leap days, quarters, and ISO week 53, which lies in two years."""
    this = date.fromisoformat(day)
    assert Buckets(unit).start(this) == date.fromisoformat(start)
    assert Buckets(unit).end(this) == date.fromisoformat(end)


def test_day_numbers_count_from_1970() -> None:
    """Also before it, and over a leap day."""
    assert [epoch_day(date(*day)) for day in ((1970, 1, 1), (1969, 12, 31), (1972, 3, 1))] == [0, -1, 790]
    assert epoch_second(datetime(1970, 1, 2, 0, 0, 1)) == 86_401


def test_an_offset_without_changes_is_a_number() -> None:
    """And one with changes is a CASE over instants."""
    start = datetime(2026, 1, 1)
    assert offset_sql("s", offsets("Asia/Kathmandu", start, start)) == "20700"
    berlin = offset_sql("s", offsets("Europe/Berlin", start, datetime(2026, 6, 1)))
    assert berlin == "CASE WHEN s < 1774746000 THEN 3600 ELSE 7200 END"


def test_a_change_at_midnight_leaves_no_empty_stretch() -> None:
    """Cairo's day of 23 hours has one offset, because its change is its beginning."""
    segments = hour_segments("Africa/Cairo", date(2026, 4, 24), date(2026, 4, 24))
    assert [(end - start, offset) for start, end, _, offset in segments] == [(23 * HOUR, 3 * HOUR)]


def test_a_change_at_the_end_of_a_day_belongs_to_the_next() -> None:
    """The day before it has one offset and 24 hours."""
    segments = hour_segments("Africa/Cairo", date(2026, 4, 23), date(2026, 4, 23))
    assert [(end - start, offset) for start, end, _, offset in segments] == [(24 * HOUR, 2 * HOUR)]


@pytest.mark.parametrize(
    ("buckets", "start", "end"),
    [
        (Buckets("day", every=3, base=date(2026, 3, 1)), "2026-03-07", "2026-03-09"),
        (Buckets("day", every=3, base=date(2026, 3, 20)), "2026-03-08", "2026-03-10"),
        (Buckets("week", every=2, base=date(2026, 3, 3)), "2026-03-03", "2026-03-16"),
        (Buckets("week", base=date(2026, 3, 4)), "2026-03-04", "2026-03-10"),
        (Buckets("month", every=2, base=date(2026, 1, 17)), "2026-03-01", "2026-04-30"),
        (Buckets("month", every=5, base=date(2026, 4, 1)), "2025-11-01", "2026-03-31"),
        (Buckets("day"), "2026-03-08", "2026-03-08"),
    ],
)
def test_several_units_make_a_bucket_counted_from_any_day(buckets: Buckets, start: str, end: str) -> None:
    """Before that day, too."""
    assert buckets.start(date(2026, 3, 8)) == date.fromisoformat(start)
    assert buckets.end(date(2026, 3, 8)) == date.fromisoformat(end)
