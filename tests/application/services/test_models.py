"""Services against models in plain Python: whatever is tracked, in whatever order, filters and sessions agree."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

import regulars
from regulars.application import EventTracker, SessionManager
from regulars.errors import QueryError

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GAP = timedelta(minutes=30)
FEW = settings(max_examples=max(6, settings.default.max_examples // 6))  # each example has a workspace of its own

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "ada"]),
        st.sampled_from(["like", "view", "session_end"]),
        st.sampled_from([None, "s1", "s2"]),
        st.integers(-2 * 24 * 60, 2 * 24 * 60),
    ),
    max_size=25,
)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "event_type": st.sampled_from(["like", ["view", "session_end"], "never"]),
        "session_id": st.sampled_from(["s1", "s2"]),
        "start": st.sampled_from(["2026-03-01", NOON]),
        "end": st.sampled_from(["2026-03-02", NOON + timedelta(hours=5)]),
        "limit": st.sampled_from([1, 3]),
    },
)


def keeps(event, filters, timezone_shift):
    """Whether an event passes; a text is a local day, and local days are hours ahead of UTC here."""
    _, kind, session, at = event
    wanted = filters.get("event_type", kind)
    day = (at + timezone_shift).date().isoformat()
    tests = [kind in ([wanted] if isinstance(wanted, str) else wanted)]
    tests.append("session_id" not in filters or session == filters["session_id"])
    for name, sign in (("start", 1), ("end", -1)):
        bound = filters.get(name)
        if bound is not None:
            mine = day if isinstance(bound, str) else at
            tests.append(mine >= bound if sign == 1 else mine <= bound)
    return all(tests)


@given(drawn=EVENTS, filters=st.lists(FILTERS, min_size=1, max_size=4))
@FEW
def test_filters_keep_what_a_loop_over_the_events_keeps(drawn, filters):
    """In the order of time, for each person and each session; days are those of the workspace's time zone."""
    shift = timedelta(hours=5, minutes=45)
    events = [(user, kind, session, NOON + timedelta(minutes=minute)) for user, kind, session, minute in drawn]
    with regulars.open(timezone="Asia/Kathmandu", clock=lambda: NOON) as ws:
        tracker = EventTracker(ws)
        for number, (user, kind, session, at) in enumerate(events):
            tracker.track_event(user, kind, session_id=session, timestamp=at, event_id=f"{number:03}")
        order = sorted(range(len(events)), key=lambda n: (events[n][3], f"{n:03}"))
        for given_ones in filters:
            passed = [n for n in order if keeps(events[n], given_ones, shift)]
            for user in ("1", "2", "ada"):
                expected = [f"{n:03}" for n in passed if events[n][0] == user]
                found = tracker.get_user_events(user, **given_ones)
                assert [event.event_id for event in found] == expected[-given_ones.get("limit", 99) :]
            rest = {name: value for name, value in given_ones.items() if name != "session_id"}
            expected = [f"{n:03}" for n in order if keeps(events[n], rest, shift) and events[n][2] == "s1"]
            found = tracker.get_session_events("s1", **rest)
            assert [event.event_id for event in found] == expected[-given_ones.get("limit", 99) :]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start", "start", "event", "event", "end", "end"]),
        st.sampled_from(["ada", "ben"]),
        st.integers(0, 2),
        st.sampled_from([1, 10, 30, 31, 45]),
    ),
    min_size=1,
    max_size=9,
)


class Model:
    """Sessions as a program would remember them: person, start, latest event, end."""

    def __init__(self):
        self.sessions = {}

    def status(self, name, now):
        """As the contract has it: the end counts before the silence does."""
        _, _, latest, end = self.sessions[name]
        return "ended" if end else "expired" if now - latest > GAP else "active"

    def active(self, user, now):
        """The session of a person that began last of those that are active."""
        mine = [(begin, name) for name, (who, begin, _, _) in self.sessions.items() if who == user]
        return next((name for _, name in sorted(mine, reverse=True) if self.status(name, now) == "active"), None)


@given(steps=STEPS)
@FEW
def test_sessions_are_what_a_program_would_remember(steps):
    """Through any sequence of starts, events, ends and pauses; a manager made anew knows as much."""
    now, model = NOON, Model()
    with regulars.open(clock=lambda: now) as ws:
        for kind, user, number, minutes in steps:
            name = f"{user}-{number}"
            known = name in model.sessions
            if kind == "start" and not known:
                SessionManager(ws).start_session(user, name)
                model.sessions[name] = [user, now, now, None]
            elif kind == "event" and known:
                ws.track(user, "like", session_id=name)
                model.sessions[name][2] = now
            elif kind == "end":
                expected = model.status(name, now) if known else "unknown"
                try:
                    told = SessionManager(ws).end_session(name).status
                except QueryError as exc:
                    told = exc.code
                answers = {"ended": "session_ended", "unknown": "unknown_session", "active": "ended"}
                assert told == answers.get(expected, expected)
                if expected == "active":
                    model.sessions[name][2:] = [now, now]
            now += timedelta(minutes=minutes)
        for user in ("ada", "ben"):
            found = SessionManager(ws).get_active_session(user)
            assert (found and found.session_id) == model.active(user, now)
            if found:
                _, begin, latest, _ = model.sessions[found.session_id]
                assert (found.started_at, found.last_event_at) == (begin, latest)
