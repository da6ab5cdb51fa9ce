"""Events to totals as an object: sessions also end by silence, and somebody is told of each."""

from __future__ import annotations

import datetime as dt
import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import count
from threading import RLock
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

from regulars.domain.rules import SESSION_GAP_MINUTES
from regulars.errors import QueryError, UnknownNameError
from regulars.streaming.checks import instant_of
from regulars.streaming.sessions import (
    SESSION_END,
    Session,
    add_up,
    check_length,
    check_options,
    identified,
    tally,
    that_count,
    too_many_sessions,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, MutableMapping

    from regulars.streaming.checks import UserId
    from regulars.streaming.sessions import Event, MixedSessions

Abandoned = Literal["count", "discard"]
EndedBy = Literal["session_end", "gap", "end_all"]
_SLACK = 1000
_LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True)
class EndedSession:
    """A session that counts, at its end.

    ``actions`` are its events that are no markers, without those of test users, in order of arrival, whatever keys the
    totals have; ``users`` whom they may belong to; ``counted`` what was added to the totals; ``ended_by`` is
    ``session_end``, ``gap`` or ``end_all``.
    """

    session_id: UserId
    users: frozenset[UserId]
    actions: tuple[Event, ...]
    counted: Mapping[str, int]
    ended_by: EndedBy


@dataclass
class _Open:
    serial: int
    last: dt.datetime | None
    session: Session = field(default_factory=lambda: Session(events=[], users=set()))


class SessionBuffer:
    """:func:`process_event` as an object that keeps the sessions and ends the abandoned ones.

    A session is abandoned when more than ``gap`` has passed since its latest event. The clock is the latest time seen,
    from ``now`` where it is given, else from the ``timestamp`` of events; without either nothing is ever abandoned.
    Late events extend nothing: they belong to their session as long as that is open.

    Thread-safe: every call holds the buffer's lock, also while it tells ``on_session``, which is therefore called one
    session at a time and must not wait for another thread that uses the buffer.

    Args:
        totals: As of :func:`process_event`, changed in place; a new ``Counter``, so every type, by default.
        test_users: Ids of test users.
        mixed_sessions: ``drop_session`` or ``drop_events``, as of :func:`process_event`.
        count_all: Count every type, whatever the keys of ``totals`` are.
        max_sessions: How many sessions may be open at once. Those that are due make room.
        max_events_per_session: How many events a session may have, its end not counted.
        gap: The longest silence within a session; 30 minutes by default.
        abandoned: ``count`` an abandoned session like any other, or ``discard`` it.
        on_session: Called with an :class:`EndedSession` after each session that counts was added to the totals. What
            it raises reaches the caller of the buffer; the session stays counted, others stay open.

    Raises:
        QueryError: ``bad_option``.

    Example:
        >>> buffer = SessionBuffer(on_session=lambda session: print(session.ended_by, dict(session.counted)))
        >>> buffer.add({"session_id": "s", "user_id": 7, "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"})
        >>> buffer.expire("2026-01-05T09:30:00Z"), buffer.expire("2026-01-05T09:30:01Z")
        gap {'like': 1}
        (0, 1)
    """

    def __init__(
        self,
        totals: MutableMapping[str, int] | None = None,
        test_users: Container[UserId] = (),
        *,
        mixed_sessions: MixedSessions = "drop_session",
        count_all: bool = False,
        max_sessions: int | None = None,
        max_events_per_session: int | None = None,
        gap: dt.timedelta = dt.timedelta(minutes=SESSION_GAP_MINUTES),
        abandoned: Abandoned = "count",
        on_session: Callable[[EndedSession], object] | None = None,
    ) -> None:
        bounds = ("max_sessions", max_sessions), ("max_events_per_session", max_events_per_session)
        check_options(test_users, mixed_sessions, *bounds)
        if gap <= dt.timedelta(0):
            raise QueryError(f"gap must be longer than nothing, not {gap!r}", code="bad_option")
        if abandoned not in get_args(Abandoned):
            raise UnknownNameError("value of abandoned", abandoned, get_args(Abandoned), code="bad_option")
        self._totals = Counter() if totals is None else totals
        self._began_empty = not self._totals and isinstance(self._totals, Counter | defaultdict)
        self._count_all = count_all
        self._test_users, self._mixed_sessions = test_users, mixed_sessions
        self._max_sessions, self._max_events = max_sessions, max_events_per_session
        self._gap, self._abandoned, self._on_session = gap, abandoned, on_session
        self._lock = RLock()
        self._clock: dt.datetime | None = None
        self._open: dict[UserId, _Open] = {}
        self._serials = count()
        # An entry per open session, under a time at which it was not yet silent (its latest event may be later), and
        # some of sessions that have ended.
        self._silence: list[tuple[dt.datetime, int, UserId]] = []

    @property
    def totals(self) -> Mapping[str, int]:
        """The totals, to be read only."""
        return MappingProxyType(self._totals)

    def __len__(self) -> int:
        """The number of open sessions."""
        return len(self._open)

    def add(self, event: Event, *, now: dt.datetime | str | None = None) -> None:
        """Take one event; sessions that are due by its time end first.

        Args:
            event: As of :func:`process_event`. Its ``timestamp`` (datetime or ISO text, UTC without an offset) is its
                time, unless ``now`` is given.
            now: The time of the event.

        Raises:
            EventError: As :func:`process_event`, and ``bad_time``; nothing was changed.
            SessionLimitError: As :func:`process_event`; nothing was changed.
        """
        session_id, user_id, event_type = identified(event)
        at = _time_of(event, now)
        with self._lock:
            clock = _later(self._clock, at)
            is_end = event_type == SESSION_END
            if not is_end:
                self._refuse_beyond_bounds(session_id, clock)
            self._expire(clock)
            if is_end:
                self._end(session_id, "session_end", user_id)
            else:
                self._take(session_id, user_id, event, at or clock)

    def expire(self, now: dt.datetime | str) -> int:
        """End the sessions that are abandoned by a time, longest silent first; returns how many there were.

        Raises:
            EventError: ``bad_time``.
        """
        with self._lock:
            return self._expire(_later(self._clock, instant_of(now, "now")))

    def end_all(self) -> int:
        """Count every open session as it stands, when the stream is over; returns how many there were."""
        with self._lock:
            ended = 0
            while self._open:
                self._end(next(iter(self._open)), "end_all")
                ended += 1
            return ended

    def _refuse_beyond_bounds(self, session_id: UserId, clock: dt.datetime | None) -> None:
        known, most = self._open.get(session_id), self._max_sessions
        if known is not None:
            if not self._is_silent(known, clock):
                check_length(known.session, session_id, self._max_events)
        elif most is not None and len(self._open) >= most and self._next_silent(clock) is None:
            raise too_many_sessions(most)

    def _take(self, session_id: UserId, user_id: UserId, event: Event, at: dt.datetime | None) -> None:
        known = self._open.get(session_id)
        if known is None:
            known = self._open[session_id] = _Open(next(self._serials), at)
            heapq.heappush(self._silence, (at or _LONG_AGO, known.serial, session_id))
            if len(self._silence) > 2 * len(self._open) + _SLACK:
                self._silence = [(one.last or _LONG_AGO, one.serial, id_) for id_, one in self._open.items()]
                heapq.heapify(self._silence)
        known.last = _later(known.last, at)
        known.session["events"].append(dict(event))
        known.session["users"].add(user_id)

    def _expire(self, clock: dt.datetime | None) -> int:
        if self._clock is None and clock is not None:
            for known in self._open.values():
                known.last = clock  # they came when there was no time; their silence begins with it
        self._clock, ended = clock, 0
        while (session_id := self._next_silent(clock)) is not None:
            self._end(session_id, "gap")
            ended += 1
        return ended

    def _is_silent(self, known: _Open, clock: dt.datetime | None) -> bool:
        return clock is not None and known.last is not None and clock - known.last > self._gap

    def _next_silent(self, clock: dt.datetime | None) -> UserId | None:
        """The session that has been silent longest, if that is too long; what the heap says wrongly is put right."""
        while self._silence and clock is not None and clock - self._silence[0][0] > self._gap:
            at, serial, session_id = self._silence[0]
            known = self._open.get(session_id)
            if known is None or known.serial != serial:
                heapq.heappop(self._silence)
            elif known.last == at:
                return session_id
            elif known.last is None:
                return None
            else:
                heapq.heapreplace(self._silence, (known.last, serial, session_id))
        return None

    def _end(self, session_id: UserId, ended_by: EndedBy, user_id: UserId | None = None) -> None:
        known = self._open.get(session_id)
        if known is None:
            return
        found = None
        if ended_by != "gap" or self._abandoned == "count":
            found = that_count(known.session, user_id, self._test_users, self._mixed_sessions)
        if found is None:
            del self._open[session_id]
            return
        actions, users = found
        every, plurals = self._count_all or self._began_empty, not self._began_empty
        counted = tally(actions, self._totals, every=every, plurals=plurals)
        add_up(self._totals, counted)
        del self._open[session_id]
        if self._on_session is not None:
            self._on_session(EndedSession(session_id, users, tuple(actions), MappingProxyType(counted), ended_by))


def _time_of(event: Event, now: dt.datetime | str | None) -> dt.datetime | None:
    if now is not None:
        return instant_of(now, "now")
    given = event.get("timestamp")
    return None if given is None else instant_of(given, "timestamp")


def _later(one: dt.datetime | None, other: dt.datetime | None) -> dt.datetime | None:
    return max((each for each in (one, other) if each is not None), default=None)
