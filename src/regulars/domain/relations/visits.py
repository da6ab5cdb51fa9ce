"""Sessions as they are stored, or made from events where the settings have changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.relations.scope import day_number, where
from regulars.domain.rollups.sessions import sessions

if TYPE_CHECKING:
    from regulars.domain.context import Context
    from regulars.domain.frame import Frame
    from regulars.domain.relations.scope import Source
    from regulars.domain.sql import Values


def user_sessions(context: Context, values: Values, source: Source) -> dict[str, str]:
    """Nothing while the stored sessions can be read; else a relation of their name that stands before them."""
    return {"user_sessions": sessions(context, values, since=None)} if source == "events" else {}


def in_range(frame: Frame, values: Values) -> list[str]:
    """The conditions that a session (alias ``x``) starts in the range."""
    return [f"x.day >= {values.add(frame.first)}", f"x.day <= {values.add(frame.last)}"]


def per_person(frame: Frame, values: Values) -> str:
    """Per person and bucket the sessions that start in it, and their seconds; whatever was done in them."""
    return f"""
SELECT x.user_key, d.date, count(*) AS sessions, sum(x.duration_seconds) AS seconds
FROM user_sessions x JOIN days d ON d.day = {day_number("x.day")}
{where(in_range(frame, values))}
GROUP BY x.user_key, d.date"""


def in_windows(context: Context, values: Values, window: int) -> dict[str, str]:
    """The relations up to ``visits``: per tick and person the sessions that start in the window that ends on it."""
    day, named = day_number("x.day"), {}
    number, table = "sum(x.sessions_count)", "daily_activity"
    if not context.fresh_sessions:
        named = user_sessions(context, values, "events")
        number, table = "count(*)", "user_sessions"
    named["visits"] = f"""
SELECT t.date, x.user_key, {number} AS sessions
FROM {table} x CROSS JOIN ticks t
WHERE {day} > t.last_day - {window} AND {day} <= t.last_day
GROUP BY t.date, x.user_key"""
    return named
