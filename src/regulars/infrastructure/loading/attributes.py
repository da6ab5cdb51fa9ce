"""What events say about people: explicit attributes, and inferred ones from the first event that carries them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.dialect import json_pointer
from regulars.infrastructure.loading.duplicates import ACCEPTED
from regulars.infrastructure.loading.keys import has_devices, has_places
from regulars.infrastructure.loading.sql import literal

if TYPE_CHECKING:
    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.columns import Columns
    from regulars.infrastructure.importers.source import Source

FROM_PROPERTIES = ("plan", "acquisition_channel", "gender", "account_status")
_FIRST_EVENTS = "rg_first_events"
_INFERRED = "rg_inferred"


def add_explicit(engine: DuckDBEngine, columns: Columns, load_id: int, *, snapshots: bool = False) -> None:
    """Append each member of an event's ``user`` object, set at the time of the event; null clears it.

    Of ``snapshots``, which repeat every attribute with every event, the changes and the last one are kept.
    """
    if "user" not in columns:
        return
    changes = """WINDOW seen AS (PARTITION BY identity_key, key ORDER BY us, sequence NULLS LAST, event_id)
        QUALIFY row_number() OVER seen = 1 OR lead(event_id) OVER seen IS NULL
            OR value IS DISTINCT FROM lag(value) OVER seen"""
    engine.execute(f"""
        INSERT INTO fact_user_attributes (identity_key, key, value, set_at, sequence, event_id, is_explicit, load_id)
        SELECT identity_key, key, value, make_timestamp(us), sequence, event_id, true, {load_id}
        FROM (SELECT *, json_extract_string(attributes, '/' || replace(replace(key, '~', '~0'), '/', '~1')) AS value
              FROM (SELECT event_id, attributes, us, sequence, unnest(json_keys(attributes)) AS key
                    FROM {ACCEPTED} WHERE json_type(attributes) = 'OBJECT'))
        JOIN (SELECT event_id, identity_key FROM fact_user_actions WHERE load_id = {load_id}) USING (event_id)
        {changes if snapshots else ""}
        ORDER BY us, event_id, key""")


def add_inferred(engine: DuckDBEngine, source: Source, columns: Columns, load_id: int) -> None:
    """Append at most one row per identity and attribute: its value in the earliest event of this load with one.

    Nearly always that is the identity's earliest event of all, which one pass over integers finds. Only for
    identities whose first event lacks the attribute are the other events read. Where an earlier load has an earlier
    value there is nothing to add: it stays the first, and rows for every load would soon be countless.
    """
    sources = _occurring(engine, _sources(source, columns), load_id)
    if not sources:
        return
    _find_first_events(engine, load_id)
    for key, value in sources.items():
        _infer(engine, key, value, load_id)
        engine.execute(f"""
            INSERT INTO fact_user_attributes
                (identity_key, key, value, set_at, sequence, event_id, is_explicit, load_id)
            SELECT identity_key, {literal(key)}, value, action_timestamp, sequence, event_id, false, {load_id}
            FROM {_INFERRED} AS found WHERE NOT EXISTS ({_earlier(key)}) ORDER BY identity_key""")


def _earlier(key: str) -> str:
    return f"""
            SELECT 1 FROM fact_user_attributes AS old
            WHERE old.identity_key = found.identity_key AND old.key = {literal(key)} AND NOT old.is_explicit
              AND old.set_at < found.action_timestamp"""


def _occurring(engine: DuckDBEngine, sources: dict[str, str], load_id: int) -> dict[str, str]:
    """The attributes without those of properties that no event of this load has: one pass instead of one for each."""
    asked = [key for key in sources if key in FROM_PROPERTIES]
    if not asked:
        return sources
    # Cheaper than reading JSON: whether the word stands in it at all.
    tests = ", ".join(f"coalesce(bool_or(contains(action_metadata, {literal(key)})), false)" for key in asked)
    (found,) = engine.fetch(f"SELECT {tests} FROM fact_user_actions WHERE load_id = {load_id}")
    missing = {key for key, occurs in zip(asked, found, strict=True) if not occurs}
    return {key: value for key, value in sources.items() if key not in missing}


def add_once(engine: DuckDBEngine, load_id: int) -> None:
    """Append what events set only once (``$set_once``): like an inferred attribute, its earliest value holds."""
    marked = f"load_id = {load_id} AND contains(action_metadata, '\"$set_once\"')"
    engine.execute(f"""
        INSERT INTO fact_user_attributes (identity_key, key, value, set_at, sequence, event_id, is_explicit, load_id)
        SELECT identity_key, key, value, set_at, sequence, event_id, false, {load_id}
        FROM (SELECT *, json_extract_string(once, '/' || replace(replace(key, '~', '~0'), '/', '~1')) AS value
              FROM (SELECT *, unnest(json_keys(once)) AS key
                    FROM (SELECT identity_key, action_timestamp AS set_at, sequence, event_id,
                                 json_extract(action_metadata, '/$set_once') AS once
                          FROM fact_user_actions WHERE {marked}) WHERE json_type(once) = 'OBJECT')) AS told
        WHERE value IS NOT NULL AND NOT EXISTS (
          FROM fact_user_attributes AS known WHERE NOT known.is_explicit AND known.set_at < told.set_at
            AND known.identity_key = told.identity_key AND known.key = told.key AND known.load_id < {load_id})
        QUALIFY row_number() OVER (PARTITION BY identity_key, key ORDER BY set_at, sequence NULLS LAST, event_id) = 1
        ORDER BY set_at, event_id, key""")


def _sources(source: Source, columns: Columns) -> dict[str, str]:
    """SQL of each attribute over ``fact_user_actions`` with its place and its device."""
    sources: dict[str, str] = {}
    if has_places(columns):
        sources.update(country="place.country", region="place.region")
    if has_devices(columns):
        sources["device_type"] = "device.device_type"
    anything = source.documents or "properties" in columns
    named = {item.name for item in columns.others}
    for key in FROM_PROPERTIES:
        if not anything and key not in named:
            continue
        sources[key] = f"json_extract_string(action_metadata, {literal(json_pointer(key))})"
    return sources


def _find_first_events(engine: DuckDBEngine, load_id: int) -> None:
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {_FIRST_EVENTS} AS
        SELECT fact.identity_key, fact.action_timestamp, sequence, event_id, geography_key, device_key, action_metadata
        FROM fact_user_actions AS fact
        JOIN (SELECT identity_key, min(action_timestamp) AS action_timestamp
              FROM fact_user_actions WHERE load_id = {load_id} GROUP BY identity_key) AS earliest
          ON earliest.identity_key = fact.identity_key AND earliest.action_timestamp = fact.action_timestamp
        WHERE load_id = {load_id}
        QUALIFY {_earliest()}""")


def _earliest() -> str:
    order = "fact.action_timestamp, sequence NULLS LAST, event_id"
    return f"row_number() OVER (PARTITION BY fact.identity_key ORDER BY {order}) = 1"


def _infer(engine: DuckDBEngine, key: str, value: str, load_id: int) -> None:
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {_INFERRED} AS {_valued(value, _FIRST_EVENTS, 'true')}")
    ((missing,),) = engine.fetch(f"SELECT (SELECT count(*) FROM {_FIRST_EVENTS}) - (SELECT count(*) FROM {_INFERRED})")
    if not missing:
        return
    others = f"load_id = {load_id} AND fact.identity_key NOT IN (SELECT identity_key FROM {_INFERRED})"
    if key in FROM_PROPERTIES:
        others += f" AND contains(action_metadata, {literal(key)})"
    engine.execute(f"INSERT INTO {_INFERRED} {_valued(value, 'fact_user_actions', others)} QUALIFY {_earliest()}")


def _valued(value: str, relation: str, condition: str) -> str:
    places = "LEFT JOIN dim_geographies AS place ON place.geography_key = fact.geography_key"
    devices = "LEFT JOIN dim_devices AS device ON device.device_key = fact.device_key"
    joins = places if value.startswith("place.") else devices if value.startswith("device.") else ""
    return f"""
        SELECT fact.identity_key, {value} AS value, fact.action_timestamp, sequence, event_id
        FROM {relation} AS fact {joins}
        WHERE {value} IS NOT NULL AND {condition}"""
