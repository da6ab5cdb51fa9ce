"""Bring a source into the warehouse: facts and everything derived from them, in one transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from regulars.application.bounds import drop_oldest_days
from regulars.application.quality import check_import
from regulars.application.query import read_context, stored_definitions
from regulars.application.raw_floor import move_floor, put_back, raw_floor, take_out, whole_archive
from regulars.application.refresh import rebuild, rebuild_above, rebuild_event_days, refresh
from regulars.domain.definitions import READING_EVENTS, REBUILD_STEPS, Pending, changed_parts, steps_for
from regulars.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date, datetime

    from regulars.application.ports import Engine
    from regulars.domain.report import ImportReport
    from regulars.settings import Settings


class Load(Protocol):
    """Puts the facts of one source into the open transaction and reports what it did."""

    def __call__(self) -> ImportReport:
        """Load the facts."""


def load_and_refresh(
    engine: Engine, settings: Settings, load: Load, now: datetime, *, most: int | None = None, is_import: bool = True
) -> ImportReport:
    """Load facts, then refresh what follows from them; readers see all of it or nothing.

    The first load, and one after the settings changed, computes the derived rows anew, which costs less than
    patching them. ``most`` bounds the number of events: beyond it, the oldest days go. Only what
    ``is_import`` is checked afterwards; a journal is drained too often for that.
    """
    with engine.transaction():
        first = not (raw_floor(engine.fetch) or _has_events(engine))
        report = load()
        if report.loaded:
            dropped = most is not None and drop_oldest_days(engine, most)
            if first or dropped:
                # People who are told about before their first event have nothing that could follow from events.
                _rebuild(engine, settings, now, REBUILD_STEPS if _has_events(engine) else ("people",))
            else:
                follow(engine, settings, now, report.load_id)
        if is_import and settings.imports.check and not report.is_repeated:
            report = replace(report, checks=check_import(engine, settings, now, report.load_id))
    return report


def _has_events(engine: Engine) -> bool:
    return bool(engine.fetch("SELECT 1 FROM fact_user_actions LIMIT 1"))


def follow(engine: Engine, settings: Settings, now: datetime, load_id: int, *, gone: Collection[int] = ()) -> None:
    """Let everything derived follow a change of the facts; ``gone`` are people whose facts were taken away."""
    if needs_rebuild(engine, settings):
        _rebuild(engine, settings, now)
    else:
        refresh(engine, settings, read_context(engine, settings, now, read=engine.fetch), load_id, gone=gone)


def catch_up(engine: Engine, settings: Settings, now: datetime) -> tuple[str, ...]:
    """Make those stored rows anew that changed definitions ask for, in one transaction; returns the steps done."""
    steps = pending(engine, settings).steps
    if steps:
        with engine.transaction():
            _rebuild(engine, settings, now, steps)
    return steps


def pending(engine: Engine, settings: Settings) -> Pending:
    """What changed definitions ask for; nothing while nothing has been loaded."""
    stored = stored_definitions(lambda sql: engine.query(sql).rows)
    changed = changed_parts(stored, settings.definitions()) if stored else ()
    ((events,),) = engine.query("SELECT coalesce(sum(events), 0) AS events FROM event_days").rows
    return Pending(changed, steps_for(changed), int(events))


def rebuild_all(engine: Engine, settings: Settings, now: datetime) -> None:
    """Compute everything derived anew, with the present settings, in one transaction."""
    with engine.transaction():
        _rebuild(engine, settings, now)


def _rebuild(engine: Engine, settings: Settings, now: datetime, steps: Collection[str] = REBUILD_STEPS) -> None:
    floor = raw_floor(engine.fetch)
    if floor is None or not READING_EVENTS.intersection(steps):
        _rebuild_from_facts(engine, settings, now, steps)
        return
    changed = changed_parts(stored_definitions(engine.fetch), settings.definitions())
    archive = whole_archive(engine, floor)
    if archive is None:
        if changed:
            raise _needs_archive(floor, changed)
        rebuild_event_days(engine)
        rebuild_above(engine, settings, read_context(engine, settings, now, read=engine.fetch), floor)
        return
    put_back(engine, archive, floor)
    if "timezone" in changed:
        # Days begin and end elsewhere now, so the archive has to be made anew, from all events.
        move_floor(engine, None)
        _rebuild_from_facts(engine, settings, now, steps)
    else:
        _rebuild_from_facts(engine, settings, now, steps)
        take_out(engine, floor)


def _rebuild_from_facts(engine: Engine, settings: Settings, now: datetime, steps: Collection[str]) -> None:
    # The days of events come first: a new time zone needs to know which stretch of time its offsets must cover.
    rebuild_event_days(engine)
    rebuild(engine, settings, read_context(engine, settings, now, read=engine.fetch), steps)


def _needs_archive(floor: date, changed: Collection[str]) -> SettingsError:
    return SettingsError(
        f"the settings changed ({', '.join(changed)}), and what is stored of the days before {floor} could only be "
        "computed anew from their raw events, which were dropped; put archive/events back as it was, or undo the "
        "change in regulars.toml",
        code="needs_archive", changed=list(changed), floor=floor.isoformat(),
    )  # fmt: skip


def needs_rebuild(engine: Engine, settings: Settings) -> bool:
    """Whether the stored rows were built with other definitions than today's."""
    return stored_definitions(engine.fetch) != settings.definitions()
