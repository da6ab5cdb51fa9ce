"""What the tests of loading share: a warehouse in memory, and a way to load into it and look at it."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from regulars.domain.schema import TABLES
from regulars.infrastructure.engines.duckdb import DuckDBEngine
from regulars.infrastructure.loader import Loader
from regulars.settings import Settings

NOW = datetime(2026, 3, 1, 12)
T = "2026-01-05T10:00:00Z"


class Warehouse:
    """An empty warehouse in memory; making the next one empties it."""

    def __init__(self, **settings):
        self.engine = _emptied()
        self.loader = Loader(self.engine, Settings(**settings))

    def load(self, source, **options):
        with self.engine.transaction():
            report = self.loader.load(source, now=options.pop("now", NOW), **options)
        assert report.rows_read == report.loaded + report.duplicates + report.rejected
        assert report.rejected == sum(report.reasons.values())
        return report

    def preview(self, source, **options):
        return self.loader.preview(source, now=NOW, **options)

    def rows(self, sql):
        return self.engine.query(sql).rows

    def column(self, sql):
        return [row[0] for row in self.rows(sql)]

    def times(self):
        return self.column("SELECT action_timestamp FROM fact_user_actions ORDER BY event_id")

    def counts(self):
        return {
            table: self.rows(f"SELECT count(*) FROM {table}")[0][0]
            for table in ("fact_user_actions", "dim_identities", "fact_user_attributes", "fact_identity_links")
        }


@cache
def _database():
    engine = DuckDBEngine(threads=1)
    engine.create_schema()
    return engine


def _emptied():
    """The one database of this process, without rows: creating the schema takes longer than most tests."""
    engine = _database()
    with engine.transaction():
        for table in TABLES:
            if table.name != "dim_dates" and engine.fetch(f"SELECT 1 FROM {table.name} LIMIT 1"):
                engine.execute(f"TRUNCATE {table.name}")
    return engine


def event(**values):
    return {"event_id": "e1", "user_id": "u1", "event_type": "login", "timestamp": T, **values}


def lines_of(report):
    return {reject.line: reject.reason for reject in report.rejects}
