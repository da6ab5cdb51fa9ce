"""Rows about erased people that arrive again, in a retry, a late file or a second import: they stay out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.archive import ERASED, ERASED_WORDS
from regulars.infrastructure.loading.sql import literal
from regulars.infrastructure.loading.validate import Rule

if TYPE_CHECKING:
    from regulars.domain.report import Kind
    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.columns import Columns

_DETAIL = literal(ERASED_WORDS)


def erased_rules(engine: DuckDBEngine, columns: Columns, kind: Kind) -> tuple[Rule, ...]:
    """The rule that turns them away; none while nobody was erased.

    An event counts as old when it happened or was received before, and when no time of it can be read: who comes back
    after the erasure is a new person. A row of a table of people has no such time, and is taken only once the person
    has come back.
    """
    if not engine.fetch("SELECT 1 FROM erasures LIMIT 1"):
        return ()
    ((salt,),) = engine.fetch("SELECT value FROM workspace_state WHERE name = 'erasure_salt'")
    if kind == "users":
        back = "known_id IN (SELECT external_id FROM dim_identities WHERE kind = 'known')"
        return (Rule(ERASED, f"{_erased_at('known', 'known_id', salt)} IS NOT NULL AND NOT {back}", _DETAIL),)
    ids = {"known": "known_id"} if "user_id" in columns else {}
    if "anonymous_id" in columns or "previous_id" in columns:
        ids["anonymous"] = "anonymous_id"
    happened = "least(coalesce(us, 0), received_us)" if "received_at" in columns else "coalesce(us, 0)"
    old = " OR ".join(
        f"coalesce({happened} <= {_erased_at(name, column, salt)}, false)" for name, column in ids.items()
    )
    return (Rule(ERASED, old, _DETAIL),) if old else ()


def _erased_at(kind: str, column: str, salt: str) -> str:
    """SQL of when an id was erased, in microseconds; missing when it was not."""
    hashed = f"sha256({literal(salt)} || '{kind}' || {column})"
    return f"(SELECT max(epoch_us(erased_at)) FROM erasures WHERE kind = '{kind}' AND id_hash = {hashed})"
