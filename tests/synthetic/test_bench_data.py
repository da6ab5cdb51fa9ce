"""The event logs that speed is measured on."""

import duckdb
import pytest

from benchmarks.data import COUNTRIES, SIZES, write_bench_events


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "events.parquet"
    return path, write_bench_events(path, users=1500, days=60, seed=7)


def ask(log, what):
    return duckdb.sql(f"SELECT {what} FROM '{log[0]}'").fetchall()[0]


def test_rows_are_in_the_order_of_time_with_unique_text_ids(log):
    """The log looks like a real export: by time, and each event with an id of its own."""
    times = [time for (time,) in duckdb.sql(f"SELECT event_time FROM '{log[0]}'").fetchall()]
    assert times == sorted(times)
    assert ask(log, "count(*), count(DISTINCT event_id)") == (log[1], log[1])
    assert ask(log, "bool_and(user_id LIKE 'user_%')") == (True,)


def test_the_columns_and_their_variety_are_the_documented_ones(log):
    """Twenty and more event types, fifty countries of unequal size, and eight columns in fixed order."""
    described = [row[:2] for row in duckdb.sql(f"DESCRIBE FROM '{log[0]}'").fetchall()]
    text = ["event_id", "user_id", "event_type", "country", "platform", "plan", "feature"]
    assert described == [(name, "VARCHAR") for name in text[:2]] + [("event_time", "TIMESTAMP")] + [
        (name, "VARCHAR") for name in text[2:]
    ]
    assert ask(log, "count(DISTINCT event_type) >= 20, count(DISTINCT country)") == (True, len(COUNTRIES))
    assert len(set(COUNTRIES)) == 50


def test_activity_has_a_heavy_tail(log):
    """A few users come nearly daily while half of them come on few days."""
    days = f"SELECT count(DISTINCT event_time::DATE) AS n FROM '{log[0]}' GROUP BY user_id"
    half, most = duckdb.sql(f"SELECT median(n), max(n) FROM ({days})").fetchall()[0]
    assert half <= 4
    assert most >= 58


def test_a_session_has_about_six_events(log):
    """Sessions are parted by half an hour of silence and hold five to seven events on average."""
    gap = "event_time - lag(event_time) OVER (PARTITION BY user_id ORDER BY event_time)"
    starts = f"SELECT ({gap}) IS NULL OR ({gap}) > INTERVAL 30 MINUTE AS start FROM '{log[0]}'"
    (size,) = duckdb.sql(f"SELECT count(*) / count_if(start) FROM ({starts})").fetchall()[0]
    assert 5 <= size <= 7


def test_the_same_arguments_give_the_same_rows(log, tmp_path):
    """A benchmark can be repeated on another machine."""
    again = tmp_path / "again.parquet"
    write_bench_events(again, users=1500, days=60, seed=7)
    assert duckdb.sql(f"FROM '{again}'").fetchall() == duckdb.sql(f"FROM '{log[0]}'").fetchall()


def test_the_sizes_are_the_standard_ones():
    """S, M and L name the numbers of users that published figures refer to."""
    assert SIZES == {"S": 5_000, "M": 75_000, "L": 1_000_000}
