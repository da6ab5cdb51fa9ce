"""Events to totals, one call per event."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.domain.actions import MARKERS
from regulars.errors import EventError, QueryError, RegularsError, SessionLimitError
from regulars.streaming import process_event


def event(session, user, kind):
    return {"session_id": session, "user_id": user, "event_type": kind}


def totals_of(events, totals, test_users=(), **options):
    """The totals after some events, and what is left in the buffer."""
    buffer = {}
    for each in events:
        assert process_event(event(*each), buffer, totals, test_users, **options) is None
    return totals, buffer


def test_a_session_is_buffered_from_its_first_event_to_its_end():
    buffer, totals = {}, {"like": 0, "comment": 0}
    process_event(event("s", "ada", "like"), buffer, totals, set())
    process_event(event("s", "ben", "comment"), buffer, totals, set())
    assert buffer == {
        "s": {"events": [event("s", "ada", "like"), event("s", "ben", "comment")], "users": {"ada", "ben"}}
    }
    assert totals == {"like": 0, "comment": 0}
    process_event(event("s", "ada", "session_end"), buffer, totals, set())
    assert buffer == {}
    assert totals == {"like": 1, "comment": 1}


def test_totals_are_changed_in_place_and_added_to():
    totals = {"like": 5}
    assert totals_of([("s", "ada", "like"), ("s", "ada", "session_end")], totals)[0] is totals
    assert totals == {"like": 6}


def test_an_event_is_copied_so_that_its_dict_can_be_used_again():
    buffer, totals, one = {}, {"like": 0, "share": 0}, event("s", "ada", "like")
    process_event(one, buffer, totals, set())
    one["event_type"] = "share"
    process_event(one, buffer, totals, set())
    process_event(event("s", "ada", "session_end"), buffer, totals, set())
    assert totals == {"like": 1, "share": 1}


@pytest.mark.parametrize("mixed_sessions", ["drop_session", "drop_events"])
def test_a_session_of_test_users_never_counts(mixed_sessions):
    events = [("s", "qa-1", "like"), ("s", "qa-2", "like"), ("s", "qa-1", "session_end")]
    assert totals_of(events, {"like": 0}, {"qa-1", "qa-2"}, mixed_sessions=mixed_sessions) == ({"like": 0}, {})


def test_a_mixed_session_is_dropped_whole_unless_asked():
    events = [("s", "ada", "like"), ("s", "qa-1", "like"), ("s", "ada", "share"), ("s", "ada", "session_end")]
    assert totals_of(events, {"like": 0, "share": 0}, {"qa-1"})[0] == {"like": 0, "share": 0}
    found = totals_of(events, {"like": 0, "share": 0}, {"qa-1"}, mixed_sessions="drop_events")[0]
    assert found == {"like": 1, "share": 1}


def test_whoever_ends_a_session_belongs_to_it():
    events = [("s", "ada", "like"), ("s", "qa-1", "session_end")]
    assert totals_of(events, {"like": 0}, {"qa-1"})[0] == {"like": 0}
    assert totals_of(events, {"like": 0}, {"qa-1"}, mixed_sessions="drop_events")[0] == {"like": 1}


@pytest.mark.parametrize(("user", "test_users"), [(7, {"7"}), ("7", {7}), (7, [7]), ("7", ("7",)), (-7, {"-7"})])
def test_a_test_user_is_known_whether_the_id_is_text_or_a_number(user, test_users):
    """A test user who slips through would be a wrong number that nobody sees."""
    assert totals_of([("s", user, "like"), ("s", user, "session_end")], {"like": 0}, test_users)[0] == {"like": 0}


@pytest.mark.parametrize("user", ["07", "9" * 5000, "x", "\u0663"])
def test_an_id_that_only_looks_like_that_of_a_test_user_counts(user):
    found = totals_of([("s", user, "like"), ("s", user, "session_end")], {"like": 0}, {7, 3, int("9" * 18)})[0]
    assert found == {"like": 1}


def test_only_types_that_are_keys_count():
    events = [("s", "ada", "like"), ("s", "ada", "page_view"), ("s", "ada", "session_end")]
    assert totals_of(events, {"like": 0})[0] == {"like": 1}
    assert totals_of(events, {})[0] == {}
    assert totals_of(events, Counter(like=0))[0] == {"like": 1}
    assert totals_of(events, defaultdict(int, like=0))[0] == {"like": 1}


@pytest.mark.parametrize("totals", [Counter(), defaultdict(int), defaultdict(None)], ids=["Counter", "int", "None"])
def test_an_empty_counter_or_defaultdict_counts_every_type_also_after_its_first_session(totals):
    """Keys that the first session left behind were chosen by nobody."""
    events = [
        ("a", "ada", "session_start"), ("a", "ada", "likes"), ("a", "ada", "session_end"),
        ("b", "ben", "like"), ("b", "ben", "dance"), ("b", "ben", "session_end"),
    ]  # fmt: skip
    assert totals_of(events, totals)[0] == {"likes": 1, "like": 1, "dance": 1}


def test_a_defaultdict_goes_on_as_one():
    totals = totals_of([("a", "ada", "like"), ("a", "ada", "session_end")], defaultdict(int))[0]
    assert totals["never seen"] == 0


def test_every_type_but_markers_counts_on_request():
    events = [("s", "ada", kind) for kind in ("like", "dance", *MARKERS)]
    assert totals_of([*events, ("s", "ada", "session_end")], {}, count_all=True)[0] == {"like": 1, "dance": 1}
    found = totals_of([*events, ("s", "ada", "session_end")], {"share": 2}, count_all=True)[0]
    assert found == {"share": 2, "like": 1, "dance": 1}


def test_a_marker_never_counts_even_where_it_is_a_key():
    totals = dict.fromkeys((*MARKERS, "session_starts"), 0)
    events = [("s", "ada", kind) for kind in ("session_start", "identify", "alias", "session_end")]
    assert totals_of(events, dict(totals))[0] == totals


def test_a_plural_key_is_accepted_when_only_it_exists():
    kinds = ("like", "reply", "search", "play", "like")
    events = [*(("s", "ada", kind) for kind in kinds), ("s", "ada", "session_end")]
    plurals = {"likes": 0, "replies": 0, "searches": 0, "plays": 0}
    assert totals_of(events, plurals)[0] == {"likes": 2, "replies": 1, "searches": 1, "plays": 1}
    assert totals_of(events, {"like": 0, "likes": 0})[0] == {"like": 2, "likes": 0}


def test_an_event_after_the_end_opens_a_new_session():
    events = [("s", "ada", "like"), ("s", "ada", "session_end"), ("s", "ada", "like")]
    totals, buffer = totals_of(events, {"like": 0})
    assert totals == {"like": 1}
    assert len(buffer["s"]["events"]) == 1


def test_an_end_without_a_session_does_nothing():
    assert totals_of([("s", "ada", "session_end")], {"like": 0}, max_sessions=1) == ({"like": 0}, {})


@pytest.mark.parametrize("name", ["session_id", "user_id", "event_type"])
@pytest.mark.parametrize("value", ["missing", None, "", 1.5, True, ["x"], b"x", {}])
def test_a_missing_or_mistyped_key_is_refused_and_changes_nothing(name, value):
    buffer, totals = {"s": {"events": [event("s", "ada", "like")], "users": {"ada"}}}, {"like": 3}
    before = copy.deepcopy((buffer, totals))
    wrong = event("s", "ada", "session_end")
    if value == "missing":
        del wrong[name]
    else:
        wrong[name] = value
    with pytest.raises(EventError, match=name):
        process_event(wrong, buffer, totals, set())
    assert (buffer, totals) == before


@pytest.mark.parametrize("wrong", [None, [], "text", 7])
def test_what_is_no_dict_is_no_event(wrong):
    with pytest.raises(EventError, match="must be a dict") as caught:
        process_event(wrong, {}, {}, set())
    assert caught.value.code == "bad_record"


def test_ids_may_be_numbers():
    assert totals_of([(1, 2, "like"), (1, 2, "session_end")], {"like": 0}) == ({"like": 1}, {})


def test_a_bound_of_sessions_refuses_one_more_and_changes_nothing():
    totals, buffer = totals_of([("a", "ada", "like"), ("b", "ben", "like")], {"like": 0}, max_sessions=2)
    before = copy.deepcopy(buffer)
    with pytest.raises(SessionLimitError, match="2 sessions are open") as caught:
        process_event(event("c", "cem", "like"), buffer, totals, set(), max_sessions=2)
    assert (buffer, totals, caught.value.code) == (before, {"like": 0}, "too_many_sessions")
    process_event(event("b", "ben", "like"), buffer, totals, set(), max_sessions=2)
    process_event(event("a", "ada", "session_end"), buffer, totals, set(), max_sessions=2)
    process_event(event("c", "cem", "like"), buffer, totals, set(), max_sessions=2)
    assert sorted(buffer) == ["b", "c"]


def test_a_bound_of_events_refuses_one_more_but_never_the_end():
    totals, buffer = totals_of([("s", "ada", "like"), ("s", "ada", "like")], {"like": 0}, max_events_per_session=2)
    before = copy.deepcopy(buffer)
    with pytest.raises(SessionLimitError, match="session 's' has 2 events") as caught:
        process_event(event("s", "ada", "like"), buffer, totals, set(), max_events_per_session=2)
    assert (buffer, totals, caught.value.code) == (before, {"like": 0}, "session_too_long")
    process_event(event("s", "ada", "session_end"), buffer, totals, set(), max_events_per_session=2)
    assert (buffer, totals) == ({}, {"like": 2})
    assert issubclass(SessionLimitError, RegularsError)
    assert caught.value.fields == {"session_id": "s"}


@pytest.mark.parametrize(
    "options",
    [{"mixed_sessions": "drop"}, {"max_sessions": 0}, {"max_sessions": True}, {"max_events_per_session": 1.5},
     {"test_users": "qa-1"}],
)  # fmt: skip
def test_a_wrong_option_is_refused(options):
    with pytest.raises(QueryError) as caught:
        process_event(**{"event": event("s", "a", "like"), "buffer": {}, "totals": {}, "test_users": (), **options})
    assert caught.value.code == "bad_option"


KINDS = st.sampled_from(("like", "reply", "dance", "session_start", "session_end"))
EVENTS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("ada", "ben", "qa", 7)), KINDS), max_size=40)


@given(events=EVENTS, mixed=st.sampled_from(("drop_session", "drop_events")))
def test_totals_are_those_of_the_sessions_cut_out_of_the_log(events, mixed):
    """Against the whole log, cut at each end, counted at the end."""
    expected = Counter()
    for session in "abc":
        runs = [[]]
        for one in (each for each in events if each[0] == session):
            runs[-1].append(one)
            if one[2] == "session_end":
                runs.append([])
        for run in runs[:-1]:
            users = {user for _, user, _ in run}
            if mixed == "drop_events" or not users & {"qa", 7}:
                kept = [kind for _, user, kind in run if user not in ("qa", 7)]
                expected.update(kind for kind in kept if kind not in MARKERS)
    assert totals_of(events, Counter(), {"qa", "7"}, mixed_sessions=mixed)[0] == expected
    named = totals_of(events, {"likes": 0, "replies": 0}, {"qa", "7"}, mixed_sessions=mixed)[0]
    assert named == {"likes": expected["like"], "replies": expected["reply"]}
