import csv
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from regulars.errors import SettingsError, SourceError
from tests.infrastructure.load_support import T, Warehouse, event, lines_of

NEW_YEAR = datetime(2026, 1, 1)
ZONES = ("Europe/Berlin", "Asia/Kathmandu", "Pacific/Pago_Pago", "Australia/Lord_Howe", "Africa/Cairo", "UTC")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-01-01T00:00:00Z", NEW_YEAR),
        ("2026-01-01T00:00:00z", NEW_YEAR),
        ("2026-01-01 00:00:00Z", NEW_YEAR),
        (" 2026-01-01T00:00:00Z ", NEW_YEAR),
        ("2026-01-01T00:00Z", NEW_YEAR),
        ("2026-01-01 00:00:00 UTC", NEW_YEAR),
        ("2026-01-01T05:30:00+05:30", NEW_YEAR),
        ("2026-01-01 05:30:00+0530", NEW_YEAR),
        ("2026-01-01 05:30:00 +05:30", NEW_YEAR),
        ("2026-01-01T05:00:00+05", NEW_YEAR),
        ("2025-12-31T20:30:00-03:30", NEW_YEAR),
        ("2026-01-01T00:00:00.5Z", datetime(2026, 1, 1, 0, 0, 0, 500_000)),
        ("2026-01-01T00:00:00,5Z", datetime(2026, 1, 1, 0, 0, 0, 500_000)),
        ("2026-01-01T00:00:00.123456789Z", datetime(2026, 1, 1, 0, 0, 0, 123_456)),
        ("2025-12-31T24:00:00Z", NEW_YEAR),
        ("2025-12-31T23:59:60Z", NEW_YEAR),
        ("2025-12-31T23:59:60.25Z", datetime(2026, 1, 1, 0, 0, 0, 250_000)),
        (1767225600, NEW_YEAR),
        ("1767225600", NEW_YEAR),
        (1767225600.5, datetime(2026, 1, 1, 0, 0, 0, 500_000)),
        (1767225600000, NEW_YEAR),
        (1767225600000000, NEW_YEAR),
        (1767225600000000000, NEW_YEAR),
        ("1.7672256e9", NEW_YEAR),
        (0, datetime(1970, 1, 1)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1)),
        ("2100-12-31T23:59:59.999999Z", datetime(2100, 12, 31, 23, 59, 59, 999_999)),
        ("2024-02-29T12:00:00Z", datetime(2024, 2, 29, 12)),
    ],
)
def test_every_spelling_of_an_instant_is_the_same_instant(given, expected):
    warehouse = Warehouse()
    warehouse.load([event(timestamp=given)])
    assert warehouse.times() == [expected]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("yesterday", "bad_time"),
        ("", "bad_time"),
        (None, "bad_time"),
        ("infinity", "bad_time"),
        ("epoch", "bad_time"),
        ("2025-02-29T00:00:00Z", "bad_time"),
        ("2025-13-01T00:00:00Z", "bad_time"),
        ("2025-01-01T25:00:00Z", "bad_time"),
        ("2025-01-01T24:00:01Z", "bad_time"),
        ("2025-01-01T00:60:00Z", "bad_time"),
        ("2025-01-01T00:00:00+99:99", "bad_time"),
        ("01/02/2025 10:00", "bad_time"),
        ("2025-01-01T00:00:00 Europe/Berlin", "bad_time"),
        ("294247-01-01T00:00:00Z", "bad_time"),
        ("0000-01-01T00:00:00Z", "time_out_of_range"),
        ("0001-01-01T00:00:00Z", "time_out_of_range"),
        ("9999-12-31T23:59:59Z", "time_out_of_range"),
        ("1969-12-31T23:59:59Z", "time_out_of_range"),
        ("2101-01-01T00:00:00Z", "time_out_of_range"),
        (-1, "time_out_of_range"),
        (9e18, "time_out_of_range"),
        (2**62, "time_out_of_range"),
        (True, "bad_time"),
        ({"a": 1}, "bad_time"),
    ],
)
def test_what_is_no_time_costs_its_own_row_only(given, reason):
    warehouse = Warehouse()
    report = warehouse.load([event(), event(event_id="e2", timestamp=given)])
    assert (report.loaded, lines_of(report)) == (1, {2: reason})


def test_parquet_times_are_read_in_every_unit(tmp_path):
    for unit in ("ms", "us", "ns"):
        for zone in ("UTC", "Asia/Kathmandu"):
            warehouse = Warehouse()
            times = pl.Series([datetime(2026, 1, 5, 10, tzinfo=UTC)]).dt.cast_time_unit(unit).dt.convert_time_zone(zone)
            path = tmp_path / "a.parquet"
            pl.DataFrame({"user_id": ["u"], "event_type": ["x"], "timestamp": times}).write_parquet(path)
            warehouse.load(path)
            assert warehouse.times() == [datetime(2026, 1, 5, 10)]


def test_parquet_integers_and_fractions_are_epochs(tmp_path):
    for value in (1767225600, 1767225600000, 1767225600.0, 1767225600000.0):
        warehouse = Warehouse()
        path = tmp_path / "a.parquet"
        frame = pl.DataFrame({"user_id": ["u", "v"], "event_type": ["x", "x"], "timestamp": [value, None]})
        frame.write_parquet(path)
        assert warehouse.load(path).reasons == {"bad_time": 1}
        assert warehouse.times() == [NEW_YEAR]


def naive_sources(tmp_path):
    naive = datetime(2026, 7, 1, 12)
    record = {"user_id": "u", "event_type": "x", "when": naive}
    path = tmp_path / "a.csv"
    path.write_text(f"user_id,event_type,time\nu,x,{naive}\nv,x,{T}\n")
    parquet = tmp_path / "a.parquet"
    frame = pl.DataFrame([record]).rename({"when": "time"})
    frame.write_parquet(parquet)
    dated = pl.DataFrame({"user_id": ["u"], "event_type": ["x"], "date": [naive.date()]})
    listed = [{"user_id": "u", "event_type": "x", "time": naive}]
    return [
        path,
        parquet,
        frame,
        frame.to_pandas(),
        frame.with_columns(pl.col("time").dt.cast_time_unit("ns")),
        dated,
        listed,
    ]


@pytest.mark.parametrize("index", range(7))
def test_a_naive_time_refuses_the_whole_import(tmp_path, index):
    warehouse = Warehouse()
    with pytest.raises(
        SourceError, match=r"1 times in column '(time|date)' name no time zone, first '2026-07-01"
    ) as caught:
        warehouse.load(naive_sources(tmp_path)[index])
    assert caught.value.code == "naive_time"
    assert "--timezone UTC" in str(caught.value)
    assert warehouse.counts()["fact_user_actions"] == 0


@pytest.mark.parametrize("index", [0, 1, 2, 3, 4, 6])
def test_a_naive_time_is_read_in_the_zone_that_is_named(tmp_path, index):
    warehouse = Warehouse()
    warehouse.load(naive_sources(tmp_path)[index], timezone="Europe/Berlin")
    assert datetime(2026, 7, 1, 10) in warehouse.times()


def test_a_named_zone_leaves_zoned_times_alone():
    warehouse = Warehouse()
    warehouse.load([event(), event(event_id="e2", timestamp="2026-01-05 10:00:00")], timezone="Asia/Kathmandu")
    assert warehouse.times() == [datetime(2026, 1, 5, 10), datetime(2026, 1, 5, 4, 15)]


def test_an_unknown_zone_is_refused():
    with pytest.raises(SettingsError, match="unknown timezone 'Europe/Berln'"):
        Warehouse().load([event()], timezone="Europe/Berln")


def hours_around_changes(zone):
    """Every half hour of the days around each change of offset in 2025 and 2026, and of two quiet days."""
    info = ZoneInfo(zone)
    start = datetime(2025, 1, 1)
    days = [start + timedelta(days=n) for n in range(730)]
    offset = [day.replace(tzinfo=info).utcoffset() for day in days]
    chosen = {0, 400, *(n + d for n in range(729) if offset[n] != offset[n + 1] for d in (-1, 0, 1))}
    return [days[n] + timedelta(minutes=30 * half) for n in sorted(chosen) for half in range(48)]


@pytest.mark.parametrize("zone", ZONES)
def test_local_times_become_utc_as_zoneinfo_says(tmp_path, zone):
    warehouse = Warehouse()
    local = hours_around_changes(zone)
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [["event_id", "user_id", "event", "time"], *([f"{n:06}", "u", "x", t] for n, t in enumerate(local))]
        )
    warehouse.load(path, timezone=zone)
    expected = [t.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None) for t in local]
    assert warehouse.times() == expected


@pytest.mark.parametrize("zone", ZONES)
def test_the_day_and_the_time_of_day_are_those_of_the_workspace(zone):
    warehouse = Warehouse(timezone=zone)
    instants = [t + timedelta(hours=h) for t in hours_around_changes("Europe/Berlin")[::7] for h in (-9, 0, 13)]
    instants += [
        t.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None) for t in hours_around_changes(zone)
    ]
    warehouse.load([event(event_id=f"{n:06}", timestamp=f"{t}Z") for n, t in enumerate(instants)])
    local = [t.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)) for t in instants]
    assert warehouse.rows("SELECT day, time_key FROM fact_user_actions ORDER BY event_id") == [
        (t.date(), t.hour * 10000 + t.minute * 100 + t.second) for t in local
    ]


def test_a_time_whose_local_day_has_no_place_in_the_calendar_is_rejected():
    warehouse = Warehouse(timezone="Pacific/Pago_Pago")
    report = warehouse.load([event(timestamp="1970-01-01T01:00:00Z"), event(event_id="e2")])
    assert report.reasons == {"time_out_of_range": 1}


def test_a_span_of_a_century_has_all_its_offsets():
    warehouse = Warehouse(timezone="Europe/Berlin")
    instants = [datetime(1970, 1, 2) + timedelta(days=97, hours=1) * n for n in range(490)]
    warehouse.load([event(event_id=f"{n:06}", timestamp=f"{t}Z") for n, t in enumerate(instants)])
    local = [t.replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin")) for t in instants]
    assert warehouse.rows("SELECT day, time_key // 10000 FROM fact_user_actions ORDER BY event_id") == [
        (t.date(), t.hour) for t in local
    ]


def test_future_times_are_kept_and_counted():
    warehouse = Warehouse()
    report = warehouse.load(
        [
            event(timestamp="2026-03-01T12:05:00Z"),
            event(event_id="e2", timestamp="2026-03-01T12:05:01Z"),
            event(event_id="e3", timestamp="2031-01-01T00:00:00Z"),
        ]
    )
    assert (report.loaded, report.future) == (3, 2)
    assert (report.first_time, report.last_time) == (datetime(2026, 3, 1, 12, 5), datetime(2031, 1, 1))


def test_the_time_of_receipt_is_taken_from_the_source_or_the_import():
    warehouse = Warehouse()
    warehouse.load(
        [
            event(event_id="a", received_at="2026-01-05T10:00:01Z"),
            event(event_id="b"),
            event(event_id="c", received_at="soon"),
        ]
    )
    assert warehouse.column("SELECT received_at FROM fact_user_actions ORDER BY event_id") == [
        datetime(2026, 1, 5, 10, 0, 1),
        datetime(2026, 3, 1, 12),
        datetime(2026, 3, 1, 12),
    ]
