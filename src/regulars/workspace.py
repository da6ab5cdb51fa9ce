"""The workspace: one folder (or memory) that holds a product's events and answers questions about them.

With :mod:`regulars.opening` and :mod:`regulars.rebuilding` this is the composition root: they choose the engine.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

from regulars.application.archiving import record_of
from regulars.application.cohorts import freeze, freeze_people, stays
from regulars.application.corrections import link, set_attributes
from regulars.application.erase import unfinished
from regulars.application.experiments import Experiments
from regulars.application.load import catch_up, load_and_refresh, pending, rebuild_all
from regulars.application.mirror import mirror
from regulars.application.quality import keep, run_checks
from regulars.application.query import analyze, read_context, render_query
from regulars.application.reads import StateReads
from regulars.application.timeline import timeline
from regulars.domain.attributes import AttributeValue, attribute_texts, check_population
from regulars.domain.dialect import DIALECTS
from regulars.domain.query import Query
from regulars.domain.schema import DIM_DATES, TABLES
from regulars.domain.surveys import response_event
from regulars.errors import EngineError, QueryError, UnknownNameError, UnsupportedError
from regulars.infrastructure.archive.folder import FolderArchive
from regulars.infrastructure.engines.mirrored import MirroredEngine
from regulars.infrastructure.holidays import fill_holidays
from regulars.operations import Operations
from regulars.publishing import Publishing
from regulars.questions import Questions, day_of
from regulars.settings import SETTINGS_NAME, Settings
from regulars.tracking import Tracking, tracker_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from regulars.application.ports import ServingEngine, Table
    from regulars.domain.definitions import Pending
    from regulars.domain.quality.report import Occasion, QualityReport
    from regulars.domain.query import Population
    from regulars.domain.report import ImportPreview, ImportReport
    from regulars.domain.result import Result
    from regulars.domain.segments import Stay
    from regulars.domain.timeline import Timeline
    from regulars.infrastructure.engines.duckdb import DuckDBEngine
    from regulars.infrastructure.loader import Loader
    from regulars.infrastructure.lock import WorkspaceLock
    from regulars.questions import Day

MOST_EVENTS_SHOWN = 10_000


class Workspace(Tracking, Questions, Publishing, Operations):
    """A product's events and the answers they give. Use it as a context manager, or call :meth:`close`."""

    _loads_at_start = True

    def __init__(
        self,
        engine: DuckDBEngine,
        settings: Settings,
        *,
        folder: Path | None = None,
        lock: WorkspaceLock | None = None,
        read_only: bool = False,
        clock: Callable[[], datetime] | None = None,
        max_events: int | None = None,
        serving: ServingEngine | None = None,
    ) -> None:
        self._engine = engine
        self.settings = settings
        self.folder = folder
        self.read_only = read_only
        self._lock = lock
        self._reads = StateReads()
        self._clock = clock or (lambda: datetime.now(UTC))
        self._max_events = max_events
        self._archive = FolderArchive(folder) if folder else None
        self._tracker = tracker_of(
            engine, settings, folder, self.now, max_events=max_events, archive=self._archive, loads=not read_only
        )
        if not read_only:
            try:
                self._begin_writing()
            except BaseException:
                self._tracker.close(flush=False)
                raise
        self._served = serving and MirroredEngine(engine, serving, partial(_copy, engine, serving))

    def _begin_writing(self) -> None:
        """Finish what an earlier process may have left, and load what was collected since."""
        self._engine.create_schema()
        fill_holidays(self._engine, self.settings.holidays)
        if self._archive is not None:
            self._agree_with(self._archive)
        if unfinished(self._engine):
            self._finish_erasures()
        self._tracker.catch_up()
        if self._loads_at_start:
            self.flush()

    @property
    def engine(self) -> DuckDBEngine:
        """The database, with everything in it that was tracked so far."""
        self.flush()
        return self._engine

    def load(
        self,
        source: object,
        *,
        kind: str = "auto",
        format: str = "auto",
        timezone: str | None = None,
        mapping: Mapping[str, str] | None = None,
        progress: Callable[[str, int, int | None], None] | None = None,
    ) -> ImportReport:
        """Load events or users; loading the same rows again changes nothing.

        Args:
            source: A path (CSV, JSON Lines, Parquet, also gzipped), anything with an Arrow stream (polars, pandas,
                pyarrow), or a list of dictionaries.
            kind: ``events``, ``users``, or ``auto`` to tell by the columns.
            format: ``csv``, ``jsonl``, ``parquet``, the tool that exported it (``segment``, ``posthog``,
                ``amplitude``, ``mixpanel``, ``ga4``, ``snowplow``), or ``auto``.
            timezone: IANA name for times without one; without it such times are refused.
            mapping: Column of the source per role, e.g. ``{"user_id": "member"}``, where guessing is not enough.
            progress: Called with (stage, rows done, rows in all or None).

        Returns:
            What was read, loaded, found twice and rejected; the counts add up.

        Raises:
            SourceError: The source as a whole cannot be read; nothing was loaded.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> ws.load([{"user_id": 7, "event_type": "like", "timestamp": "2026-01-05T09:00:00+01:00"}]).loaded
            1
        """
        self._refuse_read_only("load")
        now = self.now()
        loader = self._loader()

        def facts() -> ImportReport:
            report = loader.load(
                source, now=now, format=format, kind=kind, timezone=timezone, mapping=mapping, progress=progress
            )
            if self._archive is not None and not report.is_repeated:
                how = {"kind": kind, "format": format, "timezone": timezone, "mapping": mapping}
                self._archive.note_import(record_of(self._engine, report, source, now, how))
            return report

        return load_and_refresh(self.engine, self.settings, facts, now, most=self._max_events)

    def preview(
        self,
        source: object,
        *,
        kind: str = "auto",
        format: str = "auto",
        timezone: str | None = None,
        mapping: Mapping[str, str] | None = None,
    ) -> ImportPreview:
        """What :meth:`load` would do with a source: its columns, counts and rejected rows. Changes nothing."""
        loader = self._loader()
        with self._engine.at_rest():
            return loader.preview(source, now=self.now(), format=format, kind=kind, timezone=timezone, mapping=mapping)

    def _loader(self) -> Loader:
        # Only loading needs it, and it brings numpy along.
        from regulars.infrastructure.loader import Loader  # noqa: PLC0415

        return Loader(self.engine, self.settings)

    def query(self, query: Query) -> Result:
        """Answer one question; every other face comes through here."""
        if not isinstance(query, Query):
            raise QueryError(
                f"a question is a regulars.Query, not {type(query).__name__}; ask a metric by name with ws.metric(...)",
                code="bad_query",
            )
        engine = self.engine
        return analyze(self._served or engine, self.settings, query, self.now(), self._reads)

    def render_sql(self, query: Query, engine: str = "duckdb") -> str:
        """The SQL that answers a question, in the dialect of an engine: ``duckdb`` or ``clickhouse``."""
        if engine not in DIALECTS:
            raise UnknownNameError("engine", engine, DIALECTS, code="unknown_engine")
        return render_query(self.engine, self.settings, query, self.now(), DIALECTS[engine])

    def metric(self, name: str, **keywords: Any) -> Result:
        """Any metric of the catalogue by name; the keywords are those of :meth:`question`.

        Example:
            >>> import regulars
            >>> regulars.open().metric("stickiness", window=28, grain="week").rows
            []
        """
        return self.query(self.question(name, **keywords))

    def sql(self, statement: str, *, most: int | None = None) -> Table:
        """Rows of one SELECT on the star schema, no more than ``most``; anything else is refused.

        Raises:
            QueryError: ``not_a_select``, ``unknown_table``, ``function_refused``; ``bad_sql``: it cannot be read, or
                fails; ``too_slow``: only where a server answers.
        """
        from regulars.domain.readonly import check_select, check_tree  # noqa: PLC0415 -- only this call needs them

        check_select(statement)
        check_tree(statement, self.engine.parsed(statement))
        try:
            return self._engine.query(statement, most)
        except EngineError as exc:
            if exc.code in ("bad_statement", "bad_value"):
                raise QueryError(exc.message, code="bad_sql") from exc
            raise

    def check(
        self, only: str | Sequence[str] = (), *, occasion: Occasion = "check", store: bool = True
    ) -> QualityReport:
        """Check the data: rows, people, times, values, volume, sessions, and that stored rows add up.

        Args:
            only: Names of checks; all that settings leave on by default.
            occasion: What the results are stored as: ``check``, or ``report`` before one is made.
            store: Keep the counts in the table ``check_results``; a read-only workspace keeps nothing.

        Returns:
            One result per check: status, severity, count, sample rows, and what to do.

        Raises:
            UnknownNameError: ``unknown_check``.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load([{"user_id": "a", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z", "amount": -1}])
            >>> ws.check().failed[0].check
            'out_of_range'
        """
        names = (only,) if isinstance(only, str) else only
        report = run_checks(self.engine, self.settings, self.now(), only=names, occasion=occasion)
        return keep(self.engine, report) if store and not self.read_only else report

    def link(self, anonymous_id: str | int, user_id: str | int) -> None:
        """Say that an anonymous id is a known user: everything it did, and will do, becomes theirs.

        Raises:
            QueryError: ``unknown_user``: one of the ids is not here; ``already_linked``: the anonymous id belongs to
                somebody else.
        """
        self._refuse_read_only("correct anything")
        link(self.engine, self.settings, str(anonymous_id), str(user_id), self.now())

    def record_nps_response(
        self,
        user_id: str | int,
        score: int,
        *,
        comment: str | None = None,
        survey: str | None = None,
        timestamp: datetime | str | None = None,
    ) -> None:
        """Record how likely somebody says they are to recommend the product: an event ``nps_response``.

        Args:
            user_id: Who answered.
            score: A whole number from 0 to 10.
            comment: What they wrote.
            survey: Which survey it was, where there are several.
            timestamp: When, with a time zone; now by default.

        Raises:
            QueryError: ``bad_score``.
            EventError: The event cannot be stored: no id, no time, or a time without a zone; the code says which.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> ws.record_nps_response("ada", 9, comment="quick", timestamp="2026-01-05T09:00:00Z")
            >>> ws.nps(start="2026-01-05").rows[0]["nps"]
            100.0
        """
        self._record(response_event(user_id, score, self._moment(timestamp), comment=comment, survey=survey))

    @property
    def experiments(self) -> Experiments:
        """Experiments: written down, started and stopped; who gets which variant; what came of it."""
        return Experiments(
            self._engine, self.settings.timezone, self.now, self._record, self.flush, self.metric,
            self._refuse_read_only,
        )  # fmt: skip

    def _moment(self, given: datetime | str | None) -> str:
        if given is None:
            return f"{self.now().isoformat()}Z"
        return given if isinstance(given, str) else given.isoformat()

    def _record(self, event: Mapping[str, Any]) -> None:
        """Keep one event as :meth:`track` does."""
        self._refuse_read_only("record anything")
        self._tracker.track(event)

    def set_attributes(self, user_id: str | int, attributes: Mapping[str, AttributeValue]) -> None:
        """Set attributes of a person from now on; None clears one. History is sliced by the new values.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}])
            >>> ws.set_attributes("ada", {"plan": "paid"})
            >>> ws.active_users(by="plan", start="2026-01-05").rows[0]["plan"]
            'paid'

        Raises:
            QueryError: ``unknown_user``; ``bad_attribute``: a name or a value that no attribute has.
            UnknownNameError: ``unknown_population``.
        """
        self._refuse_read_only("correct anything")
        texts = attribute_texts(attributes, most=self.settings.imports.name_characters)
        set_attributes(self.engine, self.settings, str(user_id), texts, self.now())

    def set_population(self, user_id: str | int, population: Literal["production", "test", "bot"]) -> None:
        """Count a person as production, test or bot, in all of history.

        Raises:
            QueryError: ``unknown_user``; ``population_in_settings``: regulars.toml names the person, and wins.
        """
        check_population(population)
        named = self.settings.population
        if str(user_id) in (*named.test_users, *named.bots, *named.production_users):
            raise QueryError(
                f"{SETTINGS_NAME} names {user_id!r} under [population], and wins; change it there",
                code="population_in_settings", user_id=user_id,
            )  # fmt: skip
        self.set_attributes(user_id, {"population": population})

    def timeline(self, user_id: str | int, *, limit: int = 100) -> Timeline:
        """One person: profile, tier, and the newest events, newest first, with the session around each.

        Raises:
            QueryError: ``unknown_user``; ``bad_limit``.
        """
        if not 1 <= limit <= MOST_EVENTS_SHOWN:
            raise QueryError(f"limit must be from 1 to {MOST_EVENTS_SHOWN}, not {limit}", code="bad_limit")
        return timeline(self.engine, self.settings, str(user_id), self.now(), limit=limit)

    def cohort(self, name: str, *, on: Day | None = None, population: Population = "production") -> list[str]:
        """Ids of the people who belong to a cohort, declared or frozen, or to a segment, on a day, sorted.

        Args:
            name: A cohort (``[cohorts.NAME]``, or a frozen one) or a segment; a cohort wins.
            on: The day; the last one with data by default.
            population: Whose ids.

        Raises:
            UnknownNameError: ``unknown_cohort``.
            QueryError: ``bad_date``: no data on that day yet.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}])
            >>> ws.cohort("new_user", on="2026-01-05")
            ['ada']
        """
        rules, day = self.settings.rules, day_of(on, "on")
        last = read_context(self.engine, self.settings, self.now()).watermark
        if day is not None and (last is None or day > last):
            known = f"the last day is {last}" if last else "there are none at all"
            raise QueryError(f"no data on {day} yet: {known}", code="bad_date")
        is_segment = name in rules.segments and name not in rules.cohorts
        asked: dict[str, Any] = {"where": f"cohort.segment = '{name}'"} if is_segment else {"cohort": name}
        result = self.metric("cohort_size", start=day or last, end=day or last, population=population, **asked)
        return result.users(result.rows[-1]) if result.rows else []

    def freeze_cohort(
        self, name: str | None = None, *, as_: str, on: Day | None = None, users: Sequence[str] | None = None
    ) -> int:
        """Fix who belongs to a declared cohort on a day, or a list of people, as a cohort that never changes.

        The new cohort is used like any other (``where="cohort.NAME"``), outlives a rebuild, follows people whose ids
        are merged, and lets erased people go. People of every population are kept, so that each question decides.

        Args:
            name: The declared cohort; or give ``users``.
            as_: Name of the new cohort: lower-case letters, digits and ``_``.
            on: The day; the last one with data by default.
            users: Ids of people, instead of a cohort.

        Returns:
            How many people it has.

        Raises:
            QueryError: ``bad_name``, ``cohort_exists``, ``bad_date``, ``unknown_user``, ``bad_cohort``: neither a
                cohort nor a list of people, or both.
            UnknownNameError: ``unknown_cohort``.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}])
            >>> ws.freeze_cohort(users=["ada"], as_="beta_testers")
            1
            >>> ws.cohort("beta_testers")
            ['ada']
        """
        self._refuse_read_only("freeze a cohort")
        if users is not None and name is None and on is None:
            return freeze_people(self.engine, self.settings, users, self.now(), as_=as_)
        if name is None or users is not None:
            raise QueryError("freeze a declared cohort on a day, or a list of users; give one of them",
                             code="bad_cohort")  # fmt: skip
        return freeze(self.engine, self.settings, name, self.now(), on=day_of(on, "on"), as_=as_)

    def membership(self, user_id: str | int) -> tuple[Stay, ...]:
        """Which cohorts and segments a person was in, from when to when, up to the last day with data.

        Example:
            >>> import regulars
            >>> ws = regulars.open()
            >>> _ = ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}])
            >>> ws.membership("ada")[0].name
            'new_user'

        Raises:
            QueryError: ``unknown_user``.
        """
        return stays(self.engine, self.settings, str(user_id), self.now())

    def plan(self) -> Pending:
        """What a change of ``regulars.toml`` leaves to recompute; :meth:`refresh` does it."""
        return pending(self.engine, self.settings)

    def refresh(self) -> tuple[str, ...]:
        """Make those stored rows anew that changed settings ask for; returns the steps done, none if there were none.

        Loading keeps stored rows up to date by itself; only a change of ``regulars.toml`` leaves something to do.
        """
        self._refuse_read_only("refresh")
        return catch_up(self.engine, self.settings, self.now())

    def rebuild(self) -> None:
        """Compute everything derived anew from the events, with the present settings."""
        self._refuse_read_only("rebuild")
        rebuild_all(self.engine, self.settings, self.now())

    def _refuse_read_only(self, what: str) -> None:
        if self.read_only:
            raise UnsupportedError(
                f"this workspace was opened read-only; open it without read_only to {what}", code="read_only"
            )

    def now(self) -> datetime:
        """The present instant, naive UTC."""
        return self._clock().astimezone(UTC).replace(tzinfo=None)

    def close(self) -> None:
        """Bring what was tracked into the database, and give it and its lock back."""
        # Whatever fails, everything is given back, and the lock after everything else.
        with ExitStack() as held:
            if self._lock is not None:
                held.callback(self._lock.release)
            held.callback(self._engine.close)
            if self._archive is not None:
                held.callback(self._archive.close)
            if self._served is not None:
                held.callback(self._served.close)
            self._tracker.close(flush=not self.read_only)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _copy(engine: DuckDBEngine, serving: ServingEngine, is_first: bool) -> None:  # noqa: FBT001 -- a callback
    # The calendar stays as it is while a workspace is open.
    mirror(engine, serving, TABLES if is_first else [table for table in TABLES if table is not DIM_DATES])
