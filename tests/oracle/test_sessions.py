"""Sessions and days, by examples small enough to count by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from tests.oracle.daily import daily
from tests.oracle.examples import event, world
from tests.oracle.sessions import sessions
from tests.session_strategies import session_rules, session_worlds

if TYPE_CHECKING:
    from tests.oracle import Event, World


def lengths(where: World, **rules: Any) -> list[int]:
    """How many actions each session has."""
    return [session.actions for session in sessions(where, **rules)]


def at(minutes: float, kind: str = "like", **more: Any) -> Event:
    """An event of one user, some minutes after noon."""
    instant = datetime.fromisoformat("2026-01-01T12:00") + timedelta(minutes=minutes)
    return event("a", instant.isoformat(), kind, **more)


# --- where a session ends --------------------------------------------------------------------------------


def test_a_gap_of_exactly_half_an_hour_continues_and_a_microsecond_more_does_not() -> None:
    instant = event("a", "2026-01-01T12:30:00.000001")
    assert lengths(world(at(0), at(30))) == [2]
    assert lengths(world(at(0), instant)) == [1, 1]
    assert lengths(world(at(0), at(30)), gap_minutes=29) == [1, 1]


def test_an_unbroken_run_is_cut_every_24_hours_from_its_start() -> None:
    """49 hours in steps of half an hour are 99 events: two full days of 48, and the 49th hour with 3."""
    found = sessions(world(*(at(30 * n) for n in range(99))))
    assert [session.actions for session in found] == [48, 48, 3]
    assert {session.run_start for session in found} == {datetime.fromisoformat("2026-01-01T12:00")}
    assert [session.day.day for session in found] == [1, 2, 3]
    assert [session.duration_seconds for session in found] == [84_600.0, 84_600.0, 3600.0]


def test_a_break_starts_the_24_hours_anew() -> None:
    """One marker after 20 hours: the run after it has 24 hours of its own."""
    run = [at(30 * n) for n in range(99)]
    assert lengths(world(*run, at(20 * 60 - 1, "session_end"))) == [40, 48, 11]


@pytest.mark.parametrize(
    ("marker", "expected"),
    [("session_start", [1, 1]), ("session_end", [1, 1]), ("identify", [2]), ("alias", [2]), ("payment_failed", [2])],
)
def test_only_the_session_markers_end_a_session(marker: str, expected: list[int]) -> None:
    assert lengths(world(at(0), at(5, marker), at(10))) == expected


def test_markers_and_passive_events_neither_make_nor_extend_a_session() -> None:
    assert lengths(world(at(0, "session_start"), at(1, "payment_failed"), at(2, "session_end"))) == []
    bridged = world(at(0), at(20, "payment_failed"), at(40), at(60, "identify"), at(80))
    assert lengths(bridged) == [1, 1, 1]
    assert lengths(bridged, passive_extends=True) == [3, 1]


def test_at_one_instant_a_start_stands_before_the_action_and_an_end_after_it() -> None:
    """At minute 5 the order is start, like, end; a sequence comes before none, whatever the rank."""
    where = world(at(0), at(5, "session_end"), at(5), at(5, "session_start"), at(6))
    assert lengths(where) == [1, 1, 1]
    assert lengths(world(at(0), at(5, "session_end"), at(5))) == [2]
    assert lengths(world(at(0), at(5, "session_end", sequence=1), at(5, sequence=2))) == [1, 1]
    assert lengths(world(at(0), at(5, "session_start"), at(5, sequence=2), at(6))) == [2, 1]


def test_midnight_splits_only_on_request_and_is_local() -> None:
    """18:15 UTC is midnight in Kathmandu."""
    night = [event("a", "2026-01-01T18:10"), event("a", "2026-01-01T18:20")]
    assert lengths(world(*night, timezone="Asia/Kathmandu")) == [2]
    assert lengths(world(*night, timezone="Asia/Kathmandu"), split_at_midnight=True) == [1, 1]
    assert lengths(world(*night), split_at_midnight=True) == [2]
    assert sessions(world(*night, timezone="Asia/Kathmandu"))[0].day == date(2026, 1, 1)


def test_a_client_session_is_one_whatever_happens_and_the_rest_follows_the_gap_among_itself() -> None:
    """The 3-day session c stays whole; of the rest, minutes 0 and 40 are too far apart, 40 and 60 are not."""
    named: dict[str, Any] = {"client_session_id": "c"}
    where = world(
        *(at(n, **named) for n in (1, 30, 3 * 24 * 60)), at(31, "session_end", **named), at(0), at(40), at(60)
    )
    found = sessions(where, source="client", split_at_midnight=True)
    assert [session.actions for session in found] == [1, 3, 2]
    assert [session.session_id == "c" for session in found] == [False, True, False]
    assert lengths(where) == [3, 2, 1]


def test_the_same_client_id_of_two_people_is_two_sessions() -> None:
    where = world(*(event(user, "2026-01-01", client_session_id="c") for user in "ab"))
    assert [(session.user, session.session_id) for session in sessions(where, source="client")] == [
        ("a", "c"),
        ("b", "c"),
    ]


# --- what a session knows --------------------------------------------------------------------------------


def test_a_session_has_an_entry_an_exit_screens_and_a_type() -> None:
    where = world(
        at(0, "search", context="list", device_type="ios"),
        at(1, "like", context="list", platform="app"),
        at(2, "view", context="item", platform="web"),
        at(3, "like"),
    )
    session = sessions(where)[0]
    assert (session.entry_action, session.exit_action, session.screens) == ("search", "like", 2)
    assert (session.session_type, session.duration_seconds) == ("app", 180.0)
    assert session.session_id == where.events[0].event_id
    assert sessions(world(at(0), at(1, device_type="ios")))[0].session_type == "ios"
    assert sessions(world(at(0)))[0].session_type == "unknown"


def test_the_day_record_counts_everything_and_owns_the_sessions_that_start_on_it() -> None:
    """23:50 to 00:10 belongs to the 1st; a payment makes a day, but no active one."""
    where = world(
        *(event("a", time) for time in ("2026-01-01T23:50", "2026-01-02T00:10")),
        event("a", "2026-01-02T00:15", "payment_success"),
        event("a", "2026-01-03", "payment_failed"),
        event("a", "2026-01-04", "session_start"),
    )
    assert [tuple(row) for row in daily(where)] == [
        ("a", date(2026, 1, 1), 1, 1200.0, 1, 1, 1, 2.0, True),
        ("a", date(2026, 1, 2), 0, 0.0, 2, 1, 2, 5.0, True),
        ("a", date(2026, 1, 3), 0, 0.0, 1, 0, 1, 3.0, False),
    ]


# --- whatever the world ----------------------------------------------------------------------------------


@given(session_worlds(), session_rules())
def test_every_member_is_in_one_session_and_no_derived_one_lasts_a_day(world: World, rules: dict[str, Any]) -> None:
    found, days = sessions(world, **rules), daily(world, **rules)
    members = "total_actions" if rules["passive_extends"] else "core_actions"
    assert sum(session.actions for session in found) == sum(getattr(day, members) for day in days)
    assert sum(day.sessions_count for day in days) == len(found)
    assert len({(session.user, session.session_id) for session in found}) == len(found)
    if rules["source"] == "derived":
        assert all(session.duration_seconds < 24 * 60 * 60 for session in found)
