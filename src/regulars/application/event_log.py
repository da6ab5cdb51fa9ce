"""The events of a person or a session, as they were kept, and the sessions that client ids make of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from regulars.domain.calendar import Day, day_of
from regulars.domain.dialect import render
from regulars.domain.sql import Values
from regulars.domain.user_events import UserEvent
from regulars.domain.wire import instant_of
from regulars.errors import EventError, QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.application.ports import Engine

Moment = Day | datetime

_FROM = """FROM fact_user_actions e
JOIN dim_identities i ON i.identity_key = e.identity_key
JOIN dim_users u ON u.user_key = i.user_key
JOIN dim_actions a ON a.action_key = e.action_key"""


class Sighting(NamedTuple):
    """A session id of a person with its first and latest event, its end and its actions; times are naive UTC."""

    session_id: str
    user_id: str
    is_known: bool
    started_at: datetime
    last_event_at: datetime
    ended_at: datetime | None
    actions: int


def read_events(
    engine: Engine,
    *,
    user_id: str | None = None,
    session_id: str | None = None,
    event_types: Sequence[str] = (),
    start: Moment | None = None,
    end: Moment | None = None,
    limit: int | None = None,
) -> list[UserEvent]:
    """Events that meet every condition, oldest first; with a limit, so many of the newest.

    Errors: :class:`QueryError` ``bad_date``, ``bad_limit``.
    """
    if limit is not None and limit < 1:
        raise QueryError(f"limit must be at least 1, not {limit}", code="bad_limit")
    values = Values()
    tests = _who(values, user_id, session_id)
    tests += [f"a.action_type IN ({values.add_all(tuple(event_types))})"] if event_types else []
    tests += [_bound(values, given, sign, name) for given, sign, name in ((start, ">=", "start"), (end, "<=", "end"))
              if given is not None]  # fmt: skip
    text = f"""
SELECT e.event_id, u.user_id, a.action_type, e.action_timestamp, e.event_name, e.client_session_id, e.action_metadata
{_FROM}
WHERE {" AND ".join(tests)}
ORDER BY e.action_timestamp DESC, e.sequence DESC NULLS FIRST, e.event_id DESC"""
    found = engine.query(render(values.bind(text if limit is None else f"{text} LIMIT {limit}"), engine.dialect)).rows
    return [_event(row) for row in reversed(found)]


def read_sessions(engine: Engine, *, user_id: str | None = None, session_id: str | None = None) -> list[Sighting]:
    """The sessions of a person, or those that share an id, newest first."""
    values = Values()
    tests = ["e.client_session_id IS NOT NULL", *_who(values, user_id, session_id)]
    text = f"""
SELECT e.client_session_id, u.user_id, max(CASE WHEN k.kind = 'known' THEN 1 ELSE 0 END) AS is_known,
  min(e.action_timestamp) AS started_at, max(e.action_timestamp) AS last_event_at,
  min(CASE WHEN a.action_type = 'session_end' THEN e.action_timestamp END) AS ended_at,
  count(CASE WHEN NOT a.is_marker THEN 1 END) AS actions
{_FROM}
JOIN dim_identities k ON k.user_key = u.user_key AND k.external_id = u.user_id
WHERE {" AND ".join(tests)}
GROUP BY e.client_session_id, u.user_key, u.user_id
ORDER BY started_at DESC, e.client_session_id, u.user_id"""
    found = engine.query(render(values.bind(text), engine.dialect)).rows
    return [Sighting(name, user, bool(is_known), *rest) for name, user, is_known, *rest in found]


def _who(values: Values, user_id: str | None, session_id: str | None) -> list[str]:
    tests = [] if session_id is None else [f"e.client_session_id = {values.add(session_id)}"]
    if user_id is not None:
        owner = f"SELECT user_key FROM dim_identities WHERE external_id = {values.add(user_id)}"
        tests.append(f"i.user_key = ({owner} ORDER BY kind DESC LIMIT 1)")
    return tests


def _bound(values: Values, given: Moment, sign: str, name: str) -> str:
    """A condition on the local day, or on the instant."""
    try:
        day = day_of(given, name) if not isinstance(given, datetime) else None
    except QueryError:
        day = None
    if day is not None:
        return f"e.day {sign} {values.add(day)}"
    try:
        moment = instant_of(given)
    except EventError as exc:
        raise QueryError(
            f"{name} must be a day like 2026-01-31, or a time with its zone, not {given!r}", code="bad_date"
        ) from exc
    return f"e.action_timestamp {sign} CAST({values.add(moment.isoformat(sep=' '))} AS TIMESTAMP)"


def _event(row: tuple[Any, ...]) -> UserEvent:
    event_id, user_id, kind, at, name, session_id, properties = row
    return UserEvent(event_id, user_id, kind, at.replace(tzinfo=UTC), name, session_id, json.loads(properties or "{}"))
