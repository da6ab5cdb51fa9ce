"""Sessions that end by themselves, and who is told of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.errors import EventError, QueryError, SessionLimitError
from regulars.streaming import SessionBuffer, process_event

NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)


def event(session, user, kind, minutes=None):
    one = {"session_id": session, "user_id": user, "event_type": kind}
    return one if minutes is None else {**one, "timestamp": NINE + timedelta(minutes=minutes)}


def at(minutes):
    return NINE + timedelta(minutes=minutes)


@pytest.fixture
def told():
    """What the callback was told of."""
    return []


def test_it_counts_what_process_event_counts(told):
    buffer = SessionBuffer({"likes": 1}, {"qa"}, on_session=told.append)
    for one in (
        event("s", "ada", "like"), event("q", "qa", "like"), event("s", "ada", "page_view"),
        event("s", "ada", "session_start"), event("q", "qa", "session_end"), event("s", "ada", "session_end"),
    ):  # fmt: skip
        buffer.add(one)
    assert (dict(buffer.totals), len(buffer)) == ({"likes": 2}, 0)
    (session,) = told
    assert (session.session_id, session.users, session.ended_by) == ("s", {"ada"}, "session_end")
    assert session.actions == (event("s", "ada", "like"), event("s", "ada", "page_view"))
    assert dict(session.counted) == {"likes": 1}


def test_without_totals_every_type_counts():
    buffer = SessionBuffer()
    for session, kind in (("a", "like"), ("b", "dance")):
        buffer.add(event(session, "ada", kind))
        buffer.add(event(session, "ada", "session_end"))
    assert dict(buffer.totals) == {"like": 1, "dance": 1}


def test_totals_are_the_callers_own_and_read_only_here():
    totals = {"like": 0}
    buffer = SessionBuffer(totals, count_all=True)
    buffer.add(event("s", "ada", "dance"))
    buffer.add(event("s", "ada", "session_end"))
    assert totals == dict(buffer.totals) == {"like": 0, "dance": 1}
    with pytest.raises(TypeError):
        buffer.totals["like"] = 1


def test_of_a_mixed_session_only_test_users_go_on_request(told):
    buffer = SessionBuffer(test_users={"qa"}, mixed_sessions="drop_events", on_session=told.append)
    for user in ("ada", "qa", "ben"):
        buffer.add(event("s", user, "like"))
    buffer.add(event("s", "qa", "session_end"))
    assert dict(buffer.totals) == {"like": 2}
    assert [one["user_id"] for one in told[0].actions] == ["ada", "ben"]
    assert told[0].users == {"ada", "ben"}


def test_a_gap_of_exactly_thirty_minutes_continues_a_session(told):
    buffer = SessionBuffer(on_session=told.append)
    for minutes in (0, 30, 60, 90.001):
        buffer.add(event("s", "ada", "like", minutes))
    assert [(one.ended_by, len(one.actions)) for one in told] == [("gap", 3)]
    assert len(buffer) == 1


def test_events_of_others_end_an_abandoned_session(told):
    buffer = SessionBuffer(gap=timedelta(minutes=10), on_session=told.append)
    buffer.add(event("a", "ada", "like", 0))
    buffer.add(event("b", "ben", "like", 10))
    assert told == []
    buffer.add(event("b", "ben", "session_end", 11))
    assert [(one.session_id, one.ended_by) for one in told] == [("a", "gap"), ("b", "session_end")]


def test_now_wins_over_timestamps():
    buffer = SessionBuffer()
    buffer.add(event("s", "ada", "like", 999), now=at(0))
    assert buffer.expire(at(30)) == 0
    buffer.add(event("s", "ada", "like", -999), now=at(30))
    assert buffer.expire(at(60)) == 0
    assert buffer.expire(at(61)) == 1
    assert dict(buffer.totals) == {"like": 2}


def test_sessions_expire_in_the_order_of_their_silence(told):
    buffer = SessionBuffer(on_session=told.append)
    for session, minutes in (("c", 3), ("a", 0), ("b", 1), ("a", 2)):
        buffer.add(event(session, "ada", "like", minutes))
    assert buffer.expire(at(40)) == 3
    assert [one.session_id for one in told] == ["b", "a", "c"]


def test_an_abandoned_session_can_be_discarded(told):
    buffer = SessionBuffer(abandoned="discard", on_session=told.append)
    buffer.add(event("s", "ada", "like", 0))
    assert buffer.expire(at(31)) == 1
    assert (dict(buffer.totals), told, len(buffer)) == ({}, [], 0)


def test_a_late_event_belongs_to_its_session_and_extends_nothing():
    buffer = SessionBuffer()
    buffer.add(event("s", "ada", "like", 20))
    buffer.add(event("s", "ada", "share", -100))
    assert buffer.expire(at(50)) == 0
    assert buffer.expire(at(51)) == 1
    assert dict(buffer.totals) == {"like": 1, "share": 1}


def test_the_clock_never_goes_back():
    buffer = SessionBuffer()
    buffer.add(event("a", "ada", "like", 100))
    buffer.add(event("b", "ben", "like", 0))
    assert buffer.expire(at(0)) == 1
    assert len(buffer) == 1


def test_without_any_time_nothing_is_abandoned_until_there_is_one():
    buffer = SessionBuffer()
    buffer.add(event("s", "ada", "like"))
    assert buffer.expire(at(0)) == 0
    buffer.add(event("t", "ben", "like"))
    assert buffer.expire(at(30)) == 0
    assert buffer.expire(at(31)) == 2


def test_an_event_without_a_time_comes_when_the_clock_stands():
    buffer = SessionBuffer()
    buffer.add(event("a", "ada", "like", 0))
    buffer.add(event("b", "ben", "like", 20))
    buffer.add(event("a", "ada", "like"))
    assert buffer.expire(at(31)) == 0
    assert buffer.expire(at(51)) == 2


def test_a_session_that_ended_and_began_again_is_judged_by_its_new_events(told):
    buffer = SessionBuffer(on_session=told.append)
    buffer.add(event("s", "ada", "like", 0))
    buffer.add(event("s", "ada", "session_end", 1))
    buffer.add(event("s", "ada", "share", 25))
    assert buffer.expire(at(45)) == 0
    assert buffer.expire(at(56)) == 1
    assert [dict(one.counted) for one in told] == [{"like": 1}, {"share": 1}]


def test_an_event_that_is_refused_does_not_even_tell_the_time():
    """The first time of all would begin the silence of sessions that have none."""
    buffer = SessionBuffer(max_sessions=1)
    buffer.add(event("a", "ada", "like"))
    with pytest.raises(SessionLimitError):
        buffer.add(event("b", "ben", "like", 0))
    assert buffer.expire(at(100)) == 0
    assert buffer.expire(at(131)) == 1


def test_sessions_that_have_ended_leave_nothing_behind():
    """Whether events have times or not."""
    for minutes in (None, 0):
        buffer = SessionBuffer()
        for number in range(5000):
            buffer.add(event(f"s{number}", "ada", "like", minutes))
            if number % 100:
                buffer.add(event(f"s{number}", "ada", "session_end", minutes))
        assert len(buffer._silence) < 1200
        assert buffer.expire(at(0)) == 0
        assert buffer.expire(at(31)) == len({f"s{number}" for number in range(0, 5000, 100)})


def test_every_open_session_counts_when_the_stream_is_over(told):
    buffer = SessionBuffer(abandoned="discard", on_session=told.append)
    buffer.add(event("a", "ada", "like"))
    buffer.add(event("b", "ben", "like"))
    assert (buffer.end_all(), buffer.end_all(), len(buffer)) == (2, 0, 0)
    assert [one.ended_by for one in told] == ["end_all", "end_all"]
    assert dict(buffer.totals) == {"like": 2}


def test_at_a_bound_nothing_is_changed(told):
    buffer = SessionBuffer(max_sessions=2, max_events_per_session=1, on_session=told.append)
    buffer.add(event("a", "ada", "like", 0))
    buffer.add(event("b", "ben", "like", 10))
    with pytest.raises(SessionLimitError) as caught:
        buffer.add(event("c", "cem", "like", 30))
    assert caught.value.code == "too_many_sessions"
    with pytest.raises(SessionLimitError) as caught:
        buffer.add(event("b", "ben", "like", 40))  # a is due by then, but b is not
    assert caught.value.code == "session_too_long"
    assert (len(buffer), told, dict(buffer.totals)) == (2, [], {})
    assert buffer.expire(at(30)) == 0  # the clock was not moved either


def test_sessions_that_are_due_make_room(told):
    buffer = SessionBuffer(max_sessions=1, max_events_per_session=1, on_session=told.append)
    buffer.add(event("a", "ada", "like", 0))
    buffer.add(event("b", "ben", "like", 31))
    buffer.add(event("b", "ben", "like", 62))
    assert [one.session_id for one in told] == ["a", "b"]
    assert len(buffer) == 1


@pytest.mark.parametrize("wrong", ["yesterday", "2026-13-01", 7, [], "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none_is_refused_and_changes_nothing(wrong):
    buffer = SessionBuffer()
    with pytest.raises(EventError, match="timestamp") as caught:
        buffer.add({**event("s", "ada", "like"), "timestamp": wrong})
    assert caught.value.code == "bad_time"
    with pytest.raises(EventError, match="now"):
        buffer.expire(wrong)
    with pytest.raises(EventError, match="session_id"):
        buffer.add({"user_id": 7, "event_type": "like"})
    assert len(buffer) == 0


def test_times_may_be_text_and_have_any_offset():
    buffer = SessionBuffer()
    buffer.add({**event("s", "ada", "like"), "timestamp": "2026-01-05T10:00:00+01:00"})
    buffer.add({**event("t", "ben", "like"), "timestamp": datetime(2026, 1, 5, 9, 30)})
    assert buffer.expire("2026-01-05T09:30:00Z") == 0
    assert buffer.expire("2026-01-05T09:30:01Z") == 1


def test_what_the_callback_raises_leaves_a_state_to_go_on_from(told):
    """The session whose callback failed is counted, the others are still open, the new event was not taken."""
    fails = ["a"]

    def on_session(session):
        if session.session_id in fails:
            fails.remove(session.session_id)
            raise OSError("disk full")
        told.append(session.session_id)

    buffer = SessionBuffer(on_session=on_session)
    for session in "ab":
        buffer.add(event(session, "ada", "like", 0))
    late = event("c", "cem", "share", 31)
    with pytest.raises(OSError, match="disk full"):
        buffer.add(late)
    assert (dict(buffer.totals), len(buffer)) == ({"like": 1}, 1)
    buffer.add(late)
    assert (dict(buffer.totals), len(buffer), told) == ({"like": 2}, 1, ["b"])


def test_the_callback_may_use_the_buffer():
    buffer = SessionBuffer(on_session=lambda session: told.append((session.session_id, len(buffer))))
    told = []
    buffer.add(event("a", "ada", "like"))
    buffer.add(event("b", "ada", "like"))
    buffer.add(event("a", "ada", "session_end"))
    assert told == [("a", 1)]


@pytest.mark.parametrize(
    "options",
    [{"gap": timedelta(0)}, {"abandoned": "keep"}, {"mixed_sessions": "keep"}, {"max_sessions": 0},
     {"max_events_per_session": -1}, {"test_users": "qa"}],
)  # fmt: skip
def test_a_wrong_option_is_refused(options):
    with pytest.raises(QueryError) as caught:
        SessionBuffer(**options)
    assert caught.value.code == "bad_option"


KINDS = st.sampled_from(("like", "reply", "session_start", "session_end"))
ONE = st.tuples(st.sampled_from("abc"), st.sampled_from(("ada", "qa")), KINDS, st.integers(0, 50))


@given(st.lists(ONE, max_size=40))
def test_in_order_it_cuts_where_the_gap_or_the_end_is(log):
    """Against each session's events cut at pauses longer than the gap, in plain Python, and with process_event."""
    log = sorted(log, key=lambda one: one[3])
    told, process_totals, open_sessions = [], Counter(), {}
    buffer = SessionBuffer(test_users={"qa"}, gap=timedelta(minutes=5), on_session=told.append)
    for one in log:
        buffer.add(event(*one))
    buffer.end_all()
    expected = []
    for session in "abc":
        run, last = [], None
        for _, user, kind, minutes in (one for one in log if one[0] == session):
            if last is not None and minutes - last > 5:
                expected, run = [*expected, (session, run)], []
            run, last = [*run, (user, kind)], minutes
            if kind == "session_end":
                expected, run, last = [*expected, (session, run)], [], None
        expected.append((session, run))
    clean = []
    for session, run in expected:
        events = [(user, kind) for user, kind in run if kind != "session_end"]
        if events and not any(user == "qa" for user, _ in run):
            clean.append((session, sum(kind != "session_start" for _, kind in events)))
            for user, kind in (*events, ("ada", "session_end")):
                process_event(event(session, user, kind), open_sessions, process_totals, {"qa"})
    assert sorted((one.session_id, len(one.actions)) for one in told) == sorted(clean)
    assert dict(buffer.totals) == dict(process_totals)
