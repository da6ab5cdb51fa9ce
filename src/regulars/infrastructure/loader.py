"""Load one source: read it, check every row, drop what is there already, append the rest.

The caller opens the transaction, refreshes the derived tables from the rows with the load's ``load_id``, and
commits; so an import is there as a whole or not at all. The steps are those of
:mod:`regulars.infrastructure.loading`, in the order of :meth:`Loader.load`.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import duckdb

from regulars.domain.report import ImportPreview, ImportReport, Reject
from regulars.errors import EngineError, SourceError
from regulars.infrastructure.importers.columns import (
    Columns,
    assign,
    decide_kind,
    require_events,
    require_users,
)
from regulars.infrastructure.importers.exports.reader import Wishes
from regulars.infrastructure.importers.formats import File, inspect
from regulars.infrastructure.importers.journal import NAME as JOURNAL
from regulars.infrastructure.importers.readers import open_source
from regulars.infrastructure.importers.source import BROKEN, STAGED
from regulars.infrastructure.loading import attributes, facts, users, validate
from regulars.infrastructure.loading.dropped import dropped_rules
from regulars.infrastructure.loading.duplicates import drop_duplicates
from regulars.infrastructure.loading.earlier import find_earlier_load
from regulars.infrastructure.loading.erased import erased_rules
from regulars.infrastructure.loading.fields import raw, select_fields
from regulars.infrastructure.loading.keys import add_dimensions
from regulars.infrastructure.loading.sql import literal
from regulars.infrastructure.loading.survey import WHO, survey
from regulars.infrastructure.loading.times import bounds, instant, microseconds
from regulars.settings import check_timezone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from regulars.domain.report import Kind
    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.importers.source import Source
    from regulars.infrastructure.loading.validate import Rule, Summary
    from regulars.settings import Settings

    Progress = Callable[[str, int, int | None], None]

SAMPLE = 20
_ROWS = "rg_rows"
_VIEWS = ("rg_accepted", "rg_identified", validate.EVENTS, validate.FIELDS, validate.RAW)
_TABLES = (
    _ROWS, STAGED, WHO, BROKEN, "rg_made_ids", "rg_duplicates", "rg_first_events", "rg_inferred", "rg_people",
    "rg_new_attributes",
)  # fmt: skip


@dataclass(frozen=True)
class _Checked:
    """A source whose rows have all been judged, and nothing has been stored yet."""

    source: Source
    columns: Columns
    kind: Kind
    rules: tuple[Rule, ...]
    summary: Summary
    broken: int

    @property
    def rows_read(self) -> int:
        return self.summary.rows + self.broken


class Loader:
    """Loads files, frames and lists into one warehouse, inside a transaction that the caller has opened."""

    def __init__(self, engine: DuckDBEngine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    def load(
        self,
        source: object,
        *,
        now: datetime,
        format: str = "auto",
        kind: str = "auto",
        timezone: str | None = None,
        mapping: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Append a source's rows to the dimensions and facts.

        ``now`` is naive UTC. ``timezone`` is the zone of times that name none. ``mapping`` gives roles their
        columns: ``{"user_id": "customer"}``. ``progress(stage, done, total)`` is told when a stage begins.

        Errors: :class:`SourceError` when the source as a whole cannot be loaded; rows that cannot be are
        counted in the report and kept in ``dead_letter``.
        """
        begun = time.perf_counter()
        tell = progress or _silent
        try:
            tell("read", 0, None)
            wishes = Wishes(mapping or {}, timezone)
            if isinstance(source, (str, os.PathLike)):
                source = inspect(Path(source), format)
                if before := find_earlier_load(self._engine, source, format, wishes):
                    return replace(before, seconds=time.perf_counter() - begun)
            opened = self._open(source, format, wishes)
            checked = self._check(opened, now=now, kind=kind, timezone=timezone, mapping=mapping or {}, tell=tell)
            report = self._store(checked, now, tell)
        except EngineError as exc:
            raise _blame(source, exc) from exc
        self._forget()
        if not report.adds_up:
            raise EngineError(f"the counts of this import do not add up: {report}", code="import_audit")
        return replace(report, seconds=time.perf_counter() - begun)

    def preview(
        self,
        source: object,
        *,
        now: datetime,
        format: str = "auto",
        kind: str = "auto",
        timezone: str | None = None,
        mapping: Mapping[str, str] | None = None,
    ) -> ImportPreview:
        """What :meth:`load` would do with a source; nothing is changed.

        Errors: :class:`SourceError` for a source that cannot be read. What would refuse the whole import
        (naive times, a missing column) is the preview's ``problem``.
        """
        try:
            opened = self._open(source, format, Wishes(mapping or {}, timezone))
            columns, chosen = _play(opened, kind, mapping)
            outline = ImportPreview(
                opened.name, opened.format, chosen,
                {role: item.name for role, item in columns.roles.items()},
                tuple(item.name for item in opened.fields if item in columns.others),
            )  # fmt: skip
            try:
                checked = self._check(
                    opened, now=now, kind=chosen, timezone=timezone, mapping=mapping or {}, tell=_silent
                )
            except SourceError as exc:
                return replace(outline, problem=exc.message)
            return self._foresee(outline, checked)
        except EngineError as exc:
            raise _blame(source, exc) from exc
        finally:
            self._forget()

    def _check(
        self,
        opened: Source,
        *,
        now: datetime,
        kind: str,
        timezone: str | None,
        mapping: Mapping[str, str],
        tell: Progress,
    ) -> _Checked:
        """Judge every row of an open source."""
        if kind not in ("auto", "events", "users"):
            raise SourceError(f"unknown kind {kind!r}; allowed: auto, events, users", code="unknown_kind", value=kind)
        if timezone is not None:
            check_timezone(timezone)
        columns, chosen = _play(opened, kind, mapping)
        _require(columns, chosen, opened)
        tell("check", 0, None)
        columns = survey(self._engine, opened, columns, self._settings.imports.string_bytes)
        self._name_fields(opened, columns)
        naive = (validate.naive_rule(),) if opened.by_row and timezone is None else ()
        rules = (*erased_rules(self._engine, columns, chosen), *naive, *self._rules(chosen))
        if not naive and timezone is None and "timestamp" in columns:
            validate.refuse_naive_times(self._engine, opened, columns)
        validate.create_events(self._engine, validate.utc_microseconds(self._engine, timezone), rules)
        summary = validate.summarise(self._engine, now, columns)
        ((broken,),) = self._engine.fetch(f"SELECT count(*) FROM {BROKEN}")
        if summary.rows + broken == 0:
            raise SourceError(f"{opened.name} holds no rows", code="empty_source")
        return _Checked(opened, columns, chosen, rules, summary, broken)

    def _open(self, source: object, format: str, wishes: Wishes) -> Source:
        return open_source(self._engine, source, format, wishes, self._settings.imports.string_bytes)

    def _rules(self, kind: Kind) -> tuple[Rule, ...]:
        if kind == "users":
            return users.rules(self._settings, *bounds(self._settings.timezone))
        return (*validate.rules(self._settings), *dropped_rules(self._engine, self._settings.timezone))

    def _name_fields(self, source: Source, columns: Columns) -> None:
        select = select_fields(source, columns, self._settings.imports)
        if not source.typed:
            # Text is parsed once; columns are read again faster than they are stored.
            self._engine.execute(f"CREATE OR REPLACE TEMP TABLE {_ROWS} AS {select}")
            select = f"SELECT * FROM {_ROWS}"
        self._engine.execute(f"CREATE OR REPLACE TEMP VIEW {validate.FIELDS} AS {select}")
        self._engine.execute(
            f"CREATE OR REPLACE TEMP VIEW {validate.RAW} AS "
            f"SELECT {source.line} AS line, {raw(source)} AS raw FROM {source.relation}"
        )

    def _store(self, checked: _Checked, now: datetime, tell: Progress) -> ImportReport:
        """Append what was found good, and keep what was not."""
        engine, summary, total = self._engine, checked.summary, checked.rows_read
        ((load_id,),) = engine.fetch("SELECT coalesce(max(load_id), 0) + 1 FROM loads")
        tell("store", 0, total)
        if checked.kind == "users":
            repeated = users.add_people(engine, accepted=summary.accepted, now=now, load_id=load_id)
            duplicates, conflicts = repeated, 0
        else:
            duplicates, conflicts = self._store_events(checked, now, load_id)
        if summary.accepted < summary.rows:
            facts.add_rejects(engine, checked.rules, now, load_id)
        if checked.broken:
            facts.add_broken_rows(engine, now, load_id)
        report = self._report(checked, load_id, duplicates, conflicts)
        self._record(report, checked.source, now)
        tell("store", total, total)
        return report

    def _store_events(self, checked: _Checked, now: datetime, load_id: int) -> tuple[int, int]:
        engine, columns, settings = self._engine, checked.columns, self._settings
        is_collected = checked.source.format == JOURNAL
        duplicates, conflicts = drop_duplicates(engine, checked.summary, collected=is_collected)
        everybody = checked.summary.accepted == checked.summary.rows and not duplicates
        add_dimensions(engine, columns, settings, everybody=everybody)
        facts.add_events(engine, columns, checked.summary, timezone=settings.timezone, now=now, load_id=load_id)
        facts.add_details(engine, columns, load_id)
        facts.add_links(engine, checked.summary, load_id)
        attributes.add_explicit(engine, columns, load_id, snapshots=checked.source.snapshots)
        attributes.add_inferred(engine, checked.source, columns, load_id)
        if is_collected:
            attributes.add_once(engine, load_id)
        if conflicts:
            facts.add_conflicts(engine, now, load_id)
        return duplicates, conflicts

    def _report(self, checked: _Checked, load_id: int, duplicates: int, conflicts: int) -> ImportReport:
        summary = checked.summary
        own = f"FROM dead_letter WHERE load_id = {load_id} AND reason <> 'id_conflict'"
        reasons = dict(self._engine.fetch(f"SELECT reason, count(*) {own} GROUP BY reason ORDER BY reason"))
        sample = self._engine.fetch(f"SELECT line, reason, detail, raw {own} ORDER BY line LIMIT {SAMPLE}")
        first, last = _times(summary) if checked.kind == "events" else (None, None)
        return ImportReport(
            source=checked.source.name,
            kind=checked.kind,
            load_id=load_id,
            rows_read=checked.rows_read,
            loaded=summary.accepted - duplicates,
            duplicates=duplicates,
            rejected=sum(reasons.values()),
            conflicts=conflicts,
            reasons=reasons,
            first_time=first,
            last_time=last,
            future=summary.future if checked.kind == "events" else 0,
            rejects=tuple(Reject(*row) for row in sample),
        )

    def _record(self, report: ImportReport, source: Source, now: datetime) -> None:
        self._engine.execute(f"""
            INSERT INTO loads VALUES ({report.load_id}, {literal(report.source)}, {literal(source.fingerprint)},
                make_timestamp({microseconds(now)}), {report.rows_read}, {report.loaded}, {report.duplicates},
                {report.rejected})""")

    def _foresee(self, outline: ImportPreview, checked: _Checked) -> ImportPreview:
        engine, summary = self._engine, checked.summary
        duplicates = drop_duplicates(engine, summary)[0] if checked.kind == "events" else 0
        details = facts.detail_cases(checked.rules)
        bad = f"""SELECT line, reason, {details} AS detail, raw FROM {validate.EVENTS} JOIN {validate.RAW} USING (line)
                  WHERE reason IS NOT NULL UNION ALL SELECT line, reason, detail, raw FROM {BROKEN}"""
        reasons = dict(engine.fetch(f"SELECT reason, count(*) FROM ({bad}) GROUP BY reason ORDER BY reason"))
        sample = engine.fetch(f"SELECT * FROM ({bad}) ORDER BY line LIMIT {SAMPLE}")
        first, last = _times(summary)
        return replace(
            outline,
            rows_read=checked.rows_read, loaded=summary.accepted - duplicates, duplicates=duplicates,
            rejected=sum(reasons.values()), reasons=reasons, first_time=first, last_time=last,
            rejects=tuple(Reject(*row) for row in sample),
        )  # fmt: skip

    def _forget(self) -> None:
        for view in _VIEWS:
            self._engine.execute(f"DROP VIEW IF EXISTS {view}")
        for table in _TABLES:
            self._engine.execute(f"DROP TABLE IF EXISTS {table}")


def _names_people(columns: Columns) -> bool:
    # A table of people may call its key just "id", which is an event's id elsewhere.
    return "user_id" in columns or "event_id" in columns


def _play(source: Source, kind: str, mapping: Mapping[str, str] | None) -> tuple[Columns, Kind]:
    """Which column plays which role, and what a row is; an export says both itself."""
    if source.columns:
        if kind not in ("auto", source.kind):
            raise SourceError(
                f"{source.name} is an export of {source.format} whose rows are {source.kind}, not {kind}; "
                "leave out --kind, or say which --format the file has",
                code="unknown_kind", value=kind,
            )  # fmt: skip
        return source.columns, source.kind
    columns = assign(source.fields, mapping)
    chosen = cast("Kind", decide_kind(columns) if kind == "auto" else kind)
    return (users.people_columns(columns) if chosen == "users" and _names_people(columns) else columns), chosen


def _require(columns: Columns, kind: Kind, source: Source) -> None:
    if kind == "events":
        require_events(columns, source.name)
    elif not _names_people(columns):
        require_users(columns, source.name)


def _times(summary: Summary) -> tuple[datetime | None, datetime | None]:
    first, last = summary.first_us, summary.last_us
    return (None if first is None else instant(first)), (None if last is None else instant(last))


def _silent(stage: str, done: int, total: int | None) -> None:
    pass


def _blame(source: object, error: EngineError) -> Exception:
    """A file that DuckDB could not read is at fault itself; everything else stays the engine's error."""
    cause = error.__cause__
    if isinstance(source, File):
        source = source.path
    if not isinstance(source, (str, os.PathLike)):
        return error
    reading = isinstance(
        cause, (duckdb.InvalidInputException, duckdb.SerializationException, duckdb.ConversionException)
    )
    named = isinstance(cause, duckdb.IOException) and os.fspath(source) in str(cause)
    # What the Parquet library throws has no class of its own.
    if reading or named or type(cause) is duckdb.Error:
        return SourceError(f"{os.fspath(source)} is damaged: {error.message}", code="bad_source")
    return error
