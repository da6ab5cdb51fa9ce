"""Keep raw events for as long as the settings say: older days are archived, verified and dropped, each of them whole.

Everything that was computed from them stays. The archive is written first; then one transaction drops the days and
moves the raw floor, so that a process which is killed leaves all of them in the warehouse or all of them out.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regulars.application.canonical import execute
from regulars.application.load import catch_up
from regulars.application.raw_floor import move_floor, raw_floor, take_out
from regulars.domain.calendar import local_day
from regulars.domain.report import Retention
from regulars.errors import QueryError

if TYPE_CHECKING:
    from datetime import date, datetime

    from regulars.application.ports import Engine
    from regulars.settings import Settings

_WORTH = 0.05
"""The share of the events that must have been dropped for the file to be written anew."""
_DROPPED = "dropped_since_rewrite"


def retain(engine: Engine, settings: Settings, now: datetime, *, dry_run: bool = False) -> Retention:
    """Archive and drop the raw events that are older than the settings allow; ``dry_run`` only counts them.

    Nothing else may be committed meanwhile. The file still has to be written anew where :func:`is_rewrite_due`.

    Errors: :class:`QueryError` ``memory_only``; :class:`WorkspaceError` ``archive_damaged``, ``archive_failed``.
    """
    limit = settings.retention.events_days
    if limit is None:
        return Retention(None, raw_floor(engine.fetch), is_dry_run=dry_run)
    if engine.archive is None:
        raise QueryError(
            "a workspace in memory has no archive, so retention.events_days cannot be applied; keep it in a folder, "
            "or bound it with max_events",
            code="memory_only",
        )
    if not dry_run:
        # The days of events follow the time zone, and what is frozen must follow today's definitions.
        catch_up(engine, settings, now)
    with engine.transaction():
        wanted = local_day(now, settings.timezone) - timedelta(days=limit)
        old = raw_floor(engine.fetch)
        days = _days_below(engine, wanted)
        if days and not dry_run:
            engine.archive.write(days, keep_before=old)
            take_out(engine, wanted)
            move_floor(engine, wanted)
            _remember_dropped(engine, dropped(engine) + sum(days.values()))
    return Retention(
        limit, wanted if days else old, len(days), sum(days.values()), min(days, default=None), is_dry_run=dry_run
    )


def is_rewrite_due(engine: Engine) -> bool:
    """Whether so much was dropped since the file was written that writing it anew is worth the time.

    Below that, what comes in takes the place of what went.
    """
    ((left,),) = engine.fetch("SELECT count(*) FROM fact_user_actions")
    gone = dropped(engine)
    return gone > 0 and gone >= _WORTH * (left + gone)


def note_rewritten(engine: Engine) -> None:
    """Note that the file has been written anew."""
    with engine.transaction():
        _remember_dropped(engine, 0)


def dropped(engine: Engine) -> int:
    """How many events were dropped since the file was written anew."""
    rows = engine.fetch(f"SELECT value FROM workspace_state WHERE name = '{_DROPPED}'")
    return int(rows[0][0]) if rows else 0


def _remember_dropped(engine: Engine, events: int) -> None:
    execute(engine, f"DELETE FROM workspace_state WHERE name = '{_DROPPED}'")
    execute(engine, f"INSERT INTO workspace_state SELECT '{_DROPPED}', '{events}'")


def _days_below(engine: Engine, floor: date) -> dict[date, int]:
    return dict(engine.fetch(f"SELECT day, count(*) FROM fact_user_actions WHERE day < DATE '{floor}' GROUP BY day"))
