"""Events to totals, one call per event, state in the caller's hands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.streaming.sessions import (
    SESSION_END,
    add_up,
    check_length,
    check_options,
    counts_every_type,
    identified,
    tally,
    that_count,
    too_many_sessions,
)

if TYPE_CHECKING:
    from collections.abc import Container, MutableMapping

    from regulars.streaming.checks import UserId
    from regulars.streaming.sessions import Event, MixedSessions, Session


def process_event(
    event: Event,
    buffer: MutableMapping[UserId, Session],
    totals: MutableMapping[str, int],
    test_users: Container[UserId],
    *,
    mixed_sessions: MixedSessions = "drop_session",
    count_all: bool = False,
    max_sessions: int | None = None,
    max_events_per_session: int | None = None,
) -> None:
    """Take one engagement event; at ``session_end`` the session's actions are added to the totals, in place.

    A session of test users never counts. Markers (``session_start``, ``session_end``, ``identify``, ``alias``) are no
    actions. An event after ``session_end`` opens a new session; an end without a session does nothing. Not
    thread-safe: the dicts are the caller's, and so is the order; :class:`SessionBuffer` has a lock.

    Args:
        event: A dict with ``session_id`` and ``user_id`` (text or int) and ``event_type`` (text). It is copied.
        buffer: The open sessions: ``buffer[session_id] = {"events": [...], "users": {...}}``; begin with ``{}``.
        totals: Actions by type. Counted are the types that are keys, also under their plural where only that is a key
            (``like`` under ``likes``, ``reply`` under ``replies``). A ``Counter`` or ``defaultdict`` that is empty
            when its first session ends counts every type from then on.
        test_users: Ids of test users; 7 and "7" are the same person.
        mixed_sessions: What to do with a session of test users and others: ``drop_session``, or ``drop_events``: only
            those of its test users.
        count_all: Count every type, whatever the keys of ``totals`` are.
        max_sessions: How many sessions may be open at once.
        max_events_per_session: How many events a session may have, its end not counted.

    Raises:
        EventError: ``bad_record``, ``missing_key``, ``bad_id``, ``bad_type``: the event is wrong; nothing was changed.
        SessionLimitError: ``too_many_sessions``, ``session_too_long``: a bound is reached; nothing was changed.
        QueryError: ``bad_option``: an option is wrong.

    Example:
        >>> buffer, totals = {}, {"likes": 0, "replies": 0}
        >>> for user, kind in (("ada", "like"), ("ada", "reply"), ("ben", "like"), ("ada", "session_end")):
        ...     event = {"session_id": f"of-{user}", "user_id": user, "event_type": kind}
        ...     process_event(event, buffer, totals, test_users={"qa-1"})
        >>> totals, sorted(buffer)
        ({'likes': 1, 'replies': 1}, ['of-ben'])
    """
    session_id, user_id, event_type = identified(event)
    bounds = ("max_sessions", max_sessions), ("max_events_per_session", max_events_per_session)
    check_options(test_users, mixed_sessions, *bounds)
    session = buffer.get(session_id)
    if event_type != SESSION_END:
        if session is None:
            if max_sessions is not None and len(buffer) >= max_sessions:
                raise too_many_sessions(max_sessions)
            session = buffer[session_id] = {"events": [], "users": set()}
        check_length(session, session_id, max_events_per_session)
        session["events"].append(dict(event))
        session["users"].add(user_id)
    elif session is not None:
        _end(session, user_id, totals, test_users, mixed_sessions, count_all=count_all)
        del buffer[session_id]


def _end(
    session: Session,
    ended_by: UserId,
    totals: MutableMapping[str, int],
    test_users: Container[UserId],
    mixed_sessions: MixedSessions,
    *,
    count_all: bool,
) -> None:
    if found := that_count(session, ended_by, test_users, mixed_sessions):
        began_empty = counts_every_type(totals)
        add_up(totals, tally(found[0], totals, every=count_all or began_empty, plurals=not began_empty))
