"""Usage interval and survival: what they refuse, and how they sum their rows up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from regulars.errors import QueryError
from tests.domain.examples import Row, column, did, workspace

START = datetime(2026, 1, 1, 12)


def visits(user: str, *days: int, country: str = "DE") -> list[Row]:
    """One event on each of some days, counted from 1 January."""
    return [did(user, (START + timedelta(days=day)).isoformat(), country=country) for day in days]


@pytest.mark.parametrize(
    ("name", "question", "code"),
    [
        ("usage_interval", {"window": 7}, "bad_window"),
        ("usage_interval", {"grain": "week"}, "bad_grain"),
        ("survival", {"silent_days": 0}, "bad_option"),
        ("survival", {"silent_days": 367}, "bad_option"),
        ("survival", {"by": "action"}, "wrong_scope"),
        ("survival", {"where": "geo.country = 'DE'"}, "wrong_scope"),
        ("survival", {"grain": "month"}, "bad_grain"),
        ("survival", {"calendar": "month"}, "bad_calendar"),
    ],
)
def test_what_they_cannot_answer_is_refused_with_a_code(name: str, question: dict[str, Any], code: str) -> None:
    """The message says what can be asked instead."""
    with workspace() as ws, pytest.raises(QueryError) as error:
        ws.metric(name, **question)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("gaps", "median", "most", "grain"),
    [
        ((1, 1, 1, 1, 9), 1, 1, "day"),  # four in five
        ((1, 1, 1, 9), 1, 9, "month"),  # three in four are too few
        ((1, 2, 7, 7, 30), 7, 7, "week"),
        ((1, 2, 3, 4), 2.5, 4, "week"),
        ((8,), 8, 8, "month"),
    ],
)
def test_the_grain_is_one_in_which_four_people_in_five_come_back(
    gaps: tuple[int, ...], median: float, most: float, grain: str
) -> None:
    """Everybody comes twice."""
    with workspace(*(row for number, gap in enumerate(gaps) for row in visits(f"u{number}", 0, gap))) as ws:
        (found,) = ws.usage_interval(start="2026-01-01").averages
    assert found == {
        "users": len(gaps), "median_days": median, "days_of_four_in_five": most, "suggested_grain": grain, "flags": [],
    }  # fmt: skip


def test_intervals_have_a_summary_per_slice() -> None:
    """The rest is one slice; who came once is in none."""
    sent = [*visits("ada", 0, 1), *visits("ben", 0, 2), *visits("cem", 0, 9, country="FR"), *visits("eve", 4)]
    with workspace(*sent) as ws:
        result = ws.usage_interval(by="country", limit=1)
        assert result.users(0) == ["ada"]
    assert column(result, "cumulative_share") == [0.5, 1.0, 1.0]
    assert [(row["country"], row["users"], row["suggested_grain"], row["flags"]) for row in result.averages] == [
        ("DE", 2, "week", []), (None, 1, "month", ["other"]),
    ]  # fmt: skip


def test_curves_are_compared_by_the_log_rank_test() -> None:
    """Two leave at once in France, one later in Germany and one stays; by hand at day 0: 4 followed, 2 leave.

    Expected of Germany 2 * 2/4 = 1, and of the day on which 1 of its 2 leaves 1; variance 2 * 1/2 * 1/2 * 2/3 = 1/3;
    (1 - 2) ** 2 / (1/3) = 3.
    """
    sent = [*visits("ada", 0, country="FR"), *visits("ben", 0, country="FR"), *visits("cem", 0, 4),
            *visits("eve", *range(0, 40, 5))]  # fmt: skip
    with workspace(*sent) as ws:
        result = ws.survival(by="country", silent_days=10, start="2026-01-01")
        assert result.users(0, "at_risk") == ["cem", "eve"]
    germany, france = result.averages
    assert (germany["users"], germany["churned"], germany["median_days"]) == (2, 1, 4)
    assert (france["users"], france["churned"], france["median_days"]) == (2, 2, 0)
    assert germany["expected_churned"] == pytest.approx(2)
    assert germany["log_rank"] == pytest.approx(3)
    assert (germany["degrees_of_freedom"], round(germany["p_value"], 4)) == (1, 0.0833)


def test_a_curve_whose_last_day_is_not_over_says_so_and_one_of_young_data_too() -> None:
    """Silence is not full before the day is over; people of the first days may be older than the data."""
    sent = [*visits("ada", 0), *visits("ben", 0, 50), *visits("cem", 40)]
    noon = datetime(2026, 2, 20, 13, tzinfo=UTC)
    with workspace(*sent, now=noon) as ws:
        assert {tuple(row["flags"]) for row in ws.survival().rows} == {("incomplete", "warming_up")}
        result = ws.survival(start="2026-02-01", silent_days=10)
        assert ws.survival(start="2026-02-01").rows == []
    assert [(row["day"], row["at_risk"], row["churned"], row["flags"]) for row in result.rows] == [
        (0, 1, 1, ["incomplete"])
    ]
    assert any("low and high are undefined" in warning for warning in result.warnings)
    with workspace(*sent) as ws:
        assert ws.survival(start="2026-02-01", silent_days=10).rows[0]["flags"] == []
