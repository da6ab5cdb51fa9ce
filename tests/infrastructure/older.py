"""A workspace as an older version left it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb

import regulars
from tests.domain.examples import did

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = [
    did("a", "2026-01-01T10:00:00", country="DE"),
    did("b", "2026-01-01T23:00:00", country="FR"),
    did("a", "2026-01-03T10:00:00"),
]
QUESTION = {"window": 7, "by": "country", "start": "2026-01-01"}


def older_workspace(folder: Path) -> Path:
    """Make one whose aggregates lack a column, and whose file lacks a table, views and what tells its version."""
    regulars.init(folder)
    with regulars.open(folder) as ws:
        ws.load(EVENTS)
    with duckdb.connect(str(folder / "regulars.duckdb")) as file:
        file.execute("DROP VIEW agg_tiers")
        file.execute("CREATE OR REPLACE VIEW fact_user_activity AS SELECT 1 AS nothing")
        file.execute("DROP TABLE sliced_arrivals")
        file.execute("CREATE OR REPLACE TABLE agg_arrivals AS SELECT * EXCLUDE (second_value) FROM agg_arrivals")
        ((text,),) = file.execute("SELECT value FROM workspace_state WHERE name = 'definitions'").fetchall()
        definitions = {name: value for name, value in json.loads(text).items() if name != "schema"}
        definitions["dimensions"] = "country,device_type,plan"
        file.execute("UPDATE workspace_state SET value = ? WHERE name = 'definitions'", [json.dumps(definitions)])
        file.execute("DELETE FROM workspace_state WHERE name = 'schema'")
    return folder
