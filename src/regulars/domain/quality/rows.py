"""Rows of imports: which were refused, repeated, or contradict each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.quality.record import EVENTS, Check, Look, all_events, needs_row

if TYPE_CHECKING:
    from regulars.domain.sql import Values

IMPORTS = needs_row("nothing was imported yet", "SELECT 1 FROM loads LIMIT 1")
_CONFLICT, _ERASED = "id_conflict", "erased"
# The same file again brings nothing but known rows, and is no fault of the data.
_FIRST_TIME = """(l.fingerprint IS NULL OR l.load_id IN (
  SELECT min(f.load_id) FROM loads f GROUP BY f.fingerprint))"""


def _rows_read(look: Look, _: Values) -> str:
    return f"SELECT coalesce(sum(l.rows_read), 0) FROM loads l WHERE {look.loads()}"


def _rejected(look: Look, _: Values) -> str:
    return f"""SELECT d.reason, count(*) AS found, min_by(l.source, d.line) AS source, min(d.line) AS line,
  min_by(d.detail, d.line) AS detail
FROM dead_letter d JOIN loads l ON l.load_id = d.load_id
WHERE d.reason NOT IN ('{_CONFLICT}', '{_ERASED}') AND {look.loads()} GROUP BY d.reason"""


def _conflicts(look: Look, _: Values) -> str:
    return f"""SELECT l.source, count(*) AS found, min(d.line) AS line, min_by(d.detail, d.line) AS detail
FROM dead_letter d JOIN loads l ON l.load_id = d.load_id
WHERE d.reason = '{_CONFLICT}' AND {look.loads()} GROUP BY l.source"""


def _duplicates(look: Look, _: Values) -> str:
    return f"""SELECT l.source, CAST(sum(l.duplicates) AS BIGINT) AS found,
  CAST(sum(l.rows_read) AS BIGINT) AS rows_read
FROM loads l WHERE l.duplicates > 0 AND {look.loads()} AND {_FIRST_TIME} GROUP BY l.source"""


def _rows_read_first(look: Look, _: Values) -> str:
    return f"SELECT coalesce(sum(l.rows_read), 0) FROM loads l WHERE {look.loads()} AND {_FIRST_TIME}"


def _repeated_ids(look: Look, _: Values) -> str:
    return f"""SELECT min(e.event_id) AS event_id, count(*) - 1 AS found, min(e.day) AS day
FROM fact_user_actions e WHERE {look.days("e.day")} GROUP BY e.event_hash HAVING count(*) > 1"""


CHECKS = (
    Check(
        name="rejected_rows",
        title="Rows that could not be loaded",
        words="Rows of imports that were refused, by reason: no readable time, nobody, no type, a bad number, broken "
        "JSON. They are kept in the table `dead_letter`; rows of erased people are not counted.",
        fix="look at the rows in `dead_letter` (`regulars import FILE --rejects rejected.csv` writes them out), repair "
        "the export, import it again",
        severity="error",
        rows=_rejected,
        whole=_rows_read,
        noun="rows",
        judge="share",
        threshold=0.01,
        needs=(IMPORTS,),
        is_cheap=True,
    ),
    Check(
        name="id_conflicts",
        title="Different events under one id",
        words="Rows whose event id was there already with another user, type or time. The first one counts, so the "
        "others are lost until they get ids of their own.",
        fix="let the sender make an id per event (a UUID), and import the rows in `dead_letter` with reason "
        "`id_conflict` again",
        severity="error",
        rows=_conflicts,
        whole=_rows_read,
        noun="rows",
        needs=(IMPORTS,),
        is_cheap=True,
    ),
    Check(
        name="duplicate_rows",
        title="Rows that came more than once",
        words="Rows whose event id, or whole content, was there already. They are counted once; a file that is "
        "imported again as a whole is left out.",
        fix="nothing is counted twice; if the share grows, look for a sender that retries, or for exports that overlap",
        severity="warning",
        rows=_duplicates,
        whole=_rows_read_first,
        noun="rows",
        judge="share",
        threshold=0.01,
        needs=(IMPORTS,),
        is_cheap=True,
    ),
    Check(
        name="repeated_ids",
        title="Event ids that are stored twice",
        words="Event ids that more than one stored event has, which no import should ever make.",
        fix="please report this; `regulars sql` shows the events",
        severity="error",
        rows=_repeated_ids,
        whole=all_events,
        needs=(EVENTS,),
    ),
)
