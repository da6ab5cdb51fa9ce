"""What every reader produces: a relation with named columns that the loading steps can read several times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regulars.domain.report import Kind
    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.columns import Columns, Field

STAGED = "rg_source"  # rows of a text file, a frame or a list, as they came
BROKEN = "rg_broken"  # rows that are no rows: wrong count of columns, no JSON, no UTF-8
LINE = "rg_line"


@dataclass(frozen=True)
class Source:
    """A readable source.

    ``relation`` is what stands behind FROM, ``line`` the SQL of the row's line. ``documents`` says that each
    row is a JSON object in the column ``doc``, whose other keys are properties. ``typed`` sources are columnar
    and cheap to read again; the others are worth storing after their text has been parsed once. ``by_row`` says that
    no row, and no lack of one, may refuse the others, ``listed`` that ``fields`` has every key of the documents
    (or more of those without a role than could be listed).

    An export of another tool says itself which column is what (``columns``) and what a row is (``kind``), and its
    properties are all in one column; ``merges`` that any event with both ids links them, ``snapshots`` that events
    repeat the attributes of their user.
    """

    name: str
    format: str
    relation: str
    line: str
    fields: tuple[Field, ...]
    typed: bool = False
    documents: bool = False
    fingerprint: str | None = None
    by_row: bool = False
    listed: bool = False
    columns: Columns | None = None
    kind: Kind = "events"
    merges: bool = False
    snapshots: bool = False


def create_broken(engine: DuckDBEngine) -> None:
    """Make the table of rows that no reader could make sense of."""
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {BROKEN} (line BIGINT, reason VARCHAR, detail VARCHAR, raw VARCHAR)")


def add_broken(engine: DuckDBEngine, rows: list[tuple[int, str, str, str]]) -> None:
    """Keep broken rows as (line, reason, detail, raw)."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        engine.execute(
            f"""INSERT INTO {BROKEN}
                SELECT unnest($1::BIGINT[]), unnest($2::VARCHAR[]), unnest($3::VARCHAR[]), unnest($4::VARCHAR[])""",
            columns,
        )
