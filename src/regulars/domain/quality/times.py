"""Types and times of events: what nobody knows, what has not happened yet, what came late, and whose clock is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.actions import SHIPPED
from regulars.domain.events import CLOCK_TOLERANCE
from regulars.domain.quality.record import EVENTS, Check, Look, Need, all_events

if TYPE_CHECKING:
    from regulars.domain.sql import Values

# An import notes its own time where a row does not say when it was received.
_TOLD = "JOIN loads l ON l.load_id = e.load_id AND l.loaded_at <> e.received_at"
RECEIVED = Need(
    "no event says when it was received (column received_at)",
    lambda look, _: f"SELECT 1 FROM fact_user_actions e {_TOLD} WHERE {look.events()} LIMIT 1",
)
_HOUR, _SECOND = 3_600_000_000, 1_000_000


def unknown_types(look: Look) -> list[str]:
    """The event types that neither the shipped catalogue nor the settings know."""
    return sorted(name for name in look.types if name not in SHIPPED and name not in look.declared)


def _unknown(look: Look, _: Values) -> str:
    keys = ", ".join(str(look.types[name]) for name in unknown_types(look))
    if not keys:
        return "SELECT 0 AS found WHERE FALSE"  # asked after every import, where reading events for nothing would show
    return f"""SELECT a.action_type AS event_type, count(*) AS found, min(e.day) AS first_day, max(e.day) AS last_day
FROM fact_user_actions e JOIN dim_actions a ON a.action_key = e.action_key
WHERE e.action_key IN ({keys}) AND {look.events()} GROUP BY a.action_type"""


def _future(look: Look, _: Values) -> str:
    latest = (look.now + CLOCK_TOLERANCE).isoformat(sep=" ")
    return f"""SELECT a.action_type AS event_type, count(*) AS found, max(e.action_timestamp) AS latest,
  max_by(e.event_id, e.action_timestamp) AS event_id
FROM fact_user_actions e JOIN dim_actions a ON a.action_key = e.action_key
WHERE e.action_timestamp > CAST('{latest}' AS TIMESTAMP) AND {look.events()} GROUP BY a.action_type"""


def _received(look: Look, _: Values) -> str:
    return f"SELECT count(*) FROM fact_user_actions e {_TOLD} WHERE {look.events()}"


def _late(look: Look, _: Values) -> str:
    delay = "rg_epoch_us(e.received_at) - rg_epoch_us(e.action_timestamp)"
    return f"""SELECT CAST(e.received_at AS DATE) AS received_on, count(*) AS found,
  round(max({delay}) / {_HOUR}.0, 1) AS most_hours, max_by(e.event_id, {delay}) AS event_id
FROM fact_user_actions e {_TOLD}
WHERE {delay} > {look.limit * _HOUR} AND {look.events()} GROUP BY CAST(e.received_at AS DATE)"""


def _skewed(look: Look, values: Values) -> str:
    # What a client sends has the client's time on it; without that, an event can still not be received before it was.
    sent = f"TRY_CAST(rg_property(e.action_metadata, {values.add(look.property)}) AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
    return f"""SELECT user_id, count(*) AS found, round(max(abs(ahead)) / {60 * _SECOND}.0, 1) AS most_minutes,
  CASE WHEN max(ahead) > {look.limit * _SECOND} THEN 'ahead' ELSE 'behind' END AS clock
FROM (
  SELECT u.user_id, coalesce(rg_epoch_us({sent}) - rg_epoch_us(e.received_at),
    greatest(rg_epoch_us(e.action_timestamp) - rg_epoch_us(e.received_at), 0)) AS ahead
  FROM fact_user_actions e {_TOLD}
  JOIN dim_identities i ON i.identity_key = e.identity_key JOIN dim_users u ON u.user_key = i.user_key
  WHERE {look.events()}
) clocks WHERE abs(ahead) > {look.limit * _SECOND} GROUP BY user_id"""


def _out_of_order(look: Look, _: Values) -> str:
    return f"""SELECT user_id, count(*) AS found, min(action_timestamp) AS first_event,
  min(received_at) AS first_received
FROM (
  SELECT i.user_key, u.user_id, e.action_timestamp, e.received_at,
    max(e.action_timestamp) OVER (PARTITION BY i.user_key ORDER BY e.received_at
      RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING) AS latest_before
  FROM fact_user_actions e {_TOLD}
  JOIN dim_identities i ON i.identity_key = e.identity_key JOIN dim_users u ON u.user_key = i.user_key
  WHERE {look.events()}
) arrived WHERE action_timestamp < latest_before GROUP BY user_id"""


CHECKS = (
    Check(
        name="unknown_types",
        title="Event types that nobody described",
        words="Events of types that are neither in the shipped catalogue nor in the settings. They count as core "
        "actions of weight 1 in the category `other`.",
        fix="correct a misspelt name where it is sent, or describe the type: `[actions.NAME]` with category, weight, "
        "core, conversion",
        severity="warning",
        rows=_unknown,
        whole=all_events,
        needs=(EVENTS,),
        is_cheap=True,
    ),
    Check(
        name="future_times",
        title="Events in the future",
        words="Events later than five minutes from now. They are kept, and count when their day comes.",
        fix="check the clock of the sender, the time zone given at the import, and seconds taken for milliseconds",
        severity="warning",
        rows=_future,
        whole=all_events,
        needs=(EVENTS,),
        is_cheap=True,
    ),
    Check(
        name="late_events",
        title="Events that came late",
        words="Events received long after they happened, where rows say when they were received. They change days that "
        "were reported already.",
        fix="nothing is lost; wait longer before a day is reported, or find the clients that queue events",
        severity="warning",
        rows=_late,
        whole=_received,
        judge="share",
        threshold=0.01,
        limit=24.0,
        limit_words="hours from the event to its receipt",
        needs=(EVENTS, RECEIVED),
    ),
    Check(
        name="clock_skew",
        title="Clocks that are wrong",
        words="Events of clients whose clock differs from the server's: the time at which they sent, by their own "
        "clock (event property `sent_at`), against the time of receipt; or events received before they happened.",
        fix="correct times by received_at - sent_at before the import; the collector does so by itself",
        severity="warning",
        rows=_skewed,
        whole=_received,
        judge="share",
        threshold=0.001,
        limit=120.0,
        limit_words="seconds between the two clocks",
        property="sent_at",
        needs=(EVENTS, RECEIVED),
    ),
    Check(
        name="out_of_order",
        title="Events that arrive after later ones",
        words="Events received after a later event of the same person. The order of arrival changes no number here; "
        "whoever reads the stream as it comes will see the wrong order.",
        fix="nothing for the warehouse; sort by time in whatever reads the stream",
        severity="info",
        rows=_out_of_order,
        whole=_received,
        judge="share",
        threshold=0.01,
        needs=(EVENTS, RECEIVED),
    ),
)
