"""How many people are active: against the catalogue, and against counting over the events."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

import regulars
from regulars.application import EngagementAnalyzer
from regulars.domain import EngagementMetrics
from regulars.errors import QueryError, UnknownNameError

KEYS = ("dau", "wau", "mau", "dau_mau_ratio", "wau_mau_ratio", "new_users", "returning_users",
        "avg_session_duration", "sessions_per_user")  # fmt: skip

KINDS = ("like", "view", "notification_sent", "purchase")


def world(seed, people=25, days=45):
    """Events of some people in the days before 2 March 2026: (user, type, instant)."""
    draw, found = Random(seed), []
    for user in range(people):
        for day in range(days):
            if draw.random() < 0.3:
                start = datetime(2026, 3, 2, tzinfo=UTC) - timedelta(days=day, minutes=-draw.randrange(1380))
                found += [
                    (user + 1, draw.choice(KINDS), start + timedelta(minutes=minute))
                    for minute in range(0, draw.randrange(5, 40), draw.randrange(3, 9))
                ]
    return found


def counted(events, day, is_core):
    """The numbers of a day by going through the events; days are those of UTC."""
    days = {}
    for user, kind, at in events:
        if is_core(kind):
            days.setdefault(user, set()).add(at.date())
    within = {n: {u for u, d in days.items() if any(0 <= (day - x).days < n for x in d)} for n in (1, 7, 30)}
    new = {user for user, seen in days.items() if min(seen) == day}
    return {
        "dau": len(within[1]), "wau": len(within[7]), "mau": len(within[30]), "new_users": len(new),
        "returning_users": len(within[1] - new),
        "dau_mau_ratio": len(within[1]) / len(within[30]) if within[30] else 0.0,
        "wau_mau_ratio": len(within[7]) / len(within[30]) if within[30] else 0.0,
    }  # fmt: skip


def core_sessions(events, day):
    """Length in seconds of each session of core actions that begins on a day, with its person; 30 minutes of gap."""
    found = []
    for user in {user for user, _, _ in events}:
        moments = sorted(at for who, kind, at in events if who == user and kind != "notification_sent")
        runs = []
        for at in moments:
            if runs and at - runs[-1][-1] <= timedelta(minutes=30):
                runs[-1].append(at)
            else:
                runs.append([at])
        found += [(user, (run[-1] - run[0]).total_seconds()) for run in runs if run[0].date() == day]
    return found


def test_an_empty_workspace_has_nobody(house):
    """Every number is there, and is zero."""
    found = house.service.get_engagement_metrics()
    assert {key: found[key] for key in KEYS} == dict.fromkeys(KEYS, 0)
    assert isinstance(found["dau_mau_ratio"], float)
    assert (found["date"], found["activity"]) == ("2026-03-02", "core")


@pytest.mark.parametrize("seed", range(3))
def test_numbers_are_those_of_counting_and_of_the_catalogue(house, seed):
    """For days with and without events, before and after a restart."""
    events = world(seed)
    for number, (user, kind, at) in enumerate(events):
        if number == len(events) // 2:
            house.reopen()
        house.service.track_event(user, kind, timestamp=at)
    service = house.reopen()
    analyzer = EngagementAnalyzer(house.ws)
    for day in (date(2026, 3, 2), date(2026, 2, 25), date(2026, 1, 20), date(2025, 12, 1)):
        found = service.get_engagement_metrics(day)
        expected = counted(events, day, lambda kind: kind != "notification_sent")
        assert {key: found[key] for key in expected} == pytest.approx(expected)
        lengths = core_sessions(events, day)
        assert found["avg_session_duration"] == pytest.approx(
            sum(seconds for _, seconds in lengths) / len(lengths) if lengths else 0.0
        )
        people = {user for user, _ in lengths}
        assert found["sessions_per_user"] == pytest.approx(len(lengths) / len(people) if people else 0.0)
        other = service.get_engagement_metrics(day.isoformat(), activity="any")
        expected = counted(events, day, lambda _: True)
        assert {key: other[key] for key in expected} == pytest.approx(expected)
        assert analyzer.calculate_dau(day) == found["dau"]
        assert (analyzer.calculate_wau(day), analyzer.calculate_mau(day)) == (found["wau"], found["mau"])
    for name, window in (("dau", 1), ("wau", 7), ("mau", 30)):
        row = house.ws.metric("active_users", window=window, start="2026-02-25", end="2026-02-25").rows[0]
        assert service.get_engagement_metrics("2026-02-25")[name] == row["active_users"]


def test_the_day_is_the_local_one_of_now(tmp_path):
    """At half past eleven in the evening of UTC, Berlin is in the next day."""
    folder = regulars.init(tmp_path / "shop", timezone="Europe/Berlin")
    now = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    with regulars.open(folder, clock=lambda: now) as ws:
        service = regulars.UserAnalyticsMetricsService(ws)
        service.track_event("ada", "like")
        service.track_event("ben", "like", timestamp="2026-03-02T22:30:00Z")
        found = service.get_engagement_metrics()
    assert (found["date"], found["dau"], found["wau"]) == ("2026-03-03", 1, 2)


def test_silent_days_pass(house):
    """Without an event today, yesterday's people are still in the week, and after a month in nothing."""
    house.did("ada", "03-02")
    house.did("ben", "03-01")

    def numbers():
        found = house.reopen().get_engagement_metrics()
        return [found[key] for key in ("dau", "wau", "mau", "dau_mau_ratio", "new_users")]

    assert numbers() == [1, 2, 2, 0.5, 1]
    house.later(days=1)
    assert numbers() == [0, 2, 2, 0.0, 0]
    house.later(days=5)
    assert numbers() == [0, 1, 2, 0.0, 0]
    house.later(days=24)
    assert numbers() == [0, 0, 0, 0.0, 0]


def test_metrics_are_a_record_with_plain_values(memory):
    """Frozen, with the day as a date; as a dictionary it is ready for JSON."""
    memory.did("ada", "03-01", "03-02")
    found = EngagementAnalyzer(memory.ws).calculate_engagement_metrics()
    assert isinstance(found, EngagementMetrics)
    assert (found.date, found.dau, found.new_users, found.returning_users) == (date(2026, 3, 2), 1, 0, 1)
    assert found.to_dict() == memory.service.get_engagement_metrics()
    with pytest.raises(AttributeError):
        found.dau = 5
    assert "incomplete" in found.flags
    assert "incomplete" not in EngagementAnalyzer(memory.ws).calculate_engagement_metrics("2026-03-01").flags


def test_days_and_activities_that_are_none_are_refused(memory):
    """As everywhere else."""
    memory.did("ada", "03-02")
    for given, code in (("2026-03-03", "bad_date"), ("soon", "bad_date")):
        with pytest.raises(QueryError) as found:
            memory.service.get_engagement_metrics(given)
        assert found.value.code == code
    with pytest.raises(UnknownNameError):
        memory.service.get_engagement_metrics(activity="dancing")


def test_test_users_do_not_count(house):
    """The population is production."""
    house.did("ada", "03-02")
    house.did("qa", "03-02")
    house.ws.set_population("qa", "test")
    assert house.reopen().get_engagement_metrics()["dau"] == 1
