"""Sessions: a person's actions without a long pause.

A new session begins after a gap longer than the setting, at a ``session_start``, after a ``session_end``, and inside
an unbroken run at every 24 hours from the run's start. It belongs to the local day of its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.activity import core_condition
from regulars.domain.relations.rows import event_tables

if TYPE_CHECKING:
    from regulars.domain.context import Context
    from regulars.domain.sql import Values

_ORDER = "at, sequence NULLS LAST, place, event_id"
_RUN = f"PARTITION BY user_key, client_session ORDER BY {_ORDER}"
_SECONDS_PER_DAY = 86_400
_MARKERS = ("session_start", "session_end")


def sessions(context: Context, values: Values, *, only_since: bool) -> str:
    """Rows of user_sessions; ``only_since`` makes those of dirty people anew from their instant on."""
    rule = context.sessions
    # Most products never mark their sessions, and counting marks costs a sort of every event.
    marked = any(name in context.actions for name in _MARKERS)
    marks = f"sum(CASE WHEN place = 1 THEN 0 ELSE 1 END) OVER ({_RUN} ROWS UNBOUNDED PRECEDING)" if marked else "0"
    boundary = [
        "prior_at IS NULL",
        f"at_us - prior_at > {rule.gap_minutes * 60_000_000}",
        *(["marks <> prior_marks"] if marked else []),
        *(["day <> prior_day"] if rule.split_at_midnight else []),
    ]
    return f"""
WITH stream AS (
{_stream(context, values, only_since=only_since)}
), marked AS (
  SELECT *, {marks} AS marks FROM stream
), members AS (
  SELECT *, lag(at_us) OVER ({_RUN}) AS prior_at, lag(day) OVER ({_RUN}) AS prior_day,
    {f"lag(marks) OVER ({_RUN})" if marked else "0"} AS prior_marks, row_number() OVER ({_RUN}) AS place_in_stream
  FROM marked WHERE place = 1
), begun AS (
  SELECT *, {" OR ".join(boundary)} AS begins FROM members
), runs AS (
  SELECT *, CASE WHEN client_session IS NOT NULL THEN 0
    ELSE max(CASE WHEN begins THEN at_us END) OVER ({_RUN} ROWS UNBOUNDED PRECEDING) END AS run_us,
    CASE WHEN client_session IS NOT NULL THEN 0
    ELSE max(CASE WHEN begins THEN place_in_stream END) OVER ({_RUN} ROWS UNBOUNDED PRECEDING) END AS run_place
  FROM begun
), parts AS (
  SELECT *, CASE WHEN client_session IS NOT NULL THEN 0
    ELSE floor((at_us - run_us) / {_SECONDS_PER_DAY * 1_000_000}.0) END AS part
  FROM runs
)
SELECT arg_min(event_hash, place_in_stream) AS session_key,
  coalesce(client_session, arg_min(event_id, place_in_stream)) AS session_id, user_key,
  arg_min(day, place_in_stream) AS day, min(at) AS session_start, max(at) AS session_end,
  CASE WHEN client_session IS NOT NULL THEN min(at) ELSE make_timestamp(run_us) END AS run_start,
  (max(at_us) - min(at_us)) / 1000000.0 AS duration_seconds, count(*) AS actions_count,
  count(DISTINCT screen) AS screens_visited,
  coalesce(arg_min(platform, place_in_stream), arg_min(device_type, place_in_stream), 'unknown') AS session_type,
  arg_min(action_type, place_in_stream) AS entry_action, arg_max(action_type, place_in_stream) AS exit_action
FROM parts GROUP BY user_key, client_session, run_place, run_us, part"""


def _stream(context: Context, values: Values, *, only_since: bool) -> str:
    rule = context.sessions
    member = "NOT a.is_marker" if rule.passive_extends else core_condition(context, values)
    # Markers cut the stream without ids; a client's session needs none, its id says where it begins and ends.
    client = "CASE WHEN NOT a.is_marker THEN e.client_session_id END" if rule.by_client else "CAST(NULL AS VARCHAR)"
    tables = event_tables("v.platform")
    dirty = ""
    if only_since:
        tables = tables.replace(
            "JOIN dim_users u ON u.user_key = i.user_key", "JOIN since s ON s.user_key = i.user_key"
        )
        dirty = "AND e.day >= (SELECT min(day) FROM since) AND e.action_timestamp >= s.instant"
    else:
        tables = tables.replace("JOIN dim_users u ON u.user_key = i.user_key\n", "")
    return f"""
SELECT i.user_key, {client} AS client_session, e.event_id, e.event_hash, e.action_timestamp AS at,
  epoch_us(e.action_timestamp) AS at_us, e.sequence, e.day, e.action_context AS screen, a.action_type,
  v.platform, v.device_type,
  CASE a.action_type WHEN 'session_start' THEN 0 WHEN 'session_end' THEN 2 ELSE 1 END AS place
{tables}
WHERE ({member} OR a.action_type IN ('session_start', 'session_end')) {dirty}"""
