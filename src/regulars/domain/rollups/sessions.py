"""Sessions: a person's actions without a long pause.

A new session begins after a gap longer than the setting, at a ``session_start``, after a ``session_end``, and inside
an unbroken run at every 24 hours from the run's start. It belongs to the local day of its start.

Sorting every event would say so directly, and costs most of an import. Instead time is cut into slots as long as the
gap: two actions of one slot are never too far apart, so that a few slots tell where runs begin and end, and only the
actions at those instants are looked up. What that leaves open, runs of a day and more and instants of several
actions, is answered action by action.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.activity import core_condition
from regulars.domain.relations.rows import event_tables
from regulars.domain.sql import with_relations
from regulars.domain.timezones import local_day_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from regulars.domain.context import Context, SessionRule
    from regulars.domain.sql import Values

DAY = 86_400_000_000
MINUTE = 60_000_000
_MARKERS = ("session_start", "session_end")
_LATER = 10**17  # than any instant, and longer than any pause, in microseconds
_DEVICES = "LEFT JOIN dim_devices v ON v.device_key = m.device_key"


def sessions(context: Context, values: Values, *, since: date | None) -> str:
    """Rows of user_sessions: all, or those of dirty people from their instant on, where ``since`` is the first day."""
    rule = context.sessions
    # Most products never mark their sessions, and counting marks costs a sort of every event.
    is_cut = are_cut(context)
    stream = _stream(context, values, since=since, markers=is_cut)
    members = "members" if is_cut else f"({stream})"
    keys = ("user_key", *(["client_session"] if rule.by_client else []), *(["cuts"] if is_cut else []))
    relations = {
        **({"members": _between_cuts(stream, rule)} if is_cut else {}),
        **_runs(members, keys, rule),
        "told": _told(members, keys, rule),
        "screens": _screens(members, keys, rule),
        "found": f"{_plain(keys)}\nUNION ALL\n{_action_by_action(members, keys, rule)}",
    }
    return with_relations(relations, _named(rule))


def are_cut(context: Context) -> bool:
    """Whether anything but a pause, and 24 hours, can end a session that no client has named."""
    return context.sessions.split_at_midnight or any(name in context.actions for name in _MARKERS)


def member(context: Context, values: Values) -> str:
    """SQL that an event is an action of a session."""
    return "NOT a.is_marker" if context.sessions.passive_extends else core_condition(context, values)


def session_day(context: Context) -> str:
    """SQL of the local day of an event; stored ones are those of the zone they were loaded in."""
    return local_day_sql("e.action_timestamp", context) if "timezone" in context.stale else "e.day"


def _stream(context: Context, values: Values, *, since: date | None, markers: bool) -> str:
    rule = context.sessions
    marks = f" OR a.action_type IN ('{_MARKERS[0]}', '{_MARKERS[1]}')" if markers else ""
    # Markers cut the stream without ids; a client's session needs none, its id says where it begins and ends.
    client = "CASE WHEN a.is_marker THEN '' ELSE coalesce(e.client_session_id, '') END" if rule.by_client else "''"
    recent = ""
    if since:
        recent = f" AND e.day >= {values.add(since)} AND e.action_timestamp >= i.instant AND i.resumes IS NULL"
    return f"""
SELECT i.user_key, {client} AS client_session, rg_epoch_us(e.action_timestamp) AS at_us, e.sequence, e.event_id,
  e.event_hash, {session_day(context)} AS day, e.action_key, e.device_key, e.action_context AS screen,
  CASE a.action_type WHEN '{_MARKERS[0]}' THEN 0 WHEN '{_MARKERS[1]}' THEN 2 ELSE 1 END AS place
{event_tables(who="dirty" if since else "identities")}
WHERE ({member(context, values)}{marks}){recent}"""


def _between_cuts(stream: str, rule: SessionRule) -> str:
    """Actions with the number of marks, and of midnights where they split, that lie before them."""
    order = "PARTITION BY user_key, client_session ORDER BY at_us, sequence NULLS LAST, place"
    midnight = f"day <> lag(day) OVER ({order})" if rule.split_at_midnight else "FALSE"
    return f"""
SELECT * FROM (
  SELECT *, CASE WHEN client_session <> '' THEN 0
    ELSE sum(CASE WHEN is_cut THEN 1 ELSE 0 END) OVER ({order} ROWS UNBOUNDED PRECEDING) END AS cuts
  FROM (SELECT *, place <> 1 OR coalesce({midnight}, FALSE) AS is_cut FROM ({stream}) stream) cut
) counted WHERE place = 1"""


def _runs(members: str, keys: Sequence[str], rule: SessionRule) -> dict[str, str]:
    """Unbroken runs, from slots. The type is found at ``look_us``; plus ``_LATER`` where no action has a platform."""
    own, pause = ", ".join(keys), str(rule.gap_minutes * MINUTE)
    if rule.by_client:
        pause = f"CASE WHEN client_session <> '' THEN {_LATER} ELSE {pause} END"
    order = f"PARTITION BY {own} ORDER BY slot"
    return {
        "slots": f"""
SELECT {_of("m", keys)}, {_slot(rule)} AS slot, min(m.at_us) AS first_us, max(m.at_us) AS last_us,
  count(*) AS actions_count, min(CASE WHEN v.platform IS NOT NULL THEN m.at_us
    WHEN v.device_type IS NOT NULL THEN m.at_us + {_LATER} END) AS look_us
FROM {members} m {_DEVICES} GROUP BY {_of("m", keys)}, {_slot(rule)}""",
        "limited": f"""
SELECT *, first_us - lag(last_us, 1, {-2 * _LATER}) OVER ({order}) > {pause} AS begins,
  lead(first_us, 1, {2 * _LATER}) OVER ({order}) - last_us > {pause} AS ends
FROM slots""",
        # Most runs lie within one slot, and need neither be sorted again nor added up.
        "placed": f"""
SELECT *, first_us AS run_us FROM limited WHERE begins AND ends
UNION ALL
SELECT *, max(CASE WHEN begins THEN first_us END) OVER ({order} ROWS UNBOUNDED PRECEDING) AS run_us
FROM limited WHERE NOT (begins AND ends)""",
        "runs": f"""
SELECT {own}, run_us, last_us, actions_count, look_us FROM placed WHERE begins AND ends
UNION ALL
SELECT {own}, run_us, max(last_us) AS last_us, sum(actions_count) AS actions_count, min(look_us) AS look_us
FROM placed WHERE NOT (begins AND ends) GROUP BY {own}, run_us""",
    }


def _slot(rule: SessionRule) -> str:
    return f"floor(m.at_us / {rule.gap_minutes * MINUTE}.0)"


def _told(members: str, keys: Sequence[str], rule: SessionRule) -> str:
    """What the actions at the instants of a run say about it, and whether that is plain: one action each, no split."""
    own, of_client = ", ".join(keys), " OR client_session <> ''" if rule.by_client else ""
    return f"""
SELECT {own}, run_us, max(at_us) AS last_us, min(actions_count) AS actions_count,
  min(CASE WHEN is_first THEN event_hash END) AS session_key, min(CASE WHEN is_first THEN event_id END) AS event_id,
  min(CASE WHEN is_first THEN day END) AS day, min(CASE WHEN is_first THEN action_key END) AS entry_key,
  min(CASE WHEN is_last THEN action_key END) AS exit_key, min(CASE WHEN is_look THEN device_key END) AS device_key,
  count(*) = min(instants) AND (max(at_us) - run_us < {DAY}{of_client}) AS is_plain
FROM (
  SELECT {_of("n", keys)}, n.run_us, n.actions_count, n.instants, n.at_us, n.is_first, n.is_last, n.is_look,
    m.event_id, m.event_hash, m.day, m.action_key, m.device_key
  FROM {members} m JOIN ({_instants(own)}) n ON {_same("n", "m", [*keys, "at_us"])}
) met GROUP BY {own}, run_us"""


def _instants(own: str) -> str:
    """The first and the last instant of every run, and that of its look; ``instants`` counts the different ones."""
    look = f"look_us % {_LATER}"
    is_between = f"coalesce({look} > run_us AND {look} < last_us, FALSE)"
    count = f"1 + CASE WHEN last_us > run_us THEN 1 ELSE 0 END + CASE WHEN {is_between} THEN 1 ELSE 0 END"
    return "\nUNION ALL\n".join(
        f"""SELECT {own}, run_us, actions_count, {count} AS instants, {instant} AS at_us,
  {instant} = run_us AS is_first, {instant} = last_us AS is_last, coalesce({instant} = {look}, FALSE) AS is_look
FROM runs WHERE {condition}"""
        for instant, condition in (("run_us", "TRUE"), ("last_us", "last_us > run_us"), (look, is_between))
    )


def _screens(members: str, keys: Sequence[str], rule: SessionRule) -> str:
    return f"""
SELECT {_of("m", keys)}, p.run_us, count(DISTINCT m.screen) AS screens_visited
FROM (SELECT *, {_slot(rule)} AS slot FROM {members} m WHERE screen IS NOT NULL) m
JOIN placed p ON {_same("p", "m", [*keys, "slot"])}
GROUP BY {_of("m", keys)}, p.run_us"""


def _plain(keys: Sequence[str]) -> str:
    return f"""
SELECT {_of("m", keys)}, m.run_us, m.run_us AS first_us, m.last_us, m.actions_count, m.session_key, m.event_id, m.day,
  coalesce(s.screens_visited, 0) AS screens_visited, coalesce(v.platform, v.device_type) AS look,
  m.entry_key, m.exit_key
FROM told m {_DEVICES} LEFT JOIN screens s ON {_same("s", "m", [*keys, "run_us"])}
WHERE m.is_plain"""


def _action_by_action(members: str, keys: Sequence[str], rule: SessionRule) -> str:
    """The sessions of runs that are not plain, from all their actions in order, cut at every 24 hours."""
    part = f"floor((m.at_us - t.run_us) / {DAY}.0)"
    part = f"CASE WHEN m.client_session <> '' THEN 0 ELSE {part} END" if rule.by_client else part
    own = ", ".join(keys)
    order = f"PARTITION BY {_of('m', keys)}, t.run_us ORDER BY m.at_us, m.sequence NULLS LAST, m.event_id"
    return f"""
SELECT {own}, run_us, min(at_us) AS first_us, max(at_us) AS last_us, count(at_us) AS actions_count,
  arg_min(event_hash, place) AS session_key, arg_min(event_id, place) AS event_id, arg_min(day, place) AS day,
  count(DISTINCT screen) AS screens_visited,
  coalesce(arg_min(platform, place), arg_min(device_type, place)) AS look,
  arg_min(action_key, place) AS entry_key, arg_max(action_key, place) AS exit_key
FROM (
  SELECT {_of("m", keys)}, t.run_us, {part} AS part, m.at_us, m.event_hash, m.event_id, m.day, m.screen, m.action_key,
    v.platform, v.device_type, row_number() OVER ({order}) AS place
  FROM {members} m JOIN (SELECT * FROM told WHERE NOT is_plain) t ON {_same("t", "m", keys)} {_DEVICES}
  WHERE m.at_us >= t.run_us AND m.at_us <= t.last_us
) placed_actions GROUP BY {own}, run_us, part"""


def _named(rule: SessionRule) -> str:
    client = "coalesce(nullif(x.client_session, ''), x.event_id)" if rule.by_client else "x.event_id"
    return f"""
SELECT x.session_key, {client} AS session_id, x.user_key, x.day, make_timestamp(x.first_us) AS session_start,
  make_timestamp(x.last_us) AS session_end, make_timestamp(x.run_us) AS run_start,
  (x.last_us - x.first_us) / 1000000.0 AS duration_seconds, x.actions_count, x.screens_visited,
  coalesce(x.look, 'unknown') AS session_type, entry.action_type AS entry_action, leave.action_type AS exit_action
FROM found x JOIN dim_actions entry ON entry.action_key = x.entry_key
JOIN dim_actions leave ON leave.action_key = x.exit_key"""


def _of(alias: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in columns)


def _same(left: str, right: str, columns: Sequence[str]) -> str:
    return " AND ".join(f"{left}.{name} = {right}.{name}" for name in columns)
