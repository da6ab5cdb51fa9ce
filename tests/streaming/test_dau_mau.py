"""Actives of a stream against unions of sets."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.errors import EventError, QueryError
from regulars.streaming import DAUMAUCalculator
from regulars.streaming.columns import bits, column_sums, packed, spread
from regulars.streaming.rolling import BLOCK

DAY = timedelta(days=1)
BORDER = date.fromordinal(5780 * BLOCK)  # a block of days begins on it
DAYS = st.sampled_from([BORDER + n * DAY for n in (-300, -129, -128, -30, -8, -7, -2, -1, 0, 1, 5, 29, 30, 127, 128)])
EDGES = st.sampled_from((date.min, date.min + DAY, date.max - DAY, date.max))
USERS = ("ada", "ben", "cem", 4, 5, 6)
WINDOWS = st.sampled_from((1, 2, 7, 28, 30, 129, 130, 300, 366))


@pytest.fixture
def example():
    """The example of the contract."""
    people = DAUMAUCalculator()
    for user, counts in {"user1": (5, 3, 7), "user2": (2, None, 1), "user3": (1, 4, 2)}.items():
        for number, count in enumerate(counts, 1):
            if count is not None:
                people.add_user_activity(user, f"2023-01-0{number}", count)
    return people


def test_the_example_of_the_contract_holds(example):
    assert example.calculate_dau("2023-01-01") == 3
    assert example.calculate_mau("2023-01-03") == 3
    assert example.calculate_dau_mau_ratio("2023-01-03") == 1.0
    assert example.get_engagement_distribution("2023-01-03") == {"casual": 3, "regular": 0, "core": 0, "power": 0}
    assert example.calculate_mau("2023-02-01") == 3
    assert example.calculate_mau("2023-02-02") == 0
    assert example.calculate_dau("2023-01-02") == 2
    assert example.calculate_wau(date(2023, 1, 9)) == 3
    assert example.calculate_wau(date(2023, 1, 10)) == 0


def test_a_ratio_is_zero_when_nobody_is_there(example):
    assert example.calculate_dau_mau_ratio("2023-01-04") == 0.0
    assert example.calculate_dau_mau_ratio("2023-03-01") == 0.0
    assert example.calculate_dau_mau_ratio("2022-12-31") == 0.0


def test_a_later_smaller_count_makes_inactive_again(example):
    example.add_user_activity("user2", "2023-01-03", 0)
    assert (example.calculate_dau("2023-01-03"), example.calculate_mau("2023-02-01")) == (2, 2)
    assert example.calculate_mau("2023-01-30") == 3
    example.add_user_activity("user2", "2023-01-01", 0)
    assert example.calculate_mau("2023-01-30") == 2


def test_counts_are_set_and_not_added():
    people = DAUMAUCalculator(activity_threshold=3)
    for _ in range(5):
        people.add_user_activity("ada", "2026-01-01", 2)
    assert people.calculate_dau("2026-01-01") == 0
    people.add_user_activity("ada", "2026-01-01", 3)
    assert people.calculate_dau("2026-01-01") == 1
    people.add_user_activity("ada", "2026-01-01", 2)
    assert people.calculate_dau("2026-01-01") == 0


def test_days_may_be_text_or_dates(example):
    assert example.calculate_dau(date(2023, 1, 1)) == example.calculate_dau("2023-01-01") == 3
    example.add_user_activity("user1", date(2023, 1, 1), 0)
    assert example.calculate_dau("2023-01-01") == 2


def test_the_series_has_every_day_of_the_range(example):
    series = example.calculate_stickiness_series("2022-12-31", date(2023, 1, 4))
    assert list(series) == [date(2022, 12, 31) + n * DAY for n in range(5)]
    assert list(series.values()) == [0.0, 1.0, 2 / 3, 1.0, 0.0]


def test_the_series_of_some_users_is_about_them_alone(example):
    series = example.calculate_stickiness_series("2023-01-01", "2023-01-03", users=["user1", "user2", "user2", "x"])
    assert list(series.values()) == [1.0, 0.5, 1.0]
    assert set(example.calculate_stickiness_series("2023-01-01", "2023-01-03", users=[]).values()) == {0.0}


def test_the_window_of_a_cohort_opens_on_its_first_day(example):
    assert example.analyze_cohort_stickiness({"user1", "user2"}, "2023-01-02", days=3) == [1.0, 1.0, 0.0]
    assert example.analyze_cohort_stickiness({"user2"}, "2023-01-01", days=4) == [1.0, 0.0, 1.0, 0.0]
    assert example.analyze_cohort_stickiness([], "2023-01-01", days=2) == [0.0, 0.0]
    assert len(example.analyze_cohort_stickiness({"user1"}, "2023-01-01")) == 30


@pytest.mark.parametrize(
    ("days", "tier"),
    [(1, "casual"), (5, "casual"), (6, "regular"), (15, "regular"), (16, "core"), (19, "core"), (20, "power"),
     (30, "power"), (40, "power")],
)  # fmt: skip
def test_a_tier_is_the_number_of_active_days_in_the_window(days, tier):
    people = DAUMAUCalculator()
    for number in range(days):
        people.add_user_activity("ada", date(2026, 3, 1) - number * DAY, 1)
    found = people.get_engagement_distribution("2026-03-01")
    assert found == {**dict.fromkeys(("casual", "regular", "core", "power"), 0), tier: 1}


def test_the_view_shows_who_was_active_and_cannot_be_written(example):
    view = example.daily_active_users
    assert view["2023-01-02"] == view[date(2023, 1, 2)] == {"user1", "user3"}
    assert list(view) == [date(2023, 1, 1), date(2023, 1, 2), date(2023, 1, 3)]
    assert len(view) == 3
    assert repr(view) == "<users of 3 days>"
    assert "2023-01-04" not in view
    assert "no day" not in view
    with pytest.raises(TypeError):
        view["2023-01-02"] = set()
    with pytest.raises(AttributeError):
        view["2023-01-02"].add("user2")
    with pytest.raises(AttributeError):
        example.daily_active_users = {}
    example.add_user_activity("user1", "2023-01-02", 0)
    example.add_user_activity("user3", "2023-01-02", 0)
    assert list(view) == [date(2023, 1, 1), date(2023, 1, 3)]
    assert "2023-01-02" not in view


@pytest.mark.parametrize(
    "wrong",
    ["2023-02-30", "2023-1-1", "20230101", "2023-W01-1", "", " 2023-01-1", None, 7, True, [], datetime(2023, 1, 1)],
)
def test_a_bad_date_is_refused_wherever_it_is_given(example, wrong):
    for ask in (
        lambda: example.add_user_activity("user1", wrong, 1),
        lambda: example.calculate_dau(wrong),
        lambda: example.calculate_wau(wrong),
        lambda: example.calculate_mau(wrong),
        lambda: example.calculate_dau_mau_ratio(wrong),
        lambda: example.calculate_stickiness_series(wrong, "2023-01-01"),
        lambda: example.calculate_stickiness_series("2023-01-01", wrong),
        lambda: example.get_engagement_distribution(wrong),
        lambda: example.analyze_cohort_stickiness(["user1"], wrong),
    ):
        with pytest.raises(EventError, match="must be a day like") as caught:
            ask()
        assert caught.value.code == "bad_date"
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("wrong", [-1, 1.0, "3", None, True, float("nan")])
def test_a_bad_count_is_refused(example, wrong):
    with pytest.raises(EventError, match="action_count must be a whole number") as caught:
        example.add_user_activity("user4", "2023-01-01", wrong)
    assert caught.value.code == "bad_count"
    assert example.calculate_dau("2023-01-01") == 3


@pytest.mark.parametrize("wrong", ["", None, 1.5, True, ["x"]])
def test_a_bad_id_is_refused(example, wrong):
    with pytest.raises(EventError, match="user_id") as caught:
        example.add_user_activity(wrong, "2023-01-01", 1)
    assert caught.value.code == "bad_id"


def test_numbers_of_other_libraries_are_numbers():
    numpy = pytest.importorskip("numpy")
    people = DAUMAUCalculator(numpy.int64(2), window=numpy.int32(7))
    people.add_user_activity("ada", "2026-01-01", numpy.int64(2))
    assert people.calculate_mau("2026-01-07") == 1
    assert people.calculate_mau("2026-01-08") == 0


@pytest.mark.parametrize(
    "options",
    [{"activity_threshold": 0}, {"activity_threshold": 1.5}, {"window": 0}, {"window": 367}, {"window": True},
     {"window": "30"}],
)  # fmt: skip
def test_a_wrong_option_is_refused(options):
    with pytest.raises(QueryError) as caught:
        DAUMAUCalculator(**options)
    assert caught.value.code == "bad_option"


def test_a_range_that_runs_backwards_and_a_cohort_without_days_are_refused(example):
    with pytest.raises(QueryError, match="swap them"):
        example.calculate_stickiness_series("2023-01-02", "2023-01-01")
    for days in (0, 10**9):
        with pytest.raises(QueryError, match="days must be"):
            example.analyze_cohort_stickiness(["user1"], "2023-01-01", days=days)


def test_a_text_is_no_list_of_users(example):
    for ask in (
        lambda: example.calculate_stickiness_series("2023-01-01", "2023-01-02", users="user1"),
        lambda: example.analyze_cohort_stickiness("user1", "2023-01-01"),
    ):
        with pytest.raises(QueryError, match="not the text 'user1'"):
            ask()
    with pytest.raises(EventError, match="each of the users"):
        example.analyze_cohort_stickiness([None], "2023-01-01")


@pytest.mark.parametrize("changed", [32, 33, 200])
def test_many_changes_at_once_are_counted_as_few_are(changed):
    """A few are repaired, many are counted anew, of 200 users in two blocks of days."""
    people, days = DAUMAUCalculator(), (BORDER - DAY, BORDER)
    for user in range(200):
        people.add_user_activity(user, days[user % 2], 1)
    assert (people.calculate_mau(days[1]), people.calculate_dau(days[1])) == (200, 100)
    for user in range(changed):
        people.add_user_activity(user, days[user % 2], 0)
    assert people.calculate_mau(days[1] + 28 * DAY) == 200 - changed
    assert people.calculate_mau(days[1] + 29 * DAY) == people.calculate_dau(days[1]) == 100 - changed // 2


class Sets:
    """The same in the plainest way: a set of users per day, and their union over a window."""

    def __init__(self, counts, threshold):
        self.daily = {}
        for (user, day), count in counts.items():
            if count >= threshold:
                self.daily.setdefault(day, set()).add(user)

    def active(self, day, window, users=None, since=date.min):
        found = set()
        for number in range(window):
            if day.toordinal() - number >= since.toordinal():
                found |= self.daily.get(day - number * DAY, set())
        return found if users is None else found & users

    def ratio(self, day, window, users=None, since=date.min):
        monthly = self.active(day, window, users, since)
        return len(self.active(day, 1, users)) / len(monthly) if monthly else 0.0


UPDATES = st.tuples(st.sampled_from(USERS), DAYS | EDGES, st.integers(0, 3))


@given(
    parts=st.lists(st.lists(UPDATES, max_size=25), min_size=1, max_size=4), window=WINDOWS, threshold=st.integers(1, 3),
    asked=st.lists(DAYS | EDGES, min_size=1, max_size=3), users=st.sets(st.sampled_from(USERS)),
)  # fmt: skip
def test_it_is_the_union_of_daily_sets_after_any_updates(parts, window, threshold, asked, users):
    """Late, repeated and lowered, asked in between so that counts are repaired and not only made."""
    people, counts = DAUMAUCalculator(threshold, window), {}
    for part in parts:
        for user, day, count in part:
            people.add_user_activity(user, day if count % 2 else day.isoformat(), count)
            counts[user, day] = count
        sets = Sets(counts, threshold)
        for day in (*asked, *sets.daily):
            for after in (0, 1, window - 1, window):
                if day.toordinal() + after > date.max.toordinal():
                    continue
                then = day + after * DAY
                assert people.calculate_dau(then) == len(sets.active(then, 1))
                assert people.calculate_wau(then) == len(sets.active(then, 7))
                assert people.calculate_mau(then) == len(sets.active(then, window))
                assert people.calculate_dau_mau_ratio(then) == sets.ratio(then, window)
        assert dict(people.daily_active_users) == sets.daily
    for day in asked:
        last = min(day.toordinal() + 5, date.max.toordinal())
        span = [date.fromordinal(n) for n in range(day.toordinal(), last + 1)]
        assert people.calculate_stickiness_series(day, span[-1]) == {d: sets.ratio(d, window) for d in span}
        own = people.calculate_stickiness_series(day, span[-1], users)
        assert own == {d: sets.ratio(d, window, users) for d in span}
        followed = people.analyze_cohort_stickiness(users, day, days=len(span))
        assert followed == [sets.ratio(d, window, users, since=day) for d in span]
        tiers = Counter()
        for user in USERS:
            found = sum(
                user in sets.active(date.fromordinal(n), 1)
                for n in range(max(1, day.toordinal() - window + 1), day.toordinal() + 1)
            )
            tiers[("casual", "regular", "core", "power")[(found > 5) + (found > 15) + (found > 19)]] += found > 0
        assert people.get_engagement_distribution(day) == {t: tiers[t] for t in ("casual", "regular", "core", "power")}


@given(window=WINDOWS, days=st.sets(st.integers(0, 400)))
def test_days_spread_over_the_window_that_follows(window, days):
    expected = {day + after for day in days for after in range(window)}
    assert set(bits(spread(sum(1 << day for day in days), window))) == expected


@given(width=st.sampled_from((1, 7, 8, 9, 128)), data=st.data())
def test_columns_add_up(width, data):
    masks = data.draw(st.lists(st.integers(0, 2**width - 1), max_size=200))
    assert column_sums(packed(masks, width), width) == [
        sum(mask >> place & 1 for mask in masks) for place in range(width)
    ]
