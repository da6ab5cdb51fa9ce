"""Every event once: by its id within the source and over the whole history, first row first.

An event without an id gets one from its content and its ordinal among identical rows, so that the same export,
or one that overlaps it, adds nothing, while two equal rows of one file both count.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

import numpy as np

from regulars.infrastructure.loading.resent import forgive_clocks
from regulars.infrastructure.loading.validate import EVENTS, RAW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.loading.validate import Summary

ACCEPTED = "rg_accepted"  # the rows that will be stored
_IDENTIFIED = "rg_identified"  # rows without a reason against them, each with an id
_MADE_IDS = "rg_made_ids"
DUPLICATES = "rg_duplicates"
_SORTED_AT_ONCE = 32_000_000


def drop_duplicates(engine: DuckDBEngine, summary: Summary, *, collected: bool = False) -> tuple[int, int]:
    """Make the view of rows to store; returns how many duplicates there are, and how many of them conflict.

    ``collected`` rows come from the journal: their times depend on when they were received, which is no conflict.
    """
    _give_ids(engine, summary)
    found = _find(engine, summary)
    if collected and found[1]:
        found = found[0], forgive_clocks(engine, _IDENTIFIED, DUPLICATES)
    without = f"WHERE line NOT IN (SELECT line FROM {DUPLICATES})" if found[0] else ""
    engine.execute(f"CREATE OR REPLACE TEMP VIEW {ACCEPTED} AS SELECT * FROM {_IDENTIFIED} {without}")
    return found


def _give_ids(engine: DuckDBEngine, summary: Summary) -> None:
    accepted = "WHERE reason IS NULL" if summary.accepted < summary.rows else ""
    if summary.with_id == summary.accepted:
        engine.execute(f"CREATE OR REPLACE TEMP VIEW {_IDENTIFIED} AS SELECT * FROM {EVENTS} {accepted}")
        return
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {_MADE_IDS} AS
        SELECT line, 'row-' || md5(content || '#' || row_number() OVER (PARTITION BY content ORDER BY line)) AS made_id
        FROM (SELECT line, md5(raw) AS content FROM {EVENTS} JOIN {RAW} USING (line)
              WHERE reason IS NULL AND event_id IS NULL)""")
    engine.execute(f"""
        CREATE OR REPLACE TEMP VIEW {_IDENTIFIED} AS
        SELECT events.* REPLACE (coalesce(event_id, made_id) AS event_id)
        FROM {EVENTS} AS events LEFT JOIN {_MADE_IDS} AS made ON made.line = events.line {accepted}""")


def _find(engine: DuckDBEngine, summary: Summary) -> tuple[int, int]:
    searches = []
    if summary.with_id and _repeats(engine, summary.with_id):
        searches.append(_within_source())
    if _is_in_history(engine):
        searches.append(_in_history())
    if not searches:
        return 0, 0
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {DUPLICATES} AS
        SELECT line, bool_or(conflict) AS conflict FROM ({" UNION ALL ".join(searches)}) GROUP BY line""")
    ((count, conflicts),) = engine.fetch(f"SELECT count(*), count(*) FILTER (conflict) FROM {DUPLICATES}")
    return int(count), int(conflicts)


def _repeats(engine: DuckDBEngine, ids: int) -> bool:
    """Whether two ids may be equal: two of their 64-bit hashes are.

    Sorting hashes takes a third of the time of counting distinct ids, and what it finds is looked at exactly.
    """
    parts = ids // _SORTED_AT_ONCE + 1
    for part in range(parts):
        only = f"AND hash(event_id) % {parts} = {part}" if parts > 1 else ""
        hashes = _hashes(engine, f"SELECT hash(event_id) FROM {_IDENTIFIED} WHERE event_id IS NOT NULL {only}")
        if _has_twins(hashes):
            return True
    return False


def _is_in_history(engine: DuckDBEngine) -> bool:
    """Whether an id was stored before; one column of what is stored tells, and mostly it is all that has to be read."""
    mine = f"SELECT md5_number(event_id) AS event_hash FROM {_IDENTIFIED}"
    stored = "SELECT event_hash FROM fact_user_actions"
    return bool(engine.fetch(f"SELECT 1 FROM ({mine}) WHERE event_hash IN ({stored}) LIMIT 1"))


def _has_twins(hashes: NDArray[np.uint64]) -> bool:
    middle = len(hashes) // 2
    hashes.partition(middle)
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(np.ndarray.sort, (hashes[:middle], hashes[middle:])):
            pass
    return bool((hashes[1:] == hashes[:-1]).any())


def _hashes(engine: DuckDBEngine, sql: str) -> NDArray[np.uint64]:
    # A column of numbers as an array: Python objects would cost more than the sorting.
    found = engine._writer.execute(sql).fetchnumpy()  # noqa: SLF001
    (hashes,) = found.values()
    return cast("NDArray[np.uint64]", np.asarray(hashes))


def _within_source() -> str:
    return f"""
        SELECT line, said IS DISTINCT FROM first_value(said) OVER earlier AS conflict
        FROM (SELECT line, event_id, (coalesce('k' || known_id, 'a' || anonymous_id), action_type, us) AS said
              FROM {_IDENTIFIED} WHERE event_id IN
                (SELECT event_id FROM {_IDENTIFIED} GROUP BY event_id HAVING count(*) > 1))
        WINDOW earlier AS (PARTITION BY event_id ORDER BY line)
        QUALIFY row_number() OVER earlier > 1"""


def _in_history() -> str:
    return f"""
        SELECT line, external_id IS DISTINCT FROM coalesce(known_id, anonymous_id)
                  OR (kind = 'known') IS DISTINCT FROM (known_id IS NOT NULL)
                  OR dim_actions.action_type IS DISTINCT FROM row.action_type
                  OR action_timestamp IS DISTINCT FROM make_timestamp(us) AS conflict
        FROM (SELECT line, md5_number(event_id) AS event_hash, known_id, anonymous_id, action_type, us
              FROM {_IDENTIFIED}) AS row
        JOIN fact_user_actions AS fact ON fact.event_hash = row.event_hash
        JOIN dim_identities ON dim_identities.identity_key = fact.identity_key
        JOIN dim_actions ON dim_actions.action_key = fact.action_key"""
