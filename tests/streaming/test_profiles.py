"""Tiers, trends and churn risk of users."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.domain.rules import churn_score, tier_of, trend_of
from regulars.errors import EventError, QueryError, UnknownNameError
from regulars.streaming import EngagementTier, UserEngagementAnalyzer, UserEngagementProfile

KEYS = (
    "active_days_last_30", "avg_daily_sessions", "avg_session_duration", "days_since_last_active",
    "active_days_current_week", "active_days_previous_week",
)  # fmt: skip
EXAMPLES = {
    "user1": ((25, 3.5, 15, 0, 7, 6), "power", 0.0, "stable"),
    "user2": ((2, 0.2, 2, 10, 0, 1), "at_risk", 1.0, "declining"),
    "user3": ((12, 1.8, 8, 1, 3, 3), "regular", 0.0, "stable"),
    "user4": ((), "casual", 0.5, "stable"),
}


def data(*values):
    return dict(zip(KEYS, values, strict=False))


@pytest.fixture
def analyzer():
    """The examples of the contract."""
    found = UserEngagementAnalyzer()
    for user, (values, *_) in EXAMPLES.items():
        found.update_user_profile(user, data(*values))
    return found


@pytest.mark.parametrize("user", EXAMPLES)
def test_the_examples_of_the_contract_hold(analyzer, user):
    values, tier, score, trend = EXAMPLES[user]
    profile = analyzer.user_profiles[user]
    assert profile == UserEngagementProfile(user, EngagementTier(tier), *(values or (0,) * 6)[:4], trend, score)


def test_a_tier_is_its_word():
    assert [tier.name for tier in EngagementTier] == ["CASUAL", "REGULAR", "CORE", "POWER", "AT_RISK"]
    assert EngagementTier.POWER == "power"


def test_a_profile_cannot_be_changed(analyzer):
    with pytest.raises(dataclasses.FrozenInstanceError):
        analyzer.user_profiles["user1"].churn_risk_score = 0.9
    with pytest.raises(TypeError):
        analyzer.user_profiles["user1"] = None
    with pytest.raises(TypeError):
        analyzer.tier_thresholds["power"] = 1


@pytest.mark.parametrize(
    ("days", "since", "tier"),
    [(0, 0, "casual"), (5, 0, "casual"), (6, 7, "regular"), (15, 0, "regular"), (16, 0, "core"), (19, 7, "core"),
     (20, 7, "power"), (30, 8, "at_risk"), (0, 8, "at_risk")],
)  # fmt: skip
def test_recency_comes_first_and_then_the_active_days(days, since, tier):
    profile = UserEngagementAnalyzer().update_user_profile(
        "ada", {"active_days_last_30": days, "days_since_last_active": since}
    )
    assert profile.current_tier == tier


def test_thresholds_can_be_chosen_and_are_shown():
    assert UserEngagementAnalyzer().tier_thresholds == {"casual": 0, "regular": 6, "core": 16, "power": 20}
    analyzer = UserEngagementAnalyzer({EngagementTier.REGULAR: 3, "power": 25})
    assert analyzer.tier_thresholds == {"casual": 0, "regular": 3, "core": 16, "power": 25}
    found = [analyzer.update_user_profile(n, {"active_days_last_30": n}).current_tier for n in (2, 3, 24, 25)]
    assert found == ["casual", "regular", "core", "power"]


@pytest.mark.parametrize(
    "thresholds",
    [{"power": 10}, {"core": 6}, {"regular": 0}, {"regular": 2.5}, {"casual": 3}, {"at_risk": 3}, {"powr": 3}],
)
def test_thresholds_that_do_not_rise_or_belong_to_no_tier_are_refused(thresholds):
    with pytest.raises(QueryError):
        UserEngagementAnalyzer(thresholds)


def test_at_risk_users_have_at_least_the_score_the_highest_first(analyzer):
    analyzer.update_user_profile(7, data(2, 0.2, 2, 0, 0, 1))  # 0.3 + 0.2 + 0.2
    analyzer.update_user_profile("user0", data(2, 0.2, 2, 10, 0, 1))
    assert analyzer.get_at_risk_users() == ["user0", "user2", 7]
    assert analyzer.get_at_risk_users(threshold=0.5) == ["user0", "user2", 7, "user4"]
    assert analyzer.get_at_risk_users(threshold=0.7) == ["user0", "user2", 7]
    assert analyzer.get_at_risk_users(threshold=0.71) == ["user0", "user2"]


def test_the_distribution_has_every_tier(analyzer):
    assert analyzer.get_tier_distribution() == {"casual": 1, "regular": 1, "core": 0, "power": 1, "at_risk": 1}
    assert set(UserEngagementAnalyzer().get_tier_distribution().values()) == {0}


def test_a_cohort_is_summed_up_over_those_who_have_a_profile(analyzer):
    assert analyzer.analyze_cohort_progression(["user1", "user2", "user2", "nobody"]) == {
        "tier_distribution": {"casual": 0, "regular": 0, "core": 0, "power": 1, "at_risk": 1},
        "avg_churn_risk": 0.5,
        "total_users": 2,
    }
    with pytest.raises(QueryError, match="not the text 'user1'"):
        analyzer.analyze_cohort_progression("user1")
    assert analyzer.analyze_cohort_progression([]) == {
        "tier_distribution": {"casual": 0, "regular": 0, "core": 0, "power": 0, "at_risk": 0},
        "avg_churn_risk": 0,
        "total_users": 0,
    }


def test_an_update_replaces_the_profile(analyzer):
    analyzer.update_user_profile("user2", data(20, 2, 5, 0, 5, 5))
    assert analyzer.user_profiles["user2"].current_tier is EngagementTier.POWER
    assert analyzer.get_at_risk_users() == []
    assert len(analyzer.user_profiles) == 4


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("wrong", [-1, "7", None, True, float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused_and_changes_nothing(analyzer, name, wrong):
    before = dict(analyzer.user_profiles)
    with pytest.raises(EventError, match=name) as caught:
        analyzer.update_user_profile("user1", {name: wrong})
    assert (caught.value.code, dict(analyzer.user_profiles)) == ("bad_number", before)


def test_days_are_whole(analyzer):
    assert analyzer.update_user_profile("user1", {"active_days_last_30": 6.0}).active_days_last_30 == 6
    with pytest.raises(EventError, match="whole number of days"):
        analyzer.update_user_profile("user1", {"active_days_last_30": 6.5})


def test_a_key_that_nobody_knows_is_refused_with_the_nearest(analyzer):
    with pytest.raises(UnknownNameError, match="did you mean 'avg_daily_sessions'"):
        analyzer.update_user_profile("user1", {"avg_daily_session": 3})
    with pytest.raises(EventError, match="user_id"):
        analyzer.update_user_profile(None, {})
    with pytest.raises(EventError, match="must be a day like"):
        analyzer.update_from(None, "soon")


@given(st.tuples(*[st.integers(0, 30)] * 6), st.sampled_from((0.0, 0.49, 0.5, 0.99, 1.0, 2.5)))
def test_the_score_is_the_contracts(values, pace):
    """The contract's sentence again, in the plainest way."""
    active, _, minutes, since, current, previous = values
    profile = UserEngagementAnalyzer().update_user_profile("u", data(active, pace, minutes, since, current, previous))
    trend = "increasing" if 10 * current > 12 * previous else "declining" if 10 * current < 8 * previous else "stable"
    score = 4 if since > 7 else 2 if since > 3 else 0
    score += 3 if active < 3 else 1 if active < 6 else 0
    score += 2 if pace < 0.5 else 1 if pace < 1 else 0
    score += {"declining": 2, "increasing": -1, "stable": 0}[trend]
    assert (profile.trend_direction, profile.churn_risk_score) == (trend, min(10, max(0, score)) / 10)
    assert trend_of(current, previous) == trend
    assert churn_score(since, active, pace, trend) == profile.churn_risk_score
    if active and since <= 7:
        assert profile.current_tier == tier_of(active)
