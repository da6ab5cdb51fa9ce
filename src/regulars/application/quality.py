"""Check the data: after an import, before a report, or when somebody asks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from regulars.application.canonical import execute
from regulars.application.ports import Table
from regulars.application.query import read_context, stored_definitions
from regulars.domain.definitions import changed_parts
from regulars.domain.dialect import DUCKDB, render
from regulars.domain.quality.catalogue import checks_after_import, chosen_checks
from regulars.domain.quality.record import Look
from regulars.domain.quality.report import CheckResult, QualityReport
from regulars.domain.readonly import check_tree
from regulars.domain.sql import Values
from regulars.errors import RegularsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from regulars.application.ports import Engine
    from regulars.domain.context import Context
    from regulars.domain.quality.record import Check
    from regulars.domain.quality.report import Occasion
    from regulars.settings import Settings

Run = Callable[[str], Table]
SAMPLE = 5
NOT_RUN = "it could not be run"


def run_checks(
    engine: Engine,
    settings: Settings,
    now: datetime,
    *,
    only: Iterable[str] = (),
    occasion: Occasion = "check",
) -> QualityReport:
    """Run the checks that are switched on, or ``only`` those named, on one committed state; nothing is stored.

    Errors: :class:`UnknownNameError` ``unknown_check``.
    """
    leaves = [leaf for said in settings.checks.values() for filter_ in said.where for leaf in filter_.leaves()]
    with engine.snapshot() as snapshot:

        def read(sql: str) -> list[tuple[Any, ...]]:
            return snapshot.query(sql).rows

        context = read_context(engine, settings, now, [leaf.property or "" for leaf in leaves], read=read)
        checks = chosen_checks(settings.checks, context, only)
        stored = stored_definitions(read)
        is_current = not (stored and changed_parts(stored, settings.definitions()))
        look = replace(_look(settings, context), is_current=is_current)
        # A statement of somebody's own may fail, and must not take the snapshot of the others with it.
        results = [_own(engine, check, look, settings.checks[check.name].sql) if check.is_own
                   else _judge(engine, snapshot.query, check, look) for check in checks]  # fmt: skip
    return QualityReport(now, occasion, tuple(results))


def check_import(engine: Engine, settings: Settings, now: datetime, load_id: int) -> tuple[CheckResult, ...]:
    """Check what an import has just brought, inside its transaction, and keep the results.

    The cheap checks are asked for in one statement, because planning costs more than running it.
    """
    checks = checks_after_import(settings.checks)
    if not checks:
        return ()
    types = {name: key for name, key in engine.fetch("SELECT action_type, action_key FROM dim_actions")}  # noqa: C416
    look = Look(now=now, types=types, declared=frozenset(settings.actions), load_id=load_id)
    found = _judge_at_once(engine, [check for check in checks if check.is_cheap], look)
    others = [check for check in checks if not check.is_cheap]
    if others:
        look = replace(_look(settings, read_context(engine, settings, now, read=engine.fetch)), load_id=load_id)
        found += [_judge(engine, lambda sql: Table((), engine.fetch(sql)), check, look, sample=0) for check in others]
    _insert(engine, QualityReport(now, "import", tuple(found)), load_id)
    return tuple(found)


def keep(engine: Engine, report: QualityReport) -> QualityReport:
    """Store the results in ``check_results``, without the samples: they name people."""
    with engine.transaction():
        return _insert(engine, report, None)


def _look(settings: Settings, context: Context) -> Look:
    last = context.watermark
    return Look(
        now=context.now,
        types=context.types,
        declared=frozenset(settings.actions),
        first_day=context.first_day,
        raw_floor=context.raw_floor,
        through=None if last is None else context.complete_through(last),
        gap_minutes=settings.sessions.gap_minutes,
        dimensions=settings.rollups.checked(),
        ranges=settings.ranges,
    )


def _judge(engine: Engine, run: Run, check: Check, look: Look, *, sample: int = SAMPLE) -> CheckResult:
    """Ask what the check needs, count what is at fault, and fetch a few rows of it."""
    look = check.look(look)
    for need in check.needs:
        values = Values()
        if not run(_spelled(engine, need.exists(look, values), values)).rows:
            return _result(check, "skipped", reason=need.reason)
    values = Values()
    rows, whole = check.rows(look, values), check.whole(look, values)
    text = f"SELECT (SELECT {check.counts} FROM ({rows}) bad) AS found, ({whole}) AS whole"
    result = _counted(check, *run(_spelled(engine, text, values)).rows[0])
    return replace(result, **_sample(engine, run, check, look, sample)) if result.count and sample else result


def _counted(check: Check, found: Any, whole: Any) -> CheckResult:
    count, of = int(found or 0), None if whole is None else int(whole)
    return _result(check, "failed" if check.fails(count, of or 0) else "passed", count=count, whole=of)


def _judge_at_once(engine: Engine, checks: Sequence[Check], look: Look) -> list[CheckResult]:
    """Counts for several checks in one statement; a check that finds nothing to look at is skipped."""
    values, parts = Values(), []
    for place, check in enumerate(checks):
        own = check.look(look)
        counted = f"SELECT {check.counts} FROM ({check.rows(own, values)}) bad"
        parts.append(f"SELECT {place} AS place, ({counted}) AS found, ({check.whole(own, values)}) AS whole")
    answers = sorted(engine.fetch(_spelled(engine, "\nUNION ALL\n".join(parts), values))) if parts else []
    return [
        _counted(check, found, whole) if whole else _result(check, "skipped", reason=check.needs[0].reason)
        for check, (_, found, whole) in zip(checks, answers, strict=True)
    ]


def _sample(engine: Engine, run: Run, check: Check, look: Look, most: int) -> dict[str, Any]:
    values = Values()
    order = f" ORDER BY {check.order}" if check.order else ""
    text = f"SELECT * FROM ({check.rows(look, values)}) bad{order} LIMIT {most}"
    table = run(_spelled(engine, text, values))
    return {"columns": table.columns, "sample": tuple(map(tuple, table.rows))}


def _own(engine: Engine, check: Check, look: Look, declared: str | None) -> CheckResult:
    try:
        if declared is not None:
            check_tree(declared, engine.parsed(declared))
        return _judge(engine, engine.query, check, look)
    except RegularsError as exc:
        return _result(check, "failed", reason=f"{NOT_RUN}: {exc.message}")


def _result(check: Check, status: Any, **found: Any) -> CheckResult:
    return CheckResult(
        check=check.name,
        title=check.title,
        severity=check.severity,
        status=status,
        noun=check.noun,
        judge=check.judge,
        threshold=check.threshold,
        words=check.words,
        fix=check.fix,
        **found,
    )


def _spelled(engine: Engine, text: str, values: Values) -> str:
    # As it stands it is DuckDB's own, and spelling it again costs as much as running it.
    bound = values.bind(text)
    is_plain = engine.dialect is DUCKDB and not bound.values and not re.search(r"\brg_", text)
    return text if is_plain else render(bound, engine.dialect)


def _insert(engine: Engine, report: QualityReport, load_id: int | None) -> QualityReport:
    ((run_id,),) = engine.fetch("SELECT coalesce(max(run_id), 0) + 1 FROM check_results")
    moment = report.checked_at.isoformat(sep=" ")
    rows = ",\n".join(
        f"({run_id}, CAST('{moment}' AS TIMESTAMP), '{report.occasion}', {_number(load_id)}, '{each.check}', "
        f"'{each.severity}', '{each.status}', {_text(_kept_reason(each))}, {_number(each.count)}, "
        f"{_number(each.whole)}, '{each.judge}', {each.threshold!r})"
        for each in report.results
    )
    if rows:
        execute(engine, f"INSERT INTO check_results VALUES {rows}")
    return replace(report, run_id=run_id)


def _kept_reason(result: CheckResult) -> str | None:
    # What a database says of a statement may quote a value, and that of a person.
    return NOT_RUN if result.status == "failed" and result.reason else result.reason


def _number(value: int | None) -> str:
    return "NULL" if value is None else str(value)


def _text(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
