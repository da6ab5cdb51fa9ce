"""Sessions, tiers and active days: what they refuse, and what they read when the settings changed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import regulars
from regulars.errors import QueryError
from regulars.settings import SessionSettings, Settings
from regulars.workspace import Workspace

ROWS = [
    {"user_id": user, "event_type": "like", "timestamp": f"2026-03-0{day}T12:{minute:02}:00Z", "country": country}
    for user, country, day, minute in (
        ("ada", "DE", 1, 0), ("ada", "DE", 1, 20), ("ada", "DE", 2, 0), ("ben", "FR", 2, 5), ("ben", "FR", 3, 0),
    )
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "question", "code"),
    [
        ("sessions", {"activity": "any"}, "bad_activity"),
        ("sessions", {"by": "action"}, "wrong_scope"),
        ("sessions", {"where": "event.context = 'home'"}, "wrong_scope"),
        ("sessions", {"profile": "month"}, "bad_option"),
        ("sessions", {"profile": "hour", "grain": "week"}, "bad_grain"),
        ("active_users", {"by": "session.type"}, "wrong_scope"),
        ("depth", {"by": "session.type"}, "wrong_scope"),
        ("depth", {"window": 7}, "bad_window"),
        ("depth", {"grain": "hour"}, "bad_grain"),
        ("stickiness_by_cohort", {"by": "action"}, "wrong_scope"),
        ("stickiness_by_cohort", {"cohort": "everybody"}, "bad_option"),
        ("stickiness_by_cohort", {"grain": "week"}, "bad_grain"),
        ("tiers", {"by": "device.platform"}, "wrong_scope"),
        ("tiers", {"depth_threshold": 0}, "bad_option"),
        ("tier_transitions", {"by": "country"}, "bad_breakdown"),
        ("tier_transitions", {"grain": "week"}, "bad_grain"),
        ("active_days", {"calendar": "month"}, "bad_calendar"),
    ],
)
def test_what_they_cannot_answer_is_refused_with_a_code(name: str, question: dict[str, Any], code: str) -> None:
    """The message says what can be asked instead."""
    with regulars.open() as ws, pytest.raises(QueryError) as error:
        ws.metric(name, **question)
    assert error.value.code == code


def test_changed_session_rules_are_answered_from_events() -> None:
    """Sessions follow the settings at once, before anybody rebuilds, and the same after a rebuild."""
    with regulars.open() as ws:
        ws.load(ROWS)
        shorter = msgspec.structs.replace(ws.settings, sessions=SessionSettings(gap_minutes=10))
        changed = Workspace(ws.engine, shorter)
        before, after = ws.sessions(start="2026-03-01").rows, changed.sessions(start="2026-03-01")
        assert [row["sessions"] for row in before] == [1, 2, 1]
        assert [row["sessions"] for row in after.rows] == [2, 2, 1]
        assert after.source == "events"
        assert any("stale_rollups" in warning for warning in after.warnings)
        assert changed.active_users().warnings == ()
        changed.rebuild()
        again = changed.sessions(start="2026-03-01")
        assert (again.source, again.rows) == ("sessions", after.rows)


def test_a_new_time_zone_splits_sessions_at_its_own_midnight_at_once() -> None:
    """Two sessions around midnight in London are one in Berlin."""
    rules = SessionSettings(split_at_midnight=True)
    times = "2026-01-01T23:50:00Z", "2026-01-02T00:10:00Z"
    rows = [{"user_id": "ada", "event_type": "like", "timestamp": at} for at in times]
    with regulars.open(settings=Settings(timezone="Europe/London", sessions=rules)) as ws:
        ws.load(rows)
        changed = Workspace(ws.engine, Settings(timezone="Europe/Berlin", sessions=rules))
        assert [row["sessions"] for row in ws.sessions(start="2026-01-01").rows] == [1, 1]
        at_once = changed.sessions(start="2026-01-02").rows
        changed.rebuild()
        assert [row["sessions"] for row in at_once] == [1]
        assert at_once == changed.sessions(start="2026-01-02").rows


@pytest.mark.parametrize("name", ["tiers", "depth", "sessions"])
def test_whatever_shows_sessions_follows_their_rules_at_once(name: str) -> None:
    """With the warning; what shows none has neither."""
    with regulars.open() as ws:
        ws.load(ROWS)
        changed = Workspace(ws.engine, msgspec.structs.replace(ws.settings, sessions=SessionSettings(gap_minutes=10)))
        before, at_once = ws.metric(name).rows, changed.metric(name)
        assert any("stale_rollups" in warning for warning in at_once.warnings)
        assert changed.active_days().warnings == changed.tier_transitions().warnings == ()
        changed.rebuild()
        assert at_once.rows == changed.metric(name).rows != before


@pytest.mark.parametrize("types", [1, 62, 63, 200, 1001])
def test_a_day_counts_different_action_types_however_many_there_are(types: int) -> None:
    """Every type is sent twice on the first day, and every third on the second; markers are no actions."""
    names = [f"type{number}" for number in range(types)]
    sent = [(day, name) for day, chosen in ((1, [*names, *names]), (2, names[::3])) for name in (*chosen, "identify")]
    with regulars.open() as ws:
        ws.load([{"user_id": "ada", "event_type": name, "timestamp": f"2026-03-0{day}Z"} for day, name in sent])
        found = ws.sql("SELECT unique_action_types, total_actions FROM daily_activity ORDER BY day").rows
    assert found == [(types, 2 * types), (len(names[::3]), len(names[::3]))]


def test_a_group_may_put_a_stored_attribute_beside_one_that_changes_with_time() -> None:
    """People are judged on the tick, each by the part that fits."""
    where = "country = 'FR' or tenure_band = '0-6 days'"
    with regulars.open() as ws:
        ws.load(ROWS)
        tiers = ws.tiers(start="2026-03-03", where=where).rows
        curve = ws.active_days(window=3, where=where)
    assert [(row["tier"], row["users"]) for row in tiers if row["users"]] == [("casual", 1)]
    assert [row["users"] for row in curve.rows] == [0, 1, 0]


@pytest.mark.parametrize(
    ("band", "moves"),
    [("7-29 days", [("regular", "casual", 1)]), ("30-89 days", []), ("90-364 days", [("casual", "casual", 1)])],
)
def test_people_move_between_tiers_by_what_they_were_on_the_first_day(band: str, moves: list[tuple[Any, ...]]) -> None:
    """Ada is in the second band on the last day only; the rows still add up to the tiers of the first."""
    people = [
        {"user_id": "ada", "registration_date": "2026-01-01"},
        {"user_id": "ben", "registration_date": "2025-10-01"},
    ]
    days = [("ada", f"01-{day:02}") for day in range(1, 11)] + [("ben", "01-01"), ("ada", "02-10"), ("ben", "02-10")]
    with regulars.open() as ws:
        ws.load(people, kind="users")
        ws.load([{"user_id": who, "event_type": "like", "timestamp": f"2026-{day}T10:00:00Z"} for who, day in days])
        where = f"tenure_band = '{band}'"
        rows = ws.tier_transitions(start="2026-01-10", end="2026-02-10", where=where).rows
        sizes = ws.tiers(start="2026-01-10", end="2026-01-10", where=where).rows
    assert [(row["from_tier"], row["to_tier"], row["users"]) for row in rows] == moves
    assert {row["tier"]: row["users"] for row in sizes if row["users"]} == {before: users for before, _, users in moves}


def test_moves_from_a_day_whose_window_reaches_before_the_data_say_so() -> None:
    """As the tiers of that day do; the window of the last day lies within the data, or is cut off as well."""
    dates = "2026-03-01", "2026-03-07", "2026-03-20"
    with regulars.open() as ws:
        ws.load([{"user_id": "ada", "event_type": "like", "timestamp": f"{day}T10:00:00Z"} for day in dates])
        for start, flags in (("2026-03-06", ["warming_up"]), ("2026-03-07", [])):
            rows = ws.tier_transitions(window=7, start=start, end="2026-03-19").rows
            tiers = ws.tiers(window=7, start=start, end=start).rows
            assert {tuple(row["flags"]) for row in (*rows, *tiers)} == {tuple(flags)}


def test_with_risk_the_people_without_a_recent_visit_stand_apart() -> None:
    """Eight days after the last active day, not seven."""
    with regulars.open(settings=Settings()) as ws:
        ws.load([*ROWS, {"user_id": "cem", "event_type": "like", "timestamp": "2026-03-11T12:00:00Z"}])
        rows = ws.tiers(with_risk=True, start="2026-03-10", end="2026-03-11").rows
    found = {(str(row["date"]), row["tier"]): row["users"] for row in rows if row["users"]}
    assert found == {
        ("2026-03-10", "casual"): 1, ("2026-03-10", "at_risk"): 1,
        ("2026-03-11", "casual"): 1, ("2026-03-11", "at_risk"): 2,
    }  # fmt: skip


def test_a_cohort_forgets_what_its_members_did_before_the_first_day() -> None:
    """Ada came the day before as well; a window of two days still opens on the first day and not before."""
    with regulars.open() as ws:
        ws.load([*ROWS, {"user_id": "cem", "event_type": "like", "timestamp": "2026-04-20T12:00:00Z"}])
        active = ws.stickiness_by_cohort(3, cohort="active", start="2026-03-02", end="2026-03-05").rows
        began = ws.stickiness_by_cohort(start="2026-03-02", end="2026-04-20")
        later = ws.stickiness_by_cohort(start="2026-04-20").rows
        assert began.users(0, "cohort") == ["ben"]
    assert [(row["day"], row["cohort"], row["active_users"], row["window_users"]) for row in active] == [
        (0, 2, 2, 2), (1, 2, 1, 2), (2, 2, 0, 2), (3, 2, 0, 1),
    ]  # fmt: skip
    assert {tuple(row["flags"]) for row in active} == {()}
    # Whoever begins in the first window of the data may be older than the data, on every day that follows.
    assert {tuple(row["flags"]) for row in began.rows} == {("warming_up",)}
    assert [row["stickiness"] for row in began.rows][-2:] == [None, None]
    assert later[0]["flags"] == []


def test_a_cohort_of_people_registered_before_the_data_warms_up() -> None:
    """While its window reaches back before the first event."""
    people = [
        {"user_id": "ada", "registration_date": "2026-02-27"},
        {"user_id": "eve", "registration_date": "2026-02-27"},
    ]
    with regulars.open() as ws:
        ws.load(people, kind="users")
        ws.load(ROWS)
        rows = ws.stickiness_by_cohort(2, cohort="registration", start="2026-02-27", end="2026-03-03").rows
    assert [(row["cohort"], row["active_users"], row["flags"]) for row in rows[:-1]] == [
        (2, 0, ["warming_up"]), (2, 0, ["warming_up"]), (2, 1, ["warming_up"]), (2, 1, []),
    ]  # fmt: skip
