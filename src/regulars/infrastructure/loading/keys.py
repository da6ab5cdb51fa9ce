"""Dense keys: what a source names for the first time gets the next numbers, in the order of its names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.schema import DEVICE_COLUMNS, GEOGRAPHY_COLUMNS, GEOGRAPHY_DETAILS
from regulars.infrastructure.loading.duplicates import ACCEPTED
from regulars.infrastructure.loading.survey import WHO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.columns import Columns
    from regulars.settings import Settings

LINKING = "(merges OR action_type IN ('identify', 'alias')) AND known_id IS NOT NULL AND anonymous_id IS NOT NULL"


def add_dimensions(engine: DuckDBEngine, columns: Columns, settings: Settings, *, everybody: bool) -> None:
    """Add the identities, actions, features, devices and places that the accepted rows name.

    ``everybody`` says that all rows of the source are accepted, so that what was found in it can be used.
    """
    _add_identities(engine, columns, everybody=everybody)
    types = engine.fetch(f"SELECT DISTINCT action_type FROM {ACCEPTED} ANTI JOIN dim_actions USING (action_type)")
    add_actions(engine, settings, sorted(row[0] for row in types))
    if "feature" in columns:
        _add_features(engine, settings)
    if has_devices(columns):
        _add_tuples(engine, "dim_devices", DEVICE_COLUMNS, given(columns, "device", DEVICE_COLUMNS), ())
    if has_places(columns):
        places = given(columns, "geo", GEOGRAPHY_COLUMNS)
        _add_tuples(engine, "dim_geographies", GEOGRAPHY_COLUMNS, places, GEOGRAPHY_DETAILS)


def has_devices(columns: Columns) -> bool:
    """Whether a source says anything about devices."""
    return any(role in columns for role in ("device", *DEVICE_COLUMNS))


def has_places(columns: Columns) -> bool:
    """Whether a source says anything about places."""
    return any(role in columns for role in ("geo", *GEOGRAPHY_COLUMNS))


def _add_identities(engine: DuckDBEngine, columns: Columns, *, everybody: bool) -> None:
    named = []
    who = columns.get("user_id")
    if who and who.tidy and everybody:
        named.append(f"SELECT 'known' AS kind, external_id FROM {WHO} WHERE external_id IS NOT NULL")
    elif who:
        named.append(
            f"SELECT DISTINCT 'known' AS kind, known_id AS external_id FROM {ACCEPTED} WHERE known_id IS NOT NULL"
        )
    if "anonymous_id" in columns or "previous_id" in columns:
        named.append(f"""
            SELECT DISTINCT 'anonymous' AS kind, anonymous_id AS external_id FROM {ACCEPTED}
            WHERE anonymous_id IS NOT NULL AND (known_id IS NULL OR ({LINKING}))""")
    add_identities(engine, " UNION ALL ".join(named))


def add_identities(engine: DuckDBEngine, named: str) -> None:
    """Add the identities among ``named``, a SELECT of kind and external_id, that are not there yet."""
    engine.execute(f"""
        INSERT INTO dim_identities
        SELECT identity_key, kind, external_id, identity_key
        FROM (SELECT {_next_keys("dim_identities", "identity_key", "kind DESC, external_id")} AS identity_key, *
              FROM ({named}) AS named ANTI JOIN dim_identities USING (kind, external_id))""")


def add_actions(engine: DuckDBEngine, settings: Settings, types: Iterable[str]) -> None:
    """Add action types with what the catalogue and the settings say about them."""
    actions = [settings.action(type) for type in types]
    if not actions:
        return
    columns = [
        [a.action_type for a in actions],
        [a.category for a in actions],
        [a.engagement_weight for a in actions],
        [a.is_core_action for a in actions],
        [a.is_conversion_event for a in actions],
        [a.is_marker for a in actions],
    ]
    engine.execute(
        f"""
        INSERT INTO dim_actions
        SELECT {_next_keys("dim_actions", "action_key", "action_type")}, *
        FROM (SELECT unnest($1::VARCHAR[]) AS action_type, unnest($2::VARCHAR[]), unnest($3::DOUBLE[]),
                     unnest($4::BOOLEAN[]), unnest($5::BOOLEAN[]), unnest($6::BOOLEAN[]))""",
        columns,
    )


def _add_features(engine: DuckDBEngine, settings: Settings) -> None:
    engine.execute(
        f"""
        INSERT INTO dim_features
        SELECT {_next_keys("dim_features", "feature_key", "feature")}, feature, NULL,
               list_contains($1::VARCHAR[], feature), NULL, NULL
        FROM (SELECT DISTINCT feature FROM {ACCEPTED} WHERE feature IS NOT NULL)
        WHERE feature NOT IN (SELECT feature_name FROM dim_features)""",
        [list(settings.core_features)],
    )


def same(left: str, right: str, columns: Iterable[str]) -> str:
    """SQL that two rows agree in all columns, missing values included."""
    return " AND ".join(f"{left}.{name} IS NOT DISTINCT FROM {right}.{name}" for name in columns)


def given(columns: Columns, parent: str, names: tuple[str, ...]) -> list[str]:
    """Those names that the source says anything about."""
    return [name for name in names if parent in columns or name in columns]


def agree(table: str, columns: Columns, parent: str, names: tuple[str, ...]) -> str:
    """SQL that a dimension's row describes the event: columns the source lacks are missing there too."""
    present = given(columns, parent, names)
    absent = [f"{table}.{name} IS NULL" for name in names if name not in present]
    return " AND ".join([same(table, "event", present), *absent])


def _add_tuples(
    engine: DuckDBEngine, table: str, names: tuple[str, ...], present: list[str], details: tuple[str, ...]
) -> None:
    key = "device_key" if table == "dim_devices" else "geography_key"
    listed = ", ".join(names)
    own = [name if name in present else f"CAST(NULL AS VARCHAR) AS {name}" for name in names]
    chosen = ", ".join([*own, *(f"min({name}) AS {name}" for name in details)])
    # Grouping by one column is several times as cheap as by that and others of nothing but NULL.
    groups = ", ".join(present)
    engine.execute(f"""
        INSERT INTO {table}
        SELECT {_next_keys(table, key, listed)}, *
        FROM (SELECT {chosen} FROM {ACCEPTED} WHERE coalesce({groups}) IS NOT NULL GROUP BY {groups}) AS found
        WHERE NOT EXISTS (SELECT 1 FROM {table} AS stored WHERE {same("stored", "found", names)})""")


def _next_keys(table: str, key: str, order: str) -> str:
    return f"(SELECT coalesce(max({key}), 0) FROM {table}) + row_number() OVER (ORDER BY {order})"
