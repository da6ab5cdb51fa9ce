"""A file of an export that was loaded before, and all of whose rows are still there: it need not be read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.report import ImportReport
from regulars.infrastructure.importers.exports.reader import fingerprint
from regulars.infrastructure.importers.formats import TOOLS
from regulars.infrastructure.loading.sql import literal

if TYPE_CHECKING:
    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.exports.reader import Wishes
    from regulars.infrastructure.importers.formats import File


def find_earlier_load(engine: DuckDBEngine, file: File, format: str, wishes: Wishes) -> ImportReport | None:
    """What the same file brought, read in the same way; None when any row of it was rejected or is gone since.

    An export is many files, and a run that was stopped goes on where it was; but a row that could not be loaded may be
    loadable now, and one that was erased must be turned away anew.
    """
    tools = [format] if format in TOOLS else list(TOOLS) if format == "auto" else []
    if not tools:
        return None
    names = ", ".join(literal(fingerprint(file, tool, wishes)) for tool in tools)
    rows = engine.fetch(f"""
        SELECT load_id, rows_read FROM loads
        WHERE fingerprint IN ({names}) AND rejected = 0 AND rows_loaded > 0
          AND rows_loaded = (SELECT count(*) FROM fact_user_actions AS fact WHERE fact.load_id = loads.load_id)
        ORDER BY load_id LIMIT 1""")
    if not rows:
        return None
    ((load_id, count),) = rows
    return ImportReport(
        source=file.path.name, kind="events", load_id=load_id, rows_read=count, loaded=0, duplicates=count, rejected=0,
        is_repeated=True,
    )  # fmt: skip
