"""One session of a stream: which of its events count, and under which key of the totals."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from regulars.domain.actions import MARKERS
from regulars.errors import EventError, QueryError, SessionLimitError, UnknownNameError
from regulars.streaming.checks import UserId, id_of, option_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Mapping, MutableMapping

Event = dict[str, Any]
MixedSessions = Literal["drop_session", "drop_events"]
SESSION_END = "session_end"
_MARK = "counts_every_type"
_VOWELS = "aeiou"
_LONGEST_NUMBER = 18


class Session(TypedDict):
    """An open session: its events in order of arrival, and the users they name."""

    events: list[Event]
    users: set[UserId]


def identified(event: object) -> tuple[UserId, UserId, str]:
    """Session, user and type of an event.

    Raises:
        EventError: ``bad_record``: it is no dict; ``missing_key``; ``bad_id``, ``bad_type``: a value is not allowed.
    """
    if not isinstance(event, dict):
        raise EventError(f"an event must be a dict, not {type(event).__name__}", code="bad_record")
    for name in ("session_id", "user_id", "event_type"):
        if name not in event:
            raise EventError(
                f"the event has no {name!r}; it needs session_id, user_id and event_type", code="missing_key", key=name
            )
    kind = event["event_type"]
    if not isinstance(kind, str) or not kind:
        raise EventError(f"event_type must be text that is not empty, not {kind!r}", code="bad_type")
    return id_of(event["session_id"], "session_id"), id_of(event["user_id"], "user_id"), kind


def check_options(test_users: object, mixed_sessions: str, *bounds: tuple[str, int | None]) -> None:
    """Refuse options that would quietly count something else than was meant."""
    if mixed_sessions not in get_args(MixedSessions):
        raise UnknownNameError("value of mixed_sessions", mixed_sessions, get_args(MixedSessions), code="bad_option")
    if isinstance(test_users, str):
        raise QueryError(f"test_users must be a set of ids, not the text {test_users!r}", code="bad_option")
    for name, bound in bounds:
        if bound is not None:
            option_of(bound, name)


def check_length(session: Session, session_id: UserId, most: int | None) -> None:
    """Refuse one event too many in a session."""
    if most is not None and len(session["events"]) >= most:
        raise SessionLimitError(
            f"session {session_id!r} has {most} events, the most that max_events_per_session allows; "
            "end it or raise the bound",
            code="session_too_long", session_id=session_id,
        )  # fmt: skip


def too_many_sessions(most: int) -> SessionLimitError:
    """The error for one open session too many."""
    return SessionLimitError(
        f"{most} sessions are open, the most that max_sessions allows; end or expire some, or raise the bound",
        code="too_many_sessions",
    )


def that_count(
    session: Session, ended_by: UserId | None, test_users: Container[UserId], mixed_sessions: MixedSessions
) -> tuple[list[Event], frozenset[UserId]] | None:
    """The actions of a session that count, and the users they may belong to; None for a session that does not count.

    Whoever ends a session belongs to it.
    """
    users = session["users"] if ended_by is None else session["users"] | {ended_by}
    counted = frozenset(user for user in users if not is_test(user, test_users))
    if not counted or (len(counted) < len(users) and mixed_sessions == "drop_session"):
        return None
    return [
        event for event in session["events"] if event["event_type"] not in MARKERS and event["user_id"] in counted
    ], counted


def is_test(user: UserId, test_users: Container[UserId]) -> bool:
    """Whether an id is among those of test users, where 7 and "7" are the same person.

    >>> is_test(7, {"7"}), is_test("7", [7]), is_test("07", [7])
    (True, True, False)
    """
    if user in test_users:
        return True
    if isinstance(user, int):
        return str(user) in test_users
    number = int(user) if user.isdecimal() and len(user) <= _LONGEST_NUMBER else None
    return number is not None and str(number) == user and number in test_users


def plural(word: str) -> str:
    """The plural of an event type.

    >>> [plural(word) for word in ("like", "reply", "play", "search", "poll_vote")]
    ['likes', 'replies', 'plays', 'searches', 'poll_votes']
    """
    if word.endswith("y") and word[-2:-1] not in (*_VOWELS, ""):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "z", "ch", "sh")) else f"{word}s"


def tally(actions: Iterable[Event], keys: Collection[str], *, every: bool, plurals: bool) -> Counter[str]:
    """How many actions there are per key of the totals.

    Args:
        actions: Events of types that are no markers.
        keys: Those of the totals.
        every: Count types that are no key as well, under their own name.
        plurals: Count a type under its plural where only that is a key.
    """
    found: Counter[str] = Counter()
    for kind, number in Counter(action["event_type"] for action in actions).items():
        if kind in keys:
            found[kind] += number
        elif plurals and plural(kind) in keys:
            found[plural(kind)] += number
        elif every:
            found[kind] += number
    return found


def add_up(totals: MutableMapping[str, int], added: Mapping[str, int]) -> None:
    """Add to the totals; ``update`` would replace in a dict and add in a ``Counter``."""
    for key, number in added.items():
        totals[key] = totals.get(key, 0) + number


class _EveryType:
    """A default factory which tells that its dict was empty at first, and so counts every type."""

    def __init__(self, factory: Callable[[], int]) -> None:
        self.factory = factory

    def __call__(self) -> int:
        return self.factory()


def counts_every_type(totals: MutableMapping[str, int]) -> bool:
    """Whether totals are a ``Counter`` or ``defaultdict`` that was empty when the first session was counted.

    Its first counted session leaves keys behind which nobody has chosen, so that it was empty must be remembered, and
    the dict is the only thing that lives as long as it has to. A copy of it is judged by its own keys.
    """
    if isinstance(totals, Counter):
        if not totals:
            vars(totals)[_MARK] = True
        return _MARK in vars(totals)
    if isinstance(totals, defaultdict):
        if not totals and not isinstance(totals.default_factory, _EveryType):
            totals.default_factory = _EveryType(totals.default_factory or int)
        return isinstance(totals.default_factory, _EveryType)
    return False
