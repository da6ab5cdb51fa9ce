"""The calculators of a stream say what the catalogue says of a workspace with the same events."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regulars
from regulars.settings import Activity, Settings
from regulars.streaming import DAUMAUCalculator, UserEngagementAnalyzer

DAY = timedelta(days=1)
FIRST = date.fromordinal(5780 * 128 - 40)  # the block of days ends within the log
POPULATIONS = {"ada": "production", "ben": "production", "cem": "production", "qa": "test", "bot": "bot"}
TWICE = Settings(activity={"busy": Activity(min_events=2)})
TIERS = ("casual", "regular", "core", "power")
KINDS = ("like", "payment_failed", "page_view", "session_start")
# Somebody comes every so many days, for a while, and does one or several things.
SPELLS = st.tuples(
    st.sampled_from(tuple(POPULATIONS)), st.integers(0, 70), st.integers(1, 35), st.sampled_from((1, 1, 1, 2, 5)),
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
)  # fmt: skip
LOGS = st.lists(SPELLS, min_size=1, max_size=6)


def events_of(log):
    """User, day, type of each event."""
    return [
        (user, FIRST + (start + number * step) * DAY, kind)
        for user, start, length, step, kinds in log
        for number in range(-(-length // step))
        for kind in kinds
    ]


def workspace_of(events):
    """A workspace in which an activity wants two events a day."""
    last = max(day for _, day, _ in events)
    ws = regulars.open(settings=TWICE, clock=lambda: datetime.combine(last + DAY, time(12), UTC))
    ws.load([{"user_id": user, "population": POPULATIONS[user]} for user in POPULATIONS], kind="users")
    ws.load(
        [
            {
                "event_id": f"e{number}", "user_id": user, "event_type": kind,
                "timestamp": f"{day.isoformat()}T{9 + number % 3:02}:00:{number % 60:02}Z",
            }
            for number, (user, day, kind) in enumerate(events)
        ],
        kind="events",
    )  # fmt: skip
    return ws


def actions_of(events):
    """Actions per production user and day, as a stream counts them."""
    return Counter((u, d) for u, d, kind in events if POPULATIONS[u] == "production" and kind != "session_start")


def numbers(rows, column):
    """A column per day, None as 0.0."""
    return {row["date"]: row[column] or 0.0 for row in rows}


@given(log=LOGS, window=st.sampled_from((1, 7, 28, 30, 129, 366)), busy=st.booleans(), data=st.data())
def test_counts_ratios_tiers_and_cohorts_are_the_catalogues(log, window, busy, data):
    events = events_of(log)
    counts = actions_of(events)
    people = DAUMAUCalculator(activity_threshold=2 if busy else 1, window=window)
    first, last = min(d for _, d, _ in events), max(d for _, d, _ in events)
    updates = data.draw(st.permutations(sorted(counts.items())))
    for (user, day), count in updates:
        people.add_user_activity(user, day, count + 1)  # corrected below, after counts were asked for
    assert people.calculate_mau(last) >= people.calculate_dau(last)
    for (user, day), count in reversed(updates):
        people.add_user_activity(user, day.isoformat(), count)
    asked = {"activity": "busy" if busy else "any", "start": first, "end": last}
    span = [first + n * DAY for n in range((last - first).days + 1)]
    with workspace_of(events) as ws:
        for days, own in ((1, people.calculate_dau), (7, people.calculate_wau), (window, people.calculate_mau)):
            assert {d: own(d) for d in span} == numbers(ws.active_users(days, **asked).rows, "active_users")
        stickiness = numbers(ws.stickiness(window, **asked).rows, "stickiness")
        assert people.calculate_stickiness_series(first, last) == stickiness
        assert {day: people.calculate_dau_mau_ratio(day) for day in span} == stickiness
        for row in ws.tiers(window, averages=False, **asked).rows:
            if row["tier"] in TIERS:
                assert people.get_engagement_distribution(row["date"])[row["tier"]] == row["users"]
        begin = data.draw(st.sampled_from(span))
        cohort = ws.stickiness_by_cohort(window, cohort="active", **{**asked, "start": begin})
        members = cohort.users(0, "cohort") if cohort.rows else []
        followed = people.analyze_cohort_stickiness(members, begin, days=(last - begin).days + 1)
        assert followed == [row["stickiness"] or 0.0 for row in cohort.rows]
        assert set(members) == people.daily_active_users.get(begin, frozenset())


@settings(max_examples=25)
@given(log=LOGS, back=st.integers(-3, 40), activity=st.sampled_from(("any", "core", "busy")))
def test_profiles_are_those_of_churn_risk_tiers_and_sessions(log, back, activity):
    events = events_of(log)
    last = max(day for _, day, _ in events)
    day = min(last, last - back * DAY)
    analyzer = UserEngagementAnalyzer()
    with workspace_of(events) as ws:
        known = analyzer.update_from(ws, (last - back * DAY).isoformat(), activity=activity)
        risks = ws.churn_risk(show="people", end=day, activity=activity).rows
        assert known == len(risks)
        assert set(analyzer.user_profiles) == {row["user_id"] for row in risks}
        for row in risks:
            own = analyzer.user_profiles[row["user_id"]]
            assert (own.churn_risk_score, own.active_days_last_30) == (row["risk"], row["active_days"])
            assert (own.trend_direction, own.avg_daily_sessions) == (row["trend"], row["sessions_per_day"])
            assert own.days_since_last_active == row["days_since_last"]
            assert own.avg_session_duration == pytest.approx(minutes_of(ws, own.user_id, day))
        tiers = ws.tiers(with_risk=True, averages=False, start=day, end=day, activity=activity)
        for row in tiers.rows:
            users = {u for u, p in analyzer.user_profiles.items() if p.current_tier == row["tier"]}
            if row["tier"] == "dormant":
                assert not users
            elif row["tier"] == "at_risk":
                # Who was silent for all of the window is dormant there; a profile tests recency first.
                assert set(tiers.users(row)) <= users
                assert all(analyzer.user_profiles[u].active_days_last_30 == 0 for u in users - set(tiers.users(row)))
            else:
                assert users == set(tiers.users(row))
        high = sum(row["users"] for row in ws.churn_risk(end=day, activity=activity).rows if row["level"] == "high")
        assert len(analyzer.get_at_risk_users()) == high


def minutes_of(ws, user, day):
    """The mean duration of a person's sessions of thirty days, from the sessions themselves."""
    found = ws.sql(
        "SELECT s.duration_seconds FROM fact_user_sessions s JOIN dim_users u ON u.user_key = s.user_key "
        f"WHERE u.user_id = '{user}' AND s.day BETWEEN DATE '{day - 29 * DAY}' AND DATE '{day}'"
    ).rows
    return sum(seconds for (seconds,) in found) / len(found) / 60 if found else 0.0


def test_more_people_than_a_breakdown_has_slices_get_their_profiles():
    rows = [
        {"user_id": f"u{n}", "event_type": "like", "timestamp": f"2026-01-05T09:{minute:02}:00Z"}
        for n in range(1002)
        for minute in (0, 3)
    ]
    analyzer = UserEngagementAnalyzer()
    with regulars.open() as ws:
        ws.load(rows)
        assert analyzer.update_from(ws, date(2026, 1, 5)) == 1002
    assert {one.avg_session_duration for one in analyzer.user_profiles.values()} == {3.0}
    assert analyzer.get_tier_distribution()["casual"] == 1002


def test_an_empty_workspace_gives_no_profiles():
    with regulars.open() as ws:
        assert UserEngagementAnalyzer().update_from(ws, "2026-01-05") == 0
