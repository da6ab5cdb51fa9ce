"""Sessions as they are stored, or made from events where the settings have changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.relations.scope import day_number, where
from regulars.domain.rollups.sessions import sessions
from regulars.domain.timezones import local_day_sql

if TYPE_CHECKING:
    from regulars.domain.context import Context
    from regulars.domain.frame import Frame
    from regulars.domain.relations.scope import Source
    from regulars.domain.sql import Values


def user_sessions(context: Context, values: Values, source: Source) -> dict[str, str]:
    """Nothing while the stored sessions can be read; else a relation of their name that stands before them."""
    return {"user_sessions": sessions(context, values, since=None)} if source == "events" else {}


def session_day(context: Context) -> str:
    """The local day on which a session (alias ``x``) starts, in the workspace's present time zone."""
    return local_day_sql("x.session_start", context) if "timezone" in context.stale else "x.day"


def in_range(context: Context, frame: Frame, values: Values) -> list[str]:
    """The conditions that a session starts in the range."""
    day = session_day(context)
    return [f"{day} >= {values.add(frame.first)}", f"{day} <= {values.add(frame.last)}"]


def per_person(context: Context, frame: Frame, values: Values) -> str:
    """Per person and bucket the sessions that start in it, and their seconds; whatever was done in them."""
    return f"""
SELECT x.user_key, d.date, count(*) AS sessions, sum(x.duration_seconds) AS seconds
FROM user_sessions x JOIN days d ON d.day = {day_number(session_day(context))}
{where(in_range(context, frame, values))}
GROUP BY x.user_key, d.date"""


def in_windows(context: Context, values: Values, window: int) -> dict[str, str]:
    """The relations up to ``visits``: per tick and person the sessions that start in the window that ends on it."""
    if context.fresh_sessions:
        named, day, number, table = {}, day_number("x.day"), "sum(x.sessions_count)", "daily_activity"
    else:
        named = user_sessions(context, values, "events")
        day, number, table = day_number(session_day(context)), "count(*)", "user_sessions"
    named["visits"] = f"""
SELECT t.date, x.user_key, {number} AS sessions
FROM {table} x CROSS JOIN ticks t
WHERE {day} > t.last_day - {window} AND {day} <= t.last_day
GROUP BY t.date, x.user_key"""
    return named
