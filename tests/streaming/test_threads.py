"""What the classes of a stream promise where threads share them."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from regulars.streaming import DAUMAUCalculator, SessionBuffer, UserEngagementAnalyzer

THREADS = 8
FIRST = date(2026, 1, 1)


@pytest.fixture(autouse=True)
def _frequent_switches():
    """Let threads take turns often enough to meet."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(work):
    """Run the work in all threads at once; what any of them raises is raised here."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(THREADS)))


def test_actives_are_exact_when_threads_add_and_ask_at_once():
    """Every thread writes other days of the same users, so that a lost update would be seen."""
    people, days, users = DAUMAUCalculator(), 120, 40

    def work(thread):
        for number in range(thread, days, THREADS):
            for user in range(users):
                people.add_user_activity(user, FIRST + timedelta(number), 1 + (user + number) % 2)
                if user % 2 == number % 2:
                    people.add_user_activity(user, FIRST + timedelta(number), 0)
            assert people.calculate_dau(FIRST + timedelta(number)) == users // 2
            assert people.calculate_mau(FIRST) >= 0

    together(work)
    view = people.daily_active_users
    for number in range(days):
        day = FIRST + timedelta(number)
        assert view[day] == {user for user in range(users) if user % 2 != number % 2}
        assert people.calculate_dau(day) == users // 2
        assert people.calculate_mau(day) == (users // 2 if number == 0 else users)
    assert people.get_engagement_distribution(FIRST + timedelta(days - 1))["regular"] == users


class Interrupted(dict):
    """Totals that let another thread in between reading and writing."""

    def get(self, *key):
        found = super().get(*key)
        time.sleep(0)
        return found


def test_totals_are_exact_when_threads_add_events():
    told, each = [], 200
    buffer = SessionBuffer(Interrupted(like=0), on_session=told.append)

    def work(thread):
        for number in range(each):
            for kind in ("like", "like", "session_end" if number % 2 else "share"):
                buffer.add({"session_id": f"{thread}-{number}", "user_id": thread, "event_type": kind})

    together(work)
    assert len(buffer) == THREADS * each // 2
    assert buffer.end_all() == THREADS * each // 2
    assert dict(buffer.totals) == {"like": 2 * THREADS * each}
    assert len(told) == len({session.session_id for session in told}) == THREADS * each


def test_profiles_can_be_asked_about_while_they_are_replaced():
    analyzer, users = UserEngagementAnalyzer(), 50

    def work(thread):
        for number in range(20 * users):
            analyzer.update_user_profile((thread, number % users)[1], {"active_days_last_30": number % 30})
            if number % users == 0:
                cohort = analyzer.analyze_cohort_progression(range(users))
                assert sum(cohort["tier_distribution"].values()) == cohort["total_users"]
                assert sum(analyzer.get_tier_distribution().values()) <= users

    together(work)
    assert sum(analyzer.get_tier_distribution().values()) == users
