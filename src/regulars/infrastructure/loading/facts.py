"""The facts of the accepted rows: events, their details, links of identities, and what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.archive import ERASED
from regulars.domain.schema import DEVICE_COLUMNS, GEOGRAPHY_COLUMNS
from regulars.infrastructure.importers.source import BROKEN
from regulars.infrastructure.loading.duplicates import ACCEPTED, DUPLICATES
from regulars.infrastructure.loading.keys import LINKING, agree, has_devices, has_places
from regulars.infrastructure.loading.times import microseconds, utc_to_local
from regulars.infrastructure.loading.validate import EVENTS, RAW, Rule

if TYPE_CHECKING:
    from datetime import datetime

    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.columns import Columns
    from regulars.infrastructure.loading.validate import Summary

_RAW_SHOWN = 20_000


def add_events(
    engine: DuckDBEngine, columns: Columns, summary: Summary, *, timezone: str, now: datetime, load_id: int
) -> None:
    """Append the accepted rows to ``fact_user_actions``."""
    if summary.first_us is None or summary.last_us is None:
        return
    local = utc_to_local("us", timezone, summary.first_us, summary.last_us)
    arrived = f"make_timestamp({microseconds(now)})"
    received = f"coalesce(make_timestamp(received_us), {arrived})" if "received_at" in columns else arrived
    identity, joins = _joins(columns)
    engine.execute(f"""
        INSERT INTO fact_user_actions
        SELECT event_id, md5_number(event_id), {identity}, action_key,
               {"feature_key" if "feature" in columns else "NULL"},
               {"device_key" if has_devices(columns) else "NULL"},
               {"geography_key" if has_places(columns) else "NULL"},
               event_name, make_timestamp(us), sequence, CAST(local AS DATE),
               CAST(hour(local) * 10000 + minute(local) * 100 + second(local) AS INTEGER), {received},
               duration, session_id, context, client_ip, metadata, {load_id}
        FROM (SELECT *, make_timestamp({local}) AS local FROM {ACCEPTED}) AS event
        {joins}""")


def _joins(columns: Columns) -> tuple[str, str]:
    joins = ["JOIN dim_actions ON dim_actions.action_type = event.action_type"]
    keys = []
    if "user_id" in columns:
        keys.append("known.identity_key")
        joins.append("LEFT JOIN (FROM dim_identities WHERE kind = 'known') AS known ON known.external_id = known_id")
    if "anonymous_id" in columns or "previous_id" in columns:
        keys.append("anonymous.identity_key")
        strangers = "(FROM dim_identities WHERE kind = 'anonymous') AS anonymous"
        joins.append(f"LEFT JOIN {strangers} ON anonymous.external_id = anonymous_id")
    if "feature" in columns:
        joins.append("LEFT JOIN dim_features ON feature_name = feature")
    if has_devices(columns):
        joins.append(f"LEFT JOIN dim_devices ON {agree('dim_devices', columns, 'device', DEVICE_COLUMNS)}")
    if has_places(columns):
        joins.append(f"LEFT JOIN dim_geographies ON {agree('dim_geographies', columns, 'geo', GEOGRAPHY_COLUMNS)}")
    return f"coalesce({', '.join(keys)})", "\n        ".join(joins)


def add_details(engine: DuckDBEngine, columns: Columns, load_id: int) -> None:
    """Append the details of events, one row each."""
    if "details" not in columns:
        return
    engine.execute(f"""
        INSERT INTO fact_activity_details
        SELECT event_id, coalesce(json_extract_string(detail, '/type'), 'detail'),
               json_extract(detail, '/payload'), {load_id}
        FROM (SELECT line, event_id, unnest(json_extract(details, '$[*]')) AS detail FROM {ACCEPTED}
              WHERE json_type(details) = 'ARRAY') ORDER BY line""")


def add_links(engine: DuckDBEngine, summary: Summary, load_id: int) -> None:
    """Append what identify and alias say: this anonymous id is that known one.

    Where every event with both ids says so, the earliest one of a pair is enough.
    """
    if not summary.linking:
        return
    earliest = "row_number() OVER (PARTITION BY known_id, anonymous_id ORDER BY us, event_id) = 1"
    engine.execute(f"""
        INSERT INTO fact_identity_links
        SELECT anonymous.identity_key, known.identity_key, make_timestamp(us), event_id, {load_id}
        FROM (SELECT * FROM {ACCEPTED} WHERE {LINKING} QUALIFY NOT merges OR {earliest}) AS event
        JOIN dim_identities AS known ON known.kind = 'known' AND known.external_id = known_id
        JOIN dim_identities AS anonymous ON anonymous.kind = 'anonymous' AND anonymous.external_id = anonymous_id
        ORDER BY us, event_id""")


def add_rejects(engine: DuckDBEngine, checks: tuple[Rule, ...], now: datetime, load_id: int) -> None:
    """Keep the rows that could not be loaded in ``dead_letter``; of erased people only that there was one."""
    engine.execute(f"""
        INSERT INTO dead_letter
        SELECT {load_id}, line, reason, {detail_cases(checks)},
               CASE WHEN reason <> '{ERASED}' THEN left(raw, {_RAW_SHOWN}) END,
               make_timestamp({microseconds(now)})
        FROM {EVENTS} JOIN {RAW} USING (line) WHERE reason IS NOT NULL ORDER BY line""")


def detail_cases(checks: tuple[Rule, ...]) -> str:
    """SQL of the detail that belongs to a row's reason."""
    cases = " ".join(f"WHEN '{rule.reason}' THEN {rule.detail}" for rule in checks)
    return f"CASE reason {cases} END"


def add_broken_rows(engine: DuckDBEngine, now: datetime, load_id: int) -> None:
    """Keep the rows that no reader understood in ``dead_letter``."""
    engine.execute(f"""
        INSERT INTO dead_letter
        SELECT {load_id}, line, reason, detail, raw, make_timestamp({microseconds(now)}) FROM {BROKEN} ORDER BY line""")


def add_conflicts(engine: DuckDBEngine, now: datetime, load_id: int) -> None:
    """Keep the duplicates that say something else than the event they repeat in ``dead_letter``."""
    engine.execute(f"""
        INSERT INTO dead_letter
        SELECT {load_id}, line, 'id_conflict', 'another event has the id ' || left(coalesce(event_id, ''), 200),
               left(raw, {_RAW_SHOWN}), make_timestamp({microseconds(now)})
        FROM {EVENTS} JOIN {RAW} USING (line)
        WHERE line IN (SELECT line FROM {DUPLICATES} WHERE conflict) ORDER BY line""")
