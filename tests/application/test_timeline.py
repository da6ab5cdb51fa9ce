"""One person: who they are, how they stand, and what they did."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.domain.examples import did, workspace

NOW = datetime(2026, 2, 10, tzinfo=UTC)


def test_a_timeline_has_the_newest_events_with_local_times_and_their_sessions() -> None:
    """Newest first, cut at the limit; what stands outside sessions says so."""
    events = (
        did("ada", "2026-01-01T23:50:00", "like", feature="editor", note="x"),
        did("ada", "2026-01-02T00:10:00", "search", country="DE", platform="web"),
        did("ada", "2026-01-02T05:00:00", "payment_success"),
        did("ben", "2026-01-02T06:00:00"),
    )
    with workspace(*events, timezone="Asia/Kathmandu", now=NOW) as ws:
        found = ws.timeline("ada").events
        assert len(ws.timeline("ada", limit=1).events) == 1
    assert [(m.at.isoformat(), m.action, m.feature, m.country, m.platform, m.properties) for m in found] == [
        ("2026-01-02T10:45:00+05:45", "payment_success", None, None, None, {}),
        ("2026-01-02T05:55:00+05:45", "search", None, "DE", "web", {}),
        ("2026-01-02T05:35:00+05:45", "like", "editor", None, None, {"note": "x"}),
    ]
    assert [m.session_start and m.session_start.isoformat() for m in found] == [
        None,
        "2026-01-02T05:35:00+05:45",
        "2026-01-02T05:35:00+05:45",
    ]


def test_a_profile_sums_a_person_up() -> None:
    """Every id, attributes as they are now, and counts up to the last day with data."""
    events = [did("ada", f"2026-01-{day:02}T10:00:00") for day in range(1, 21)]
    events.append({"anonymous_id": "anon", "event_type": "view", "timestamp": "2025-12-31T10:00:00Z"})
    with workspace(*events, users=({"user_id": "ada", "plan": "paid", "team": "a"},), now=NOW) as ws:
        ws.link("anon", "ada")
        profile = ws.timeline("anon").profile
    assert (profile.user_id, profile.ids, profile.population) == ("ada", ("ada", "anon"), "production")
    assert profile.attributes == {"plan": "paid", "team": "a"}
    assert (str(profile.first_day), str(profile.last_day)) == ("2025-12-31", "2026-01-20")
    assert (profile.active_days, profile.sessions, profile.actions, profile.tier) == (21, 21, 21, "power")


@pytest.mark.parametrize(
    ("last", "days", "tier"),
    [(20, 20, "power"), (20, 16, "core"), (20, 6, "regular"), (20, 1, "casual"), (12, 5, "at_risk"), (13, 5, "casual")],
)
def test_the_tier_of_a_profile_tests_risk_first(last: int, days: int, tier: str) -> None:
    """Seven days without a visit are no risk yet, eight are; the tiers metric says the same."""
    events = [did("ada", f"2026-01-{last - n:02}T10:00:00") for n in range(days) if last - n > 0]
    with workspace(*events, did("ben", "2026-01-20T10:00:00"), now=NOW) as ws:
        assert ws.timeline("ada").profile.tier == tier
        by_metric = ws.tiers(with_risk=True, start="2026-01-20", end="2026-01-20")
        assert "ada" in by_metric.users(next(row for row in by_metric.rows if row["tier"] == tier))


def test_somebody_without_a_day_is_not_yet_seen_and_who_left_is_dormant() -> None:
    """A name in a list of users is no activity."""
    known = ({"user_id": "cem", "plan": "free"},)
    with workspace(did("ada", "2025-11-01T10:00:00"), did("ben", "2026-01-20T10:00:00"), users=known, now=NOW) as ws:
        assert ws.timeline("ada").profile.tier == "dormant"
        assert ws.timeline("cem").profile.tier == "not_yet_seen"
        assert ws.timeline("cem").events == ()


def test_before_the_first_event_a_profile_is_empty() -> None:
    """A workspace that holds people only."""
    with workspace(users=({"user_id": "cem"},), now=NOW) as ws:
        profile = ws.timeline("cem").profile
    assert (profile.tier, profile.active_days, profile.first_day) == ("not_yet_seen", 0, None)
