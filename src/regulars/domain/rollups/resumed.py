"""Sessions of people whose new events all lie after what is stored of them: the last session goes on, or others begin.

What is collected arrives in order, mostly, and a session may be long; making it anew from its first event, whenever a
few more have come, reads all of it again and again. Here the stored session stands in for its events; only their
screens are read again, where they have any, for a row knows how many there were and not which. Everybody else's
sessions are made anew by :mod:`regulars.domain.rollups.sessions`, and both give the same rows.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regulars.domain.relations.rows import event_tables
from regulars.domain.relations.scope import day_number
from regulars.domain.rollups.sessions import DAY, MINUTE, are_cut, member, session_day
from regulars.domain.sql import with_relations

if TYPE_CHECKING:
    from datetime import date, datetime

    from regulars.domain.context import Context, SessionRule
    from regulars.domain.sql import Values

_MOST = 200_000  # new events, beyond which sorting them costs more than making sessions anew
_TYPES = "SELECT {0} FROM dim_devices WHERE {0} IS NOT NULL"
NOBODY_RESUMED = "SELECT user_key, instant AS resumes FROM since WHERE FALSE"
_NO_TEXT = "CAST(NULL AS VARCHAR)"
_ORDER = "PARTITION BY user_key ORDER BY at_us, sequence NULLS LAST, event_id"
# Stored sessions, as the first action of each line, at the instant of their last one.
_STORED = f"""
SELECT user_key, rg_epoch_us(session_end) AS at_us, CAST(NULL AS BIGINT) AS sequence, session_id AS event_id,
  session_key AS event_hash, day, entry_action, exit_action, {_NO_TEXT} AS screen, platform, device_type,
  actions_count AS actions, rg_epoch_us(session_start) AS first_us, rg_epoch_us(run_start) AS begun_us
FROM resumed WHERE session_start IS NOT NULL"""
_SESSIONS = f"""
SELECT arg_min(event_hash, place) AS session_key, arg_min(event_id, place) AS session_id, user_key,
  arg_min(day, place) AS day, make_timestamp(min(first_us)) AS session_start,
  make_timestamp(max(at_us)) AS session_end, make_timestamp(run_us) AS run_start,
  (max(at_us) - min(first_us)) / 1000000.0 AS duration_seconds, sum(actions) AS actions_count,
  count(DISTINCT screen) AS screens_visited,
  coalesce(arg_min(platform, place), arg_min(device_type, place), 'unknown') AS session_type,
  arg_min(entry_action, place) AS entry_action, arg_max(exit_action, place) AS exit_action
FROM runs GROUP BY user_key, run_us, floor((first_us - run_us) / {DAY}.0)"""


def may_resume(context: Context, events: int) -> bool:
    """Whether so many new events may be added to stored sessions: when nothing but a pause ends one."""
    return not (context.sessions.by_client or are_cut(context)) and events <= _MOST


def resumed(rule: SessionRule, first_day: date) -> str:
    """Those people: ``resumes`` is the instant of the first new event; the rest is the session within reach, if any.

    ``first_day`` is the first day of ``news``. Of a session only its type is stored, which an action with a platform
    changes, unless it is that of a platform already; so a type that may be both leaves its person out.
    """
    recent = f"x.day >= DATE '{first_day - timedelta(days=2)}' AND {day_number('x.day')} >= {day_number('n.day')} - 2"
    pause = "rg_epoch_us(n.instant) - rg_epoch_us(x.session_end)"
    is_platform, is_device = (f"x.session_type IN ({_TYPES.format(of)})" for of in ("platform", "device_type"))
    kinds = [f"CASE WHEN {test} THEN 1 ELSE 0 END" for test in (is_platform, is_device, "x.session_type = 'unknown'")]
    return f"""
SELECT n.user_key, n.instant AS resumes, x.session_key, x.session_id, x.day, x.session_start, x.session_end,
  x.run_start, x.actions_count, x.entry_action, x.exit_action,
  CASE WHEN {is_platform} THEN x.session_type END AS platform,
  CASE WHEN {is_device} THEN x.session_type END AS device_type
FROM news n LEFT JOIN (
  SELECT n.user_key, max(x.session_start) AS last_start, min({pause}) AS pause
  FROM news n JOIN user_sessions x ON x.user_key = n.user_key AND {recent}
  WHERE {pause} <= {rule.gap_minutes * MINUTE} GROUP BY n.user_key
) reached ON reached.user_key = n.user_key
LEFT JOIN user_sessions x ON x.user_key = n.user_key AND x.session_start = reached.last_start AND {recent}
WHERE coalesce(reached.pause > 0, TRUE) AND (x.session_type IS NULL OR {" + ".join(kinds)} = 1)"""


def resumed_sessions(context: Context, values: Values, *, since: date, resumes: datetime) -> str:
    """Rows of user_sessions: theirs that go on, and those that begin.

    ``since`` is the first dirty day, ``resumes`` the first of their instants.
    """
    pause = context.sessions.gap_minutes * MINUTE
    screens = _stored_screens(context, values, since)
    relations = {
        "fresh": _fresh(context, values, resumes),
        "line": f"{_STORED}\nUNION ALL\n{screens}\nUNION ALL\nSELECT * FROM fresh",
        "placed": f"""
SELECT *, row_number() OVER ({_ORDER}) AS place,
  coalesce(at_us - lag(at_us) OVER ({_ORDER}) > {pause}, TRUE) AS begins
FROM line""",
        "counted": """
SELECT *, sum(CASE WHEN begins THEN 1 ELSE 0 END) OVER (
  PARTITION BY user_key ORDER BY place ROWS UNBOUNDED PRECEDING) AS run
FROM placed""",
        "runs": "SELECT *, min(coalesce(begun_us, at_us)) OVER (PARTITION BY user_key, run) AS run_us FROM counted",
    }
    return with_relations(relations, _SESSIONS)


def _fresh(context: Context, values: Values, resumes: datetime) -> str:
    """Their new actions."""
    return f"""
SELECT i.user_key, rg_epoch_us(e.action_timestamp) AS at_us, e.sequence, e.event_id, e.event_hash,
  {session_day(context)} AS day, a.action_type AS entry_action, a.action_type AS exit_action,
  e.action_context AS screen, v.platform, v.device_type, 1 AS actions,
  rg_epoch_us(e.action_timestamp) AS first_us, CAST(NULL AS BIGINT) AS begun_us
{event_tables("v.", who="dirty")}
WHERE {member(context, values)} AND e.action_timestamp >= i.resumes
  AND e.action_timestamp >= CAST('{resumes}' AS TIMESTAMP)"""


def _stored_screens(context: Context, values: Values, since: date) -> str:
    """The screens of the stored sessions, which may come again; no actions."""
    return f"""
SELECT DISTINCT r.user_key, rg_epoch_us(r.session_end) AS at_us, CAST(NULL AS BIGINT) AS sequence,
  {_NO_TEXT} AS event_id, r.session_key AS event_hash, r.day, {_NO_TEXT} AS entry_action, {_NO_TEXT} AS exit_action,
  e.action_context AS screen, {_NO_TEXT} AS platform, {_NO_TEXT} AS device_type, 0 AS actions,
  rg_epoch_us(r.session_start) AS first_us, rg_epoch_us(r.run_start) AS begun_us
{event_tables(who="dirty")} JOIN resumed r ON r.user_key = i.user_key
WHERE e.action_context IS NOT NULL AND {member(context, values)} AND e.day >= {values.add(since)}
  AND e.action_timestamp >= r.session_start AND e.action_timestamp <= r.session_end"""
