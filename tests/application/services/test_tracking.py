"""Events, sessions and people: written down one by one, found again after a restart."""

from datetime import UTC, datetime

import pytest

from regulars.application import EventTracker, SessionManager, UserDirectory
from regulars.domain import EventType, UserEvent, UserSession
from regulars.errors import EventError, QueryError


def test_an_event_is_found_again_with_all_that_was_said(house):
    """By its person, and by its session."""
    tracker = EventTracker(house.ws)
    made = tracker.track_event(
        7, EventType.PURCHASE, "checkout", {"amount": 20, "gift": True}, "s1", "2026-03-02T09:00:00+01:00"
    )
    house.reopen()
    tracker = EventTracker(house.ws)
    expected = UserEvent(
        event_id=made, user_id="7", event_type="purchase", timestamp=datetime(2026, 3, 2, 8, tzinfo=UTC),
        event_name="checkout", session_id="s1", properties={"amount": 20, "gift": True},
    )  # fmt: skip
    assert tracker.get_user_events(7) == tracker.get_user_events("7") == [expected]
    assert tracker.get_session_events("s1") == [expected]
    assert expected.to_dict()["timestamp"] == "2026-03-02T08:00:00Z"


def test_events_are_filtered_by_type_session_and_time(house):
    """Oldest first; times are bounds that belong to the range, days are whole local days."""
    tracker = EventTracker(house.ws)
    for minute, (kind, session) in enumerate([("view", "s1"), ("like", "s1"), ("view", "s2"), ("dance", None)]):
        tracker.track_event("ada", kind, session_id=session, timestamp=f"2026-03-01T10:0{minute}:00Z")
    tracker.track_event("ben", "view", session_id="s1", timestamp="2026-03-02T00:00:00Z")
    house.reopen()
    tracker = EventTracker(house.ws)

    def kinds(**filters):
        return [event.event_type for event in tracker.get_user_events("ada", **filters)]

    assert kinds() == ["view", "like", "view", "dance"]
    assert kinds(event_type="view") == ["view", "view"]
    assert kinds(event_type=(EventType.LIKE, EventType("dance"))) == ["like", "dance"]
    assert kinds(session_id="s1") == ["view", "like"]
    assert kinds(start="2026-03-01T10:01:00Z", end="2026-03-01T10:02:00Z") == ["like", "view"]
    assert kinds(start="2026-03-01", end="2026-03-01") == ["view", "like", "view", "dance"]
    assert kinds(start="2026-03-02") == kinds(end="2026-02-28") == kinds(session_id="s9") == []
    assert kinds(limit=2) == ["view", "dance"]
    shared = tracker.get_session_events("s1", event_type="view")
    assert [(event.user_id, event.event_type) for event in shared] == [("ada", "view"), ("ben", "view")]
    assert tracker.get_session_events("s1", start="2026-03-02")[0].user_id == "ben"
    assert tracker.get_user_events("nobody") == tracker.get_session_events("none") == []


def test_a_person_is_one_under_all_their_ids(house):
    """What somebody did before they were known is theirs."""
    tracker, people = EventTracker(house.ws), UserDirectory(house.ws)
    house.ws.track(anonymous_id="x", event_type="view", timestamp="2026-03-01T10:00:00Z")
    people.identify("ada", {"plan": "paid", "age": 30}, anonymous_id="x")
    house.reopen()
    tracker, people = EventTracker(house.ws), UserDirectory(house.ws)
    assert [event.event_type for event in tracker.get_user_events("ada")] == ["view", "identify"]
    assert tracker.get_user_events("x") == tracker.get_user_events("ada")
    assert {event.user_id for event in tracker.get_user_events("x")} == {"ada"}
    profile = people.get_user("ada")
    assert (profile.user_id, profile.ids, profile.attributes["plan"]) == ("ada", ("ada", "x"), "paid")
    assert people.get_user("x") == profile


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"user_id": "", "event_type": "like"}, "no_identity"),
        ({"user_id": "ada", "event_type": ""}, "no_event_type"),
        ({"user_id": "ada", "event_type": "like", "timestamp": "2026-03-01T10:00"}, "naive_time"),
        ({"user_id": "ada", "event_type": "like", "timestamp": "yesterday"}, "bad_time"),
    ],
)
def test_an_event_that_cannot_be_kept_is_refused_and_leaves_nothing(memory, event, code):
    """With the reason that an import would give."""
    with pytest.raises(EventError) as found:
        memory.service.track_event(**event)
    assert found.value.code == code
    assert memory.ws.sql("SELECT count(*) FROM fact_user_actions").rows == [(0,)]


@pytest.mark.parametrize("times", [{"start": "soon"}, {"end": "2026-03-01T10:00"}])
def test_a_time_that_is_none_is_refused(memory, times):
    """A day, or an instant with its zone."""
    with pytest.raises(QueryError, match="a day like 2026-01-31, or a time with its zone"):
        EventTracker(memory.ws).get_user_events("ada", **times)


def test_a_session_is_what_happens_between_its_start_and_its_end(house):
    """Also when the program is started anew in between."""
    sessions = SessionManager(house.ws)
    assert sessions.get_active_session("ada") is None
    session_id = sessions.start_session("ada")
    house.later(minutes=5)
    EventTracker(house.ws).track_event("ada", "like", session_id=session_id)
    house.reopen()
    sessions = SessionManager(house.ws)
    active = sessions.get_active_session("ada")
    assert isinstance(active, UserSession)
    assert (active.session_id, active.user_id, active.status, active.actions) == (session_id, "ada", "active", 1)
    assert (active.duration_seconds, active.ended_at) == (300.0, None)
    house.later(minutes=5)
    ended = sessions.end_session(session_id)
    assert (ended.status, ended.duration_seconds, ended.started_at) == ("ended", 600.0, active.started_at)
    assert sessions.get_active_session("ada") is None
    house.reopen()
    sessions = SessionManager(house.ws)
    assert sessions.get_active_session("ada") is None
    with pytest.raises(QueryError, match="ended already, at 2026-03-02 12:10:00 UTC") as found:
        sessions.end_session(session_id)
    assert found.value.code == "session_ended"
    kinds = [event.event_type for event in EventTracker(house.ws).get_session_events(session_id)]
    assert kinds == ["session_start", "like", "session_end"]


def test_a_session_expires_when_its_gap_has_passed(house):
    """Thirty minutes of silence still belong to it; more do not."""
    sessions = SessionManager(house.ws)
    session_id = sessions.start_session(7)
    house.later(minutes=20)
    house.ws.track(7, "view", session_id=session_id)
    house.later(minutes=30)
    assert sessions.get_active_session(7).session_id == session_id
    house.later(seconds=1)
    house.reopen()
    sessions = SessionManager(house.ws)
    assert sessions.get_active_session(7) is None
    expired = sessions.end_session(session_id)
    assert (expired.status, expired.duration_seconds) == ("expired", 1200.0)
    assert len(EventTracker(house.ws).get_session_events(session_id)) == 2


def test_the_gap_is_that_of_the_settings(memory):
    """As it is for every other session."""
    memory.ws.settings = memory.ws.settings.from_toml("sessions.gap_minutes = 5")
    sessions = SessionManager(memory.ws)
    sessions.start_session("ada")
    memory.later(minutes=5)
    assert sessions.get_active_session("ada") is not None
    memory.later(seconds=1)
    assert sessions.get_active_session("ada") is None


def test_somebody_may_have_several_sessions_and_the_newest_is_the_active_one(house):
    """On two devices, each with its own; what ends one leaves the other."""
    sessions = SessionManager(house.ws)
    phone = sessions.start_session("ada", session_id="phone")
    house.later(minutes=1)
    laptop = sessions.start_session("ada", session_id="laptop", properties={"campaign": "spring"})
    assert (phone, laptop) == ("phone", "laptop")
    assert sessions.get_active_session("ada").session_id == "laptop"
    sessions.end_session("laptop")
    assert sessions.get_active_session("ada").session_id == "phone"
    with pytest.raises(QueryError) as found:
        sessions.start_session("ada", session_id="laptop")
    assert found.value.code == "session_exists"


def test_a_session_id_that_two_people_use_needs_the_person(memory):
    """For its end; (user, session id) is a session."""
    sessions = SessionManager(memory.ws)
    sessions.start_session("ada", session_id="s")
    sessions.start_session("ben", session_id="s")
    with pytest.raises(QueryError, match="'ada', 'ben'") as found:
        sessions.end_session("s")
    assert found.value.code == "session_is_shared"
    assert sessions.end_session("s", user_id="ben").user_id == "ben"
    assert sessions.get_active_session("ben") is None
    assert sessions.get_active_session("ada").session_id == "s"


def test_a_session_that_nobody_has_cannot_end(memory):
    """Nor before it began."""
    sessions = SessionManager(memory.ws)
    for given in ({"session_id": "s9"}, {"session_id": "s9", "user_id": "ada"}):
        with pytest.raises(QueryError, match="no session 's9'") as found:
            sessions.end_session(**given)
        assert found.value.code == "unknown_session"
    session_id = sessions.start_session("ada")
    with pytest.raises(QueryError, match="before it began") as found:
        sessions.end_session(session_id, timestamp="2026-03-02T11:00:00Z")
    assert found.value.code == "bad_time"
    ended = sessions.end_session(session_id, timestamp="2026-03-02T12:01:00Z")
    assert ended.duration_seconds == 60.0
    assert ended.to_dict()["duration_seconds"] == 60.0


def test_sessions_reach_the_metric(house):
    """An explicit end opens a new session, however short the pause; both are counted."""
    service = house.service
    for _ in range(2):
        session_id = service.start_session("ada")
        service.track_event("ada", "view", session_id=session_id)
        house.later(minutes=4)
        service.track_event("ada", "like", session_id=session_id)
        service.end_session(session_id)
        house.later(minutes=1)
        service = house.reopen()
    row = house.ws.sessions(start="2026-03-02").rows[-1]
    assert (row["sessions"], row["duration_mean"]) == (2, 240.0)
    found = service.get_engagement_metrics()
    assert (found["sessions_per_user"], found["avg_session_duration"]) == (2.0, 240.0)


def test_the_directory_lists_who_was_active(house):
    """On a day, or in a window that ends on it."""
    house.did("ada", "02-20", "03-02")
    house.did(12, "03-02")
    house.did("ben", "03-01")
    house.reopen()
    people = UserDirectory(house.ws)
    assert people.list_active_users() == ["12", "ada"]
    assert people.list_active_users("2026-03-01") == ["ben"]
    assert people.list_active_users(window=7) == ["12", "ada", "ben"]
    assert people.list_active_users(activity="conversion") == []
    assert people.list_active_users("2026-01-01") == []


def test_somebody_unknown_has_no_profile(memory):
    """And the future has no active people."""
    people = UserDirectory(memory.ws)
    with pytest.raises(QueryError) as found:
        people.get_user("nobody")
    assert found.value.code == "unknown_user"
    with pytest.raises(QueryError, match="2026-03-03 has not begun") as found:
        people.list_active_users("2026-03-03")
    assert found.value.code == "bad_date"


def test_a_limit_is_at_least_one(memory):
    """Nothing can be asked for by leaving the call out."""
    with pytest.raises(QueryError) as found:
        EventTracker(memory.ws).get_user_events("ada", limit=0)
    assert found.value.code == "bad_limit"


def test_a_session_that_expired_may_end_at_a_time_that_is_given(memory):
    """As when its end arrives late."""
    sessions = SessionManager(memory.ws)
    session_id = sessions.start_session("ada")
    memory.later(hours=2)
    assert sessions.end_session(session_id, timestamp="2026-03-02T12:10:00Z").status == "ended"
    with pytest.raises(QueryError, match="ended already, at 2026-03-02 12:10:00 UTC"):
        sessions.end_session(session_id)


def test_a_session_of_somebody_unknown_ends_as_theirs(memory):
    """Their anonymous id stays one, and nobody new appears."""
    memory.ws.track(anonymous_id="x", event_type="view", session_id="s")
    assert SessionManager(memory.ws).get_active_session("x").session_id == "s"
    memory.later(minutes=1)
    assert SessionManager(memory.ws).end_session("s").user_id == "x"
    assert memory.ws.sql("SELECT kind, external_id FROM dim_identities").rows == [("anonymous", "x")]


def test_a_session_goes_over_to_the_known_person(memory):
    """When they say who they are in the middle of it."""
    memory.ws.track(anonymous_id="x", event_type="view", session_id="s")
    memory.later(minutes=1)
    UserDirectory(memory.ws).identify("ada", anonymous_id="x")
    memory.later(minutes=1)
    memory.ws.track("ada", "like", session_id="s")
    active = SessionManager(memory.ws).get_active_session("ada")
    assert (active.session_id, active.actions, active.duration_seconds) == ("s", 2, 120.0)
    assert SessionManager(memory.ws).end_session("s").user_id == "ada"
