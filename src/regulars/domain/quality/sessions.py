"""Sessions and the two sides of tracking: limits that no visit crosses, and sources that disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.quality.record import CURRENT, Check, Look, Need, needs_row

if TYPE_CHECKING:
    from regulars.domain.sql import Values

_DAY = 86_400
_MINUTE = 60_000_000
SESSIONS = needs_row("there are no sessions yet", "SELECT 1 FROM user_sessions LIMIT 1")
_CLIENT_IDS = needs_row(
    "no event has a session id of the client",
    "SELECT 1 FROM fact_user_actions WHERE client_session_id IS NOT NULL LIMIT 1",
)
SERVER_NAMES = ("server", "backend", "api")


def _impossible(look: Look, _: Values) -> str:
    return f"""SELECT CASE WHEN x.duration_seconds < 0 THEN 'negative' ELSE 'longer than a day' END AS problem,
  count(*) AS found, min(u.user_id) AS user_id, max_by(x.session_id, abs(x.duration_seconds)) AS session_id,
  round(max(abs(x.duration_seconds)) / 3600.0, 1) AS most_hours
FROM user_sessions x JOIN dim_users u ON u.user_key = x.user_key
WHERE (x.duration_seconds < 0 OR x.duration_seconds > {_DAY}) AND {look.days("x.day")} GROUP BY 1"""


def _overlapping(look: Look, _: Values) -> str:
    return f"""SELECT u.user_id, count(*) AS found, min(x.session_start) AS first_start, min(x.other_end) AS other_ends
FROM (
  SELECT user_key, session_start, max(session_end) OVER (
    PARTITION BY user_key ORDER BY session_start, session_end, session_id
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS other_end
  FROM user_sessions x WHERE {look.days("x.day")}
) x JOIN dim_users u ON u.user_key = x.user_key WHERE x.session_start < x.other_end GROUP BY u.user_id"""


def _single(look: Look, values: Values) -> str:
    return f"""SELECT x.entry_action AS event_type, count(*) AS found FROM user_sessions x
WHERE x.actions_count = 1 AND {look.days("x.day")} AND ({_all_sessions(look, values)}) >= {look.limit}
GROUP BY x.entry_action"""


def _all_sessions(look: Look, _: Values) -> str:
    return f"SELECT count(*) FROM user_sessions x WHERE {look.days('x.day')}"


def _neighbours(look: Look) -> str:
    return f"""SELECT user_id, at, session_id, before_id, session_id = before_id AS is_same,
  at - before_at > {look.gap_minutes * _MINUTE} AS is_apart
FROM (
  SELECT u.user_id, rg_epoch_us(e.action_timestamp) AS at, e.client_session_id AS session_id,
    lag(e.client_session_id) OVER ordered AS before_id, lag(rg_epoch_us(e.action_timestamp)) OVER ordered AS before_at
  FROM fact_user_actions e JOIN dim_identities i ON i.identity_key = e.identity_key
  JOIN dim_users u ON u.user_key = i.user_key WHERE e.client_session_id IS NOT NULL AND {look.events()}
  WINDOW ordered AS (PARTITION BY i.user_key ORDER BY e.action_timestamp, e.sequence NULLS LAST, e.event_id)
) followed WHERE before_id IS NOT NULL"""


def _disagreeing(look: Look, _: Values) -> str:
    return f"""SELECT
  CASE WHEN is_same THEN 'goes on over a long pause' ELSE 'begins without a pause' END AS client_session,
  count(*) AS found, min(user_id) AS user_id, min(session_id) AS session_id
FROM ({_neighbours(look)}) pairs WHERE is_same = is_apart GROUP BY is_same"""


def _pairs(look: Look, _: Values) -> str:
    return f"SELECT count(*) FROM ({_neighbours(look)}) pairs"


def _side(look: Look, values: Values) -> str:
    return f"rg_lower(rg_property(e.action_metadata, {values.add(look.property)}))"


def _sides(look: Look, values: Values) -> str:
    """Events of a person, day and type that each side saw, of the types that both sides send."""
    side, server = _side(look, values), ", ".join(f"'{name}'" for name in SERVER_NAMES)
    return f"""SELECT x.* FROM (
  SELECT s.*, sum(server) OVER (PARTITION BY action_key) AS all_server,
    sum(client) OVER (PARTITION BY action_key) AS all_client
  FROM (
    SELECT i.user_key, e.day, e.action_key, count(CASE WHEN {side} IN ({server}) THEN 1 END) AS server,
      count(CASE WHEN {side} NOT IN ({server}) THEN 1 END) AS client
    FROM fact_user_actions e JOIN dim_identities i ON i.identity_key = e.identity_key
    WHERE {side} IS NOT NULL AND {look.events()} GROUP BY i.user_key, e.day, e.action_key
  ) s
) x WHERE x.all_server > 0 AND x.all_client > 0"""


def _one_sided(look: Look, values: Values) -> str:
    return f"""SELECT a.action_type AS event_type,
  CASE WHEN x.server > x.client THEN 'server' ELSE 'client' END AS only_seen_by,
  CAST(sum(abs(x.server - x.client)) AS BIGINT) AS found, min(x.day) AS first_day, max(x.day) AS last_day
FROM ({_sides(look, values)}) x JOIN dim_actions a ON a.action_key = x.action_key
WHERE x.server <> x.client GROUP BY 1, 2"""


def _of_both(look: Look, values: Values) -> str:
    return f"SELECT coalesce(sum(greatest(server, client)), 0) FROM ({_sides(look, values)}) x"


def _has_both(look: Look, values: Values) -> str:
    return f"SELECT 1 FROM ({_sides(look, values)}) x LIMIT 1"


CHECKS = (
    Check(
        name="session_length",
        title="Sessions of impossible length",
        words="Sessions that end before they begin, or last longer than 24 hours. Derived sessions are cut at 24 "
        "hours, so these come from session ids of the client.",
        fix='let the client renew its session id after a pause, or take `sessions.source = "derived"`',
        severity="error",
        rows=_impossible,
        whole=_all_sessions,
        noun="sessions",
        judge="share",
        threshold=0.001,
        needs=(SESSIONS, CURRENT),
    ),
    Check(
        name="overlapping_sessions",
        title="Sessions of one person at the same time",
        words="Sessions that begin before an earlier one of the same person has ended: two devices, two tabs with ids "
        "of their own, or one account that several people share.",
        fix="expected where people use two devices at once and sessions come from the client; else look for shared ids",
        severity="warning",
        rows=_overlapping,
        whole=_all_sessions,
        noun="sessions",
        judge="share",
        threshold=0.05,
        needs=(SESSIONS, CURRENT),
    ),
    Check(
        name="single_event_sessions",
        title="Sessions of one event",
        words="Sessions with a single action, by that action. A very high share means that events get lost, that ids "
        "change from event to event, or that a server sends events at which nobody is present.",
        fix="list actions that no person does as passive: `[actions.NAME] core = false`; check that ids stay the same",
        severity="warning",
        rows=_single,
        whole=_all_sessions,
        noun="sessions",
        judge="share",
        threshold=0.8,
        limit=100.0,
        limit_words="sessions, below which nothing is said",
        needs=(SESSIONS, CURRENT),
    ),
    Check(
        name="client_sessions",
        title="Sessions of the client against pauses",
        words="Neighbouring events of a person where the client says one session and the pause says two, or the other "
        "way round; of all neighbours that have session ids.",
        fix="set `sessions.gap_minutes` to the pause of the client, or choose one source with `sessions.source`",
        severity="warning",
        rows=_disagreeing,
        whole=_pairs,
        noun="pairs",
        judge="share",
        threshold=0.05,
        needs=(_CLIENT_IDS,),
    ),
    Check(
        name="one_sided_tracking",
        title="Events that only client or server saw",
        words="Of event types that client and server both send, by the event property `source` (server, backend and "
        "api are the server, any other value is the client): events of a person and day that one side lacks.",
        fix="blocked scripts cost client events, a broken hook costs server events; count one side by a filter",
        severity="warning",
        rows=_one_sided,
        whole=_of_both,
        judge="share",
        threshold=0.05,
        property="source",
        needs=(
            Need(
                "no event type is sent by both client and server; `property` of this check names the property that "
                "tells them apart",
                _has_both,
            ),
        ),
    ),
)
