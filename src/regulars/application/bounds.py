"""Keep a workspace in memory within a number of events: the oldest days go, each of them whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.application.canonical import execute, fetch
from regulars.domain.sql import Values

if TYPE_CHECKING:
    from datetime import date

    from regulars.application.ports import Engine

_DROPPED = "dropped_through"
_GONE, _LEFT = "rg_gone_people", "rg_left_people"


def drop_oldest_days(engine: Engine, most: int) -> bool:
    """Let the oldest days go until at most ``most`` events are left; the newest day stays, however long it is.

    Runs inside the open transaction. People who have no event left go with their days; what is known about the others
    stays. Returns whether anything was dropped, and what is derived must be computed anew.
    """
    last = _last_day_to_drop(engine, most)
    if last is None:
        return False
    old = f"day <= DATE '{last}'"
    own = "SELECT i.user_key FROM fact_user_actions e JOIN dim_identities i ON i.identity_key = e.identity_key"
    for name, condition in ((_GONE, old), (_LEFT, f"NOT {old}")):
        engine.execute(f"DROP TABLE IF EXISTS {name}")
        engine.execute(f"CREATE TEMPORARY TABLE {name} AS SELECT DISTINCT user_key FROM ({own} WHERE {condition}) x")
    details = f"event_id IN (SELECT event_id FROM fact_user_actions WHERE {old})"
    engine.execute(f"DELETE FROM fact_activity_details WHERE {details}")
    engine.execute(f"DELETE FROM fact_user_actions WHERE {old}")
    _drop_people(engine)
    _forget_overridden(engine)
    _trim_dead_letter(engine, most)
    _remember(engine, last)
    return True


def _last_day_to_drop(engine: Engine, most: int) -> date | None:
    newest_first = "SELECT day, count(*) FROM fact_user_actions GROUP BY day ORDER BY day DESC"
    days: list[tuple[date, int]] = fetch(engine, newest_first)
    kept = 0
    for number, (day, events) in enumerate(days):
        kept += events
        if number and kept > most:
            return day
    return None


def _drop_people(engine: Engine) -> None:
    gone = f"user_key IN (SELECT user_key FROM {_GONE}) AND user_key NOT IN (SELECT user_key FROM {_LEFT})"
    keys = f"(SELECT identity_key FROM dim_identities WHERE {gone})"
    engine.execute(f"DELETE FROM fact_user_attributes WHERE identity_key IN {keys}")
    engine.execute(f"DELETE FROM fact_identity_links WHERE anonymous_key IN {keys} OR known_key IN {keys}")
    engine.execute(f"DELETE FROM dim_identities WHERE {gone}")
    for name in (_GONE, _LEFT):
        engine.execute(f"DROP TABLE {name}")


def _forget_overridden(engine: Engine) -> None:
    """Remove explicit values that a later one took the place of: nobody asks for them, and they would pile up."""
    later = """SELECT 1 FROM fact_user_attributes n
WHERE n.identity_key = fact_user_attributes.identity_key AND n.key = fact_user_attributes.key AND n.is_explicit
  AND n.set_at > fact_user_attributes.set_at"""
    engine.execute(f"DELETE FROM fact_user_attributes WHERE is_explicit AND EXISTS ({later})")


def _trim_dead_letter(engine: Engine, most: int) -> None:
    newest = f"SELECT load_id FROM dead_letter ORDER BY load_id DESC LIMIT 1 OFFSET {most}"
    engine.execute(f"DELETE FROM dead_letter WHERE load_id <= (SELECT max(load_id) FROM ({newest}) x)")


def _remember(engine: Engine, last: date) -> None:
    values = Values()
    execute(engine, f"DELETE FROM workspace_state WHERE name = '{_DROPPED}'")
    execute(engine, f"INSERT INTO workspace_state SELECT '{_DROPPED}', {values.add(last.isoformat())}", values)
