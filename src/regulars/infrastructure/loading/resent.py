"""The same event sent again is no other event, although its time was put right by another receipt.

The collector corrects a time by when a request was sent and received, so sending again gives another one; an event
without a time has that of its receipt. What the client said stays the same, and that is compared here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regulars.infrastructure.engines.duckdb import DuckDBEngine


def forgive_clocks(engine: DuckDBEngine, rows: str, duplicates: str) -> int:
    """Take back the conflicts of duplicates that differ by the time of receipt only; returns how many are left."""
    engine.execute(f"""
        UPDATE {duplicates} SET conflict = false WHERE line IN (
          WITH again AS (
            SELECT line, event_id, {_said("make_timestamp(us)", "make_timestamp(received_us)", "metadata")} AS said,
                   coalesce('k' || known_id, 'a' || anonymous_id) AS who, action_type
            FROM {rows} WHERE event_id IN
              (SELECT event_id FROM {rows} WHERE line IN (SELECT line FROM {duplicates} WHERE conflict))),
          stored AS (
            SELECT event_id, {_said("action_timestamp", "received_at", "action_metadata")} AS said,
                   left(kind, 1) || external_id AS who, action_type
            FROM fact_user_actions JOIN dim_identities USING (identity_key) JOIN dim_actions USING (action_key)
            WHERE event_hash IN (SELECT md5_number(event_id) FROM again)),
          kept AS (
            SELECT event_id, arg_min({{'who': who, 'type': action_type, 'said': said}}, line) AS event
            FROM (SELECT * FROM again UNION ALL BY NAME SELECT *, -1 AS line FROM stored) GROUP BY event_id)
          SELECT line FROM again JOIN kept USING (event_id)
          WHERE event IS NOT DISTINCT FROM {{'who': who, 'type': action_type, 'said': said}})""")
    ((conflicts,),) = engine.fetch(f"SELECT count(*) FROM {duplicates} WHERE conflict")
    return int(conflicts)


def _said(at: str, received: str, metadata: str) -> str:
    """SQL of the time that the client gave; missing where it gave none, or only how long ago it was."""
    original = f"TRY_CAST(json_extract_string({metadata}, '/$original_timestamp') AS TIMESTAMP)"
    is_relative = f"json_extract_string({metadata}, '/$clock') IS NOT DISTINCT FROM 'offset'"
    return f"coalesce({original}, CASE WHEN {at} IS DISTINCT FROM {received} AND NOT {is_relative} THEN {at} END)"
