"""One person: who they are, how they stand, and what they did, newest first."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from regulars.application.query import read_context
from regulars.domain.dialect import render
from regulars.domain.rules import RISK_DAYS, TIER_WINDOW, tier_of
from regulars.domain.schema import STORED_USER_ATTRIBUTES
from regulars.domain.sql import Values
from regulars.domain.timeline import Moment, Profile, Timeline
from regulars.errors import QueryError

if TYPE_CHECKING:
    from datetime import date, datetime

    from regulars.application.ports import Engine
    from regulars.domain.context import Context
    from regulars.settings import Settings

Read = Callable[..., list[tuple[Any, ...]]]

_KEY = """SELECT user_key FROM dim_identities WHERE external_id = {} ORDER BY kind DESC LIMIT 1"""


def timeline(engine: Engine, settings: Settings, user_id: str, now: datetime, *, limit: int) -> Timeline:
    """The profile of a person and their newest events.

    Errors: :class:`QueryError` ``unknown_user``.
    """
    with engine.snapshot() as snapshot:

        def read(text: str, *given: str) -> list[tuple[Any, ...]]:
            values = Values()
            bound = values.bind(text.format(*(values.add(v) for v in given)))
            return snapshot.query(render(bound, engine.dialect)).rows

        found = read(_KEY, user_id)
        if not found:
            raise QueryError(f"no user {user_id!r} in this workspace", code="unknown_user", user_id=user_id)
        user_key, context = found[0][0], read_context(engine, settings, now, read=lambda sql: snapshot.query(sql).rows)
        return Timeline(_profile(read, context, user_key), _moments(read, context, user_key, limit))


def _profile(read: Read, context: Context, user_key: int) -> Profile:
    stored = ", ".join(STORED_USER_ATTRIBUTES)
    ((user_id, population, registered, born, own, *values),) = read(
        f"""SELECT user_id, population, registration_date, birth_date, user_attributes, {stored}
FROM dim_users WHERE user_key = {user_key}""",
    )
    ids = read(f"SELECT external_id FROM dim_identities WHERE user_key = {user_key} ORDER BY kind DESC, 1")
    attributes = {**json.loads(own or "{}"), **dict(zip(STORED_USER_ATTRIBUTES, values, strict=True))}
    days = read(
        f"""SELECT day, sessions_count, total_actions, is_active_day FROM daily_activity
WHERE user_key = {user_key} ORDER BY day""",
    )
    last = context.watermark
    days = [row for row in days if last is not None and row[0] <= last]
    active = [row[0] for row in days if row[3]]
    return Profile(
        user_id=user_id,
        ids=tuple(row[0] for row in ids),
        population=population,
        registration_date=registered,
        birth_date=born,
        attributes={name: str(value) for name, value in sorted(attributes.items()) if value is not None},
        first_day=active[0] if active else None,
        last_day=active[-1] if active else None,
        active_days=len(active),
        sessions=sum(row[1] for row in days),
        actions=sum(row[2] for row in days),
        tier=_tier(active, last),
    )


def _tier(active: list[date], last: date | None) -> str:
    if last is None or not active:
        return "not_yet_seen"
    recent = sum((last - day).days < TIER_WINDOW for day in active)
    return tier_of(recent, at_risk=(last - active[-1]).days > RISK_DAYS)


def _moments(read: Read, context: Context, user_key: int, limit: int) -> tuple[Moment, ...]:
    rows = read(
        f"""
SELECT e.action_timestamp, a.action_type, a.category, e.event_name, f.feature_name, e.action_context,
  v.platform, v.device_type, g.country, e.action_metadata,
  (SELECT max(x.session_start) FROM user_sessions x
   WHERE x.user_key = {user_key} AND x.session_start <= e.action_timestamp AND x.session_end >= e.action_timestamp)
    AS session_start
FROM fact_user_actions e
JOIN dim_identities i ON i.identity_key = e.identity_key
JOIN dim_actions a ON a.action_key = e.action_key
LEFT JOIN dim_features f ON f.feature_key = e.feature_key
LEFT JOIN dim_devices v ON v.device_key = e.device_key
LEFT JOIN dim_geographies g ON g.geography_key = e.geography_key
WHERE i.user_key = {user_key}
ORDER BY e.action_timestamp DESC, e.sequence DESC NULLS FIRST, e.event_id DESC LIMIT {limit}""",
    )
    zone = ZoneInfo(context.timezone)

    def local(moment: datetime) -> datetime:
        return moment.replace(tzinfo=UTC).astimezone(zone)

    return tuple(
        Moment(local(at), action, category, name, feature, place, platform or device, country,
               json.loads(properties or "{}"), session and local(session))
        for at, action, category, name, feature, place, platform, device, country, properties, session in rows
    )  # fmt: skip
