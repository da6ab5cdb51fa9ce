"""Who converts and who comes back: the catalogue's numbers as records."""

from datetime import date

import pytest

from regulars.application import ConversionAnalyzer, RetentionAnalyzer
from regulars.domain import CohortAnalysis, ConversionMetrics, RetentionMetrics
from regulars.errors import QueryError


def way(house):
    """Four people sign up on 1 February; three go on, two buy."""
    for user_id, steps in {"a": 1, "b": 2, "c": 3, "d": 3}.items():
        for number, kind in enumerate(("sign_up", "add_to_cart", "purchase")[:steps]):
            house.ws.track(user_id, kind, timestamp=f"2026-02-01T1{number}:00:00Z")


def test_a_funnel_is_counted_step_by_step(house):
    """People, shares, and the times between."""
    way(house)
    found = house.reopen().get_conversion_metrics(["sign_up", "add_to_cart", "purchase"], start="2026-02-01")
    assert (found["entered"], found["converted"], found["conversion_rate"]) == (4, 2, 0.5)
    assert [(step["name"], step["users"], step["dropped"]) for step in found["steps"]] == [
        ("sign_up", 4, 1), ("add_to_cart", 3, 1), ("purchase", 2, 0),
    ]  # fmt: skip
    assert [step["conversion_from_previous"] for step in found["steps"]][1:] == [0.75, pytest.approx(2 / 3)]
    assert [step["seconds_median"] for step in found["steps"]] == [None, 3600.0, 7200.0]
    rows = house.ws.funnel(["sign_up", "add_to_cart", "purchase"], start="2026-02-01").rows
    assert (found["low"], found["high"]) == (rows[-1]["low"], rows[-1]["high"])
    record = ConversionAnalyzer(house.ws).calculate_funnel_metrics("sign_up -> purchase", within="90 minutes")
    assert isinstance(record, ConversionMetrics)
    assert (record.entered, record.converted, record.conversion_rate) == (4, 0, 0.0)


def test_without_steps_conversion_is_the_share_of_active_people_who_convert(house):
    """In the last 30 days, or another window; conversion events are those of the catalogue."""
    way(house)
    house.did("e", "01-01")
    service = house.reopen()
    found = service.get_conversion_metrics()
    assert (found["entered"], found["converted"], found["conversion_rate"], found["steps"]) == (4, 2, 0.5, [])
    assert (found["start"], found["end"]) == ("2026-02-01", "2026-03-02")
    analyzer = ConversionAnalyzer(house.ws)
    assert analyzer.get_conversion_rate() == 0.5
    assert analyzer.get_conversion_rate(event="add_to_cart") == 0.75
    assert analyzer.get_conversion_rate(window=90) == 0.4
    assert analyzer.get_conversion_rate("2026-02-01", window=1) == 0.5
    assert analyzer.get_conversion_rate(window=7) is None
    row = house.ws.conversion_rate(window=30, start="2026-02-01", end="2026-02-01").rows[0]
    assert service.get_conversion_metrics(end="2026-02-01")["low"] == row["low"]


def test_nobody_converts_in_an_empty_workspace(house):
    """Counts are zero, and shares are undefined."""
    found = house.service.get_conversion_metrics()
    assert (found["entered"], found["converted"], found["conversion_rate"]) == (0, 0, None)
    found = house.service.get_conversion_metrics("sign_up -> purchase")
    assert (found["entered"], found["converted"], found["conversion_rate"], found["steps"]) == (0, 0, None, [])
    assert ConversionAnalyzer(house.ws).get_conversion_rate() is None
    assert house.service.get_retention_metrics()["cohort_size"] == 0
    cohort = house.service.analyze_cohort("2026-03-01")
    assert (cohort["cohort_size"], cohort["periods"]) == (0, [])


def test_what_cannot_be_asked_is_refused(memory):
    """By the same errors as elsewhere."""
    memory.did("ada", "03-01")
    for given in ({"steps": ["like"]}, {"steps": "like -> view", "start": "2026-03-02", "end": "2026-03-01"}):
        with pytest.raises(QueryError):
            memory.service.get_conversion_metrics(**given)
    with pytest.raises(QueryError, match="a funnel") as found:
        memory.service.get_conversion_metrics(start="2026-02-01")
    assert found.value.code == "bad_option"
    with pytest.raises(QueryError) as found:
        memory.service.analyze_cohort("soon")
    assert found.value.code == "bad_date"


DAYS = {"a": (1, 2, 3, 8), "b": (1, 2), "c": (1, 8), "d": (2, 3), "e": (3,)}


def active(house):
    for user_id, days in DAYS.items():
        house.did(user_id, *(f"02-{day:02}" for day in days))


def test_retention_is_the_share_that_comes_back(house):
    """Per day after the first, pooled over the people whose day is over."""
    active(house)
    found = house.reopen().get_retention_metrics(start="2026-02-01", end="2026-02-03", periods=(1, 7))
    back = {
        period: sum(min(days) + period in days for days in DAYS.values()) for period in (1, 7)
    }  # a, b, d after a day; a and c after seven
    assert found["cohort_size"] == 5
    assert [(p["period"], p["users"], p["returned"], p["retention"]) for p in found["periods"]] == [
        (1, 5, back[1], 0.6), (7, 5, back[7], 0.4),
    ]  # fmt: skip
    record = RetentionAnalyzer(house.ws).calculate_retention_metrics(start="2026-02-01", end="2026-02-03")
    assert isinstance(record, RetentionMetrics)
    assert [one.period for one in record.periods] == [1, 7]
    silent = house.ws.retention(start="2026-02-01", end="2026-02-03", as_of="2026-03-02")
    averages = {row["period"]: row for row in silent.averages}
    assert (record.periods[1].low, record.periods[1].high) == (averages[7]["low"], averages[7]["high"])
    assert record.rate(7) == 0.4
    assert record.rate(30) is None


def test_a_cohort_is_followed_from_its_first_day(house):
    """Those who began on it; every period up to today, the present one marked as not over."""
    active(house)
    found = house.reopen().analyze_cohort("2026-02-01")
    assert (found["date"], found["grain"], found["cohort_size"]) == ("2026-02-01", "day", 3)
    returned = {one["period"]: one["returned"] for one in found["periods"]}
    assert returned == {n: sum(1 in days and 1 + n in days for days in DAYS.values()) for n in range(30)}
    record = RetentionAnalyzer(house.ws).analyze_cohort(date(2026, 2, 1), grain="week", horizon=2)
    assert isinstance(record, CohortAnalysis)
    # 1 February 2026 is a Sunday: its week began on 26 January.
    assert (record.date, record.cohort_size) == (date(2026, 1, 26), 3)
    assert [(one.period, one.returned, one.is_complete) for one in record.periods] == [
        (0, 3, True), (1, 3, True), (2, 0, True),
    ]  # fmt: skip
    assert record.rate(1) == 1.0
    assert record.rate(9) is None
    house.at("2026-02-03T12:00:00")
    last = RetentionAnalyzer(house.ws).analyze_cohort("2026-02-01").periods[-1]
    assert (last.period, last.is_complete) == (2, False)
