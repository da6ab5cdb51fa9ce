"""The star schema as data: DDL, the docs page and the data dictionary are generated from it.

Facts are append-only. Everything derived can be rebuilt from the facts at any time; presentation views live in
:mod:`regulars.domain.views`. Column types are abstract names that a :class:`~regulars.domain.dialect.Dialect` spells
for its engine.
"""

from __future__ import annotations

from regulars.domain.schema.derived import (
    AGG_ARRIVALS,
    AGG_RETENTION,
    AGG_TIER_CHANGES,
    ARRIVALS,
    DAILY_ACTIVITY,
    EVENT_DAYS,
    GAP_CAP,
    MISSING,
    SLICED_ARRIVALS,
    USER_SESSIONS,
)
from regulars.domain.schema.dimensions import (
    DEVICE_COLUMNS,
    DIM_ACTIONS,
    DIM_DATES,
    DIM_DEVICES,
    DIM_FEATURES,
    DIM_GEOGRAPHIES,
    DIM_IDENTITIES,
    DIM_USER_SEGMENTS,
    DIM_USERS,
    FIRST_DATE,
    GEOGRAPHY_COLUMNS,
    GEOGRAPHY_DETAILS,
    LAST_DATE,
    POPULATIONS,
    STORED_USER_ATTRIBUTES,
)
from regulars.domain.schema.facts import (
    FACT_ACTIVITY_DETAILS,
    FACT_IDENTITY_LINKS,
    FACT_USER_ACTIONS,
    FACT_USER_ATTRIBUTES,
)
from regulars.domain.schema.records import (
    CHECK_RESULTS,
    DEAD_LETTER,
    ERASURES,
    EXPERIMENTS,
    LOADS,
    PUBLICATIONS,
    WORKSPACE_STATE,
)
from regulars.domain.schema.tables import Column, ColumnType, Role, Table

__all__ = [
    "AGG_ARRIVALS",
    "AGG_RETENTION",
    "AGG_TIER_CHANGES",
    "ARRIVALS",
    "CHECK_RESULTS",
    "DAILY_ACTIVITY",
    "DEAD_LETTER",
    "DERIVED_COLUMNS",
    "DEVICE_COLUMNS",
    "DIM_ACTIONS",
    "DIM_DATES",
    "DIM_DEVICES",
    "DIM_FEATURES",
    "DIM_GEOGRAPHIES",
    "DIM_IDENTITIES",
    "DIM_USERS",
    "DIM_USER_SEGMENTS",
    "ERASURES",
    "EVENT_DAYS",
    "EXPERIMENTS",
    "FACT_ACTIVITY_DETAILS",
    "FACT_IDENTITY_LINKS",
    "FACT_USER_ACTIONS",
    "FACT_USER_ATTRIBUTES",
    "FIRST_DATE",
    "GAP_CAP",
    "GEOGRAPHY_COLUMNS",
    "GEOGRAPHY_DETAILS",
    "LAST_DATE",
    "LOADS",
    "MISSING",
    "POPULATIONS",
    "PUBLICATIONS",
    "SLICED_ARRIVALS",
    "STORED_USER_ATTRIBUTES",
    "TABLES",
    "USER_SESSIONS",
    "WORKSPACE_STATE",
    "Column",
    "ColumnType",
    "Role",
    "Table",
]

TABLES: tuple[Table, ...] = (
    DIM_USERS,
    DIM_IDENTITIES,
    DIM_USER_SEGMENTS,
    DIM_DATES,
    DIM_ACTIONS,
    DIM_FEATURES,
    DIM_DEVICES,
    DIM_GEOGRAPHIES,
    FACT_USER_ACTIONS,
    FACT_ACTIVITY_DETAILS,
    FACT_USER_ATTRIBUTES,
    FACT_IDENTITY_LINKS,
    USER_SESSIONS,
    DAILY_ACTIVITY,
    ARRIVALS,
    SLICED_ARRIVALS,
    AGG_ARRIVALS,
    AGG_RETENTION,
    AGG_TIER_CHANGES,
    EVENT_DAYS,
    LOADS,
    DEAD_LETTER,
    ERASURES,
    EXPERIMENTS,
    PUBLICATIONS,
    CHECK_RESULTS,
    WORKSPACE_STATE,
)

DERIVED_COLUMNS = {
    table.name: [(column.name, column.type, column.nullable) for column in table.columns]
    for table in TABLES
    if table.role == "derived"
}
"""The columns that rows made by an older version may lack."""
